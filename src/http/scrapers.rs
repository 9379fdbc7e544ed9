//! `GET /scrapers/{scraper}` runs a scrape and waits; `POST /scrapers/{scraper}/jobs` queues one.
//! Contract 1.4 and 1.5.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};

use super::error::ApiError;
use super::{Limits, params, render};
use crate::job::check_idempotency_key;
use crate::service::{Caller, Service};

/// `Retry-After` of a job that has just been taken, seconds.
const POLL_AFTER_SECONDS: u64 = 2;
/// The longest a client may take to send a body, seconds.
const BODY_SECONDS_MAX: u64 = 30;
/// How much of a body that is too large is read all the same, bytes: a client that still sends when
/// the connection closes would not see why.
const DRAINED_BYTES_MAX: usize = 1 << 20;

/// Runs one and waits.
pub async fn run(
    service: web::Data<Service>,
    caller: Caller,
    scraper: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let refused = |error| ApiError::from_service(error, service.retention_hours());
    let mut raw = params::from_query(request.query_string())?;
    let known = service.scraper(&scraper).map_err(refused)?;
    let handling = raw.take_handling()?;
    let scrape = raw.check(&known.name, &known.refused_countries)?;
    let json = service.scrape(&caller, scrape, handling).await.map_err(refused)?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(json))
}

/// Queues one: the 202 is sent when it is on disk.
pub async fn submit(
    service: web::Data<Service>,
    limits: web::Data<Limits>,
    caller: Caller,
    scraper: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let refused = |error| ApiError::from_service(error, service.retention_hours());
    let known = service.scraper(&scraper).map_err(refused)?;
    let query = params::from_query(request.query_string())?;
    let body = params::from_body(&read_body(&request, payload, &limits).await?)?;
    let mut raw = params::together(query, body)?;
    let mut handling = raw.take_handling()?;
    handling.idempotency_key = idempotency_key(&request)?;
    let scrape = raw.check(&known.name, &known.refused_countries)?;
    let (job, replayed) = service.submit(&caller, scrape, handling).await.map_err(refused)?;
    let id = service.id_of(&job).to_string();
    let json = if job.state.finished() {
        service.job(&id, render::job_object).map_err(refused)?
    } else {
        render::job_object(&job, service.id_of(&job), None)
    };
    let mut response = HttpResponse::build(StatusCode::ACCEPTED);
    response.insert_header((LOCATION, format!("/jobs/{id}")));
    response.insert_header((CONTENT_TYPE, "application/json"));
    if replayed {
        response.insert_header(("idempotency-replayed", "true"));
    }
    if !job.state.finished() {
        response.insert_header((RETRY_AFTER, POLL_AFTER_SECONDS));
    }
    Ok(response.body(json))
}

/// The request's `Idempotency-Key`, where it has one.
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::bad_request(
            "idempotency_key_invalid",
            "Header `Idempotency-Key` must be given once; it is there several times.",
        ));
    }
    Ok(Some(check_idempotency_key(value.as_bytes())?))
}

/// The whole body, within the limits on its size and on the time it takes.
async fn read_body(
    request: &HttpRequest,
    payload: web::Payload,
    limits: &Limits,
) -> Result<web::Bytes, ApiError> {
    let announced = request
        .headers()
        .get("content-length")
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    let read_bytes_max = limits.body_bytes_max.saturating_add(DRAINED_BYTES_MAX);
    if announced.is_some_and(|bytes| bytes > read_bytes_max) {
        return Err(ApiError::body_too_large(limits.body_bytes_max));
    }
    let read = payload.to_bytes_limited(read_bytes_max);
    match tokio::time::timeout(Duration::from_secs(BODY_SECONDS_MAX), read).await {
        Ok(Ok(Ok(body))) if body.len() <= limits.body_bytes_max => Ok(body),
        Ok(Ok(Ok(_))) => Err(ApiError::body_too_large(limits.body_bytes_max)),
        Ok(Ok(Err(_))) => Err(ApiError::bad_request(
            "body_invalid",
            "The request's body must be complete and correctly encoded; it ended early or its \
             chunks are malformed.",
        )),
        Ok(Err(_)) => Err(ApiError::body_too_large(limits.body_bytes_max)),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("The request's body must arrive within {BODY_SECONDS_MAX} seconds."),
        )),
    }
}
