//! The Model Context Protocol: over HTTP in both kinds of revisions, and over stdin and stdout.

mod client;
mod durable;
mod refusals;
mod tools;
