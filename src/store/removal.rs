//! What the passes that remove and end jobs have done, how much one of them does at most, and the
//! deletion of jobs that have ended.

use std::ops::AddAssign;

use super::StoreError;
use super::row::Row;
use crate::clock::UnixMs;
use crate::job::{Job, State};

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

/// The rows of jobs inside of the transaction of a deletion.
pub(super) trait DeletionTables {
    fn job(&mut self, row: Row) -> Result<Option<Job>, StoreError>;
    /// Counts what a finished job has beside its result.
    fn traces(&mut self, job: &Job) -> Result<DeletionCounts, StoreError>;
    /// Removes a finished job with all that belongs to it but its evidence.
    fn remove(&mut self, job: &Job) -> Result<(), StoreError>;
}

/// Deletes those of some jobs, at most [`DELETION_ROWS_MAX`], that have ended, or only counts what
/// would go.
pub(super) fn delete_all(
    tables: &mut impl DeletionTables,
    known: &[Job],
    now_ms: UnixMs,
    dry_run: bool,
) -> Result<DeletionCounts, StoreError> {
    let mut counts = DeletionCounts::default();
    let mut finished = Vec::new();
    for known in known.iter().take(DELETION_ROWS_MAX) {
        let Some(job) = tables.job(known.row)? else { continue };
        match deletable(known, &job, now_ms) {
            Some(true) => finished.push(job),
            Some(false) => counts.unfinished += 1,
            None => {}
        }
    }
    for job in &finished {
        counts += DeletionCounts {
            jobs: 1,
            results: u64::from(job.state == State::Done),
            ..tables.traces(job)?
        };
        if !dry_run {
            tables.remove(job)?;
        }
    }
    Ok(counts)
}

/// Returns whether a job that a client has named may be deleted, as its row has it: not while it
/// is unfinished; `None` if it is another, or has expired.
fn deletable(known: &Job, job: &Job, now_ms: UnixMs) -> Option<bool> {
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
