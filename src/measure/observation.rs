//! An observation: what is kept of an answer that was measured, without the answer.

use uuid::Uuid;

use super::sums::AnswerCounts;
use crate::clock::UnixMs;

/// An observation as it is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the answer came.
    pub at_ms: UnixMs,
    /// The row of its job, which may be gone.
    pub row: u64,
    pub job_id: Uuid,
    pub scraper: String,
    pub country: String,
    /// Empty where the job has none.
    pub label: String,
    pub kind_bit: u8,
    pub prompt_hash: u32,
    pub counts: AnswerCounts,
}
