//! What the workers of the server share.

use std::sync::Arc;

use crate::http::openapi::document::Document;
use crate::http::practice::state::PracticeState;
use crate::http::request::body::Budget;
use crate::http::request::origin::OriginCheck;
use crate::http::resource::streams::Streams;
use crate::http::transport::cors::Cors;
use crate::http::transport::traffic::Traffic;
use crate::service::Service;

/// The limits of a request that handlers keep.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub body_bytes_max: usize,
    /// Of a batch.
    pub batch_bytes_max: usize,
    /// What is held of all bodies.
    pub bodies: Budget,
}

/// The parts that every worker of the server shares.
#[derive(Clone)]
pub(crate) struct State {
    pub service: Arc<Service>,
    pub limits: Arc<Limits>,
    pub cors: Arc<Cors>,
    pub origin: Arc<OriginCheck>,
    pub practice: Arc<PracticeState>,
    pub streams: Arc<Streams>,
    pub traffic: Arc<Traffic>,
    pub document: &'static Document,
}
