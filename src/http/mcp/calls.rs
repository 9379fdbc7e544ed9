//! The calls of tools: each reads its arguments, calls the service and returns what the path of the
//! API for the same thing would.

use std::fmt::Write;
use std::sync::Arc;

use actix_web::web;
use serde_json::{Map, Value};

use super::arguments::{Arguments, WAIT_SECONDS_DEFAULT};
use super::content::Content;
use crate::api::{
    BatchStatus, ErrorCode, ReportView, ScrapersView, TrackerView, TrackersView, job_object_with,
};
use crate::http::error::ApiError;
use crate::http::request::body::Body;
use crate::http::request::call::HandlerError;
use crate::http::request::{batch_request, params};
use crate::http::resource::bulk::{self, BulkQuery};
use crate::http::resource::{batches, discovery, list, reports, usage as usage_resource};
use crate::job::{Handling, ScrapeRequest};
use crate::service::{Accepted, Caller, Service, ServiceError};
use crate::store::{Blocking, idempotency_of_batch};

/// A call of a tool.
pub(crate) struct ToolCall {
    pub service: Arc<Service>,
    pub caller: Caller,
    pub arguments: Arguments,
    /// The body that they were read from, counted as long as they are there.
    pub body: Body,
}

type ToolOutcome = Result<Content, HandlerError>;

/// Queues a job, and waits for it.
pub(crate) async fn ask(asked: ToolCall) -> ToolOutcome {
    let ToolCall { service, caller, mut arguments, body } = asked;
    let wait_ms = arguments.wait_ms(WAIT_SECONDS_DEFAULT)?;
    let (request, mut handling) = scrape(&service, arguments)?;
    // Somebody waits, as with a call of the scraper itself.
    handling.interactive = true;
    let Accepted { id, .. } = service.submit(&caller, request, handling).await?;
    drop(body);
    let id = id.to_string();
    // From here on every reply names the job: it is paid for, whatever becomes of this call.
    let waited = async {
        service.wait_for_end(&id, wait_ms).await?;
        job(&service, &id, true).await
    };
    waited.await.map_err(|error| of_job(&service, error, &id))
}

/// Queues a job.
pub(crate) async fn submit(asked: ToolCall) -> ToolOutcome {
    let ToolCall { service, caller, arguments, body: _body } = asked;
    let (request, handling) = scrape(&service, arguments)?;
    let Accepted { id, .. } = service.submit(&caller, request, handling).await?;
    let id = id.to_string();
    job(&service, &id, false).await.map_err(|error| of_job(&service, error, &id))
}

/// Reads the arguments of a scrape.
fn scrape(
    service: &Service,
    mut arguments: Arguments,
) -> Result<(ScrapeRequest, Handling), HandlerError> {
    let scraper = arguments.required_text("scraper", ErrorCode::ScraperMissing)?;
    let key = arguments.idempotency_key()?;
    let known = service.scraper(&scraper)?;
    let mut raw = params::from_fields(arguments.into_fields())?;
    let mut handling = service.take_handling(&mut raw)?;
    handling.idempotency_key = key;
    Ok((service.check(known, raw)?, handling))
}

/// Returns an error that names the job of the call.
fn of_job(service: &Service, error: HandlerError, id: &str) -> HandlerError {
    let error = error.into_api_error(service.retention_hours());
    HandlerError::Api(ApiError { job_id: error.job_id.or_else(|| id.parse().ok()), ..error })
}

/// Returns the present state of a job.
pub(crate) async fn get_job(mut asked: ToolCall) -> ToolOutcome {
    let id = job_id(&mut asked.arguments)?;
    job(&asked.service, &id, false).await
}

/// Waits for the end of a job.
pub(crate) async fn wait_job(asked: ToolCall) -> ToolOutcome {
    let ToolCall { service, mut arguments, body, .. } = asked;
    let (id, wait_ms) = (job_id(&mut arguments)?, arguments.wait_ms(WAIT_SECONDS_DEFAULT)?);
    drop(body);
    service.wait_for_end(&id, wait_ms).await?;
    job(&service, &id, true).await
}

/// Cancels a job.
pub(crate) async fn cancel_job(mut asked: ToolCall) -> ToolOutcome {
    let id = job_id(&mut asked.arguments)?;
    asked.service.cancel(&asked.caller, &id).await?;
    job(&asked.service, &id, false).await
}

fn job_id(arguments: &mut Arguments) -> Result<String, ApiError> {
    arguments.required_text("job_id", ErrorCode::ParameterInvalid)
}

/// Returns a job as `GET /jobs/{job_id}` does.
async fn job(service: &Arc<Service>, id: &str, failed_is_error: bool) -> ToolOutcome {
    let (service, id) = (service.clone(), id.to_owned());
    // Off the actix threads: an answer may be large.
    let read = move || -> Result<Content, ServiceError> {
        let read = service.job_with_usage(&id, |job, id, result, usage| {
            job_object_with(job, id, result.map(|result| result.json), usage)
        });
        Ok(Content::of_job(read.wait()?, service.mcp_text_chars_max(), failed_is_error))
    };
    Ok(web::block(read).await??)
}

