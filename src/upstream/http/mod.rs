//! The call over HTTP that all providers share: one client with its bounds, what its failures
//! mean, where redirecting addresses lead, and which addresses are public.

mod client;
mod errors;
mod redirects;

pub use client::{BODY_BYTES_MAX, HttpUpstream, InvalidProxy, ROUNDS_MAX};

#[cfg(test)]
mod tests;
