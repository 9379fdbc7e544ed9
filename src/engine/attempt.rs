//! A worker: takes rows from its scraper's queue and runs one attempt of each: it starts, passes and
//! ends, each a function; the loop around them only receives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::TryRecvError;
use uuid::Uuid;

#[cfg(test)]
use super::breakpoints::Point;
use super::queue::{Queue, WorkerSlot};
use super::single_flight::{Join, Leadership, SingleFlight};
use super::{Engine, evidence, retry};
use crate::answer::{self, Answer, ResultFacts};
use crate::catalog::Array;
use crate::clock::UnixMs;
use crate::job::{AttemptEnd, Event, Job, Reason, State, TransitionError};
use crate::store::{NewResult, Pending, Row, StoreError, request_hash};
use crate::upstream::evidence::Evidence;
use crate::upstream::{AnsweredBy, Call, UpstreamError};

/// What became of a row that a worker took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkOutcome {
    /// An attempt ran, and its outcome is stored.
    Ran,
    /// An attempt ran, and another follows.
    WillRetry,
    /// There was nothing to run: the job had ended, expired, or could not start any more; or the
    /// cache has answered it.
    Skipped,
    /// Another job's attempt asks for the same. The row waits for its end, and is no longer this
    /// worker's to let go of.
    Waits,
    /// The store failed; the job is as a crash would have left it.
    StoreFailed,
    /// A defect of answerd; the job is as a crash would have left it.
    Panicked,
    /// The job ended while the upstreams were asked, and another thread has taken this worker's slot.
    Abandoned,
}

/// A start on its way to the disk.
pub(super) struct Starting {
    started_ms: UnixMs,
    written: Pending<Result<Job, TransitionError>>,
}

/// An attempt that is over, and whose outcome is on its way to the disk.
pub(super) struct Finished<'a> {
    job: Job,
    id: Uuid,
    event: Event,
    result: Option<NewResult>,
    /// Why the attempt failed, in our own words: those of the job may quote the upstream.
    log_reason: Option<String>,
    /// How the attempt has failed, where it has.
    failed: Option<AttemptEnd>,
    written: Pending<Result<Job, TransitionError>>,
    /// Held until the outcome is stored, and with it what the cache has for those who wait.
    _flight: Option<Leadership<'a>>,
}

/// What a worker does next.
enum Next {
    Row(Row),
    /// No row is there now.
    Nothing,
    Stop,
}

/// Takes rows, those first that somebody waits for, until the engine stops. The start of a row is
/// written behind the outcome of the one before, so that one transaction mostly takes both, and the
/// thread waits once for the two. Ends as well when another thread has taken its slot.
pub(super) fn run(engine: &Engine, queue: &Queue, slot: WorkerSlot) {
    let mut slot = Some(slot);
    let mut ending: Option<Finished<'_>> = None;
    loop {
        let next = next(engine, queue, ending.is_none());
        let starting = match &next {
            Next::Row(row) => Some((*row, caught(*row, || Ok(start(engine, *row))))),
            Next::Nothing | Next::Stop => None,
        };
        if let Some(ending) = ending.take() {
            let row = ending.job.row;
            let pass = caught(row, || Ok(end(engine, ending)));
            release(engine, queue, row, pass.unwrap_or_else(|panicked| panicked));
        }
        if let Some((row, starting)) = starting {
            let passed = starting
                .and_then(|starting| caught(row, || pass(engine, queue, row, starting, &mut slot)));
            match passed {
                Ok(over) => ending = Some(over),
                Err(pass) if slot.is_some() => release(engine, queue, row, pass),
                Err(_) => {
                    queue.abandoned_ended();
                    // There is room for one more thread that is left with its call.
                    engine.wake();
                    return;
                }
            }
        }
        if matches!(next, Next::Stop) {
            return;
        }
    }
}

/// The last net, behind that around the attempt: a defect must not cost the pool a thread.
fn caught<T>(row: Row, step: impl FnOnce() -> Result<T, WorkOutcome>) -> Result<T, WorkOutcome> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| {
        tracing::error!(row, "a worker panicked; the scheduler will offer its job again");
        Err(WorkOutcome::Panicked)
    })
}

