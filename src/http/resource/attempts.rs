//! `GET /jobs/{id}/attempts`: what a job asks for, and how its attempts have ended, one by one.
//! Takes the key that made the job.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use crate::clock::rfc3339_seconds;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::job::{AttemptEnd, Job, ScrapeRequest};
use crate::service::Caller;

/// Returns the attempts that have ended, oldest first.
pub async fn list(call: ApiCall, caller: Caller) -> ApiResult {
    let (service, id) = (call.service(), call.id());
    let (job, attempts) = service.attempts(&caller, &id)?;
    let attempts: Vec<Value> = attempts.iter().map(attempt).collect();
    Ok(HttpResponse::Ok().json(json!({
        "job_id": id.to_ascii_lowercase(),
        "since": rfc3339_seconds(service.since_ms()),
        "attempts": attempts,
        "parameters": parameters(&job),
    })))
}

/// What was asked for, as a body that would ask for it again.
fn parameters(job: &Job) -> Value {
    let ScrapeRequest {
        scraper: _,
        prompt,
        country,
        bypass_cache,
        timeout_ms,
        web_search,
        markdown_json,
        mode,
    } = &job.request;
    let mut parameters = json!({
        "prompt": prompt,
        "country": country,
        "bypass_cache": bypass_cache,
        "timeout": f64::from(*timeout_ms) / 1000.0,
        "web_search": web_search,
        "markdown_json": markdown_json,
    });
    let texts = [("mode", mode), ("label", &job.label), ("webhook_url", &job.webhook_url)];
    for (name, text) in texts {
        if let Some(text) = text {
            parameters[name] = text.as_str().into();
        }
    }
    parameters
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
