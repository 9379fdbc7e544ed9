//! How one attempt of a job has ended, and what the calls that it made have used.

use super::{Failure, Reason, UpstreamUsage};
use crate::clock::UnixMs;
use crate::config::RETRIES_MAX;

/// The most attempts that are kept of one job, as many as one can have; the oldest give way.
pub const ATTEMPTS_KEPT_MAX: usize = RETRIES_MAX as usize + 1;

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
    /// Calls of which it is known what they used, in their order.
    pub calls: Vec<AttemptCall>,
}

/// A call of an upstream, and what it used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptCall {
    /// The upstream's name in config.toml.
    pub upstream: String,
    pub ended_ms: UnixMs,
    /// `None` if it succeeded.
    pub reason: Option<Reason>,
    pub usage: UpstreamUsage,
}

impl AttemptEnd {
    /// Returns what all its calls have used; `None` if of none that is known.
    pub fn usage(&self) -> Option<UpstreamUsage> {
        self.calls.iter().map(|call| &call.usage).cloned().reduce(UpstreamUsage::and)
    }
}
