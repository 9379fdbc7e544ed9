//! A job's row and everything that must change with it, in one transaction: ready, expiry and
//! deadline indexes, result, credits, cache entry, delivery. What that is, is decided in
//! `store/change.rs`. Each operation checks first and writes second, because a refusal inside a
//! batch must leave nothing behind.

use super::transaction::Tables;
use super::{attempts, batch_progress, completions, idempotency, outbox, raws, rows, vendor_tasks};
use crate::clock::UnixMs;
use crate::job::{Event, Job, State, TransitionError};
use crate::store::alert_marks;
use crate::store::change::{self, JobChange, ResultChange};
use crate::store::{NewResult, Row, Scrapers, StoreError, SubmitError, SubmitLimits, record};

/// Writes a new job; one that is inserted as `done` comes with its result. Returns the job of this
/// idempotency key, where there is one already, and writes nothing then.
pub(super) fn insert(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    job: Job,
    result: Option<&[u8]>,
    limits: SubmitLimits,
) -> Result<Result<Job, SubmitError>, StoreError> {
    if let Some(known) = job.idempotency
        && let Some(existing) = idempotency::find(tables, scrapers, known, job.created_ms)?
    {
        // Before the limits: a repeated submit asks for nothing new.
        return Ok(existing.repeated_job(known));
    }
    let scraper = scrapers.number(&job.request.scraper)?;
    let unfinished = scrapers.depth(scraper, &tables.depth_changes);
    let credits = || tables.credits_of(&job).copied();
    if let Err(refused) = change::admit(&job, limits, unfinished, credits)? {
        return Ok(Err(refused));
    }
    write(tables, change::submit(&job, scraper, result), job.created_ms)?;
    if job.request.prompt.len() > record::PROMPT_INLINE_BYTES_MAX {
        tables.prompts.insert(job.row, job.request.prompt.as_str())?;
    }
    tables.expiry.insert((job.expires_ms, job.row), ())?;
    if let Some(known) = job.idempotency {
        tables.idempotency.insert(known.key_hash, job.row)?;
    }
    Ok(Ok(job))
}

/// Applies the event that `decide` chooses for the job as it is; a success brings its result.
/// Returns the job as it is now.
pub(super) fn transition(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    row: Row,
    now_ms: UnixMs,
    decide: impl FnOnce(&Job) -> Event,
    result: Option<&NewResult>,
) -> Result<Result<Job, TransitionError>, StoreError> {
    transition_if(tables, scrapers, row, now_ms, |job| Some(decide(job)), result)
}

/// Does what [`transition`] does; a job for which `decide` chooses nothing is not the caller's to
/// change, and not there for it.
pub(super) fn transition_if(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    row: Row,
    now_ms: UnixMs,
    decide: impl FnOnce(&Job) -> Option<Event>,
    result: Option<&NewResult>,
) -> Result<Result<Job, TransitionError>, StoreError> {
    let Some((mut job, scraper)) = rows::read_job(tables, scrapers, row)? else {
        return Ok(Err(TransitionError::Gone));
    };
    match change::transition(&mut job, scraper, now_ms, decide, result) {
        Ok(change) => write(tables, change, now_ms)?,
        Err(refused) => return Ok(Err(refused)),
    }
    Ok(Ok(job))
}

/// Writes a job as a step has changed it, and all that follows. What may be refused as damaged
/// comes first.
fn write(
    tables: &mut Tables<'_>,
    mut change: JobChange<'_>,
    now_ms: UnixMs,
) -> Result<(), StoreError> {
    let job = change.job;
    let bytes = record::encode_job(job, change.scraper)?;
    let delivery = outbox::seal(change.delivery.take())?;
    tables.load_credits(job)?;
    tables.load_usage(job)?;

    tables.jobs.insert(job.row, bytes.as_slice())?;
    outbox::file(tables, delivery)?;
    if let Some(result) = change.result {
        write_result(tables, job, result)?;
    }
    follow(tables, &change, now_ms)
}

fn write_result(
    tables: &mut Tables<'_>,
    job: &Job,
    result: ResultChange<'_>,
) -> Result<(), StoreError> {
    tables.results.insert(job.row, record::encode_result(job.row, result.json).as_slice())?;
    if let (Some(hash), Some(stored_ms)) = (result.cache_hash, job.completed_ms) {
        tables.cache.insert((stored_ms, job.row), hash)?;
    }
    completions::note(tables, job)
}

/// Writes what changes together with a job: indexes, the account's records, its batch.
fn follow(
    tables: &mut Tables<'_>,
    change: &JobChange<'_>,
    now_ms: UnixMs,
) -> Result<(), StoreError> {
    let (job, scraper, row) = (change.job, change.scraper, change.job.row);
    if let Some(due_ms) = change.queue.removed_ms() {
        tables.ready.remove((scraper, job.interactive, due_ms, row))?;
    }
    if let Some(due_ms) = change.queue.added_ms() {
        tables.ready.insert((scraper, job.interactive, due_ms, row), ())?;
    }
    if let Some(at_ms) = change.deadline.removed_ms() {
        tables.deadlines.remove((at_ms, row))?;
    }
    if let Some(at_ms) = change.deadline.added_ms() {
        tables.deadlines.insert((at_ms, row), ())?;
    }
    tables.change_credits(job, change.credits)?;
    tables.add_usage(job, scraper, change.usage)?;
    if let Some(end) = change.batch {
        batch_progress::count_end(tables, end, now_ms)?;
    }
    match change.unfinished_change() {
        0 => {}
        by => *tables.depth_changes.entry(scraper).or_default() += by,
    }
    change.add_effects(&mut tables.effects);
    if change.ends_attempt() {
        alert_marks::note_attempt(tables, &job.request.scraper, now_ms)?;
    }
    Ok(())
}

/// Removes a job or a batch that has expired and all that belongs to it but its cache entry, which
/// the cache's own sweep removes and which is useless without a result. One whose delivery is
/// pending stays.
pub(super) fn remove(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    row: Row,
    now_ms: UnixMs,
) -> Result<(), StoreError> {
    let Some((job, scraper)) = rows::read_job(tables, scrapers, row)? else {
        return batch_progress::remove(tables, row, now_ms);
    };
    if job.expires_ms > now_ms {
        return Ok(());
    }
    if outbox::hold_if_pending(tables, row, job.expires_ms, now_ms)? {
        return Ok(());
    }
    tables.load_credits(&job)?;
    tables.load_usage(&job)?;

    remove_rows(tables, &job)?;
    follow(tables, &change::expiry(&job, scraper), now_ms)
}

/// Removes what a job has in the tables, whether it has ended or not, but for what tells that it
/// has not.
pub(super) fn remove_rows(tables: &mut Tables<'_>, job: &Job) -> Result<(), StoreError> {
    let row = job.row;
    outbox::forget(tables, row)?;
    tables.expiry.remove((job.expires_ms, row))?;
    tables.jobs.remove(row)?;
    idempotency::forget(tables, job.idempotency, row)?;
    attempts::forget(tables, job)?;
    raws::forget(tables, row)?;
    vendor_tasks::forget(tables, row)?;
    if job.request.prompt.len() > record::PROMPT_INLINE_BYTES_MAX {
        tables.prompts.remove(row)?;
    }
    if job.state == State::Done {
        tables.results.remove(row)?;
    }
    Ok(())
}
