//! The server under the routes: connections, timeouts, and what happens around every request.

pub(crate) mod connection;
pub(crate) mod cors;
pub(crate) mod dispatch;
pub(crate) mod drain;
pub(crate) mod head;
pub(crate) mod lingering_close;
pub(crate) mod listener;
pub(crate) mod response_headers;
pub(crate) mod security_headers;
pub(crate) mod traffic;
pub(crate) mod write_timeout;
