//! `GET /jobs/{id}/attempts`: what a job asks for, how its attempts have ended, one by one, and
//! what it does or waits for now. Takes the key that made the job, or one that may
//! read it.

use actix_web::HttpResponse;

use crate::api::{
    self, AttemptView, AttemptsView, CallStatus, CallView, Id, RunningAttemptView, UsageObject,
    WaitingView,
};
use crate::clock::UnixMs;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::job::{AttemptCall, AttemptEnd, CallOutcome, PassedOver, RawRequest, Reason};
use crate::service::{Caller, JobAttempts, Place, RunningAttempt, RunningCall};

/// Returns the attempts, oldest first.
pub(crate) async fn list(call: ApiCall, caller: Caller) -> ApiResult {
    let (service, id) = (call.service(), call.path_parameter("job_id"));
    let JobAttempts { job, ended, running, waiting } = service.attempts(&caller, &id).await?;
    // As a body that would ask for it again.
    let asked = RawRequest {
        label: job.label.clone(),
        webhook_url: job.webhook_url.clone(),
        raw: job.keep_raw.then_some(true),
        track: job.track.clone(),
        ..RawRequest::from(&job.request)
    };
    let before = std::iter::once(None).chain(ended.iter().map(Some));
    let attempts = ended.iter().zip(before);
    Ok(HttpResponse::Ok().json(AttemptsView {
        job_id: Id(id.to_ascii_lowercase()),
        account: job.account.clone(),
        since: service.since_ms().into(),
        attempts: attempts.map(|(end, before)| attempt(end, before, job.created_ms)).collect(),
        running: running.map(|running| running_attempt(&running, service.now_ms())),
        waiting: waiting.map(place),
        parameters: api::body(&asked),
    }))
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// Returns a call of an attempt that started at `started_ms`.
fn call(call: &AttemptCall, started_ms: UnixMs) -> CallView {
    let (outcome, passed_over, wait_ms) = match call.outcome {
        CallOutcome::Answered => (CallStatus::Answered, None, None),
        CallOutcome::Failed(_) => (CallStatus::Failed, None, None),
        CallOutcome::PassedOver { why, wait_ms } => (CallStatus::PassedOver, Some(why), wait_ms),
    };
    let began_ms = match outcome {
        CallStatus::PassedOver => Some(call.ended_ms),
        CallStatus::Answered | CallStatus::Failed | CallStatus::Running => {
            call.took_ms.map(|took_ms| call.ended_ms.saturating_sub(took_ms))
        }
    };
    CallView {
        upstream: call.upstream.clone(),
        outcome,
        error_code: call.reason().map(Reason::code),
        passed_over: passed_over.map(PassedOver::word),
        wait_seconds: wait_ms.map(seconds),
        http_status: call.http_status,
        after_seconds: began_ms.map(|at_ms| seconds(at_ms.saturating_sub(started_ms))),
        seconds: call.took_ms.map(seconds),
        usage: (!call.usage.is_empty()).then(|| (&call.usage).into()),
    }
}

fn running_call(call: RunningCall, started_ms: UnixMs, now_ms: UnixMs) -> CallView {
    CallView {
        upstream: call.upstream,
        outcome: CallStatus::Running,
        error_code: None,
        passed_over: None,
        wait_seconds: None,
        http_status: call.http_status,
        after_seconds: Some(seconds(call.started_ms.saturating_sub(started_ms))),
        seconds: Some(seconds(now_ms.saturating_sub(call.started_ms))),
        usage: None,
    }
}

fn running_attempt(running: &RunningAttempt, now_ms: UnixMs) -> RunningAttemptView {
    let started_ms = running.started_ms();
    let from_ms = started_ms.unwrap_or(now_ms);
    let ended = running.calls.iter().map(|ended| call(ended, from_ms));
    let runs = running.call.clone().map(|runs| running_call(runs, from_ms, now_ms));
    RunningAttemptView {
        attempt: running.number,
        seconds: started_ms.map(|started_ms| seconds(now_ms.saturating_sub(started_ms))),
        calls: ended.chain(runs).collect(),
    }
}

fn place(place: Place) -> WaitingView {
    WaitingView {
        due_at: place.due_ms.map(Into::into),
        position: place.position,
        waiting: place.waiting,
        starts_in_seconds: place.starts_in_ms.map(seconds),
    }
}

/// Returns an attempt of a job that was submitted at `created_ms`; `before` is the one before it.
fn attempt(end: &AttemptEnd, before: Option<&AttemptEnd>, created_ms: UnixMs) -> AttemptView {
    let usage = end.usage().as_ref().map(UsageObject::from);
    let failure = end.failure.as_ref();
    // One that a crash cut off has no end to count from.
    let free_ms = match before.filter(|before| before.number + 1 == end.number) {
        Some(before) => Some(before.started_ms.saturating_add(before.run_ms)),
        None => (end.number == 1).then_some(created_ms),
    };
    let backoff_ms =
        end.due_ms.zip(free_ms).map(|(due_ms, from_ms)| due_ms.saturating_sub(from_ms));
    let queue_ms = end.due_ms.map(|due_ms| end.started_ms.saturating_sub(due_ms));
    AttemptView {
        attempt: end.number,
        started_at: end.started_ms.into(),
        seconds: seconds(end.run_ms),
        backoff_seconds: backoff_ms.map(seconds),
        queue_seconds: queue_ms.map(seconds),
        upstream: end.upstream.clone(),
        error_code: failure.map(|failure| failure.reason.code()),
        error: failure.map(|failure| failure.sentence.clone()),
        usage,
        calls: end.calls.iter().map(|made| call(made, end.started_ms)).collect(),
    }
}
