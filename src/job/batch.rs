//! A batch: jobs that were submitted together, each accepted or refused by itself.

use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::Idempotency;
use crate::clock::UnixMs;

/// The most items of a batch (contract part 2).
pub const BATCH_ITEMS_MAX: usize = 1_000;
/// The most samples of a prompt (contract part 2).
pub const SAMPLES_MAX: usize = 20;

/// The key of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchKey {
    /// The batch's row number. Its items' jobs have the rows after it, in their order; the rows of
    /// refused items stay unused.
    pub row: u64,
    /// The id that clients know it by.
    pub id: Uuid,
}

/// An item that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedItem {
    /// Its place in the batch, from 0.
    pub index: u32,
    pub why: ItemError,
}

/// The reason why an item was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemError {
    /// It breaks a rule: the stable word of contract 1.10, and the sentence.
    Invalid { code: String, detail: String },
    /// Its scraper has as many unfinished jobs as it may have.
    QueueFull,
    /// The account's allowance for the month does not cover its price.
    CreditLimit,
}

/// A batch with all that is known of it but its jobs. Nothing here changes but `progress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub key: BatchKey,
    /// Whose key submitted it.
    pub account: String,
    /// The client's own word for it.
    pub label: Option<String>,
    /// How many items it came with, the refused included.
    pub items: u32,
    /// In the order of their places.
    pub refused: Vec<RejectedItem>,
    pub created_ms: UnixMs,
    /// From this moment on it does not exist, as its jobs do not.
    pub expires_ms: UnixMs,
    pub idempotency: Option<Idempotency>,
    /// The address that receives its end.
    pub webhook_url: Option<String>,
    pub progress: BatchProgress,
}

/// The counts of a batch's ended jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchProgress {
    pub done: u32,
    /// Those that have failed, the canceled included.
    pub failed: u32,
    /// When the last of them ended; `None` while one has not.
    pub completed_ms: Option<UnixMs>,
}

impl Batch {
    /// Returns whether it has this id, in time that does not depend on where they differ.
    pub fn has_id(&self, id: Uuid) -> bool {
        self.key.id.as_bytes().ct_eq(id.as_bytes()).into()
    }

    /// Returns the number of items that became jobs.
    pub fn jobs(&self) -> u32 {
        self.items.saturating_sub(u32::try_from(self.refused.len()).unwrap_or(u32::MAX))
    }

    /// Returns the number of jobs that have not ended.
    pub fn pending(&self) -> u32 {
        self.jobs().saturating_sub(self.progress.done).saturating_sub(self.progress.failed)
    }

    /// Counts the end of one of its jobs; true when that was the last.
    pub fn count_end(&mut self, done: bool, now_ms: UnixMs) -> bool {
        let count = if done { &mut self.progress.done } else { &mut self.progress.failed };
        *count += 1;
        let last = self.pending() == 0 && self.progress.completed_ms.is_none();
        if last {
            self.progress.completed_ms = Some(now_ms);
        }
        last
    }
}
