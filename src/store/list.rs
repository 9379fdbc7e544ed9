//! Which jobs and batches a list shows, and its pages.

use uuid::Uuid;

use super::row::Row;
use crate::clock::UnixMs;
use crate::job::{Batch, Job, Reason, State};

/// The most rows that one page looks at, matching or not: what a page costs at most. Few in unit
/// tests, so that they can have more.
pub const LIST_ROWS_MAX: usize = if cfg!(test) { 16 } else { 10_000 };

/// The filter of a list. What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    pub account: String,
    /// Of every account, whatever `account` says.
    pub all_accounts: bool,
    /// `pending`, `done` or `failed`.
    pub status: Option<&'static str>,
    pub scraper: Option<String>,
    /// The country, in upper case.
    pub country: Option<String>,
    /// Failed for this reason.
    pub reason: Option<Reason>,
    /// Whether they were canceled.
    pub canceled: Option<bool>,
    pub label: Option<String>,
    /// The label or the prompt has this, whatever the case of its letters; in lower case.
    pub search: Option<String>,
    /// With this prompt, to the letter.
    pub prompt: Option<String>,
    /// Measured by this tracker, where they asked for it.
    pub tracker: Option<String>,
    /// Of this batch.
    pub batch: Option<Uuid>,
    /// Submitted at this moment or later.
    pub since_ms: Option<UnixMs>,
    /// Submitted at this moment or earlier.
    pub until_ms: Option<UnixMs>,
}

impl ListFilter {
    /// Returns whether a job is one of these.
    pub(super) fn matches(&self, job: &Job) -> bool {
        (self.all_accounts || job.account == self.account)
            && self.status.is_none_or(|status| job.state.status() == status)
            && self.scraper.as_ref().is_none_or(|scraper| job.request.scraper == *scraper)
            && self.country.as_ref().is_none_or(|country| job.request.country == *country)
            && self.reason.is_none_or(|reason| failed_for(job) == Some(reason))
            && self.canceled.is_none_or(|canceled| canceled == is_canceled(job))
            && self.batch.is_none_or(|id| job.batch.is_some_and(|batch| batch.id == id))
            && self.label.as_ref().is_none_or(|label| job.label.as_ref() == Some(label))
            && self.prompt.as_ref().is_none_or(|prompt| job.request.prompt == *prompt)
            && (self.tracker.is_none() || job.track == self.tracker)
            && self.search.as_ref().is_none_or(|search| has(job, search))
            && self.since_ms.is_none_or(|since_ms| job.created_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| job.created_ms <= until_ms)
    }
}

fn failed_for(job: &Job) -> Option<Reason> {
    match &job.state {
        State::Failed(failure) => Some(failure.reason),
        State::Queued | State::Running | State::WaitingRetry { .. } | State::Done => None,
    }
}

fn is_canceled(job: &Job) -> bool {
    failed_for(job) == Some(Reason::Canceled)
}

fn has(job: &Job, search: &str) -> bool {
    let label = job.label.iter().map(String::as_str);
    label.chain([job.request.prompt.as_str()]).any(|text| text.to_lowercase().contains(search))
}

/// The filter of a list of batches. What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchFilter {
    pub account: String,
    /// All of whose jobs have ended, or not.
    pub ended: Option<bool>,
    pub label: Option<String>,
    /// Submitted at this moment or later.
    pub since_ms: Option<UnixMs>,
    /// Submitted at this moment or earlier.
    pub until_ms: Option<UnixMs>,
}

impl BatchFilter {
    /// Returns whether a batch is one of these.
    pub(super) fn matches(&self, batch: &Batch) -> bool {
        batch.account == self.account
            && self.ended.is_none_or(|ended| batch.progress.completed_ms.is_some() == ended)
            && self.label.as_ref().is_none_or(|label| batch.label.as_ref() == Some(label))
            && self.since_ms.is_none_or(|since_ms| batch.created_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| batch.created_ms <= until_ms)
    }
}

/// A page of the list of batches.
#[derive(Clone, Debug, Default)]
pub struct BatchPage {
    pub batches: Vec<Batch>,
    /// Where the next page begins; `None` when nothing is left.
    pub next: Option<Cursor>,
}

/// The row after which a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) row: Row,
    /// When what has the row was submitted, where a list is in that order.
    pub(super) created_ms: UnixMs,
}

impl Cursor {
    /// Returns the cursor of a list that is in the order of the rows.
    pub(super) fn of_row(row: Row) -> Cursor {
        Cursor { row, created_ms: 0 }
    }
}

/// A page of the list.
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    pub jobs: Vec<Job>,
    /// Where the next page begins; `None` when nothing is left.
    pub next: Option<Cursor>,
}
