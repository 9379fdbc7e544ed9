//! The rules of what changes together: what a new job, an event and an expiry change of the queue,
//! the account, the batch, the webhook and the cache. Pure: whatever keeps the store reads, asks
//! here, and applies the change in one transaction.

use super::StoreError;
use super::accounts::{Credits, CreditsChange, Usage};
use super::effects::{Effect, UsageEvent};
use super::outbox::{HOLD_MS, NewDelivery};
use super::reads::{LABELS_MAX, OTHER_LABELS};
use super::row::Row;
use super::writes::{NewResult, SubmitError, SubmitLimits};
use crate::clock::UnixMs;
use crate::job::{
    ATTEMPTS_KEPT_MAX, AttemptEnd, Batch, BatchKey, Delivery, Event, Failure, ItemError, Job,
    Reason, RejectedItem, State, TransitionError,
};

/// The time under which an index has something, before a step and after it; `None` where it does
/// not have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TimeChange {
    pub before_ms: Option<UnixMs>,
    pub after_ms: Option<UnixMs>,
}

impl TimeChange {
    /// Returns the time whose entry is removed.
    pub(super) fn removed_ms(self) -> Option<UnixMs> {
        self.before_ms.filter(|_| self.before_ms != self.after_ms)
    }

    /// Returns the time whose entry is added.
    pub(super) fn added_ms(self) -> Option<UnixMs> {
        self.after_ms.filter(|_| self.before_ms != self.after_ms)
    }
}

/// A result that is written with the job that it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResultChange<'j> {
    pub json: &'j [u8],
    /// The request's hash where it may serve identical ones.
    pub cache_hash: Option<u128>,
}

/// The end of a job that belongs to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchEnd {
    pub key: BatchKey,
    pub done: bool,
}

/// The kind of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    Submit,
    Transition,
    Expiry,
}

/// The changes of a job by a step, and of all that changes together with it.
#[derive(Debug)]
pub(super) struct JobChange<'j> {
    /// The job as it is after the step.
    pub job: &'j Job,
    pub scraper: u16,
    /// Its place among the scraper's unfinished jobs.
    pub queue: TimeChange,
    /// Its place among the jobs that must start before a moment.
    pub deadline: TimeChange,
    pub credits: CreditsChange,
    /// What is added to the account's use of the scraper on the day of the submit.
    pub usage: Usage,
    pub batch: Option<BatchEnd>,
    pub delivery: Option<NewDelivery>,
    pub result: Option<ResultChange<'j>>,
    occasion: Occasion,
}

/// Checks the limits of a new job, of whose scraper this many are unfinished. `credits` are asked
/// for where the account has an allowance.
///
/// # Errors
/// Returns an error if `credits` does; the inner one says which limit refuses the job.
pub(super) fn admit(
    job: &Job,
    limits: SubmitLimits,
    unfinished: usize,
    credits: impl FnOnce() -> Result<Credits, StoreError>,
) -> Result<Result<(), SubmitError>, StoreError> {
    if !limits.have_room(job, unfinished) {
        return Ok(Err(SubmitError::QueueFull));
    }
    match limits.allowance_for(job) {
        Some(allowance) if !credits()?.afford(job.price, allowance) => {
            Ok(Err(SubmitError::CreditLimit))
        }
        Some(_) | None => Ok(Ok(())),
    }
}

/// Returns what a new job changes; one that is inserted as `done` comes with its result.
pub(super) fn submit<'j>(job: &'j Job, scraper: u16, result: Option<&'j [u8]>) -> JobChange<'j> {
    let unfinished = !job.state.finished();
    let mut usage = Usage::default();
    usage.count(job);
    JobChange {
        job,
        scraper,
        queue: TimeChange { before_ms: None, after_ms: waits_from_ms(job) },
        deadline: TimeChange { before_ms: None, after_ms: job.start_deadline_ms() },
        credits: if unfinished { CreditsChange::reserve(job) } else { CreditsChange::default() },
        usage,
        // Its items are counted when they are all there.
        batch: None,
        delivery: NewDelivery::of_job(job),
        result: result.map(|json| ResultChange { json, cache_hash: None }),
        occasion: Occasion::Submit,
    }
}

