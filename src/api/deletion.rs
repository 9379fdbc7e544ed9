//! What a deletion of jobs has removed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Counts of what was deleted, or would be with `dry_run`.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Deletion")]
pub struct DeletionView {
    /// The label whose jobs were deleted; null where they were named.
    pub label: Option<String>,
    /// Whether nothing was deleted.
    pub dry_run: bool,
    /// Finished jobs.
    pub jobs: u64,
    pub results: u64,
    /// Jobs whose raw replies were kept.
    pub raw: u64,
    /// Files of evidence.
    pub evidence: u64,
    /// Cached answers.
    pub cache_entries: u64,
    /// Webhooks that will not be sent.
    pub webhooks_pending: u64,
    /// Unfinished jobs among them, which stay.
    pub unfinished: u64,
}
