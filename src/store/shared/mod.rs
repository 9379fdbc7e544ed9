//! The store of several processes, in a schema of a PostgreSQL database. Nothing outside of this
//! folder knows tokio_postgres.

mod connect;
mod error;
mod hours;
mod lead;
mod membership;
mod nodes;
mod row_number;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod watch;
