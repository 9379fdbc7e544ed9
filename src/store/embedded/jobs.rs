//! A job's row and everything that must change with it, in one transaction: ready, expiry and
//! deadline indexes, result, credits, cache entry, delivery. Each operation checks first and writes
//! second, because a refusal inside a batch must leave nothing behind.

use super::transaction::Tables;
use super::{
    alert_marks, attempts, batch_progress, completions, idempotency, outbox, raws, rows,
    vendor_tasks,
};
use crate::clock::UnixMs;
use crate::job::{Event, Job, State, TransitionError};
use crate::store::effects::Effect;
use crate::store::idempotency::Existing;
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
        return Ok(match existing {
            Existing::Job(earlier) if earlier.idempotency == Some(known) => Ok(*earlier),
            Existing::Job(_) | Existing::Batch(_) => Err(SubmitError::KeyReused),
        });
    }
    let scraper = scrapers.number(&job.request.scraper)?;
    let unfinished = !job.state.finished();
    if unfinished && scrapers.depth(scraper, &tables.depth_changes) >= limits.unfinished_max {
        return Ok(Err(SubmitError::QueueFull));
    }
    if !tables.affordable(&job, limits.monthly_credits)? {
        return Ok(Err(SubmitError::CreditLimit));
    }
    let bytes = record::encode_job(&job, scraper)?;
    let delivery = outbox::prepare(&job)?;
    tables.load_credits(&job)?;
    tables.load_usage(&job)?;

    tables.count_submit(&job, scraper)?;
    tables.jobs.insert(job.row, bytes.as_slice())?;
    outbox::file(tables, job.row, delivery)?;
    if job.request.prompt.len() > record::PROMPT_INLINE_BYTES_MAX {
        tables.prompts.insert(job.row, job.request.prompt.as_str())?;
    }
    tables.expiry.insert((job.expires_ms, job.row), ())?;
    if let Some(known) = job.idempotency {
        tables.idempotency.insert(known.key_hash, job.row)?;
    }
    if let Some(json) = result {
        tables.results.insert(job.row, record::encode_result(job.row, json).as_slice())?;
        completions::note(tables, &job)?;
    }
    if unfinished {
        tables.reserve(&job)?;
        tables.ready.insert((scraper, job.interactive, job.due_ms, job.row), ())?;
        if let Some(at_ms) = job.start_deadline_ms() {
            tables.deadlines.insert((at_ms, job.row), ())?;
            tables.effects.push(Effect::Deadline { at_ms });
        }
        *tables.depth_changes.entry(scraper).or_default() += 1;
        tables.effects.push(Effect::Ready {
            scraper,
            row: job.row,
            due_ms: job.due_ms,
            interactive: job.interactive,
        });
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
    if job.expires_ms <= now_ms {
        return Ok(Err(TransitionError::Gone));
    }
    let Some(event) = decide(&job) else { return Ok(Err(TransitionError::Gone)) };
    let due_before_ms = job.due_ms;
    let deadline_before_ms = job.start_deadline_ms();
    if let Err(refused) = job.apply(event, now_ms) {
        return Ok(Err(refused));
    }
    let bytes = record::encode_job(&job, scraper)?;
    let delivery = outbox::prepare(&job)?;
    tables.load_credits(&job)?;
    tables.load_usage(&job)?;

    tables.jobs.insert(row, bytes.as_slice())?;
    outbox::file(tables, row, delivery)?;
    if let (Some(before_ms), None) = (deadline_before_ms, job.start_deadline_ms()) {
        tables.deadlines.remove((before_ms, row))?;
    }
    match job.state {
        State::Done | State::Failed(_) => {
            tables.ready.remove((scraper, job.interactive, due_before_ms, row))?;
            tables.settle(&job)?;
            tables.count_end(&job, scraper)?;
            if let Some(batch) = job.batch {
                batch_progress::count_end(tables, batch, job.state == State::Done, now_ms)?;
            }
            if let (State::Done, Some(result)) = (&job.state, result) {
                write_result(tables, row, now_ms, result)?;
                completions::note(tables, &job)?;
            }
            ended(tables, scraper, row);
            alert_marks::note_attempt(tables, &job.request.scraper, now_ms)?;
        }
        State::Queued | State::WaitingRetry { .. } => {
            if matches!(job.state, State::WaitingRetry { .. }) {
                alert_marks::note_attempt(tables, &job.request.scraper, now_ms)?;
            }
            if job.due_ms != due_before_ms {
                tables.ready.remove((scraper, job.interactive, due_before_ms, row))?;
                tables.ready.insert((scraper, job.interactive, job.due_ms, row), ())?;
            }
            tables.effects.push(Effect::Ready {
                scraper,
                row,
                due_ms: job.due_ms,
                interactive: job.interactive,
            });
        }
        // The ready index keeps a running job, so that a start after a crash finds it there.
        State::Running => tables.effects.push(Effect::Started { row }),
    }
    Ok(Ok(job))
}

fn write_result(
    tables: &mut Tables<'_>,
    row: Row,
    now_ms: UnixMs,
    result: &NewResult,
) -> Result<(), StoreError> {
    tables.results.insert(row, record::encode_result(row, &result.json).as_slice())?;
    if let Some(hash) = result.cache_hash {
        tables.cache.insert((now_ms, row), hash)?;
        tables.effects.push(Effect::Cached { hash, stored_ms: now_ms, row });
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
    match job.state {
        State::Done | State::Failed(_) => {}
        State::Queued | State::Running | State::WaitingRetry { .. } => {
            tables.ready.remove((scraper, job.interactive, job.due_ms, row))?;
            if let Some(at_ms) = job.start_deadline_ms() {
                tables.deadlines.remove((at_ms, row))?;
            }
            tables.settle(&job)?;
            tables.count_expired(&job, scraper)?;
            if let Some(batch) = job.batch {
                batch_progress::count_end(tables, batch, false, now_ms)?;
            }
            ended(tables, scraper, row);
        }
    }
    Ok(())
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

fn ended(tables: &mut Tables<'_>, scraper: u16, row: Row) {
    *tables.depth_changes.entry(scraper).or_default() -= 1;
    tables.effects.push(Effect::Ended { scraper, row });
}
