//! The store of several processes, in a schema of a PostgreSQL database. Nothing outside of this
//! folder knows tokio_postgres.

mod accounts;
mod alert_marks;
mod alerts;
mod batches;
mod connect;
mod demand;
mod error;
mod feed;
mod handle;
mod hours;
mod kept;
mod lead;
mod lists;
mod loading;
mod lookups;
mod membership;
mod needs;
mod nodes;
mod observations;
mod open;
mod operation;
mod ops;
mod outbox;
mod process;
mod queue;
mod reads;
mod reports;
mod reserve;
mod round;
mod row_number;
mod rows;
mod saving;
mod schedules;
mod schema;
mod statements;
#[cfg(test)]
mod tests;
mod thing_reads;
mod things;
mod trackers;
mod transaction;
mod watch;
mod writer;
