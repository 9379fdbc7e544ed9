//! The HTTP front end: the server that listens, and every route once (`routes`). Handlers parse,
//! call the service and answer; the rules are below.

mod dashboard;
mod docs;
mod error;
mod mcp;
mod openapi;
mod practice;
mod request;
mod resource;
mod routes;
mod state;
#[cfg(test)]
mod tests;
mod transport;

pub use error::ApiError;
pub use request::params;
pub use resource::export::Formulas;
pub use resource::schedules::slot_reader;
pub use transport::listener::{HttpServer, ListenError, listen, local_url};

/// The longest path and query, bytes: a prompt of 4,000 characters fits, percent-encoded.
pub const URL_BYTES_MAX: usize = 60_000;
/// The most that the URL and the headers of a request may have together, bytes.
pub const HEAD_BYTES_MAX: usize = 100_000;
