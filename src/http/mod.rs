//! The HTTP front end: the server that listens, and every route once (`routes`). Handlers parse, call the
//! service and answer; the rules are below.

mod dashboard;
mod docs;
mod error;
mod openapi;
mod practice;
mod request;
mod resource;
mod routes;
#[cfg(test)]
mod tests;
mod transport;

use std::sync::Arc;

pub use error::ApiError;
pub use request::params;
pub use resource::export::Formulas;
pub use transport::listener::{HttpServer, ListenError, listen, local_url};

use crate::answer::object as render;
use crate::service::Service;

/// The longest path and query, bytes: a prompt of 4,000 characters fits, percent-encoded.
pub const URL_BYTES_MAX: usize = 60_000;
/// The most that the URL and the headers of a request may have together, bytes.
pub const HEAD_BYTES_MAX: usize = 100_000;

/// The limits of a request that handlers keep.
#[derive(Clone, Debug)]
struct Limits {
    body_bytes_max: usize,
    /// Of a batch.
    batch_bytes_max: usize,
    /// What is held of all bodies.
    bodies: request::body::Budget,
}

/// What every worker of the server shares.
#[derive(Clone)]
struct State {
    service: Arc<Service>,
    limits: Arc<Limits>,
    cors: Arc<transport::cors::Cors>,
    origin: Arc<request::origin::OriginCheck>,
    practice: Arc<practice::PracticeState>,
    streams: Arc<resource::stats::Streams>,
    traffic: Arc<transport::traffic::Traffic>,
}
