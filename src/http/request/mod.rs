//! What a request brings: who calls, from where, its parameters and its body.

pub mod address;
pub mod auth;
pub mod batch_request;
pub mod body;
pub mod call;
pub mod headers;
pub mod json;
pub mod moment;
pub mod origin;
pub mod params;
pub mod path;
pub mod schedule_request;
