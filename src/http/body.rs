//! Request bodies, within the limits on their size and on the time that they take.

use std::time::Duration;

use actix_web::body::{BodyStream, to_bytes_limited};
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web::Bytes;

use super::error::ApiError;

/// The longest a client may take to send a body, seconds.
const BODY_SECONDS_MAX: u64 = 30;
/// How much of a body that is too large is read all the same, bytes: a client that still sends when
/// the connection closes would not see why.
const DRAINED_BYTES_MAX: usize = 1 << 20;

/// The whole body of a request with these headers.
///
/// # Errors
/// It is larger than `bytes_max`, broken, or too slow.
pub async fn read(
    headers: &HeaderMap,
    payload: Payload,
    bytes_max: usize,
) -> Result<Bytes, ApiError> {
    if matches!(payload, Payload::None) {
        // Nothing to wait for, and so nothing that needs a timer.
        return Ok(Bytes::new());
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    let read_bytes_max = bytes_max.saturating_add(DRAINED_BYTES_MAX);
    if announced.is_some_and(|bytes| bytes > read_bytes_max) {
        return Err(ApiError::body_too_large(bytes_max));
    }
    let read = to_bytes_limited(BodyStream::new(payload), read_bytes_max);
    match tokio::time::timeout(Duration::from_secs(BODY_SECONDS_MAX), read).await {
        Ok(Ok(Ok(body))) if body.len() <= bytes_max => Ok(body),
        Ok(Ok(Ok(_))) => Err(ApiError::body_too_large(bytes_max)),
        Ok(Ok(Err(_))) => Err(ApiError::bad_request(
            "body_invalid",
            "The request's body must be complete and correctly encoded; it ended early or its \
             chunks are malformed.",
        )),
        Ok(Err(_)) => Err(ApiError::body_too_large(bytes_max)),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("The request's body must arrive within {BODY_SECONDS_MAX} seconds."),
        )),
    }
}