/// Returns the next row, waiting for one if `wait`.
fn next(engine: &Engine, queue: &Queue, wait: bool) -> Next {
    #[cfg(test)]
    if wait {
        engine.breakpoints.reach(Point::WorkerIdle);
    }
    if engine.stopping.1.try_recv() == Err(TryRecvError::Disconnected) {
        return Next::Stop;
    }
    if let Some(entry) = queue.try_pick() {
        return Next::Row(queue.picked_up(entry));
    }
    if !wait {
        return Next::Nothing;
    }
    let (interactive, queued) = queue.receivers();
    let received = crossbeam_channel::select_biased! {
        recv(engine.stopping.1) -> _ => return Next::Stop,
        recv(interactive) -> entry => entry,
        recv(queued) -> entry => entry,
    };
    received.map_or(Next::Stop, |entry| Next::Row(queue.picked_up(entry)))
}

/// Lets go of a row after what became of it.
fn release(engine: &Engine, queue: &Queue, row: Row, pass: WorkOutcome) {
    // Once and here only: a second time could let go of what the scheduler has offered since, and let
    // two workers run the job. And before the wake, since the scheduler skips taken rows.
    if pass != WorkOutcome::Waits {
        queue.release(row);
    }
    if pass == WorkOutcome::StoreFailed {
        // The other rows of the channel would fare no better.
        engine.await_store();
    }
    // After a failure the scheduler may have filled the queue before this row was let go.
    let offer = matches!(pass, WorkOutcome::WillRetry | WorkOutcome::StoreFailed);
    if offer || queue.wants_refill() {
        engine.wake();
    }
}

/// Begins to write that an attempt of a row starts.
pub(super) fn start(engine: &Engine, row: Row) -> Starting {
    #[cfg(test)]
    engine.breakpoints.reach(Point::RowTaken);
    let started_ms = engine.clock.now_ms();
    let attempts_max = engine.retry.retries + 1;
    let giving_back = engine.giving_back.clone();
    let decide = move |job: &Job| match giving_back.load(Ordering::SeqCst) {
        false => job.pick_up(attempts_max, started_ms),
        // Refused of a job that does not run: this one comes after all that was given back.
        true => Event::Release { lease: job.lease },
    };
    let written = engine.store.begin_transition(row, started_ms, decide, None);
    Starting { started_ms, written }
}

/// Runs one attempt of a row, from its start in the store until its outcome is on the way there; or
/// says why there was none. Without a slot at the end, another thread has taken it.
pub(super) fn pass<'a>(
    engine: &'a Engine,
    queue: &'a Queue,
    row: Row,
    starting: Starting,
    slot: &mut Option<WorkerSlot>,
) -> Result<Finished<'a>, WorkOutcome> {
    let Starting { started_ms, written } = starting;
    let job = match written.wait() {
        Ok(Ok(job)) if job.state == State::Running => job,
        Ok(Ok(job)) => {
            log_end(engine, &job, engine.store.id_of(&job), None);
            return Err(WorkOutcome::Skipped);
        }
        Ok(Err(_)) => return Err(WorkOutcome::Skipped),
        Err(error) => return Err(store_failed(&error)),
    };
    #[cfg(test)]
    engine.breakpoints.reach(Point::StartWritten);
    let id = engine.store.id_of(&job);
    tracing::info!(
        job = %id, scraper = queue.name, attempt = job.attempts,
        waited_ms = started_ms.saturating_sub(job.due_ms), "job started"
    );

    let canceled = queue.running(row, job.lease);
    if engine.giving_back.load(Ordering::SeqCst) {
        // It has gone back already, or does so in this moment.
        return Err(WorkOutcome::Skipped);
    }
    let flight = match SingleFlight::join(engine, queue, &job) {
        Join::Follower(hash) => return Err(follow(engine, queue, &job, hash)),
        Join::Leader(flight) => Some(flight),
        Join::Bypass => None,
    };
    if let Some(json) = engine.cached_result(&job.request, id) {
        return Err(serve_cached(engine, &job, id, json));
    }
    queue.totals.attempt_begins(started_ms.saturating_sub(job.due_ms));
    if job.attempts == 1 && engine.caches(&job.request) {
        queue.totals.cache_missed();
    }
    let watch = engine.clock.stopwatch();
    let (outcome, evidence) = attempt(engine, queue, &job, id, canceled.clone(), slot);
    evidence::keep(engine, &job, evidence);
    let run_ms = watch.elapsed_ms();
    let outcome = match outcome {
        // Whatever the upstream made of it, it failed because the job had ended.
        Err(_) if canceled.load(Ordering::Relaxed) => Err(UpstreamError::canceled()),
        outcome => outcome,
    };
    let failed = note_end(engine, queue, &job, run_ms, outcome.as_ref().err());
    let told = outcome.as_ref().map(|(_, filled)| filled.as_slice()).map_err(|error| error.reason);
    queue.health.note(engine.clock.now_ms(), run_ms, told);
    if slot.is_none() {
        tracing::info!(job = %id, attempt = job.attempts, "late outcome dropped");
        return Err(WorkOutcome::Abandoned);
    }
    queue.note_run_ms(run_ms);
    let (event, result, log_reason) = match outcome {
        Ok((result, _)) => (Event::Succeed { lease: job.lease }, Some(result), None),
        Err(error) => {
            let event = retry::after_failure(&job, &error, &engine.retry, engine.clock.now_ms());
            (event, None, Some(error.sentence))
        }
    };
    #[cfg(test)]
    engine.breakpoints.reach(Point::OutcomeKnown);
    let written = write_outcome(engine, job.row, event.clone(), result.clone(), failed.clone());
    Ok(Finished { job, id, event, result, log_reason, failed, written, _flight: flight })
}