/// Lists the jobs of the key.
pub(crate) async fn list_jobs(asked: ToolCall) -> ToolOutcome {
    let ToolCall { service, caller, arguments, .. } = asked;
    let query = list::query(&service, caller, arguments.into_pairs()?).await?;
    let limit = query.limit;
    let page = list::read_page(service.clone(), query, limit).await?;
    Ok(Content::of_view(&page.view(&service), service.mcp_text_chars_max()))
}

/// Queues a batch.
pub(crate) async fn run_batch(asked: ToolCall) -> ToolOutcome {
    let ToolCall { service, caller, mut arguments, body: _body } = asked;
    let key = arguments.idempotency_key()?;
    let (again, account) = (service.clone(), caller.account.clone());
    // Off the actix threads: it checks up to a thousand items.
    let read = move || -> Result<_, ApiError> {
        let fields = arguments.into_fields();
        let idempotency =
            key.map(|key| idempotency_of_batch(&account, &key, &in_one_order(&fields)));
        let mut batch = batch_request::from_fields(&again, fields)?;
        batch.idempotency = idempotency;
        Ok(batch)
    };
    let (batch, _) = service.submit_batch(&caller, web::block(read).await??).await?;
    batch_content(&service, &batch.key.id.to_string()).await
}

/// Submits the failed jobs that are meant again, as one batch.
pub(crate) async fn retry_jobs(asked: ToolCall) -> ToolOutcome {
    let ToolCall { service, caller, mut arguments, body: _body } = asked;
    service.check_rate(&caller)?;
    let key = arguments.idempotency_key()?;
    let mut pairs = arguments.into_pairs()?;
    pairs.sort();
    let same = |key: String| {
        idempotency_of_batch(&caller.account, &key, format!("retry {pairs:?}").as_bytes())
    };
    let known = key.map(same);
    let BulkQuery { target, dry_run } = bulk::query(&service, &caller, pairs, "failed").await?;
    let (retried, _) = service.retry_jobs(&caller, target, known, dry_run).await?;
    let view = bulk::view(&service, &retried, dry_run);
    Ok(Content::of_view(&view, service.mcp_text_chars_max()))
}

/// Returns arguments as the same bytes in whatever order they were written.
fn in_one_order(fields: &Map<String, Value>) -> Vec<u8> {
    let mut fields = Value::Object(fields.clone());
    fields.sort_all_objects();
    fields.to_string().into_bytes()
}

/// Returns a batch, once it has ended where that is asked for.
pub(crate) async fn get_batch(asked: ToolCall) -> ToolOutcome {
    let ToolCall { service, mut arguments, body, .. } = asked;
    let id = arguments.required_text("batch_id", ErrorCode::ParameterInvalid)?;
    let wait_ms = arguments.wait_ms(0.0)?;
    drop(body);
    if wait_ms > 0 {
        service.wait_for_batch(&id, wait_ms).await?;
    }
    batch_content(&service, &id).await
}

async fn batch_content(service: &Arc<Service>, id: &str) -> ToolOutcome {
    let (service, id) = (service.clone(), id.to_owned());
    let read = move || -> Result<Content, ServiceError> {
        let (view, _) = batches::whole(&service, &id)?;
        let is_pending = view.status == BatchStatus::Pending;
        let mut view = serde_json::to_value(view).unwrap_or_default();
        if is_pending {
            view["next_tool"] = "get_batch".into();
        }
        Ok(Content::of_view(&view, service.mcp_text_chars_max()))
    };
    Ok(web::block(read).await??)
}

/// Lists the scrapers that are configured.
pub(crate) async fn list_scrapers(asked: ToolCall) -> ToolOutcome {
    let ScrapersView { mut scrapers } = discovery::view(&asked.service);
    scrapers.retain(|scraper| scraper.configured);
    let mut text = String::new();
    for scraper in &scrapers {
        let success = scraper.health.success_rate;
        let success =
            success.map_or("not asked", |rate| if rate < 0.5 { "failing" } else { "healthy" });
        let refused = match scraper.refused_countries.as_slice() {
            [] => String::new(),
            countries => format!(", not for {}", countries.join(", ")),
        };
        let (name, credits) = (&scraper.name, scraper.credits);
        let _ = writeln!(text, "{name}: {credits} credits, {success} in the last hour{refused}");
    }
    Ok(Content::with_text(&ScrapersView { scrapers }, text))
}

/// Returns the usage of the key.
pub(crate) async fn usage(asked: ToolCall) -> ToolOutcome {
    let ToolCall { service, caller, arguments, .. } = asked;
    let days = usage_resource::days(&arguments.into_pairs()?)?;
    let view = usage_resource::view(&service, &caller, days).await?;
    Ok(Content::of_view(&view, service.mcp_text_chars_max()))
}

/// Lists the trackers of the key.
pub(crate) async fn list_trackers(asked: ToolCall) -> ToolOutcome {
    let trackers = asked.service.trackers(&asked.caller).await?;
    let trackers = trackers.into_iter().map(TrackerView::from).collect();
    Ok(Content::of_view(&TrackersView { trackers }, asked.service.mcp_text_chars_max()))
}

/// Returns a report.
pub(crate) async fn report(asked: ToolCall) -> ToolOutcome {
    let ToolCall { service, caller, arguments, .. } = asked;
    let (request, _) = reports::asked(&arguments.into_pairs()?)?;
    let view: ReportView = reports::view(service.clone(), caller, request).await?;
    Ok(Content::of_view(&view, service.mcp_text_chars_max()))
}
