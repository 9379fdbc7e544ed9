//! What the store answers with, where it is more than a job.

use uuid::Uuid;

use crate::job::{Job, Spend};

/// A job with its raw replies and the JSON of its result.
#[derive(Clone, Debug)]
pub struct KeptRaw {
    pub job: Job,
    pub id: Uuid,
    pub raw: Vec<u8>,
    pub result: Option<Vec<u8>>,
}

/// The most labels of one account, upstream and day that are told apart.
pub const LABELS_MAX: usize = 100;

/// What the calls of further labels are counted under.
pub const OTHER_LABELS: &str = "(other)";

/// The sums of one day, account, upstream and label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendRow {
    /// As a number: `20260511`.
    pub day: u32,
    pub account: String,
    pub upstream: String,
    /// Empty for jobs without one.
    pub label: String,
    pub spend: Spend,
}

/// The sizes of a store at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSizes {
    /// Jobs, in whatever state; those that have expired until they are swept.
    pub jobs: u64,
    /// Webhooks that are still to be delivered.
    pub deliveries_pending: u64,
}
