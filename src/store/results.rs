//! Which results an export has, its pages, and the bounds of these.

use super::list::{LIST_ROWS_MAX, ListFilter};
use crate::clock::UnixMs;
use crate::job::{Job, State};

/// The most results of a page, and the bytes of results after which it ends.
const PAGE_RESULTS_MAX: usize = 200;
const PAGE_BYTES_MAX: usize = 1 << 20;

/// The filter of an export. What is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct ResultFilter {
    /// Its times are not looked at.
    pub job: ListFilter,
    pub country: Option<String>,
    /// Measured by this tracker, where they asked for it.
    pub tracker: Option<String>,
    /// Done at this moment or later.
    pub since_ms: Option<UnixMs>,
    /// Done at this moment or earlier.
    pub until_ms: Option<UnixMs>,
}

/// The place in the order of completion after a row of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultCursor {
    pub number: u64,
    /// How many rows of the job have been read.
    pub rows: u32,
}

/// A job that is done, with its result as it is sent.
#[derive(Clone, Debug)]
pub struct CompletedJob {
    pub number: u64,
    pub job: Job,
    pub result: Vec<u8>,
    /// Counts the same scrapes of a batch, which stand behind one another, from 1.
    pub sample: usize,
}

/// A page of an export.
#[derive(Clone, Debug, Default)]
pub struct CompletedPage {
    pub jobs: Vec<CompletedJob>,
    /// The number that the next page begins with; `None` when nothing is left.
    pub next: Option<u64>,
}

impl ResultFilter {
    /// Returns whether a job that was done at a moment may match.
    pub(super) fn is_within(&self, completed_ms: UnixMs) -> bool {
        self.since_ms.is_none_or(|since_ms| completed_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| completed_ms <= until_ms)
    }

    /// Returns whether the job of a row is the one that was done at a moment, exists at `now_ms`
    /// and matches. Another job may have the row of one that is gone.
    pub(super) fn matches(&self, job: &Job, completed_ms: UnixMs, now_ms: UnixMs) -> bool {
        let is_same = job.state == State::Done && job.completed_ms == Some(completed_ms);
        let country = self.country.as_ref().is_none_or(|it| job.request.country == *it);
        let tracker = self.tracker.is_none() || job.track == self.tracker;
        is_same && job.expires_ms > now_ms && country && tracker && self.job.matches(job)
    }
}

impl CompletedPage {
    /// Returns whether nothing more is read for the page, after a look at some numbers.
    pub(super) fn is_full(&self, looked_at: usize) -> bool {
        let bytes: usize = self.jobs.iter().map(|done| done.result.len()).sum();
        self.jobs.len() >= PAGE_RESULTS_MAX || bytes >= PAGE_BYTES_MAX || looked_at >= LIST_ROWS_MAX
    }
}

/// Returns whether two jobs of a batch are the same scrape.
pub(super) fn are_samples(one: &Job, other: &Job) -> bool {
    one.request == other.request && one.label == other.label
}
