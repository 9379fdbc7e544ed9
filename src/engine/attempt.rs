//! One attempt of a job, from the claim of its row to the written outcome, and the loop in which a
//! worker makes such attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::breakpoints::Point;
use super::events::{AttemptEnded, EngineEvent};
use super::pool::{Next, Slot, guard};
use super::queue::Queue;
use super::single_flight::{Join, Leadership};
use super::state::Engine;
use super::vendor_tasks::JobTasks;
use super::{billing, evidence, raw, result, retry};
use crate::answer::{self, CachedResult};
use crate::catalog::Array;
use crate::clock::UnixMs;
use crate::job::{AttemptCall, Event, Job, Reason, State, TransitionError};
use crate::store::{
    Blocking, NewAttemptEnd, NewObservation, NewOutcome, NewResult, Pending, Row, StoreError,
    request_hash,
};
use crate::upstream::{Call, UpstreamError};

/// The next step with a row that was worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkOutcome {
    /// Releases it: its job has ended, or there was nothing to run. After a panic, which is a defect of
    /// answerd, the job is as a crash would have left it.
    Over,
    /// Releases it, and the scheduler offers it again when it is due.
    RunAgain,
    /// Nothing: it waits for another job's attempt that asks for the same, and is that one's to release.
    Follows,
    /// Releases it when the store works again; the job is as a crash would have left it.
    StoreFailed,
    /// Nothing: its job ended while the upstreams were asked, and another thread has the slot.
    Abandoned,
}

/// A change of a job on its way to the disk.
type Written = Pending<Result<Job, TransitionError>>;

/// The start of an attempt, on its way to the disk.
pub(super) struct Claimed {
    started_ms: UnixMs,
    written: Written,
}

/// An attempt whose start is on disk.
struct Attempt<'a> {
    engine: &'a Engine,
    queue: &'a Queue,
    job: Job,
    id: Uuid,
    started_ms: UnixMs,
    canceled: Arc<AtomicBool>,
}

/// An attempt that is over, and whose outcome is on its way to the disk.
pub(super) struct Finished<'a> {
    attempt: Attempt<'a>,
    outcome: NewOutcome,
    /// Why the attempt failed, in our own words: those of the job may quote the upstream.
    log_reason: Option<String>,
    written: Written,
    /// Held until the outcome is stored, and with it what the cache has for the followers.
    _leadership: Option<Leadership<'a>>,
}

/// What the upstreams have made of an attempt.
struct AskOutcome {
    answered: Answered,
    /// The upstreams that it called or passed over.
    calls: Vec<AttemptCall>,
    /// The raw replies that are kept of it, as JSON.
    raw: Option<Vec<u8>>,
    run_ms: u64,
}

/// The result of an attempt, or why there is none.
type Answered = Result<Rendered, UpstreamError>;

/// A result, and what its scraper's health counts of it.
struct Rendered {
    result: NewResult,
    observation: Option<NewObservation>,
    /// The arrays that have something.
    filled: Vec<Array>,
    /// Whether the engine made a search, where that is known.
    searched: Option<bool>,
    /// Whether the engine showed an answer at all, of those that do not always.
    present: Option<bool>,
}

/// Makes attempts, first of rows that a caller waits for, until the engine stops or another thread has
/// taken over the slot. The start of a row is written together with the outcome of the one before, so
/// that one transaction mostly takes both, and the thread waits once for the two.
pub(super) fn work(engine: &Engine, queue: &Queue, slot: Slot) {
    let mut slot = Some(slot);
    let mut finished: Option<Finished<'_>> = None;
    loop {
        let wait = finished.is_none();
        if wait {
            engine.context.breakpoints.reach(Point::WorkerIdle);
        }
        let next = queue.next(wait);
        let claimed = match &next {
            Next::Entry(row) => Some((*row, guarded(*row, || Ok(claim(engine, queue, *row))))),
            Next::Empty | Next::Stopped => None,
        };
        if let Some(finished) = finished.take() {
            let row = finished.attempt.job.row;
            let outcome = guarded(row, || Ok(finished.written()));
            release(engine, queue, row, outcome.unwrap_or_else(|panicked| panicked));
        }
        if let Some((row, claimed)) = claimed {
            let ran = claimed
                .and_then(|claimed| guarded(row, || run(engine, queue, row, claimed, &mut slot)));
            match ran {
                Ok(over) => finished = Some(over),
                Err(outcome) if slot.is_some() => release(engine, queue, row, outcome),
                Err(_) => {
                    queue.pool.abandoned_ended();
                    // One more thread may lose its slot now.
                    engine.scheduler.wake();
                    return;
                }
            }
        }
        if matches!(next, Next::Stopped) {
            return;
        }
    }
}

