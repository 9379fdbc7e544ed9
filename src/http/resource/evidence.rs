//! `GET /jobs/{id}/evidence` and the files below it: what the attempts at pages have left. Takes the
//! key that made the job, because a page may show more than its answer.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::http::error::ApiError;
use crate::service::{Caller, Service, ServiceError};

/// The attempts of a job with their steps, and where their files are.
pub async fn list(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let known = service.clone();
    let id = id.into_inner();
    let shown = id.clone();
    let attempts = web::block(move || attempts(&service, &caller, &id));
    let attempts = attempts.await.map_err(|_| ServiceError::Stopping).and_then(|found| found);
    let attempts = attempts.map_err(|error| refused(&known, error))?;
    Ok(HttpResponse::Ok()
        .json(json!({ "job_id": shown.to_ascii_lowercase(), "attempts": attempts })))
}

fn attempts(service: &Service, caller: &Caller, id: &str) -> Result<Vec<Value>, ServiceError> {
    let files = service.evidence(caller, id)?;
    let mut attempts = Vec::new();
    for about in files.iter().filter(|file| file.name.ends_with(".json")) {
        let Some(json) = service.evidence_file(caller, id, &about.name)? else { continue };
        let Ok(mut attempt) = serde_json::from_slice::<Value>(&json) else { continue };
        let start = about.name.trim_end_matches("json");
        let own =
            files.iter().filter(|file| file.name != about.name && file.name.starts_with(start));
        let shown: Vec<Value> = own
            .map(|file| {
                json!({
                    "name": file.name,
                    "type": kind(&file.name),
                    "bytes": file.bytes,
                    "path": format!("/jobs/{id}/evidence/{}", file.name),
                })
            })
            .collect();
        attempt["files"] = shown.into();
        attempts.push(attempt);
    }
    Ok(attempts)
}

/// A file of a job's evidence. A page is shown as its text: its scripts are strangers.
pub async fn file(
    service: web::Data<Service>,
    caller: Caller,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let known = service.clone();
    let (id, name) = path.into_inner();
    let shown = kind(&name);
    let content = web::block(move || service.evidence_file(&caller, &id, &name));
    let content = content.await.map_err(|_| ServiceError::Stopping).and_then(|found| found);
    let content = content
        .and_then(|content| content.ok_or(ServiceError::JobNotFound))
        .map_err(|error| refused(&known, error))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, shown))
        .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .body(content))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "png")) => "image/png",
        Some((_, "json")) => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}

fn refused(service: &Service, error: ServiceError) -> ApiError {
    ApiError::from_service(error, service.retention_hours())
}
