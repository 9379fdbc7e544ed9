//! `/healthz` and `/readyz`: whether the process is alive, and whether it takes jobs.

use actix_web::HttpResponse;

use crate::api::StatusView;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::service::{Readiness, ServiceError};

/// Returns 200 while the process serves.
pub(crate) async fn healthz(_: ApiCall) -> ApiResult {
    Ok(HttpResponse::Ok().json(StatusView::of("ok")))
}

/// Returns 200 while jobs are taken, else 503 with the reason.
pub(crate) async fn readyz(call: ApiCall) -> ApiResult {
    match call.service().readiness() {
        Readiness::Ready => Ok(HttpResponse::Ok().json(StatusView::of("ready"))),
        Readiness::Stopping => Err(ServiceError::Stopping.into()),
        Readiness::StoreFailed(error) => Err(ServiceError::Store(error).into()),
    }
}
