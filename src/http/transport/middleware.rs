//! What every response passes on its way out: the bound on URLs, the request's id, the caller's
//! rate limit, and the headers that let a browser's page of another origin read it.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, ResponseError, web};
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::http::URL_BYTES_MAX;
use crate::http::error::ApiError;
use crate::http::transport::cors::Cors;
use crate::http::transport::head;
use crate::http::transport::traffic::{self, Traffic};
use crate::id::fast_uuid_v4;
use crate::rate::RateLimitStatus;
use crate::service::{Caller, Service};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
/// The longest request id that is taken from a client, bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

/// Answers what needs no handler, and lays the headers of every response around the rest.
pub async fn wrap(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, actix_web::Error> {
    let watch = request.app_data::<web::Data<Traffic>>().map(|traffic| traffic.begin());
    let id = request_id(request.headers());
    let cors = request.app_data::<web::Data<Cors>>().cloned();
    let origin = request.headers().get("origin").cloned();
    let target_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let preflight =
        cors.as_ref().and_then(|cors| cors.preflight(request.request(), origin.as_ref()));
    let mut response = if let Some(preflight) = preflight {
        request.into_response(preflight).map_into_right_body()
    } else if target_bytes > URL_BYTES_MAX {
        let error = ApiError::url_too_long(target_bytes, URL_BYTES_MAX);
        request.into_response(error.error_response()).map_into_right_body()
    } else {
        let span = span(&id, request.method(), request.path());
        next.call(request).instrument(span).await?.map_into_left_body()
    };
    if let Some(watch) = watch {
        traffic::count(&response, &watch);
    }
    if let Some(status) = rate_limit_status(response.request()) {
        rate_limit(response.headers_mut(), status);
    }
    apply_headers(response.headers_mut(), cors.as_deref().map(AsRef::as_ref), origin.as_ref(), id);
    if response.request().method() == Method::HEAD {
        let (request, reply) = response.into_parts();
        let reply = head::without_body(reply).map_body(|_, body| EitherBody::right(body.boxed()));
        return Ok(ServiceResponse::new(request, reply));
    }
    Ok(response)
}

/// What the log tells of a request beside what it logs.
pub fn span(id: &HeaderValue, method: &Method, path: &str) -> Span {
    // Never the query: it may hold a prompt and a key.
    tracing::debug_span!("request", id = id.to_str().unwrap_or_default(), %method, path)
}

/// Adds the headers of every response. Of what does not say how long it may be kept nothing is:
/// most of it holds answers, or what a key has used.
pub fn apply_headers(
    headers: &mut HeaderMap,
    cors: Option<&Cors>,
    origin: Option<&HeaderValue>,
    id: HeaderValue,
) {
    if let Some(cors) = cors {
        cors.apply_headers(headers, origin);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, NO_STORE);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    headers.insert(REQUEST_ID.clone(), id);
}

/// The client's own id, where it can be used as it is; else a new one.
pub fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sound = |id: &&HeaderValue| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    headers.get(&REQUEST_ID).filter(sound).cloned().unwrap_or_else(fresh_id)
}

fn fresh_id() -> HeaderValue {
    let id = fast_uuid_v4().unwrap_or_default();
    let mut text = Uuid::encode_buffer();
    // A UUID is made of what a header may hold.
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text))
        .unwrap_or_else(|_| HeaderValue::from_static("none"))
}

/// How the caller stands, when it has a limit.
fn rate_limit_status(request: &HttpRequest) -> Option<RateLimitStatus> {
    let service = request.app_data::<web::Data<Service>>()?;
    // The extractor of a `Caller` leaves it here.
    request.extensions().get::<Caller>().and_then(|caller| service.rate_limit_status(caller))
}

/// Tells the caller how it stands: the headers of draft-ietf-httpapi-ratelimit-headers. `t` is when
/// the whole quota is there again.
pub fn rate_limit(headers: &mut HeaderMap, status: RateLimitStatus) {
    let policy = format!("\"default\";q={};w=60", status.per_minute);
    let limit = format!("\"default\";r={};t={}", status.left, status.full_in_seconds);
    for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