fn write_outcome(
    engine: &Engine,
    row: Row,
    event: Event,
    result: Option<NewResult>,
    failed: Option<AttemptEnd>,
) -> Pending<Result<Job, TransitionError>> {
    engine.store.begin_outcome(row, engine.clock.now_ms(), event, result, failed)
}

/// Waits until the outcome of an attempt is stored, for as long as the store does not work too.
pub(super) fn end(engine: &Engine, ending: Finished<'_>) -> WorkOutcome {
    let Finished { job, id, event, result, log_reason, failed, mut written, _flight } = ending;
    let pass = loop {
        match written.wait() {
            Ok(Ok(job)) => {
                log_end(engine, &job, id, log_reason.as_deref());
                break match job.state {
                    State::WaitingRetry { .. } => WorkOutcome::WillRetry,
                    State::Queued | State::Running | State::Done | State::Failed(_) => {
                        WorkOutcome::Ran
                    }
                };
            }
            // The job did not wait for it any more.
            Ok(Err(_)) => {
                tracing::info!(job = %id, attempt = job.attempts, "late outcome dropped");
                break WorkOutcome::Ran;
            }
            // The answer is paid for: it is kept until the store takes it. Where it has taken it
            // and could not say so, the job has ended and this one comes too late.
            Err(error) if error.stops_writes() && engine.await_store() => {
                written =
                    write_outcome(engine, job.row, event.clone(), result.clone(), failed.clone());
            }
            Err(error) => break store_failed(&error),
        }
    };
    #[cfg(test)]
    engine.breakpoints.reach(Point::OutcomeWritten);
    pass
}

/// Counts an attempt's end; returns what is kept of it with its job if it has failed.
fn note_end(
    engine: &Engine,
    queue: &Queue,
    job: &Job,
    run_ms: u64,
    error: Option<&UpstreamError>,
) -> Option<AttemptEnd> {
    let now_ms = engine.clock.now_ms();
    let failed = error.map(|error| error.reason);
    queue.day.attempted(now_ms, run_ms, failed);
    queue.totals.attempted(run_ms, failed);
    // One that found every upstream at its limit is given back, and asked for again each second.
    let spent = error.filter(|error| error.reason != Reason::AtLimit);
    spent.map(|error| AttemptEnd {
        number: job.attempts,
        started_ms: now_ms.saturating_sub(run_ms),
        run_ms,
        upstream: error.upstream.clone(),
        failure: Some(error.failure()),
    })
}

/// Gives the attempt back, unspent, and makes the row wait for the one that asks already.
fn follow(engine: &Engine, queue: &Queue, job: &Job, hash: u128) -> WorkOutcome {
    let lease = job.lease;
    let now_ms = engine.clock.now_ms();
    if let Err(error) =
        engine.store.transition(job.row, now_ms, move |_| Event::Release { lease }, None)
    {
        return store_failed(&error);
    }
    queue.clear_lease(job.row);
    // Last: once the row waits there, another worker may have it at any moment.
    if engine.flights.wait(hash, job.row, job.interactive) {
        WorkOutcome::Waits
    } else {
        WorkOutcome::WillRetry
    }
}

