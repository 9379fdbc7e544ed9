//! What a request brings: who calls, from where, its parameters and its body.

pub(crate) mod address;
pub(crate) mod alert_request;
pub(crate) mod auth;
pub(crate) mod batch_request;
pub(crate) mod body;
pub(crate) mod call;
pub(crate) mod headers;
pub(crate) mod job_filter;
pub(crate) mod job_ids;
pub(crate) mod json;
pub(crate) mod moment;
pub(crate) mod origin;
pub mod params;
pub(crate) mod path;
pub(crate) mod schedule_request;
