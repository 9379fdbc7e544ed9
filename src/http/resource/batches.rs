//! `POST /batches`, and `GET` and `DELETE` of `/batches/{batch_id}`: jobs that are submitted
//! together. Also what `samples` of a single POST becomes. Contract part 2.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, web};

use crate::api::{BatchItemView, BatchView, BatchesView, ErrorCode, ItemRefusal, JobStatus};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::headers::{idempotency_key, wait_ms};
use crate::http::request::moment::moment;
use crate::http::request::{batch_request, body, json};
use crate::http::resource::list::{self, LIMIT_DEFAULT};
use crate::http::resource::poll::Form;
use crate::job::{Batch, ItemError, Reason, State};
use crate::service::{Caller, NewBatch, Service, ServiceError};
use crate::store::{BatchFilter, idempotency_of_batch};

/// `Retry-After` of a batch that has not ended, seconds.
const POLL_AFTER_SECONDS: u64 = 2;

/// Queues the items of the body: the 202 is sent when they are on disk.
pub(crate) async fn submit(mut call: ApiCall, caller: Caller) -> ApiResult {
    let payload = call.take_body();
    let (service, limits, headers) = (call.service(), &call.state.limits, call.headers());
    service.check_rate(&caller)?;
    let key = idempotency_key(headers)?;
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
pub(crate) async fn accept(service: Arc<Service>, caller: &Caller, asked: NewBatch) -> ApiResult {
    let (batch, replayed) = service.submit_batch(caller, asked).await?;
    accepted(service, &batch, replayed).await
}

/// Answers with a batch that was submitted, now or by the same call before.
///
/// # Errors
/// Returns an error if it cannot be read.
pub(crate) async fn accepted(service: Arc<Service>, batch: &Batch, replayed: bool) -> ApiResult {
    let mut response = HttpResponse::build(StatusCode::ACCEPTED);
    response.insert_header((LOCATION, format!("/batches/{}", batch.key.id)));
    if replayed {
        response.insert_header(("idempotency-replayed", "true"));
    }
    answer(service, response, batch.key.id.to_string(), Form::Whole).await
}

/// Returns a page of the key's batches, newest first, without their items.
pub(crate) async fn list(mut call: ApiCall, caller: Caller) -> ApiResult {
    let mut filter = BatchFilter { account: caller.account, ..BatchFilter::default() };
    let (mut after, mut limit) = (None, LIMIT_DEFAULT);
    for (name, value) in call.take_query()? {
        match name.as_str() {
            "status" => filter.ended = Some(status(&value)?),
            "label" => filter.label = Some(value),
            "since" => {
                filter.since_ms = Some(moment(ErrorCode::SinceInvalid, "since", &value)?.first_ms);
            }
            "until" => {
                filter.until_ms = Some(moment(ErrorCode::UntilInvalid, "until", &value)?.last_ms);
            }
            "limit" => limit = list::limit(&value)?,
            "cursor" => after = Some(list::cursor(call.service(), &value)?),
            _ => {}
        }
    }
    let service = call.service().clone();
    let page = web::block(move || service.list_batches(&filter, after, limit)).await??;
    Ok(HttpResponse::Ok().json(BatchesView {
        batches: page.batches.iter().map(BatchView::from).collect(),
        next_cursor: page.next.map(|next| call.service().cursor_text(next)),
    }))
}

/// Returns whether all jobs of the batches that are asked for have ended.
fn status(value: &str) -> Result<bool, ApiError> {
    match value {
        "pending" => Ok(false),
        "done" => Ok(true),
        _ => {
            let rule = "`pending` or `done`";
            Err(ApiError::invalid(ErrorCode::StatusInvalid, "status", rule, value))
        }
    }
}

/// Returns the batch object; with `wait`, once all its jobs have ended or the wait is over.
pub(crate) async fn get(call: ApiCall) -> ApiResult {
    let query = call.query()?;
    let form = Form::of(query)?;
    let wait_ms = wait_ms(query, call.headers())?;
    let (id, service) = (call.path_parameter("batch_id"), call.service().clone());
    drop(call);
    if let Some(wait_ms) = wait_ms {
        service.wait_for_batch(&id, wait_ms).await?;
    }
    answer(service, HttpResponse::Ok(), id, form).await
}

/// Cancels every job of the batch that has not ended; returns the batch object as it is then.
pub(crate) async fn cancel(call: ApiCall, caller: Caller) -> ApiResult {
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
    let (view, batch) = match form {
        Form::Status => {
            let batch = service.batch(&id).await?;
            (BatchView::from(&batch), batch)
        }
        // Off the actix threads: it looks at up to a thousand rows.
        Form::Whole => web::block(move || whole(&service, &id)).await??,
    };
    if batch.progress.completed_ms.is_none() {
        response.insert_header((RETRY_AFTER, POLL_AFTER_SECONDS));
    }
    Ok(response.json(view))
}

/// Returns the batch with every item in its place: its job, or why there is none.
pub(crate) fn whole(service: &Service, id: &str) -> Result<(BatchView, Batch), ServiceError> {
    let mut items = Vec::new();
    let (mut canceled, mut credits_used) = (0, 0);
    let batch = service.batch_with_jobs(id, |index, job| {
        let reason = match &job.state {
            State::Failed(failure) => Some(failure.reason),
            State::Queued | State::Running | State::WaitingRetry { .. } | State::Done => None,
        };
        canceled += u32::from(reason == Some(Reason::Canceled));
        credits_used += u64::from(job.charge());
        items.push(BatchItemView {
            index,
            job_id: Some(service.id_of(job).into()),
            status: Some(JobStatus::from(&job.state)),
            scraper: Some(job.request.scraper.clone()),
            country: Some(job.request.country.clone()),
            error_code: reason.map(|reason| reason.code().into()),
            error: None,
        });
    })?;
    items.extend(batch.refused.iter().map(|item| BatchItemView {
        index: item.index,
        job_id: None,
        status: None,
        scraper: None,
        country: None,
        error_code: None,
        error: Some(refusal(service, &item.why)),
    }));
    items.sort_by_key(|item| item.index);
    let mut view = BatchView::from(&batch);
    view.counts.canceled = Some(canceled);
    (view.credits_used, view.items) = (Some(credits_used), Some(items));
    Ok((view, batch))
}

/// Returns why an item was refused, as a job that is submitted alone would be.
fn refusal(service: &Service, why: &ItemError) -> ItemRefusal {
    let limit = match why {
        ItemError::Invalid { code, detail } => {
            return ItemRefusal { code: code.clone().into(), detail: detail.clone() };
        }
        // An item is told why, and not when to come again.
        ItemError::QueueFull => ServiceError::QueueFull { retry_after_seconds: 0 },
        ItemError::CreditLimit => ServiceError::CreditLimit { retry_after_seconds: 0 },
    };
    let error = ApiError::from_service(limit, service.retention_hours());
    ItemRefusal { code: error.code.code().into(), detail: error.detail }
}
