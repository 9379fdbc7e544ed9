//! How one attempt of a job has ended.

use super::Failure;
use crate::clock::UnixMs;

/// The most failed attempts that are kept of one job; the oldest give way.
pub const ATTEMPTS_KEPT_MAX: usize = 20;

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// From 1 on.
    pub number: u32,
    pub started_ms: UnixMs,
    pub run_ms: u64,
    /// The upstream that answered or failed, by its name in config.toml; `None` where no single one
    /// did.
    pub upstream: Option<String>,
    /// `None` if it succeeded.
    pub failure: Option<Failure>,
}
