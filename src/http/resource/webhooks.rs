//! `GET /jobs/{job_id}/webhook`: how the delivery of a job's webhook stands. `POST` there sends it
//! again. Both take the key that made the job. The same for batches. Contract part 2.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::clock::rfc3339_seconds;
use crate::http::error::ApiError;
use crate::job::{DeliveryAttempt, DeliveryState, Outcome, Subject};
use crate::service::{Caller, Service, ServiceError, WebhookStatus};

/// The delivery log of a job's webhook.
pub async fn of_job(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    get(&service, &caller, Subject::Job, &id)
}

/// The delivery log of a batch's webhook.
pub async fn of_batch(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    get(&service, &caller, Subject::Batch, &id)
}

/// Makes a job's webhook due once more.
pub async fn send_again_of_job(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    send_again(&service, &caller, Subject::Job, &id).await
}

/// Makes a batch's webhook due once more.
pub async fn send_again_of_batch(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    send_again(&service, &caller, Subject::Batch, &id).await
}

fn get(
    service: &Service,
    caller: &Caller,
    subject: Subject,
    id: &str,
) -> Result<HttpResponse, ApiError> {
    let status = service.webhook(caller, subject, id).map_err(|error| refused(service, error))?;
    Ok(HttpResponse::Ok().json(document(&status)))
}

async fn send_again(
    service: &Service,
    caller: &Caller,
    subject: Subject,
    id: &str,
) -> Result<HttpResponse, ApiError> {
    let status = service.send_webhook_again(caller, subject, id).await;
    let status = status.map_err(|error| refused(service, error))?;
    Ok(HttpResponse::build(StatusCode::ACCEPTED).json(document(&status)))
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

fn refused(service: &Service, error: ServiceError) -> ApiError {
    ApiError::from_service(error, service.retention_hours())
}
