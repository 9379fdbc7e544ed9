//! The server under the routes: connections, timeouts, and what happens around every request.

pub mod cors;
pub mod drain;
pub mod fast_path;
pub mod head;
pub mod lingering_close;
pub mod middleware;
pub mod parser_errors;
pub mod security_headers;
pub mod server;
pub mod traffic;
pub mod write_timeout;