/// The last net, around that of the attempt itself.
fn guarded<T>(row: Row, step: impl FnOnce() -> Result<T, WorkOutcome>) -> Result<T, WorkOutcome> {
    guard(step).unwrap_or_else(|| {
        tracing::error!(row, "a worker panicked; the scheduler will offer its job again");
        Err(WorkOutcome::Over)
    })
}

/// Releases a row after what became of it.
fn release(engine: &Engine, queue: &Queue, row: Row, outcome: WorkOutcome) {
    // Once and here only: a second time could release what the scheduler has offered since, and let
    // two workers run the job. And before the wake, since the scheduler skips claimed rows.
    if outcome != WorkOutcome::Follows {
        queue.release(row);
    }
    if outcome == WorkOutcome::StoreFailed {
        // The other rows of the channel would fail in the same way.
        engine.context.await_store();
    }
    // After a failure the scheduler may have filled the queue before this row was released.
    let offer = matches!(outcome, WorkOutcome::RunAgain | WorkOutcome::StoreFailed);
    if offer {
        queue.note_open();
    }
    if offer || queue.pool.wants_refill() {
        engine.scheduler.wake();
    }
}

/// Begins to write that an attempt of a row starts.
pub(super) fn claim(engine: &Engine, queue: &Queue, row: Row) -> Claimed {
    let context = &engine.context;
    context.breakpoints.reach(Point::RowTaken);
    let started_ms = context.clock.now_ms();
    let attempts_max = engine.settings.retry.retries + 1;
    let giving_back = context.giving_back.clone();
    let started = queue.start_lease(row);
    let decide = move |job: &Job| {
        let lease = job.lease + 1;
        if giving_back.load(Ordering::SeqCst) {
            // Rejected, since that lease is not held: no attempt starts any more.
            return Event::Release { lease };
        }
        let event = job.pick_up(attempts_max, started_ms);
        if event == Event::Start {
            started.store(lease, Ordering::SeqCst);
        }
        event
    };
    Claimed { started_ms, written: context.store.begin_start(row, started_ms, decide) }
}

/// Runs one attempt of a row, from its start in the store until its outcome is on the way there; or
/// returns why there was none. Without a slot at the end, another thread has taken it over.
pub(super) fn run<'a>(
    engine: &'a Engine,
    queue: &'a Queue,
    row: Row,
    claimed: Claimed,
    slot: &mut Option<Slot>,
) -> Result<Finished<'a>, WorkOutcome> {
    let attempt = Attempt::begin(engine, queue, row, claimed)?;
    let leadership = attempt.join()?;
    if let Some(cached) = engine.cached_result(&attempt.job.request, attempt.id).wait() {
        return Err(attempt.serve_cached(cached));
    }
    let AskOutcome { answered, calls, raw, run_ms } = attempt.ask(slot);
    let ended = AttemptEnded {
        at_ms: engine.context.clock.now_ms(),
        number: attempt.job.attempts,
        run_ms,
        answered: answered.as_ref().map(|rendered| rendered.filled.as_slice()),
        searched: match &answered {
            Ok(rendered) => rendered.searched,
            Err(error) => (error.reason == Reason::NoSearch).then_some(false),
        },
        present: answered.as_ref().ok().and_then(|rendered| rendered.present),
        abandoned: slot.is_none(),
    };
    queue.stats.emit(EngineEvent::Ended(&ended));
    let ended = ended.record(attempt.job.due_ms, calls).map(|end| NewAttemptEnd {
        end,
        account: attempt.job.account.clone(),
        label: attempt.job.label.clone(),
    });
    if slot.is_none() {
        attempt.log_late();
        billing::note_late(engine, &attempt.job, ended);
        return Err(WorkOutcome::Abandoned);
    }
    let (outcome, log_reason) = attempt.outcome(answered, ended, raw);
    engine.context.breakpoints.reach(Point::OutcomeKnown);
    let written = attempt.write(outcome.clone());
    Ok(Finished { attempt, outcome, log_reason, written, _leadership: leadership })
}