/// Ends a job with what the cache has come to hold since its submit.
fn serve_cached(engine: &Engine, job: &Job, id: Uuid, json: Vec<u8>) -> WorkOutcome {
    let lease = job.lease;
    let result = NewResult { json, cache_hash: None };
    let now_ms = engine.clock.now_ms();
    let stored = engine.store.transition(
        job.row,
        now_ms,
        move |_| Event::ServeCached { lease },
        Some(result),
    );
    match stored {
        Ok(stored) => {
            // A refusal means that it has ended meanwhile, by a cancel say.
            if let Ok(job) = stored {
                log_end(engine, &job, id, None);
            }
            WorkOutcome::Skipped
        }
        Err(error) => store_failed(&error),
    }
}

fn store_failed(error: &StoreError) -> WorkOutcome {
    if error.is_closed() {
        // The stop gave back what ran, and closed the store then.
        tracing::debug!("what a worker did is dropped: the service stops");
    } else {
        tracing::error!(%error, "a worker could not write to the store");
    }
    WorkOutcome::StoreFailed
}

/// The result of an attempt and the arrays that have something, or why there is none.
type Attempted = Result<(NewResult, Vec<Array>), UpstreamError>;

/// Asks the scraper's upstreams and renders the answer; returns with it the arrays that have something,
/// and the evidence of the attempt. A panic of either fails this attempt and nothing else: it must not
/// cost the pool a thread.
fn attempt(
    engine: &Engine,
    queue: &Queue,
    job: &Job,
    id: Uuid,
    canceled: Arc<AtomicBool>,
    slot: &mut Option<WorkerSlot>,
) -> (Attempted, Vec<Evidence>) {
    let now_ms = engine.clock.now_ms();
    let mut budget_ms = u64::from(job.request.timeout_ms);
    if let Some(deadline_ms) = job.deadline_ms {
        budget_ms = budget_ms.min(deadline_ms.saturating_sub(now_ms));
    }
    let began = engine.clock.instant();
    let deadline = began + Duration::from_millis(budget_ms);
    let call = Call::new(deadline, canceled);
    let asked = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(test)]
        engine.breakpoints.reach(Point::Asking);
        if let Some(slot) = slot.take() {
            queue.begin_asking(job.row, slot, job.deadline_ms);
        }
        let (answer, by) =
            engine.upstreams.ask(&job.request.scraper, &job.request, &call, job.attempts)?;
        let elapsed = engine.clock.instant().duration_since(began);
        let filled = answer::filled_arrays(&answer, &job.request.scraper);
        Ok((render(engine, job, id, &answer, &by, elapsed), filled))
    }));
    if slot.is_none() {
        *slot = queue.end_asking(job.row, job.lease);
    }
    let outcome = asked.unwrap_or_else(|_| {
        Err(UpstreamError::new(
            Reason::Panicked,
            "The attempt ended in a defect of answerd; the log has its trace.",
        ))
    });
    (outcome, call.take_evidence())
}

fn render(
    engine: &Engine,
    job: &Job,
    id: Uuid,
    answer: &Answer,
    by: &AnsweredBy,
    elapsed: Duration,
) -> NewResult {
    let json = answer::render(
        answer,
        &ResultFacts {
            request: &job.request,
            job_id: &id.to_string(),
            public_url: &engine.public_url,
            credits_used: job.price,
            elapsed_ms: elapsed.as_secs_f64() * 1000.0,
            upstream: &by.upstream,
            kind: by.kind,
        },
    );
    let cache_hash = (engine.cache_ttl_ms > 0).then(|| request_hash(&job.request));
    NewResult { json, cache_hash }
}

/// Logs a job's transition out of an attempt, never with a prompt. `reason` says why an upstream
/// failed; without one, the job's own sentence is ours.
pub(super) fn log_end(engine: &Engine, job: &Job, id: Uuid, reason: Option<&str>) {
    let scraper = job.request.scraper.as_str();
    let attempt = job.attempts;
    let run_ms = match (job.started_ms, job.completed_ms) {
        (Some(started_ms), Some(completed_ms)) => completed_ms.saturating_sub(started_ms),
        _ => 0,
    };
    match &job.state {
        State::Done => tracing::info!(job = %id, scraper, attempt, run_ms, "job done"),
        State::Failed(failure) => tracing::warn!(
            job = %id, scraper, attempt, run_ms,
            code = failure.reason.code(), reason = reason.unwrap_or(&failure.sentence), "job failed"
        ),
        State::WaitingRetry { last } => tracing::warn!(
            job = %id, scraper, attempt,
            retry_in_ms = job.due_ms.saturating_sub(engine.clock.now_ms()),
            code = last.reason.code(), reason = reason.unwrap_or(&last.sentence), "attempt failed"
        ),
        State::Queued | State::Running => {}
    }
}
