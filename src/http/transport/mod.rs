//! The server under the routes: connections, timeouts, and what happens around every request.

pub mod connection;
pub mod cors;
pub mod dispatch;
pub mod drain;
pub mod head;
pub mod lingering_close;
pub mod listener;
pub mod response_headers;
pub mod security_headers;
pub mod traffic;
pub mod write_timeout;
