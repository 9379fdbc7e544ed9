//! `GET /usage`: what the key that asks has spent this month and has left. Contract part 2.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::error::ApiError;
use crate::clock::rfc3339_seconds;
use crate::service::{Caller, Service};

/// The credits of the calendar month (UTC).
pub async fn get(service: web::Data<Service>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let usage = service
        .usage(&caller)
        .map_err(|error| ApiError::from_service(error, service.retention_hours()))?;
    Ok(HttpResponse::Ok().json(json!({
        "account": caller.account,
        "monthly_credits": usage.monthly_credits,
        "used": usage.credits.used,
        "reserved": usage.credits.reserved,
        "left": usage.left(),
        "resets_at": rfc3339_seconds(usage.resets_ms),
    })))
}
