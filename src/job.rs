//! A job: one prompt for one scraper, from submit to `done` or `failed`, and the one function that
//! changes its state. What is asked for is in `request`, why it fails in `reason`, the state of its
//! webhook in `delivery`. Pure: no clock, no store, no I/O.

mod attempt;
mod batch;
mod delivery;
mod invalid;
mod kind;
mod location;
mod model_seen;
mod reason;
mod reason_counts;
mod request;
mod schedule;
mod spend;
mod tracker_name;
mod usage;
mod vendor_task;
mod webhook_url;

pub use attempt::{
    ATTEMPTS_KEPT_MAX, AttemptCall, AttemptEnd, CALLS_KEPT_MAX, CallOutcome, PassedOver,
};
pub use batch::*;
pub use delivery::*;
pub use invalid::{Invalid, Rule, broken_rule, quoted};
pub use kind::Kind;
pub use location::{Device, Location, PLACE_CODE_CHARS_MAX, PLACE_NAME_CHARS_MAX, check_timezone};
pub use model_seen::{MODEL_CHANGES_MAX, ModelSeen};
pub use reason::{
    Blame, FAILURE_BYTES_MAX, Failure, HealthEffect, Reason, Retry, UNSEARCHED_BYTES_MAX,
};
pub use reason_counts::ReasonCounts;
pub use request::*;
pub use schedule::*;
pub use spend::Spend;
pub use tracker_name::{TRACKER_NAME_CHARS_MAX, is_tracker_name};
pub use usage::{Cost, CostFrom, UpstreamUsage, usd_text};
pub use vendor_task::{VENDOR_TASK_ID_BYTES_MAX, VendorTask};
pub use webhook_url::{WEBHOOK_URL_CHARS_MAX, check_webhook_url};

use crate::clock::UnixMs;

/// The state of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for its first attempt, or for one that a stopped process gave back.
    Queued,
    /// An attempt runs, or ran when the process died.
    Running,
    /// An attempt failed and another one follows.
    WaitingRetry {
        last: Failure,
    },
    Done,
    Failed(Failure),
}

impl State {
    pub const fn finished(&self) -> bool {
        match self {
            State::Queued | State::Running | State::WaitingRetry { .. } => false,
            State::Done | State::Failed(_) => true,
        }
    }

    /// Returns why the job failed, or its latest attempt while it waits for the next.
    pub const fn last_failure(&self) -> Option<&Failure> {
        match self {
            State::WaitingRetry { last } | State::Failed(last) => Some(last),
            State::Queued | State::Running | State::Done => None,
        }
    }

    /// Returns the word of contract 1.7: `pending`, `done` or `failed`.
    pub const fn status(&self) -> &'static str {
        match self {
            State::Queued | State::Running | State::WaitingRetry { .. } => "pending",
            State::Done => "done",
            State::Failed(_) => "failed",
        }
    }
}

/// One job with all that is known of it but its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The row number that its id carries.
    pub row: u64,
    /// The 74 random bits that its id carries.
    pub nonce: u128,
    pub request: ScrapeRequest,
    /// Whose key submitted it; `anonymous` where no keys are configured.
    pub account: String,
    pub state: State,
    /// Attempts started so far, those that a crash ended included.
    pub attempts: u32,
    /// Rises with every start: only the attempt that holds the latest lease may end the job.
    pub lease: u32,
    pub created_ms: UnixMs,
    /// When it may start, or might have for the attempt that runs; the ready index has it too.
    pub due_ms: UnixMs,
    /// From this moment on the job does not exist (contract 1.7).
    pub expires_ms: UnixMs,
    pub started_ms: Option<UnixMs>,
    pub completed_ms: Option<UnixMs>,
    /// Credits reserved at submit, kept on success unless the cache has answered.
    pub price: u32,
    /// Somebody waits for it, on an open connection or in front of a page: it goes ahead of queued
    /// jobs.
    pub interactive: bool,
    /// When the whole job fails with [`Reason::Timeout`]; only interactive jobs have one.
    pub deadline_ms: Option<UnixMs>,
    /// Its result was another job's, from the cache: nothing is charged for it.
    pub cached: bool,
    /// The client's own word for it.
    pub label: Option<String>,
    /// When the job fails with [`Reason::NotStartedInTime`] unless an attempt has started before.
    pub start_by_ms: Option<UnixMs>,
    /// What finds it again when its submit is repeated.
    pub idempotency: Option<Idempotency>,
    /// The batch that it was submitted with.
    pub batch: Option<BatchKey>,
    /// The address that receives its end.
    pub webhook_url: Option<String>,
    /// Whether the upstreams' raw replies are kept with it, whatever the settings say.
    pub keep_raw: bool,
    /// Whether the engine showed an answer, where the job is done and the engine may show none.
    pub present: Option<bool>,
    /// The tracker whose brands its answer is measured by.
    pub track: Option<String>,
}

