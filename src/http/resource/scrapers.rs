//! `GET /scrapers/{scraper}` runs a scrape and waits; `POST /scrapers/{scraper}/jobs` queues one,
//! or with `samples` several of the same. Contract 1.4 and 1.5.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};

use crate::api::job_object;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::headers::idempotency_key;
use crate::http::request::{batch_request, body, json, params};
use crate::http::resource::batches;
use crate::http::resource::poll::JSON;
use crate::service::{Accepted, Caller};
use crate::store::idempotency_of_samples;

/// `Retry-After` of a job that has just been taken, seconds.
const POLL_AFTER_SECONDS: u64 = 2;
/// The header of an answer that was given before.
const REPLAYED: (&str, &str) = ("idempotency-replayed", "true");

/// Runs one and waits.
pub(crate) async fn run(mut call: ApiCall, caller: Caller) -> ApiResult {
    let mut raw = params::from_pairs(call.take_query()?)?;
    let service = call.service();
    let known = service.scraper(&call.path_parameter("scraper"))?;
    let mut handling = service.take_handling(&mut raw)?;
    handling.idempotency_key = idempotency_key(call.headers())?;
    // It is, whether it says so or not.
    handling.interactive = false;
    let scrape = service.check(known, raw)?;
    let (json, replayed) = service.scrape(&caller, scrape, handling).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, JSON));
    if replayed {
        response.insert_header(REPLAYED);
    }
    Ok(response.body(json))
}

/// Queues one: the 202 is sent when it is on disk.
pub(crate) async fn submit(mut call: ApiCall, caller: Caller) -> ApiResult {
    let (query, payload) = (call.take_query(), call.take_body());
    let (service, limits, headers) = (call.service(), &call.state.limits, call.headers());
    let known = service.scraper(&call.path_parameter("scraper"))?;
    let query = params::from_pairs(query?)?;
    service.check_rate(&caller)?;
    let sent_as_form = json::is_form(headers);
    let body = body::read(headers, payload, limits.body_bytes_max, &limits.bodies).await?;
    let parse = move |body: &[u8]| params::from_body(body, sent_as_form);
    let (fields, _body) = body::parsed(body, parse).await?;
    let mut raw = params::together(query, fields)?;
    let mut handling = service.take_handling(&mut raw)?;
    handling.idempotency_key = idempotency_key(headers)?;
    let samples = raw.samples.take();
    let scrape = service.check(known, raw)?;
    if let Some(samples) = samples {
        let key = handling.idempotency_key.take();
        let idempotency = key
            .map(|key| idempotency_of_samples(&caller.account, &key, samples, &scrape, &handling));
        let mut asked = batch_request::of_samples(samples, scrape, handling)?;
        asked.idempotency = idempotency;
        return batches::accept(service.clone(), &caller, asked).await;
    }
    let Accepted { job, id, replayed } = service.submit(&caller, scrape, handling).await?;
    let json = if job.state.finished() {
        service.job(&id.to_string(), job_object).await?
    } else {
        job_object(&job, id, None)
    };
    let mut response = HttpResponse::build(StatusCode::ACCEPTED);
    response.insert_header((LOCATION, format!("/jobs/{id}")));
    response.insert_header((CONTENT_TYPE, JSON));
    if replayed {
        response.insert_header(REPLAYED);
    }
    if !job.state.finished() {
        response.insert_header((RETRY_AFTER, POLL_AFTER_SECONDS));
    }
    Ok(response.body(json))
}
