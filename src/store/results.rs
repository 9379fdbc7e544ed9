//! Which results an export has, and its pages.

use super::list::ListFilter;
use crate::clock::UnixMs;
use crate::job::Job;

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
