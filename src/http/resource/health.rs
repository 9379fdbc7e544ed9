//! `/healthz` and `/readyz`: whether the process lives, and whether it takes jobs.

use actix_web::{HttpResponse, web};

use crate::http::error::ApiError;
use crate::service::{Readiness, Service, ServiceError};

/// 200 while the process serves.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
}

/// 200 while jobs are taken, 503 with the reason otherwise.
pub async fn readyz(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    let error = match service.readiness() {
        Readiness::Ready => {
            return Ok(HttpResponse::Ok().json(serde_json::json!({ "status": "ready" })));
        }
        Readiness::Stopping => ServiceError::Stopping,
        Readiness::StoreFailed(error) => ServiceError::Store(error),
    };
    Err(ApiError::from_service(error, service.retention_hours()))
}
