//! The headers of every reply: the request's id, the caller's rate limit, how long it may be kept,
//! and those that let a browser's page of another origin read it.

use actix_web::http::header::{
    CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use uuid::Uuid;

use crate::http::transport::cors::Cors;
use crate::id::fast_uuid_v4;
use crate::rate::RateLimitStatus;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
/// The longest request id that is taken from a client, bytes.
pub(crate) const REQUEST_ID_BYTES_MAX: usize = 128;

/// Adds the headers of every reply. One that does not say how long it may be kept is not stored:
/// most hold answers, or what a key has used.
pub(crate) fn apply(
    headers: &mut HeaderMap,
    cors: &Cors,
    origin: Option<&HeaderValue>,
    id: HeaderValue,
) {
    cors.apply_headers(headers, origin);
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, NO_STORE);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    headers.insert(REQUEST_ID.clone(), id);
}

/// Returns the client's own request id if it is valid, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let valid = |id: &&HeaderValue| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    // A copy: the header would hold the buffer that its request came in.
    let own = headers.get(&REQUEST_ID).filter(valid);
    own.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok()).unwrap_or_else(new_request_id)
}

fn new_request_id() -> HeaderValue {
    let id = fast_uuid_v4().unwrap_or_default();
    let mut text = Uuid::encode_buffer();
    // A UUID is made of what a header may hold.
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text))
        .unwrap_or_else(|_| HeaderValue::from_static("none"))
}

/// Adds the caller's limit, as draft-ietf-httpapi-ratelimit-headers has it; `t` is when the whole
/// quota is available again.
pub(crate) fn rate_limit(headers: &mut HeaderMap, status: RateLimitStatus) {
    let policy = format!("\"default\";q={};w=60", status.per_minute);
    let limit = format!("\"default\";r={};t={}", status.left, status.full_in_seconds);
    for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
