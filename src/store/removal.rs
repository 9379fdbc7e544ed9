//! What the passes that remove and end jobs have done, and how much one of them does at most.

use std::ops::AddAssign;

use crate::clock::UnixMs;
use crate::job::Job;

/// The most rows that one pass removes: while it runs nothing else is written, and who polls has
/// one core less.
pub const SWEEP_ROWS_MAX: usize = 250;

/// The outcome of one sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepOutcome {
    /// Jobs and batches.
    pub rows: usize,
    pub cache_entries: usize,
}

impl SweepOutcome {
    /// Returns whether another pass would find more.
    pub fn full(&self) -> bool {
        self.rows == SWEEP_ROWS_MAX || self.cache_entries == SWEEP_ROWS_MAX
    }
}

/// The outcome of one pass over the start deadlines.
#[derive(Clone, Debug, Default)]
pub struct DeadlineOutcome {
    /// The jobs that it has ended.
    pub ended: Vec<Job>,
    /// Whether another pass would find more.
    pub full: bool,
}

/// The most jobs of one deletion: nothing else is written while it runs.
pub const DELETION_ROWS_MAX: usize = 250;

/// Counts of what a deletion removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletionCounts {
    pub jobs: u64,
    pub results: u64,
    /// Jobs whose raw replies were kept.
    pub raws: u64,
    pub cache_entries: u64,
    /// Deliveries of webhooks that were still to be made.
    pub webhooks_pending: u64,
    /// Files.
    pub evidence: u64,
    /// Jobs that stay because they have not ended.
    pub unfinished: u64,
}

/// Returns whether a job that a client has named may be deleted, as its row has it: not while it
/// is unfinished; `None` if it is another, or has expired.
pub(super) fn deletable(known: &Job, job: &Job, now_ms: UnixMs) -> Option<bool> {
    let exists = job.nonce == known.nonce && job.expires_ms > now_ms;
    exists.then(|| job.state.finished())
}

impl AddAssign for DeletionCounts {
    fn add_assign(&mut self, other: DeletionCounts) {
        let DeletionCounts {
            jobs,
            results,
            raws,
            cache_entries,
            webhooks_pending,
            evidence,
            unfinished,
        } = other;
        self.jobs += jobs;
        self.results += results;
        self.raws += raws;
        self.cache_entries += cache_entries;
        self.webhooks_pending += webhooks_pending;
        self.evidence += evidence;
        self.unfinished += unfinished;
    }
}
