//! Outgoing HTTP: the client of upstreams, the POST of webhooks, and which addresses are public.

mod address;
mod client;
mod message;
mod post;
mod retry_after;

pub use address::{Lookup, is_public, names_internal_host};
pub use client::{BODY_BYTES_MAX, Client, ExchangeError, InvalidProxy};
pub use message::{HeaderValue, HttpReply, HttpRequest, Method};
pub use post::{Poster, Receipt};
pub use retry_after::retry_after_ms;
