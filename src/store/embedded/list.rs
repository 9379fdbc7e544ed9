//! The list of an account's jobs, newest first, in bounded pages. Each page is a read transaction
//! of its own: one that is held for long keeps the writer's old pages and makes the file grow.

use std::ops::Bound;

use uuid::Uuid;

use super::{Store, rows, tables};
use crate::clock::UnixMs;
use crate::id::IdParts;
use crate::job::{BATCH_ITEMS_MAX, Batch, Job, Reason, State};
use crate::store::{Row, StoreError, record};

/// The most rows that one page looks at, matching or not: what a page costs at most. Few in unit
/// tests, so that they can have more.
pub const LIST_ROWS_MAX: usize = if cfg!(test) { 16 } else { 10_000 };
/// The nonce of a cursor. No client has made it up: it has to come out of the cipher.
const CURSOR_NONCE: u128 = 0;

/// The filter of a list. What is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    pub account: String,
    /// `pending`, `done` or `failed`.
    pub status: Option<&'static str>,
    pub scraper: Option<String>,
    /// The country, in upper case.
    pub country: Option<String>,
    /// Failed for this reason.
    pub reason: Option<Reason>,
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
        job.account == self.account
            && self.status.is_none_or(|status| job.state.status() == status)
            && self.scraper.as_ref().is_none_or(|scraper| job.request.scraper == *scraper)
            && self.country.as_ref().is_none_or(|country| job.request.country == *country)
            && self.reason.is_none_or(|reason| failed_for(job) == Some(reason))
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
    fn matches(&self, batch: &Batch) -> bool {
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
pub struct Cursor(Row);

/// A page of the list.
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    pub jobs: Vec<Job>,
    /// Where the next page begins; `None` when nothing is left.
    pub next: Option<Cursor>,
}

impl Store {
    /// Returns the newest of the jobs that match, exist at `now_ms` and lie after `after`: at most
    /// `jobs_max` of them, and fewer when [`LIST_ROWS_MAX`] rows have been looked at.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn list(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
        jobs_max: usize,
        now_ms: UnixMs,
    ) -> Result<ListPage, StoreError> {
        self.shared.read(|snapshot| {
            let jobs = snapshot.open_table(tables::JOBS)?;
            let prompts = snapshot.open_table(tables::PROMPTS)?;
            let mut page = ListPage::default();
            let Some(range) = self.listed_rows(filter, after) else { return Ok(page) };
            let rows = jobs.range(range)?.rev();
            for (looked_at, entry) in rows.enumerate() {
                if page.jobs.len() >= jobs_max || looked_at >= LIST_ROWS_MAX {
                    return Ok(page);
                }
                let (row, bytes) = entry?;
                let row = row.value();
                page.next = Some(Cursor(row));
                let long_prompt = || Ok(prompts.get(row)?.map(|prompt| prompt.value().to_owned()));
                let name = |number| self.scrapers.name(number);
                match record::decode_job(row, bytes.value(), name, long_prompt) {
                    Ok((job, _)) if job.expires_ms > now_ms && filter.matches(&job) => {
                        page.jobs.push(job);
                    }
                    Ok(_) => {}
                    Err(error) if error.voids_transaction() => return Err(error),
                    // One damaged record does not hide the others; `db check` names it.
                    Err(error) => tracing::error!(row, %error, "a job could not be listed"),
                }
            }
            page.next = None;
            Ok(page)
        })
    }

    /// Returns the rows that a page may be about: a batch's jobs have those after its own. `None`
    /// where there are none.
    fn listed_rows(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
    ) -> Option<(Bound<Row>, Bound<Row>)> {
        let end = after.map_or(Bound::Unbounded, |Cursor(row)| Bound::Excluded(row));
        let Some(id) = filter.batch else { return Some((Bound::Unbounded, end)) };
        let batch = self.cipher.open(id)?.row;
        let last = batch.checked_add(BATCH_ITEMS_MAX as u64)?;
        let end = match after {
            Some(Cursor(row)) if row <= last => Bound::Excluded(row),
            Some(_) | None => Bound::Included(last),
        };
        // A range that ends before it begins is an error of the database's.
        let is_empty = after.is_some_and(|Cursor(row)| row <= batch + 1);
        (!is_empty).then_some((Bound::Included(batch + 1), end))
    }

    /// Returns the newest of the batches that match, as [`Store::list`] does for jobs.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn list_batches(
        &self,
        filter: &BatchFilter,
        after: Option<Cursor>,
        batches_max: usize,
        now_ms: UnixMs,
    ) -> Result<BatchPage, StoreError> {
        self.shared.read(|snapshot| {
            let batches = snapshot.open_table(tables::BATCHES)?;
            let progress = snapshot.open_table(tables::BATCH_PROGRESS)?;
            let end = after.map_or(Bound::Unbounded, |Cursor(row)| Bound::Excluded(row));
            let mut page = BatchPage::default();
            let rows = batches.range((Bound::<Row>::Unbounded, end))?.rev();
            for (looked_at, entry) in rows.enumerate() {
                if page.batches.len() >= batches_max || looked_at >= LIST_ROWS_MAX {
                    return Ok(page);
                }
                let (row, bytes) = entry?;
                let row = row.value();
                page.next = Some(Cursor(row));
                let ended = progress.get(row)?.ok_or(rows::COUNTS_MISSING)?;
                let ended = record::decode_progress(row, ended.value());
                match ended.and_then(|ended| record::decode_batch(row, bytes.value(), ended)) {
                    Ok(batch) if batch.expires_ms > now_ms && filter.matches(&batch) => {
                        page.batches.push(batch);
                    }
                    Ok(_) => {}
                    Err(error) if error.voids_transaction() => return Err(error),
                    Err(error) => tracing::error!(row, %error, "a batch could not be listed"),
                }
            }
            page.next = None;
            Ok(page)
        })
    }

    /// Returns a cursor as clients see it. It looks like a job's id and tells as little: a row
    /// number would tell how many jobs everybody has.
    pub fn cursor_id(&self, Cursor(row): Cursor) -> Uuid {
        self.cipher.seal(row, CURSOR_NONCE)
    }

    /// Returns the cursor that a client has sent back; `None` when it is none of this store's.
    pub fn cursor(&self, id: Uuid) -> Option<Cursor> {
        let plain: IdParts = self.cipher.open(id)?;
        plain.has_nonce(CURSOR_NONCE).then_some(Cursor(plain.row))
    }
}
