//! `GET /jobs/{job_id}/webhook`: how the delivery of a job's webhook stands. `POST` there sends it
//! again. Both take the key that made the job. The same for batches. Contract part 2.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::api::{DeliveryLogEntryView, DeliveryStatus, DeliveryView, Id, Time};
use crate::http::request::call::{ApiCall, ApiResult};
use crate::job::{Delivery, DeliveryAttempt, DeliveryState, Outcome, Subject};
use crate::service::{Caller, WebhookStatus};

/// Returns the delivery log of a job's webhook.
pub(crate) async fn of_job(call: ApiCall, caller: Caller) -> ApiResult {
    get(&call, &caller, Subject::Job).await
}

/// Returns the delivery log of a batch's webhook.
pub(crate) async fn of_batch(call: ApiCall, caller: Caller) -> ApiResult {
    get(&call, &caller, Subject::Batch).await
}

/// Makes a job's webhook due once more.
pub(crate) async fn resend_of_job(call: ApiCall, caller: Caller) -> ApiResult {
    resend(&call, &caller, Subject::Job).await
}

/// Makes a batch's webhook due once more.
pub(crate) async fn resend_of_batch(call: ApiCall, caller: Caller) -> ApiResult {
    resend(&call, &caller, Subject::Batch).await
}

async fn get(call: &ApiCall, caller: &Caller, subject: Subject) -> ApiResult {
    let status = call.service().webhook(caller, subject, &id(call, subject)).await?;
    Ok(HttpResponse::Ok().json(view(&status)))
}

async fn resend(call: &ApiCall, caller: &Caller, subject: Subject) -> ApiResult {
    let status = call.service().send_webhook_again(caller, subject, &id(call, subject)).await?;
    Ok(HttpResponse::build(StatusCode::ACCEPTED).json(view(&status)))
}

fn id(call: &ApiCall, subject: Subject) -> String {
    call.path_parameter(match subject {
        Subject::Job => "job_id",
        Subject::Batch => "batch_id",
        Subject::Notice => "alert_id",
    })
}

fn view(WebhookStatus { subject, id, url, delivery }: &WebhookStatus) -> DeliveryView {
    let delivery = delivery.as_ref();
    let (state, reason) = match delivery.map(|delivery| delivery.state) {
        // The job or the batch has not ended.
        None => (DeliveryStatus::Waiting, None),
        Some(DeliveryState::Pending { .. }) => (DeliveryStatus::Pending, None),
        Some(DeliveryState::Delivered) => (DeliveryStatus::Delivered, None),
        Some(DeliveryState::Failed(why)) => (DeliveryStatus::Failed, Some(why.word())),
    };
    let of = |wanted: Subject| (*subject == wanted).then(|| Id::from(*id));
    DeliveryView {
        job_id: of(Subject::Job),
        batch_id: of(Subject::Batch),
        webhook_id: subject.message_id(*id),
        url: url.clone(),
        state,
        reason,
        attempts: delivery.map_or(0, |delivery| delivery.attempts),
        resends: delivery.map_or(0, |delivery| delivery.resends),
        next_attempt_at: delivery.and_then(Delivery::due_ms).map(Time::from),
        log: delivery.iter().flat_map(|delivery| &delivery.log).map(log_entry).collect(),
    }
}

fn log_entry(
    DeliveryAttempt { at_ms, took_ms, outcome }: &DeliveryAttempt,
) -> DeliveryLogEntryView {
    let (status, error) = match outcome {
        Outcome::Status(status) => (Some(*status), None),
        Outcome::Failed(failure) => (None, Some(failure.word())),
    };
    DeliveryLogEntryView { at: (*at_ms).into(), took_ms: *took_ms, status, error }
}
