//! `/healthz` and `/readyz`: whether the process is alive, and whether it takes jobs.

use actix_web::HttpResponse;
use serde_json::json;

use crate::http::request::call::{ApiCall, ApiResult};
use crate::service::{Readiness, ServiceError};

/// Returns 200 while the process serves.
pub async fn healthz(_: ApiCall) -> ApiResult {
    Ok(HttpResponse::Ok().json(json!({ "status": "ok" })))
}

/// Returns 200 while jobs are taken, else 503 with the reason.
pub async fn readyz(call: ApiCall) -> ApiResult {
    match call.service().readiness() {
        Readiness::Ready => Ok(HttpResponse::Ok().json(json!({ "status": "ready" }))),
        Readiness::Stopping => Err(ServiceError::Stopping.into()),
        Readiness::StoreFailed(error) => Err(ServiceError::Store(error).into()),
    }
}
