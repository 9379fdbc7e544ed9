//! `POST /batches`, and `GET` and `DELETE` of `/batches/{batch_id}`: jobs that are submitted
//! together. Also what `samples` of a single POST becomes. Contract part 2.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde_json::{Value, json};

use crate::answer::object::batch_object;
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::{batch_request, body, json};
use crate::http::resource::poll::Form;
use crate::http::resource::{jobs, scrapers};
use crate::job::{Batch, ItemError, State};
use crate::service::{Caller, NewBatch, Service, ServiceError};
use crate::store::idempotency_of_batch;

/// `Retry-After` of a batch that has not ended, seconds.
const POLL_AFTER_SECONDS: u64 = 2;

/// Queues the items of the body: the 202 is sent when they are on disk.
pub async fn submit(mut call: ApiCall, caller: Caller) -> ApiResult {
    let payload = call.take_body();
    let (service, limits, headers) = (call.service(), &call.state.limits, call.headers());
    service.check_rate(&caller)?;
    let key = scrapers::idempotency_key(headers)?;
    let sent_as_form = json::is_form(headers);
    let (bytes_max, budget) = (limits.batch_bytes_max, &limits.bodies);
    let body = body::read(headers, payload, bytes_max, budget).await?;
    let (again, account) = (service.clone(), caller.account.clone());
    let parse = move |body: &[u8]| {
        let mut asked = batch_request::parse(&again, body, sent_as_form)?;
        asked.idempotency = key.map(|key| idempotency_of_batch(&account, &key, body));
        Ok(asked)
    };
    let (asked, _body) = body::parsed(body, parse).await?;
    accept(service.clone(), &caller, asked).await
}

/// Submits a batch and answers with it.
///
/// # Errors
/// Returns an error if all of it was refused.
pub async fn accept(service: Arc<Service>, caller: &Caller, asked: NewBatch) -> ApiResult {
    let (batch, replayed) = service.submit_batch(caller, asked).await?;
    let mut response = HttpResponse::build(StatusCode::ACCEPTED);
    response.insert_header((LOCATION, format!("/batches/{}", batch.key.id)));
    if replayed {
        response.insert_header(("idempotency-replayed", "true"));
    }
    answer(service, response, batch.key.id.to_string(), Form::Whole).await
}

/// Returns the batch object; with `wait`, once all its jobs have ended or the wait is over.
pub async fn get(call: ApiCall) -> ApiResult {
    let query = call.query()?;
    let form = Form::of(query)?;
    let wait_ms = jobs::wait_ms(query, call.headers())?;
    let (id, service) = (call.path_parameter("batch_id"), call.service().clone());
    drop(call);
    if let Some(wait_ms) = wait_ms {
        service.wait_for_batch(&id, wait_ms).await?;
    }
    answer(service, HttpResponse::Ok(), id, form).await
}

/// Cancels every job of the batch that has not ended; returns the batch object as it is then.
pub async fn cancel(call: ApiCall, caller: Caller) -> ApiResult {
    let id = call.path_parameter("batch_id");
    call.service().cancel_batch(&caller, &id).await?;
    answer(call.service().clone(), HttpResponse::Ok(), id, Form::Whole).await
}

async fn answer(
    service: Arc<Service>,
    mut response: HttpResponseBuilder,
    id: String,
    form: Form,
) -> ApiResult {
    let (object, batch) = match form {
        Form::Status => {
            let batch = service.batch(&id)?;
            (batch_object(&batch), batch)
        }
        // Off the actix threads: it looks at up to a thousand rows.
        Form::Whole => web::block(move || whole(&service, &id)).await??,
    };
    response.insert_header((CONTENT_TYPE, "application/json"));
    if batch.progress.completed_ms.is_none() {
        response.insert_header((RETRY_AFTER, POLL_AFTER_SECONDS));
    }
    Ok(response.body(object.to_string()))
}

/// Returns the batch object with every item in its place: its job, or why there is none.
fn whole(service: &Service, id: &str) -> Result<(Value, Batch), ServiceError> {
    let mut items = Vec::new();
    let batch = service.batch_with_jobs(id, |index, job| {
        let mut item = json!({
            "index": index,
            "job_id": service.id_of(job).to_string(),
            "status": job.state.status(),
            "scraper": job.request.scraper,
            "country": job.request.country,
        });
        if let State::Failed(failure) = &job.state {
            item["error_code"] = failure.reason.code().into();
        }
        items.push((index, item));
    })?;
    items.extend(batch.refused.iter().map(|item| {
        let (code, detail) = told(service, &item.why);
        (item.index, json!({ "index": item.index, "error": { "code": code, "detail": detail } }))
    }));
    items.sort_by_key(|(index, _)| *index);
    let mut object = batch_object(&batch);
    object["items"] = items.into_iter().map(|(_, item)| item).collect();
    Ok((object, batch))
}

/// A refusal as it is told of a job that is submitted alone.
fn told(service: &Service, why: &ItemError) -> (String, String) {
    match why {
        ItemError::Invalid { code, detail } => (code.clone(), detail.clone()),
        // An item is told why, and not when to come again.
        ItemError::QueueFull => limit(service, ServiceError::QueueFull { retry_after_seconds: 0 }),
        ItemError::CreditLimit => {
            limit(service, ServiceError::CreditLimit { retry_after_seconds: 0 })
        }
    }
}

fn limit(service: &Service, error: ServiceError) -> (String, String) {
    let error = ApiError::from_service(error, service.retention_hours());
    (error.code.code().to_owned(), error.detail)
}
