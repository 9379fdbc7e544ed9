//! The call over HTTP that all providers share: one client with its bounds, what its failures
//! mean, where redirecting addresses lead, and which addresses are public.

mod address;
mod client;
mod errors;
mod headers;
mod post;
mod redirects;

pub use address::{Lookup, is_public, names_internal_host};
pub use client::{BODY_BYTES_MAX, HttpUpstream, InvalidProxy, ROUNDS_MAX};
pub use errors::classify_failure;
pub use headers::read_headers;
pub use post::{Poster, Receipt};

#[cfg(test)]
mod tests;
