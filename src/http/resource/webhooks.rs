//! `GET /jobs/{job_id}/webhook`: how the delivery of a job's webhook stands. `POST` there sends it
//! again. Both take the key that made the job. The same for batches. Contract part 2.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

use crate::clock::rfc3339_seconds;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::job::{DeliveryAttempt, DeliveryState, Outcome, Subject};
use crate::service::{Caller, WebhookStatus};

/// Returns the delivery log of a job's webhook.
pub async fn of_job(call: ApiCall, caller: Caller) -> ApiResult {
    get(&call, &caller, Subject::Job)
}

/// Returns the delivery log of a batch's webhook.
pub async fn of_batch(call: ApiCall, caller: Caller) -> ApiResult {
    get(&call, &caller, Subject::Batch)
}

/// Makes a job's webhook due once more.
pub async fn resend_of_job(call: ApiCall, caller: Caller) -> ApiResult {
    resend(&call, &caller, Subject::Job).await
}

/// Makes a batch's webhook due once more.
pub async fn resend_of_batch(call: ApiCall, caller: Caller) -> ApiResult {
    resend(&call, &caller, Subject::Batch).await
}

fn get(call: &ApiCall, caller: &Caller, subject: Subject) -> ApiResult {
    let status = call.service().webhook(caller, subject, &id(call, subject))?;
    Ok(HttpResponse::Ok().json(document(&status)))
}

async fn resend(call: &ApiCall, caller: &Caller, subject: Subject) -> ApiResult {
    let status = call.service().send_webhook_again(caller, subject, &id(call, subject)).await?;
    Ok(HttpResponse::build(StatusCode::ACCEPTED).json(document(&status)))
}

fn id(call: &ApiCall, subject: Subject) -> String {
    call.path_parameter(match subject {
        Subject::Job => "job_id",
        Subject::Batch => "batch_id",
    })
}

fn document(WebhookStatus { subject, id, url, delivery }: &WebhookStatus) -> Value {
    let state = delivery.as_ref().map(|delivery| delivery.state);
    let (word, reason) = match state {
        // What it tells of has not ended.
        None => ("waiting", None),
        Some(DeliveryState::Pending { .. }) => ("pending", None),
        Some(DeliveryState::Delivered) => ("delivered", None),
        Some(DeliveryState::Failed(why)) => ("failed", Some(why.word())),
    };
    let next_ms = delivery.as_ref().and_then(|delivery| delivery.due_ms());
    let log = delivery.iter().flat_map(|delivery| &delivery.log);
    json!({
        (match subject {
            Subject::Job => "job_id",
            Subject::Batch => "batch_id",
        }): id.to_string(),
        "webhook_id": subject.message_id(*id),
        "url": url,
        "state": word,
        "reason": reason,
        "attempts": delivery.as_ref().map_or(0, |delivery| delivery.attempts),
        "resends": delivery.as_ref().map_or(0, |delivery| delivery.resends),
        "next_attempt_at": next_ms.map(rfc3339_seconds),
        "log": log.map(attempt).collect::<Vec<Value>>(),
    })
}

fn attempt(DeliveryAttempt { at_ms, took_ms, outcome }: &DeliveryAttempt) -> Value {
    let (status, error) = match outcome {
        Outcome::Status(status) => (Some(status), None),
        Outcome::Failed(failure) => (None, Some(failure.word())),
    };
    json!({ "at": rfc3339_seconds(*at_ms), "took_ms": took_ms, "status": status, "error": error })
}
