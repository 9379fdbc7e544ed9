//! The replies about jobs and batches, but the job object itself.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::job_object::JobStatus;
use super::wire::{Id, Time};
use crate::job::Batch;

/// The reason why a request was refused or a scrape failed.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// What is wrong, as a sentence.
    pub detail: String,
    /// A stable word for programs.
    #[serde(default)]
    pub code: Cow<'static, str>,
    /// The job, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Id>,
}

/// The delivery of a webhook.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Delivery")]
pub struct DeliveryView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<Id>,
    /// The header `webhook-id`.
    pub webhook_id: String,
    pub url: String,
    pub state: DeliveryStatus,
    /// Why delivery was given up.
    pub reason: Option<&'static str>,
    pub attempts: u32,
    pub resends: u32,
    pub next_attempt_at: Option<Time>,
    /// The latest attempts.
    pub log: Vec<DeliveryLogEntryView>,
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum DeliveryStatus {
    Waiting,
    Pending,
    Delivered,
    Failed,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct DeliveryLogEntryView {
    pub at: Time,
    pub took_ms: u64,
    /// The receiver's HTTP status.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<&'static str>,
}

/// Evidence of attempts at web pages.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Evidence")]
pub struct EvidenceView {
    pub job_id: Id,
    pub attempts: Vec<AttemptEvidenceView>,
}

#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(inline)]
pub struct AttemptEvidenceView {
    pub attempt: u32,
    pub upstream: String,
    pub url: Option<String>,
    pub steps: Vec<EvidenceStep>,
    #[serde(default)]
    pub files: Vec<EvidenceFileView>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[schemars(inline)]
pub struct EvidenceStep {
    pub name: String,
    /// Milliseconds since the attempt began.
    pub at_ms: u64,
    pub took_ms: u64,
    /// The selector that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<String>,
    /// The name of that alternative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternative: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Elements that the selector may have meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<String>,
}

#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(inline)]
pub struct EvidenceFileView {
    pub name: String,
    pub r#type: String,
    pub bytes: u64,
    pub path: String,
}

/// The present state of a batch.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Batch")]
pub struct BatchView {
    /// The id to ask for.
    pub batch_id: Id,
    /// `done` when every job is done or has failed.
    pub status: BatchStatus,
    /// The label that was sent with it.
    pub label: Option<String>,
    /// When it was submitted.
    pub created_at: Time,
    /// When its last job ended.
    pub completed_at: Option<Time>,
    /// When it expires.
    pub expires_at: Time,
    pub counts: BatchCountsView,
    /// Whether its end is sent to a webhook.
    #[serde(default)]
    pub has_webhook: bool,
    /// What its jobs that are done have cost; absent with `fields=status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits_used: Option<u64>,
    /// In the order of the request; absent with `fields=status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<BatchItemView>>,
}

/// A batch without its items.
impl From<&Batch> for BatchView {
    fn from(batch: &Batch) -> BatchView {
        let progress = &batch.progress;
        BatchView {
            batch_id: batch.key.id.into(),
            status: match progress.completed_ms {
                Some(_) => BatchStatus::Done,
                None => BatchStatus::Pending,
            },
            label: batch.label.clone(),
            created_at: batch.created_ms.into(),
            completed_at: progress.completed_ms.map(Time::from),
            expires_at: batch.expires_ms.into(),
            counts: BatchCountsView {
                items: batch.items,
                refused: batch.refused.len(),
                pending: batch.pending(),
                done: progress.done,
                failed: progress.failed,
                canceled: None,
            },
            has_webhook: batch.webhook_url.is_some(),
            credits_used: None,
            items: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum BatchStatus {
    Pending,
    Done,
}

/// A page of the batches of a key.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Batches")]
pub struct BatchesView {
    /// Newest first, without items.
    pub batches: Vec<BatchView>,
    /// The `cursor` of the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// The outcome of an action on all jobs that match.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Bulk")]
pub struct BulkView {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Jobs that matched: at most 1,000, the newest first.
    pub matched: usize,
    /// Jobs that were canceled, or submitted again.
    pub changed: usize,
    /// The batch of the jobs that were submitted again.
    pub batch_id: Option<Id>,
    /// The `cursor` of the next call; null where no more jobs match.
    pub next_cursor: Option<String>,
}

/// The items, counted by state.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(inline)]
pub struct BatchCountsView {
    /// All items.
    pub items: u32,
    /// Refused ones, which have no job.
    pub refused: usize,
    pub pending: u32,
    pub done: u32,
    /// The canceled included.
    pub failed: u32,
    /// Those of the failed that were canceled; absent with `fields=status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled: Option<u32>,
}

/// An item of a batch: its job, or why there is none.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "BatchItem")]
pub struct BatchItemView {
    /// Its place in the request.
    pub index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scraper: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Why its job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<Cow<'static, str>>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemRefusal>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[schemars(inline)]
pub struct ItemRefusal {
    pub code: Cow<'static, str>,
    pub detail: String,
}