/// Applies the event that `decide` chooses for the job as it is, and returns what that changes; a
/// success comes with its result. A job for which `decide` chooses nothing is not the caller's to
/// change, and not there for it.
///
/// # Errors
/// Returns an error if the job has expired or refuses the event; the job is as it was.
pub(super) fn transition<'j>(
    job: &'j mut Job,
    scraper: u16,
    now_ms: UnixMs,
    decide: impl FnOnce(&Job) -> Option<Event>,
    result: Option<&'j NewResult>,
) -> Result<JobChange<'j>, TransitionError> {
    if job.expires_ms <= now_ms {
        return Err(TransitionError::Gone);
    }
    let event = decide(job).ok_or(TransitionError::Gone)?;
    let (queued_ms, deadline_ms) = (waits_from_ms(job), job.start_deadline_ms());
    job.apply(event, now_ms)?;

    let job = &*job;
    let ended = job.state.finished();
    let done = job.state == State::Done;
    let mut usage = Usage::default();
    usage.count_end(job);
    Ok(JobChange {
        job,
        scraper,
        queue: TimeChange { before_ms: queued_ms, after_ms: waits_from_ms(job) },
        deadline: TimeChange { before_ms: deadline_ms, after_ms: job.start_deadline_ms() },
        credits: if ended { CreditsChange::settle(job) } else { CreditsChange::default() },
        usage,
        batch: job.batch.filter(|_| ended).map(|key| BatchEnd { key, done }),
        delivery: NewDelivery::of_job(job),
        result: result
            .filter(|_| done)
            .map(|result| ResultChange { json: &result.json, cache_hash: result.cache_hash }),
        occasion: Occasion::Transition,
    })
}

/// Returns what the expiry of a job changes, beside its own rows, which are removed. One that has
/// not ended counts as failed.
pub(super) fn expiry(job: &Job, scraper: u16) -> JobChange<'_> {
    let unfinished = !job.state.finished();
    JobChange {
        job,
        scraper,
        queue: TimeChange { before_ms: waits_from_ms(job), after_ms: None },
        deadline: TimeChange { before_ms: job.start_deadline_ms(), after_ms: None },
        credits: if unfinished { CreditsChange::settle(job) } else { CreditsChange::default() },
        usage: Usage { failed: u64::from(unfinished), ..Usage::default() },
        batch: job.batch.filter(|_| unfinished).map(|key| BatchEnd { key, done: false }),
        delivery: None,
        result: None,
        occasion: Occasion::Expiry,
    }
}

/// Returns when an unfinished job is due. A running one keeps its place, so that a start after a
/// crash finds it there.
fn waits_from_ms(job: &Job) -> Option<UnixMs> {
    (!job.state.finished()).then_some(job.due_ms)
}

impl JobChange<'_> {
    /// Returns by how much the number of the scraper's unfinished jobs changes.
    pub(super) fn unfinished_change(&self) -> isize {
        isize::from(self.queue.after_ms.is_some()) - isize::from(self.queue.before_ms.is_some())
    }

    /// Returns whether an attempt of the job has ended, or all of them.
    pub(super) fn ends_attempt(&self) -> bool {
        match self.job.state {
            State::Done | State::Failed(_) | State::WaitingRetry { .. } => {
                self.occasion == Occasion::Transition
            }
            State::Queued | State::Running => false,
        }
    }

    /// Adds what follows from its commit, beside what follows from its delivery.
    pub(super) fn add_effects(&self, effects: &mut Vec<Effect>) {
        let scraper = self.scraper;
        let mut count = |what| effects.push(Effect::Counted { scraper, what });
        if self.occasion == Occasion::Submit {
            count(UsageEvent::Submitted);
        }
        if let Some(what) = self.counted_end() {
            count(what);
        }
        if let Some(cached) = self.cached() {
            effects.push(cached);
        }
        if let Some(at_ms) = self.deadline.added_ms() {
            effects.push(Effect::Deadline { at_ms });
        }
        if let Some(moved) = self.moved() {
            effects.push(moved);
        }
    }

    /// Returns the end that the day's use counts, if the job has ended by the step.
    fn counted_end(&self) -> Option<UsageEvent> {
        match (&self.job.state, self.occasion) {
            (State::Done | State::Failed(_), Occasion::Expiry) => None,
            (State::Done, _) if self.job.cached => Some(UsageEvent::Cached),
            (State::Done, _) => Some(UsageEvent::Done),
            (State::Failed(failure), _) if failure.reason == Reason::Canceled => {
                Some(UsageEvent::Canceled)
            }
            (State::Failed(_), _) => Some(UsageEvent::Failed),
            (State::Queued | State::Running | State::WaitingRetry { .. }, Occasion::Expiry) => {
                Some(UsageEvent::Failed)
            }
            (State::Queued | State::Running | State::WaitingRetry { .. }, _) => None,
        }
    }

    fn cached(&self) -> Option<Effect> {
        let hash = self.result?.cache_hash?;
        // The cache has it under the moment at which the job was done.
        let stored_ms = self.job.completed_ms?;
        Some(Effect::Cached { hash, stored_ms, row: self.job.row })
    }

    /// Returns the effect of the job's new place in the queue.
    fn moved(&self) -> Option<Effect> {
        let (job, scraper, row) = (self.job, self.scraper, self.job.row);
        match (self.queue.before_ms, self.queue.after_ms) {
            (None, None) => None,
            (Some(_), None) => Some(Effect::Ended { scraper, row }),
            (_, Some(_)) if job.state == State::Running => Some(Effect::Started { row }),
            (_, Some(due_ms)) => {
                Some(Effect::Ready { scraper, row, due_ms, interactive: job.interactive })
            }
        }
    }
}

