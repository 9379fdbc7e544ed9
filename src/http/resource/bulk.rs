//! `POST /jobs/cancel` and `POST /jobs/retry`: one action on the jobs of the key that are named, or
//! that match the filters of a list. Contract part 2.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;

use crate::api::{BulkView, ErrorCode};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::headers::idempotency_key;
use crate::http::request::params::{Pairs, boolean, wrong_type};
use crate::http::request::{job_filter, job_ids};
use crate::http::resource::list::cursor;
use crate::service::{Bulk, BulkTarget, Caller, Service};
use crate::store::{ListFilter, idempotency_of_batch};

/// A checked query.
pub(crate) struct BulkQuery {
    pub target: BulkTarget,
    pub dry_run: bool,
}

/// Cancels the unfinished jobs that are meant.
pub(crate) async fn cancel(mut call: ApiCall, caller: Caller) -> ApiResult {
    let pairs = call.take_query()?;
    let service = call.service();
    let BulkQuery { target, dry_run } = query(service, &caller, pairs, "pending").await?;
    let bulk = service.cancel_jobs(&caller, target, dry_run).await?;
    Ok(HttpResponse::Ok().json(view(service, &bulk, dry_run)))
}

/// Submits the failed jobs that are meant again, as one batch.
pub(crate) async fn retry(mut call: ApiCall, caller: Caller) -> ApiResult {
    call.service().check_rate(&caller)?;
    let asked = format!("retry?{}", call.query_string());
    let key = idempotency_key(call.headers())?;
    let known = key.map(|key| idempotency_of_batch(&caller.account, &key, asked.as_bytes()));
    let pairs = call.take_query()?;
    let service = call.service();
    let BulkQuery { target, dry_run } = query(service, &caller, pairs, "failed").await?;
    let (bulk, replayed) = service.retry_jobs(&caller, target, known, dry_run).await?;
    let Some(batch) = &bulk.batch else {
        return Ok(HttpResponse::Ok().json(view(service, &bulk, dry_run)));
    };
    let mut response = HttpResponse::build(StatusCode::ACCEPTED);
    response.insert_header((LOCATION, format!("/batches/{}", batch.key.id)));
    if replayed {
        response.insert_header(("idempotency-replayed", "true"));
    }
    Ok(response.json(view(service, &bulk, dry_run)))
}

/// Reads a query. Every parameter has to be known: without a misspelt filter the action would be
/// about all jobs.
///
/// # Errors
/// Returns an error if a parameter is unknown or breaks its rule, or if neither ids nor a filter
/// are given, or both.
pub(crate) async fn query(
    service: &Service,
    caller: &Caller,
    pairs: Pairs,
    status: &str,
) -> Result<BulkQuery, ApiError> {
    let nothing = ListFilter { account: caller.account.clone(), ..ListFilter::default() };
    let (mut filter, mut after, mut dry_run, mut ids) = (nothing.clone(), None, false, None);
    for (name, value) in pairs {
        let Some(value) = job_filter::set(service, &mut filter, &name, value).await? else {
            continue;
        };
        match name.as_str() {
            "ids" => job_ids::add(&mut ids, &value)?,
            "dry_run" => dry_run = boolean("dry_run", value)?,
            "cursor" => after = Some(cursor(service, &value)?),
            "api_key" => {}
            _ => {
                let rule = "`ids`, a filter of `GET /jobs`, `cursor` or `dry_run` here";
                return Err(wrong_type(&name, rule, &value));
            }
        }
    }
    if let Some(given) = filter.status.take().filter(|given| *given != status) {
        let rule = format!("`{status}` here, or left out");
        return Err(ApiError::invalid(ErrorCode::StatusInvalid, "status", &rule, given));
    }
    // By itself it would still be about all jobs, as the status would.
    let names_jobs = ListFilter { canceled: None, ..filter.clone() } != nothing;
    let target = match ids {
        Some(ids) if filter == nothing && after.is_none() => BulkTarget::Named(ids),
        Some(ids) => {
            let given = format!("{} ids with a filter", ids.len());
            return Err(wrong_type("ids", "without a filter and a cursor", &given));
        }
        // Without one, what should be some jobs would be all.
        None if !names_jobs => return Err(ErrorCode::FilterMissing.into()),
        None => BulkTarget::Matching(Box::new(filter), after),
    };
    Ok(BulkQuery { target, dry_run })
}

/// Describes the outcome.
pub(crate) fn view(service: &Service, bulk: &Bulk, dry_run: bool) -> BulkView {
    BulkView {
        dry_run,
        matched: bulk.matched,
        changed: bulk.changed,
        batch_id: bulk.batch.as_ref().map(|batch| batch.key.id.into()),
        next_cursor: bulk.next.map(|next| service.cursor_text(next)),
    }
}
