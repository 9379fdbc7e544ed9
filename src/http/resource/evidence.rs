//! `GET /jobs/{id}/evidence` and the files below it: what the attempts at pages have left. Takes
//! the key that made the job, because a page may show more than its answer.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

use crate::api::{AttemptEvidenceView, EvidenceFileView, EvidenceView, Id};
use crate::http::request::call::{ApiCall, ApiResult};
use crate::service::{Caller, Service, ServiceError};

/// Returns the attempts of a job with their steps, and where their files are.
pub(crate) async fn list(call: ApiCall, caller: Caller) -> ApiResult {
    let (service, id) = (call.service().clone(), call.path_parameter("job_id"));
    let shown = id.to_ascii_lowercase();
    let attempts = web::block(move || attempts(&service, &caller, &id)).await??;
    Ok(HttpResponse::Ok().json(EvidenceView { job_id: Id(shown), attempts }))
}

fn attempts(
    service: &Service,
    caller: &Caller,
    id: &str,
) -> Result<Vec<AttemptEvidenceView>, ServiceError> {
    let files = service.evidence(caller, id)?;
    let mut attempts = Vec::new();
    for about in files.iter().filter(|file| file.name.ends_with(".json")) {
        let Some(json) = service.evidence_file(caller, id, &about.name)? else { continue };
        let Ok(mut attempt) = serde_json::from_slice::<AttemptEvidenceView>(&json) else {
            continue;
        };
        let start = about.name.trim_end_matches("json");
        let own =
            files.iter().filter(|file| file.name != about.name && file.name.starts_with(start));
        let shown = own.map(|file| EvidenceFileView {
            name: file.name.clone(),
            r#type: kind(&file.name).to_owned(),
            bytes: file.bytes,
            path: format!("/jobs/{id}/evidence/{}", file.name),
        });
        attempt.files = shown.collect();
        attempts.push(attempt);
    }
    Ok(attempts)
}

/// Returns a file of a job's evidence. A page is shown as its text: its scripts are strangers.
pub(crate) async fn file(call: ApiCall, caller: Caller) -> ApiResult {
    let (service, id, name) =
        (call.service().clone(), call.path_parameter("job_id"), call.path_parameter("file"));
    let shown = kind(&name);
    let content = web::block(move || service.evidence_file(&caller, &id, &name)).await??;
    let content = content.ok_or(ServiceError::JobNotFound)?;
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