/// An event of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An attempt starts.
    Start,
    /// The attempt with this lease succeeded.
    Succeed { lease: u32, present: Option<bool> },
    /// The attempt with this lease found in the cache what it would have asked for.
    ServeCached { lease: u32, present: Option<bool> },
    /// The attempt with this lease failed and the next is due at `due_ms`. One that could not even
    /// ask is not `spent`.
    RetryLater { lease: u32, due_ms: UnixMs, last: Failure, spent: bool },
    /// The attempt with this lease failed for good.
    Fail { lease: u32, failure: Failure },
    /// The attempt with this lease goes back unspent: the process stops, or another job's attempt
    /// asks for the same already.
    Release { lease: u32 },
    /// Ended from outside, whatever runs: a deadline, a cancel.
    Stop { failure: Failure },
}

/// The reason why an event does not apply to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// The store has no such job, or no longer, or it is another account's.
    #[error("there is no such job")]
    Gone,
    #[error("the job has ended")]
    Finished,
    #[error("another attempt holds the job")]
    StaleLease,
    #[error("no attempt of the job runs")]
    NotRunning,
}

impl Job {
    /// Applies an event at `now_ms`. The only place where a job's state changes.
    ///
    /// # Errors
    /// Returns an error if the job has ended, or the attempt has lost its lease: neither changes
    /// anything.
    pub fn apply(&mut self, event: Event, now_ms: UnixMs) -> Result<(), TransitionError> {
        if self.state.finished() {
            return Err(TransitionError::Finished);
        }
        match event {
            Event::Start => {
                self.attempts += 1;
                self.lease += 1;
                self.started_ms.get_or_insert(now_ms);
                self.state = State::Running;
            }
            Event::Succeed { lease, present } => {
                self.held(lease)?;
                self.present = present;
                self.finish(State::Done, now_ms);
            }
            Event::ServeCached { lease, present } => {
                self.held(lease)?;
                self.present = present;
                self.attempts -= 1;
                self.cached = true;
                self.finish(State::Done, now_ms);
            }
            Event::RetryLater { lease, due_ms, last, spent } => {
                self.held(lease)?;
                self.attempts -= u32::from(!spent);
                self.due_ms = due_ms;
                self.state = State::WaitingRetry { last };
            }
            Event::Fail { lease, failure } => {
                self.held(lease)?;
                self.finish(State::Failed(failure), now_ms);
            }
            Event::Release { lease } => {
                self.held(lease)?;
                self.attempts -= 1;
                self.state = State::Queued;
            }
            Event::Stop { failure } => self.finish(State::Failed(failure), now_ms),
        }
        Ok(())
    }

    /// Credits that its end costs (contract 1.9).
    pub fn charge(&self) -> u32 {
        match self.state {
            State::Done if !self.cached => self.price,
            State::Done | State::Failed(_) => 0,
            State::Queued | State::Running | State::WaitingRetry { .. } => 0,
        }
    }

    /// Returns when the job fails unless an attempt starts before; `None` once one has started.
    pub fn start_deadline_ms(&self) -> Option<UnixMs> {
        self.start_by_ms.filter(|_| self.started_ms.is_none() && !self.state.finished())
    }

    fn held(&self, lease: u32) -> Result<(), TransitionError> {
        if self.state != State::Running {
            return Err(TransitionError::NotRunning);
        }
        if self.lease != lease {
            return Err(TransitionError::StaleLease);
        }
        Ok(())
    }

    fn finish(&mut self, state: State, now_ms: UnixMs) {
        self.state = state;
        self.completed_ms = Some(now_ms);
    }

    /// Rises with every transition and with nothing else, restarts included: it identifies what a
    /// client has seen of a job. A lease's attempt runs, then waits, then has ended, so three
    /// numbers for each lease are enough.
    pub fn revision(&self) -> u64 {
        let step = match self.state {
            State::Running => 0,
            State::Queued | State::WaitingRetry { .. } => 1,
            State::Done | State::Failed(_) => 2,
        };
        u64::from(self.lease) * 3 + step
    }

    /// Returns what a worker that takes the job does to it: starts an attempt, or ends it because
    /// one of its deadlines has passed or its last attempt ended with the process.
    pub fn pick_up(&self, attempts_max: u32, now_ms: UnixMs) -> Event {
        if self.start_deadline_ms().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            return Event::Stop { failure: Failure::not_started_in_time() };
        }
        if self.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            return Event::Stop { failure: Failure::timeout(self.request.timeout_ms) };
        }
        if self.attempts >= attempts_max {
            let sentence =
                format!("The process ended while attempt {} of {attempts_max} ran.", self.attempts);
            return Event::Stop { failure: Failure::new(Reason::Crashed, sentence) };
        }
        Event::Start
    }
}

