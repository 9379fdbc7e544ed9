//! What a deletion of jobs by their label has removed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Counts of what was removed, or with `dry_run` would be.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Deletion")]
pub struct DeletionView {
    pub label: String,
    /// Whether it was only counted.
    pub dry_run: bool,
    /// Finished jobs.
    pub jobs: u64,
    pub results: u64,
    /// Jobs whose raw replies were kept.
    pub raw: u64,
    /// Files of evidence.
    pub evidence: u64,
    /// Answers that might have served other jobs.
    pub cache_entries: u64,
    /// Webhooks that were still to be sent.
    pub webhooks_pending: u64,
    /// Jobs with the label that stay because they have not ended.
    pub unfinished: u64,
}
