//! `GET /jobs/{id}/attempts`: what a job asks for, and how its attempts have ended, one by one.
//! Takes the key that made the job.

use actix_web::HttpResponse;

use crate::api::{self, AttemptView, AttemptsView, CallView, Id, UsageObject};
use crate::http::request::call::{ApiCall, ApiResult};
use crate::job::{AttemptCall, AttemptEnd, RawRequest, Reason};
use crate::service::Caller;

/// Returns the attempts that have ended, oldest first.
pub(crate) async fn list(call: ApiCall, caller: Caller) -> ApiResult {
    let (service, id) = (call.service(), call.path_parameter("job_id"));
    let (job, attempts) = service.attempts(&caller, &id)?;
    // As a body that would ask for it again.
    let asked = RawRequest {
        label: job.label,
        webhook_url: job.webhook_url,
        raw: job.keep_raw.then_some(true),
        track: job.track.clone(),
        ..RawRequest::from(&job.request)
    };
    Ok(HttpResponse::Ok().json(AttemptsView {
        job_id: Id(id.to_ascii_lowercase()),
        since: service.since_ms().into(),
        attempts: attempts.into_iter().map(attempt).collect(),
        parameters: api::body(&asked),
    }))
}

fn call(call: &AttemptCall) -> CallView {
    CallView {
        upstream: call.upstream.clone(),
        error_code: call.reason.map(Reason::code),
        usage: (&call.usage).into(),
    }
}

fn attempt(end: AttemptEnd) -> AttemptView {
    let usage = end.usage().as_ref().map(UsageObject::from);
    let (code, sentence) =
        end.failure.map(|failure| (failure.reason.code(), failure.sentence)).unzip();
    AttemptView {
        attempt: end.number,
        started_at: end.started_ms.into(),
        seconds: end.run_ms as f64 / 1000.0,
        upstream: end.upstream,
        error_code: code,
        error: sentence,
        usage,
        calls: end.calls.iter().map(call).collect(),
    }
}
