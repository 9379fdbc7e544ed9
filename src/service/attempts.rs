//! A job attempt by attempt: what has ended, what runs, and what it waits for.

use serde::Deserialize;

use super::jobs::parse_id;
use super::{Caller, Service, ServiceError};
use crate::clock::UnixMs;
use crate::engine::Place;
use crate::job::{AttemptCall, AttemptEnd, CallOutcome, Job, State, UpstreamUsage};
use crate::upstream::RunningCall;

/// The attempts of a job.
pub struct JobAttempts {
    pub job: Job,
    /// Oldest first. Those that a crash cut off have no end.
    pub ended: Vec<AttemptEnd>,
    pub running: Option<RunningAttempt>,
    /// The place of the next attempt, while none runs.
    pub waiting: Option<Place>,
}

/// An attempt that has not ended.
pub struct RunningAttempt {
    pub number: u32,
    /// The upstreams that it has come to.
    pub calls: Vec<AttemptCall>,
    pub call: Option<RunningCall>,
}

impl RunningAttempt {
    /// Returns when it came to its first upstream; `None` before that.
    pub fn started_ms(&self) -> Option<UnixMs> {
        let first = self.calls.first();
        let began = first.map(|call| call.ended_ms.saturating_sub(call.took_ms.unwrap_or(0)));
        began.or_else(|| self.call.as_ref().map(|call| call.started_ms))
    }
}

/// The part of a result that describes its attempt.
#[derive(Deserialize)]
struct Answered {
    elapsed_ms: f64,
    provenance: Provenance,
}

#[derive(Deserialize)]
struct Provenance {
    upstream: String,
}

/// Returns the attempt that a job's result came from; `None` if the cache had it.
fn answered_attempt(job: &Job, json: &[u8]) -> Option<AttemptEnd> {
    if job.cached {
        return None;
    }
    let Answered { elapsed_ms, provenance } = serde_json::from_slice(json).ok()?;
    // Bounded by the timeout of a request.
    let run_ms = elapsed_ms as u64;
    let ended_ms = job.completed_ms?;
    let call = AttemptCall {
        upstream: provenance.upstream.clone(),
        ended_ms,
        outcome: CallOutcome::Answered,
        took_ms: Some(run_ms),
        http_status: None,
        usage: UpstreamUsage::default(),
    };
    Some(AttemptEnd {
        number: job.attempts,
        due_ms: None,
        started_ms: ended_ms.saturating_sub(run_ms),
        run_ms,
        upstream: Some(provenance.upstream),
        failure: None,
        calls: vec![call],
    })
}

/// Adds what is not kept of an attempt because its job says it.
fn complete(job: &Job, end: AttemptEnd) -> AttemptEnd {
    let mut end = end;
    if end.number == job.attempts && job.state.finished() {
        end.due_ms = end.due_ms.or(Some(job.due_ms));
    }
    if let [call] = end.calls.as_mut_slice()
        && call.is_call()
    {
        call.took_ms = call.took_ms.or(Some(end.run_ms));
    }
    end
}

impl Service {
    /// Returns a job that the caller may read, how its attempts have ended, and what it does now.
    ///
    /// # Errors
    /// Returns an error if the caller has no such job, or the store failed.
    pub async fn attempts(&self, caller: &Caller, id: &str) -> Result<JobAttempts, ServiceError> {
        let now_ms = self.clock.now_ms();
        let id = parse_id(id)?;
        let found = self.store.read_attempts(id, now_ms, |job, json, ended| {
            // One that is kept itself says more.
            let is_kept = ended.iter().any(|end| end.failure.is_none());
            let answered = json.filter(|_| !is_kept);
            let answered = answered.and_then(|json| answered_attempt(job, json));
            let ended = ended.into_iter().chain(answered).map(|end| complete(job, end));
            (job.clone(), ended.collect())
        });
        let read = |(job, _): &(Job, Vec<AttemptEnd>)| self.may_read(caller, &job.account, id);
        let (job, ended) = found.await?.filter(read).ok_or(ServiceError::JobNotFound)?;
        let (running, waiting) = match job.state {
            State::Running => (Some(self.running_attempt(&job)), None),
            State::Queued | State::WaitingRetry { .. } => {
                (None, Some(self.engine.place(&job).await))
            }
            State::Done | State::Failed(_) => (None, None),
        };
        Ok(JobAttempts { job, ended, running, waiting })
    }

    fn running_attempt(&self, job: &Job) -> RunningAttempt {
        let (calls, call) = self.engine.calls_so_far(job).unwrap_or_default();
        RunningAttempt { number: job.attempts, calls, call }
    }
}