impl<'a> Attempt<'a> {
    /// Waits until the start is on disk.
    fn begin(
        engine: &'a Engine,
        queue: &'a Queue,
        row: Row,
        Claimed { started_ms, written }: Claimed,
    ) -> Result<Attempt<'a>, WorkOutcome> {
        let context = &engine.context;
        let job = match written.wait() {
            Ok(Ok(job)) if job.state == State::Running => job,
            Ok(Ok(job)) => {
                log_end(engine, &job, None);
                return Err(WorkOutcome::Over);
            }
            Ok(Err(_)) => return Err(WorkOutcome::Over),
            Err(error) => return Err(store_failed(&error)),
        };
        context.breakpoints.reach(Point::StartWritten);
        let id = context.store.id_of(&job);
        tracing::info!(
            job = %id, scraper = queue.name(), attempt = job.attempts,
            waited_ms = started_ms.saturating_sub(job.due_ms), "job started"
        );
        let canceled = queue.set_lease(row, job.lease);
        if context.giving_back.load(Ordering::SeqCst) {
            // It has gone back already, or does so in this moment.
            return Err(WorkOutcome::Over);
        }
        Ok(Attempt { engine, queue, job, id, started_ms, canceled })
    }

    /// Joins the attempts that ask for the same; one that is to follow another goes back, unspent, and
    /// its row waits for that.
    fn join(&self) -> Result<Option<Leadership<'a>>, WorkOutcome> {
        let Attempt { engine, queue, job, .. } = self;
        if engine.settings.cache_ttl_ms == 0 {
            return Ok(None);
        }
        let hash = request_hash(&job.request);
        let bypass = job.request.bypass_cache;
        match engine.single_flight.join(hash, job.row, bypass, queue, &engine.scheduler) {
            Join::Leader(leadership) => return Ok(Some(leadership)),
            Join::Bypass => return Ok(None),
            Join::Follower => {}
        }
        let lease = job.lease;
        if let Err(error) = self.transition(Event::Release { lease }, None) {
            return Err(store_failed(&error));
        }
        queue.clear_lease(job.row);
        // Last: once the row waits there, another worker may have it at any moment.
        let follows = engine.single_flight.follow(hash, job.row, job.interactive);
        Err(if follows { WorkOutcome::Follows } else { WorkOutcome::RunAgain })
    }

    /// Ends the job with what the cache has come to hold since its submit.
    fn serve_cached(&self, cached: CachedResult) -> WorkOutcome {
        let CachedResult { json, present } = cached;
        let result = NewResult { json, cache_hash: None };
        let event = Event::ServeCached { lease: self.job.lease, present };
        match self.transition(event, Some(result)) {
            Ok(stored) => {
                // A rejection means that it has ended meanwhile, by a cancel for instance.
                if let Ok(job) = stored {
                    log_end(self.engine, &job, None);
                }
                WorkOutcome::Over
            }
            Err(error) => store_failed(&error),
        }
    }

    fn transition(
        &self,
        event: Event,
        result: Option<NewResult>,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        let context = &self.engine.context;
        context.store.transition(
            self.job.row,
            context.clock.now_ms(),
            move |_| event.clone(),
            result,
        )
    }

    /// Asks the upstreams and keeps the evidence of that.
    fn ask(&self, slot: &mut Option<Slot>) -> AskOutcome {
        let Attempt { engine, queue, job, .. } = self;
        let waited_ms = self.started_ms.saturating_sub(job.due_ms);
        let cache_missed = job.attempts == 1 && engine.caches(&job.request);
        queue.stats.emit(EngineEvent::Started { waited_ms, cache_missed });
        let watch = engine.context.clock.stopwatch();
        let (answered, answered_by, call) = self.call_upstreams(slot);
        evidence::keep(&engine.context.store, job, call.take_evidence());
        let calls = billing::note(engine, job, call.log.take_ended(engine.context.clock.now_ms()));
        let raw = raw::kept(job, self.id, call.take_raw(), answered_by.as_deref());
        let raw = raw.and_then(|kept| raw::with_room(&engine.context.store, self.id, kept));
        let answered = match answered {
            // Whatever the upstream made of it, it failed because the job had ended.
            Err(_) if self.canceled.load(Ordering::Relaxed) => Err(UpstreamError::canceled()),
            answered => answered,
        };
        AskOutcome { answered, calls, raw, run_ms: watch.elapsed_ms() }
    }

    /// Calls the upstreams, and renders the answer; returns who gave it too. A panic of either
    /// fails this attempt and nothing else.
    fn call_upstreams(&self, slot: &mut Option<Slot>) -> (Answered, Option<String>, Call) {
        let Attempt { engine, queue, job, .. } = self;
        let clock = &engine.context.clock;
        let mut budget_ms = u64::from(job.request.timeout_ms);
        if let Some(deadline_ms) = job.deadline_ms {
            budget_ms = budget_ms.min(deadline_ms.saturating_sub(clock.now_ms()));
        }
        let began = clock.instant();
        let deadline = began + Duration::from_millis(budget_ms);
        let tasks = JobTasks::new(engine.context.store.clone(), job);
        let call = Call::new(deadline, self.canceled.clone())
            .with_raw(job.keep_raw)
            .keeping_tasks(Arc::new(tasks));
        let mut answered_by = None;
        let answered = guard(|| {
            engine.context.breakpoints.reach(Point::Asking);
            if let Some(slot) = slot.take() {
                queue.begin_asking(job.row, slot, job.deadline_ms, call.log.clone());
            }
            billing::check_cap(engine, job)?;
            let request = &job.request;
            let (answer, by) =
                engine.upstreams.ask(&request.scraper, request, &call, job.attempts)?;
            answered_by = Some(by.upstream.clone());
            let elapsed = clock.instant().duration_since(began);
            let (result, observation) = result::render(engine, job, self.id, &answer, &by, elapsed);
            Ok(Rendered {
                result,
                observation,
                filled: answer::filled_arrays(&answer, &request.scraper),
                searched: answer.search.and_then(|search| search.made),
                present: answer.present,
            })
        });
        if slot.is_none() {
            *slot = queue.end_asking(job.row, job.lease);
        }
        let answered = answered.unwrap_or_else(|| {
            Err(UpstreamError::new(
                Reason::Panicked,
                "The attempt ended in a defect of answerd; the log has its trace.",
            ))
        });
        (answered, answered_by, call)
    }

    /// Returns what becomes of the job, and why its attempt failed in words for the log.
    fn outcome(
        &self,
        answered: Answered,
        ended: Option<NewAttemptEnd>,
        raw: Option<Vec<u8>>,
    ) -> (NewOutcome, Option<String>) {
        let job = &self.job;
        match answered {
            Ok(Rendered { result, observation, present, .. }) => {
                let observation = observation.map(Box::new);
                let event = Event::Succeed { lease: job.lease, present };
                (NewOutcome { event, result: Some(result), ended, raw, observation }, None)
            }
            Err(error) => {
                let now_ms = self.engine.context.clock.now_ms();
                let event = retry::after_failure(job, &error, &self.engine.settings.retry, now_ms);
                (
                    NewOutcome { event, result: None, ended, raw, observation: None },
                    Some(error.sentence),
                )
            }
        }
    }

    fn write(&self, outcome: NewOutcome) -> Written {
        let context = &self.engine.context;
        let now_ms = context.clock.now_ms();
        context.store.begin_outcome(self.job.row, now_ms, outcome)
    }

    fn log_late(&self) {
        tracing::info!(job = %self.id, attempt = self.job.attempts, "late outcome dropped");
    }
}

