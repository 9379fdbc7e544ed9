//! Jobs through the real call to providers on the loopback: what is sent, what comes back, what
//! happens when it fails, and who answers then.

mod answers;
pub(crate) mod cases;
mod citations;
mod commands;
mod documented;
mod failures;
mod fallback;
mod leaks;
mod limits;
mod own;
mod raw;
mod retries;
mod served;
pub(crate) mod server;
mod table;
mod vendor_tasks;