#[cfg(test)]
impl Job {
    /// Creates a queued job for tests: it costs 3 credits and expires a day after `now_ms`.
    pub fn fixture(row: u64, nonce: u128, request: ScrapeRequest, now_ms: UnixMs) -> Job {
        Job {
            row,
            nonce,
            request,
            account: "anonymous".to_owned(),
            state: State::Queued,
            attempts: 0,
            lease: 0,
            created_ms: now_ms,
            due_ms: now_ms,
            expires_ms: now_ms + 86_400_000,
            started_ms: None,
            completed_ms: None,
            price: 3,
            interactive: false,
            deadline_ms: None,
            cached: false,
            label: None,
            start_by_ms: None,
            idempotency: None,
            batch: None,
            webhook_url: None,
            keep_raw: false,
            present: None,
            track: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(prompt: &str) -> RawRequest {
        RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() }
    }

    fn job() -> Job {
        Job::fixture(1, 2, raw("hello").check("chatgpt", &[]).unwrap(), 1_000)
    }

    #[test]
    fn an_end_is_final_whatever_comes_later() {
        let mut job = job();
        job.apply(Event::Start, 2_000).unwrap();
        job.apply(Event::Succeed { lease: 1, present: None }, 3_000).unwrap();
        let ended = job.clone();
        let late = [
            Event::Start,
            Event::Succeed { lease: 1, present: None },
            Event::Fail { lease: 1, failure: Failure::new(Reason::Empty, "late") },
            Event::Release { lease: 1 },
            Event::Stop { failure: Failure::new(Reason::Canceled, "late") },
        ];
        for event in late {
            assert_eq!(job.apply(event, 4_000), Err(TransitionError::Finished));
        }
        assert_eq!(job, ended);
    }

    #[test]
    fn an_attempt_without_the_lease_changes_nothing() {
        let mut job = job();
        job.apply(Event::Start, 2_000).unwrap();
        job.apply(Event::Start, 3_000).unwrap(); // after a crash
        assert_eq!(
            job.apply(Event::Succeed { lease: 1, present: None }, 4_000),
            Err(TransitionError::StaleLease)
        );
        assert_eq!((job.attempts, job.lease), (2, 2));
        assert_eq!(job.started_ms, Some(2_000));
    }

    #[test]
    fn a_released_attempt_is_not_spent_but_keeps_its_fence() {
        let mut job = job();
        job.apply(Event::Start, 2_000).unwrap();
        job.apply(Event::Release { lease: 1 }, 3_000).unwrap();
        assert_eq!((job.attempts, job.lease, &job.state), (0, 1, &State::Queued));
        job.apply(Event::Start, 4_000).unwrap();
        assert_eq!(
            job.apply(Event::Succeed { lease: 1, present: None }, 5_000),
            Err(TransitionError::StaleLease)
        );
    }

    #[test]
    fn every_transition_raises_the_revision() {
        let failure = || Failure::new(Reason::Empty, "no");
        let later = |lease| Event::RetryLater { lease, due_ms: 9, last: failure(), spent: true };
        let stop = || Event::Stop { failure: failure() };
        for events in [
            vec![Event::Start, Event::Succeed { lease: 1, present: None }],
            vec![Event::Start, Event::Release { lease: 1 }, Event::Start, stop()],
            vec![Event::Start, Event::Start, later(2), stop()],
            vec![
                Event::Start,
                later(1),
                Event::Start,
                Event::Fail { lease: 2, failure: failure() },
            ],
            vec![stop()],
        ] {
            let mut job = job();
            for event in events {
                let before = job.revision();
                job.apply(event, 2_000).unwrap();
                assert!(job.revision() > before, "{:?}", job.state);
            }
        }
    }

    #[test]
    fn a_worker_ends_what_cannot_start_any_more() {
        let mut job = job();
        assert_eq!(job.pick_up(4, 2_000), Event::Start);
        job.attempts = 4;
        assert!(matches!(
            job.pick_up(4, 2_000),
            Event::Stop { failure: Failure { reason: Reason::Crashed, .. } }
        ));
        job.deadline_ms = Some(2_000);
        assert!(matches!(
            job.pick_up(4, 2_000),
            Event::Stop { failure: Failure { reason: Reason::Timeout, .. } }
        ));
    }

    #[test]
    fn a_start_deadline_holds_until_an_attempt_has_started() {
        let mut job = Job { start_by_ms: Some(2_000), ..job() };
        assert_eq!(job.pick_up(4, 1_999), Event::Start);
        assert!(matches!(
            job.pick_up(4, 2_000),
            Event::Stop { failure: Failure { reason: Reason::NotStartedInTime, .. } }
        ));
        job.apply(Event::Start, 1_999).unwrap();
        job.apply(Event::Release { lease: 1 }, 3_000).unwrap();
        assert_eq!((job.start_deadline_ms(), job.pick_up(4, 4_000)), (None, Event::Start));
    }
}