/// The changes of a batch that the end of one of its jobs brings, beside the count.
#[derive(Debug)]
pub(super) struct BatchChange {
    /// Whether that was the last of its jobs.
    pub ends: bool,
    pub delivery: Option<NewDelivery>,
}

/// Counts the end of a job in its batch, and returns what that changes.
pub(super) fn batch_end(batch: &mut Batch, done: bool, now_ms: UnixMs) -> BatchChange {
    let ends = batch.count_end(done, now_ms);
    let delivery = if ends { NewDelivery::of_batch(batch) } else { None };
    BatchChange { ends, delivery }
}

/// Returns the item of a batch that is refused because its job, which would have had this row, was
/// not taken.
pub(super) fn rejected_item(batch: BatchKey, row: Row, error: SubmitError) -> RejectedItem {
    let why = match error {
        SubmitError::QueueFull => ItemError::QueueFull,
        // An item has no key of its own.
        SubmitError::CreditLimit | SubmitError::KeyReused => ItemError::CreditLimit,
    };
    // Inside the batch's rows, which are few.
    RejectedItem { index: (row - batch.row - 1) as u32, why }
}

/// Completes a batch of which all items have been tried: `done` of them were inserted as done. One
/// without a job that waits has ended. Returns its webhook, if it is due at once.
pub(super) fn batch_submit(batch: &mut Batch, done: u32) -> Option<NewDelivery> {
    batch.progress.done = done;
    batch.refused.sort_by_key(|item| item.index);
    if batch.pending() == 0 {
        batch.progress.completed_ms = Some(batch.created_ms);
    }
    NewDelivery::of_batch(batch)
}

/// Returns the event that ends a job whose start deadline has passed, for the entry of `filed_ms`;
/// `None` if that is not the job's: only damage leaves such an entry.
pub(super) fn overdue(job: &Job, filed_ms: UnixMs) -> Option<Event> {
    let is_its_own = job.start_deadline_ms() == Some(filed_ms);
    is_its_own.then(|| Event::Stop { failure: Failure::not_started_in_time() })
}

/// Returns whether the attempt with this lease may still change what is kept of a job: it is the
/// latest, and the job has not ended.
pub(super) fn is_held(job: &Job, lease: u32) -> bool {
    job.lease == lease && !job.state.finished()
}

/// Makes an unfinished job that the queue has at `before_ms` due so much earlier, but not before
/// `now_ms`: by a clock that was set back it would wait too long.
pub(super) fn pull_forward(
    job: &mut Job,
    before_ms: UnixMs,
    by_ms: u64,
    now_ms: UnixMs,
) -> TimeChange {
    job.due_ms = before_ms.saturating_sub(by_ms).max(now_ms);
    TimeChange { before_ms: Some(before_ms), after_ms: Some(job.due_ms) }
}

/// A delivery as a step has changed it, and its places in the indexes.
#[derive(Debug)]
pub(super) struct DeliveryChange {
    pub delivery: Delivery,
    /// Its place among the deliveries that are due.
    pub outbox: TimeChange,
    /// The place of what it reports among what expires.
    pub expiry: TimeChange,
}

