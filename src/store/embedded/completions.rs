//! The order in which jobs were done: each has a number that is given where its result is
//! written, so that the numbers rise with the commits. What has been read up to a number is never
//! added to.

use redb::{ReadableTable, WriteTransaction};

use super::Embedded;
use super::snapshot::Snapshot;
use super::tables;
use super::transaction::Tables;
use crate::clock::UnixMs;
use crate::job::{Job, SAMPLES_MAX, State};
use crate::store::results::are_samples;
use crate::store::{CompletedJob, CompletedPage, ResultFilter, Row, StoreError, record};

/// The most numbers that are removed at once.
const TRIM_ROWS_MAX: usize = 250;

fn last(tables: &Tables<'_>) -> Result<Option<u64>, StoreError> {
    let last = tables.completions.range::<u64>(..)?.next_back().transpose()?;
    Ok(last.map(|(number, _)| number.value()))
}

/// Numbers a job that is done.
pub(super) fn note(tables: &mut Tables<'_>, job: &Job) -> Result<(), StoreError> {
    let number = last(tables)?.map_or(0, |last| last + 1);
    let completed_ms = job.completed_ms.unwrap_or_default();
    tables.completions.insert(number, (job.row, completed_ms))
}

/// Removes the numbers of jobs that are gone, from the first on. The last one stays: the next job
/// is numbered after it.
pub(super) fn trim(tables: &mut Tables<'_>) -> Result<(), StoreError> {
    let Some(last) = last(tables)? else { return Ok(()) };
    let mut gone = Vec::new();
    for entry in tables.completions.range(..last)?.take(TRIM_ROWS_MAX) {
        let (number, completed) = entry?;
        if tables.has_job(completed.value().0)? {
            break;
        }
        gone.push(number.value());
    }
    for number in gone {
        tables.completions.remove(number)?;
    }
    Ok(())
}

/// Numbers the jobs of a store that was written before there were numbers.
pub(super) fn number_all(
    transaction: &WriteTransaction,
    scraper_name: impl Fn(u16) -> Option<String>,
) -> Result<(), StoreError> {
    let mut completions = transaction.open_table(tables::COMPLETIONS)?;
    if completions.last()?.is_some() {
        return Ok(());
    }
    let jobs = transaction.open_table(tables::JOBS)?;
    let prompts = transaction.open_table(tables::PROMPTS)?;
    let mut done = Vec::new();
    for entry in jobs.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        let long_prompt = || Ok(prompts.get(row)?.map(|prompt| prompt.value().to_owned()));
        // One that is damaged is for `db check` to report.
        let decoded = record::decode_job(row, bytes.value(), &scraper_name, long_prompt);
        if let Ok((job, _)) = decoded
            && job.state == State::Done
        {
            done.push((job.completed_ms.unwrap_or_default(), row));
        }
    }
    done.sort_unstable();
    for (number, (completed_ms, row)) in (0..).zip(done) {
        completions.insert(number, (row, completed_ms))?;
    }
    Ok(())
}

impl Embedded {
    pub(crate) async fn last_completion(&self) -> Result<Option<u64>, StoreError> {
        self.read(|snapshot| {
            let completions = snapshot.open_table(tables::COMPLETIONS)?;
            Ok(completions.last()?.map(|(number, _)| number.value()))
        })
    }

    pub(crate) fn completed(
        &self,
        filter: &ResultFilter,
        from: u64,
        until: u64,
        now_ms: UnixMs,
    ) -> Result<CompletedPage, StoreError> {
        self.read(|snapshot| {
            let completions = snapshot.open_table(tables::COMPLETIONS)?;
            let mut page = CompletedPage::default();
            if from > until {
                return Ok(page);
            }
            for (looked_at, entry) in completions.range(from..=until)?.enumerate() {
                let (number, completed) = entry?;
                let number = number.value();
                if page.is_full(looked_at) {
                    page.next = Some(number);
                    return Ok(page);
                }
                let (row, completed_ms) = completed.value();
                if !filter.is_within(completed_ms) {
                    continue;
                }
                if let Some(job) =
                    self.completed_job(snapshot, filter, row, completed_ms, now_ms)?
                {
                    let sample = self.sample_in(snapshot, &job.0)?;
                    page.jobs.push(CompletedJob { number, job: job.0, result: job.1, sample });
                }
            }
            Ok(page)
        })
    }

    /// Reads the job of a row and its result, if it matches. One that is damaged is passed over,
    /// and `db check` names it.
    fn completed_job(
        &self,
        snapshot: &Snapshot,
        filter: &ResultFilter,
        row: Row,
        completed_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Option<(Job, Vec<u8>)>, StoreError> {
        let Some(job) = self.job_at(snapshot, row)? else { return Ok(None) };
        if !filter.matches(&job, completed_ms, now_ms) {
            return Ok(None);
        }
        let Some(bytes) = snapshot.rows()?.results.get(row)? else { return Ok(None) };
        match record::decode_result(row, bytes.value()) {
            Ok(json) => Ok(Some((job, json.to_vec()))),
            Err(error) => {
                tracing::error!(row, %error, "a result could not be exported");
                Ok(None)
            }
        }
    }

    fn job_at(&self, snapshot: &Snapshot, row: Row) -> Result<Option<Job>, StoreError> {
        let tables = snapshot.rows()?;
        let Some(bytes) = tables.jobs.get(row)? else { return Ok(None) };
        let long_prompt = || Ok(tables.prompts.get(row)?.map(|prompt| prompt.value().to_owned()));
        let name = |number| self.shared.scrapers.name(number);
        match record::decode_job(row, bytes.value(), name, long_prompt) {
            Ok((job, _)) => Ok(Some(job)),
            Err(error) if error.voids_transaction() => Err(error),
            Err(error) => {
                tracing::error!(row, %error, "a job could not be exported");
                Ok(None)
            }
        }
    }

    /// Counts the same scrapes before a job in its batch, itself included.
    fn sample_in(&self, snapshot: &Snapshot, job: &Job) -> Result<usize, StoreError> {
        let Some(batch) = job.batch else { return Ok(1) };
        let mut sample = 1;
        for row in (batch.row + 1..job.row).rev().take(SAMPLES_MAX - 1) {
            match self.job_at(snapshot, row)? {
                Some(before) if are_samples(&before, job) => sample += 1,
                Some(_) | None => break,
            }
        }
        Ok(sample)
    }
}
