//! `GET /jobs/{job_id}` and `GET /md/{job_id}.md`: no key, the id is unguessable. Contract 1.7,
//! 1.8. `DELETE /jobs/{job_id}` cancels, which takes the key that made the job.

use std::rc::Rc;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web;
use serde::Deserialize;

use crate::answer::token_tree;
use crate::api::{DeletionView, ErrorCode, TokensView, job_object};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::headers::wait_ms;
use crate::http::request::job_ids;
use crate::http::request::params::{boolean, wrong_type};
use crate::http::resource::poll::{self, Form};
use crate::job::check_label;
use crate::service::{Caller, Service, ServiceError};

/// Returns the job object; with `wait`, once the job has ended or the wait is over.
pub(crate) async fn get(call: ApiCall) -> ApiResult {
    let query = call.query()?;
    let form = Form::of(query)?;
    let wait_ms = wait_ms(query, call.headers())?;
    let (known, id) = (poll::known_tags(&call), call.path_parameter("job_id"));
    // There may be thousands that wait: none holds its request meanwhile.
    let state = Rc::clone(&call.state);
    drop(call);
    if let Some(wait_ms) = wait_ms {
        state.service.wait_for_end(&id, wait_ms).await?;
    }
    Ok(poll::answer(&state.service, &id, known.as_ref(), form).await?)
}

/// Cancels a job of the caller's; returns the job object as it is then. Contract part 2.
pub(crate) async fn cancel(call: ApiCall, caller: Caller) -> ApiResult {
    let service = call.service();
    let job = service.cancel(&caller, &call.path_parameter("job_id")).await?;
    let json = job_object(&job, service.id_of(&job), None);
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(json))
}

/// Deletes the finished jobs of the caller's that are named or have a label, or counts what would
/// go.
pub(crate) async fn delete(mut call: ApiCall, caller: Caller) -> ApiResult {
    let (mut label, mut ids, mut dry_run) = (None, None, false);
    for (name, value) in call.take_query()? {
        match name.as_str() {
            "label" if label.is_some() => return Err(ApiError::repeated("label", None).into()),
            "label" => label = check_label(Some(value))?,
            "ids" => job_ids::add(&mut ids, &value)?,
            "dry_run" => dry_run = boolean("dry_run", value)?,
            "api_key" => {}
            // A misspelt `dry_run` must not delete.
            _ => return Err(wrong_type(&name, "`ids`, `label` or `dry_run` here", &value).into()),
        }
    }
    let service = call.service();
    let counts = match (&label, ids) {
        (None, Some(ids)) => service.delete_named(&caller, ids, dry_run).await?,
        (Some(label), None) => service.delete_labeled(&caller, label.clone(), dry_run).await?,
        (Some(label), Some(_)) => return Err(wrong_type("label", "without `ids`", label).into()),
        // Without one, what should be some jobs would be all.
        (None, None) => return Err(ApiError::from(ErrorCode::LabelMissing).into()),
    };
    Ok(HttpResponse::Ok().json(DeletionView {
        label,
        dry_run,
        jobs: counts.jobs,
        results: counts.results,
        raw: counts.raws,
        evidence: counts.evidence,
        cache_entries: counts.cache_entries,
        webhooks_pending: counts.webhooks_pending,
        unfinished: counts.unfinished,
    }))
}

/// Returns the Markdown of the answer of a job that is done.
pub(crate) async fn markdown(call: ApiCall) -> ApiResult {
    let markdown = answer_markdown(call.service(), &call.path_parameter("job_id")).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/markdown; charset=utf-8"))
        .body(markdown))
}

/// Returns the same as the tokens of `markdown_json`, for clients that show it: text that no parser
/// of theirs has to be trusted with.
pub(crate) async fn tokens(call: ApiCall) -> ApiResult {
    let markdown = answer_markdown(call.service(), &call.path_parameter("job_id")).await?;
    // Off the actix threads: an answer may be large.
    let tokens = web::block(move || TokensView { tokens: token_tree(&markdown) }).await?;
    Ok(HttpResponse::Ok().json(tokens))
}

async fn answer_markdown(service: &Service, id: &str) -> Result<String, ServiceError> {
    #[derive(Deserialize)]
    struct Markdown {
        result_markdown: String,
    }
    let found = service
        .job(id, |_, _, result| {
            result.and_then(|json| serde_json::from_slice::<Markdown>(json).ok())
        })
        .await?;
    Ok(found.ok_or(ServiceError::JobNotFound)?.result_markdown)
}