/// Changes the delivery of what expires at `expires_ms`. One that ends lets go of what it has
/// held.
pub(super) fn delivery(
    mut delivery: Delivery,
    expires_ms: UnixMs,
    change: impl FnOnce(&mut Delivery),
) -> DeliveryChange {
    let before_ms = delivery.due_ms();
    change(&mut delivery);
    let after_ms = delivery.due_ms();
    let held_ms = delivery.held_until_ms.take_if(|_| after_ms.is_none());
    DeliveryChange {
        delivery,
        outbox: TimeChange { before_ms, after_ms },
        expiry: TimeChange { before_ms: held_ms, after_ms: held_ms.map(|_| expires_ms) },
    }
}

/// Makes a pending delivery hold what has expired at `expires_ms` for a while, so that the sweep
/// comes back to it; `None` if that is not kept for it.
pub(super) fn hold(
    mut delivery: Delivery,
    expires_ms: UnixMs,
    now_ms: UnixMs,
) -> Option<DeliveryChange> {
    if !delivery.keeps_subject(now_ms) {
        return None;
    }
    let until_ms = Some(now_ms.saturating_add(HOLD_MS));
    let filed_ms = delivery.held_until_ms.unwrap_or(expires_ms);
    delivery.held_until_ms = until_ms;
    let due_ms = delivery.due_ms();
    Some(DeliveryChange {
        delivery,
        outbox: TimeChange { before_ms: due_ms, after_ms: due_ms },
        expiry: TimeChange { before_ms: Some(filed_ms), after_ms: until_ms },
    })
}

/// The traces of an attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptKept {
    /// It is listed with its job, as long as that exists, and what it used is counted.
    WithJob,
    /// Only what it used is counted.
    SpendAlone,
    Nothing,
}

/// Returns whether an attempt of a job can have ended, and so have used something: not of one that
/// waits for its first attempt or runs it, as most that are polled do.
pub(super) fn may_have_usage(job: &Job) -> bool {
    job.attempts > 1 || job.attempts == 1 && job.state != State::Running
}

/// Returns what is kept of an attempt by the outcome of the transition that ends it: of one that
/// has lost its job to another only what has used something, because that has cost something.
pub(super) fn kept_attempt(
    outcome: &Result<Job, TransitionError>,
    end: &AttemptEnd,
) -> AttemptKept {
    let used = end.used().next().is_some();
    match outcome {
        Ok(_) | Err(TransitionError::Finished) => AttemptKept::WithJob,
        Err(TransitionError::StaleLease | TransitionError::NotRunning) if used => {
            AttemptKept::WithJob
        }
        Err(TransitionError::Gone) if used => AttemptKept::SpendAlone,
        Err(TransitionError::StaleLease | TransitionError::NotRunning | TransitionError::Gone) => {
            AttemptKept::Nothing
        }
    }
}

/// Returns the label under which a call of this label is counted, of one account, upstream and day:
/// its own until too many have sums. `is_known` says whether a label has sums already, `labels` how
/// many have.
///
/// # Errors
/// Returns an error if one of these fails.
pub(super) fn counted_label(
    label: &str,
    is_known: impl Fn(&str) -> Result<bool, StoreError>,
    labels: impl FnOnce() -> Result<usize, StoreError>,
) -> Result<&str, StoreError> {
    if label.is_empty() || is_known(label)? {
        return Ok(label);
    }
    if is_known(OTHER_LABELS)? || labels()? >= LABELS_MAX {
        return Ok(OTHER_LABELS);
    }
    Ok(label)
}

/// Adds an attempt to those that are kept of its job, of which the oldest give way. Returns false
/// for one that is there already: it was written by a commit that was reported as failed.
pub(super) fn keep_attempt(kept: &mut Vec<AttemptEnd>, end: AttemptEnd) -> bool {
    let known = (end.number, end.started_ms);
    if kept.iter().any(|kept| (kept.number, kept.started_ms) == known) {
        return false;
    }
    kept.push(end);
    let surplus = kept.len().saturating_sub(ATTEMPTS_KEPT_MAX);
    kept.drain(..surplus);
    true
}

#[cfg(test)]
mod tests;