impl Finished<'_> {
    /// Waits until the outcome is stored, for as long as the store does not work too.
    fn written(self) -> WorkOutcome {
        let Finished { attempt, outcome, log_reason, mut written, _leadership } = self;
        let context = &attempt.engine.context;
        let work_outcome = loop {
            match written.wait() {
                Ok(Ok(job)) => {
                    log_end(attempt.engine, &job, log_reason.as_deref());
                    break match job.state {
                        State::WaitingRetry { .. } => WorkOutcome::RunAgain,
                        State::Queued | State::Running | State::Done | State::Failed(_) => {
                            WorkOutcome::Over
                        }
                    };
                }
                // The job did not wait for it any more.
                Ok(Err(_)) => {
                    attempt.log_late();
                    break WorkOutcome::Over;
                }
                // The answer is paid for: it is kept until the store takes it. Where it has taken it
                // and could not say so, the job has ended and this one comes too late.
                Err(error) if error.stops_writes() && context.await_store() => {
                    written = attempt.write(outcome.clone());
                }
                Err(error) => break store_failed(&error),
            }
        };
        context.breakpoints.reach(Point::OutcomeWritten);
        work_outcome
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

/// Logs a job's transition out of an attempt, never with a prompt. `reason` says why an upstream
/// failed; without one, the job's own sentence is ours.
pub(super) fn log_end(engine: &Engine, job: &Job, reason: Option<&str>) {
    let id = engine.context.store.id_of(job);
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
            retry_in_ms = job.due_ms.saturating_sub(engine.context.clock.now_ms()),
            code = last.reason.code(), reason = reason.unwrap_or(&last.sentence), "attempt failed"
        ),
        State::Queued | State::Running => {}
    }
}
