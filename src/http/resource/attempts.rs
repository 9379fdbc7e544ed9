//! `GET /jobs/{id}/attempts`: what a job asks for, and how its attempts have ended, one by one.
//! Takes the key that made the job.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use crate::api;
use crate::clock::rfc3339_seconds;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::job::{AttemptEnd, RawRequest};
use crate::service::Caller;

/// Returns the attempts that have ended, oldest first.
pub async fn list(call: ApiCall, caller: Caller) -> ApiResult {
    let (service, id) = (call.service(), call.path_parameter("job_id"));
    let (job, attempts) = service.attempts(&caller, &id)?;
    // As a body that would ask for it again.
    let asked = RawRequest {
        label: job.label,
        webhook_url: job.webhook_url,
        ..RawRequest::from(&job.request)
    };
    let attempts: Vec<Value> = attempts.iter().map(attempt).collect();
    Ok(HttpResponse::Ok().json(json!({
        "job_id": id.to_ascii_lowercase(),
        "since": rfc3339_seconds(service.since_ms()),
        "attempts": attempts,
        "parameters": api::body(&asked),
    })))
}

fn attempt(end: &AttemptEnd) -> Value {
    let failure = end.failure.as_ref();
    json!({
        "attempt": end.number,
        "started_at": rfc3339_seconds(end.started_ms),
        "seconds": end.run_ms as f64 / 1000.0,
        "upstream": end.upstream,
        "error_code": failure.map(|failure| failure.reason.code()),
        "error": failure.map(|failure| &failure.sentence),
    })
}
