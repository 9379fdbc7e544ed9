//! Headers that ask for something: the idempotency key, and how long a poll waits.

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::api::ErrorCode;
use crate::http::error::ApiError;
use crate::job::check_idempotency_key;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// RFC 7240.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The longest that a poll may wait, seconds (contract part 2).
pub(crate) const WAIT_SECONDS_MAX: f64 = 60.0;

/// Returns the `Idempotency-Key` among these headers, if there is one.
///
/// # Errors
/// Returns an error if it is there several times, or breaks its rule.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::new(
            ErrorCode::IdempotencyKeyInvalid,
            "Header `Idempotency-Key` must be given once; it is there several times.",
        ));
    }
    Ok(Some(check_idempotency_key(value.as_bytes())?))
}

/// Returns how long the client wants to wait: `?wait=S`, or `Prefer: wait=S` (RFC 7240, section
/// 4.3). A preference that is no number is ignored, as that section says.
///
/// # Errors
/// Returns an error if the parameter is no number of seconds, or out of its bounds.
pub(crate) fn wait_ms(
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Option<u64>, ApiError> {
    let given = query.iter().find(|(name, _)| name == "wait");
    if let Some((_, value)) = given {
        let seconds = value.parse().ok().filter(|wait| (0.0..=WAIT_SECONDS_MAX).contains(wait));
        let seconds: f64 = seconds.ok_or_else(|| {
            let rule = format!("0 to {WAIT_SECONDS_MAX} seconds");
            ApiError::invalid(ErrorCode::WaitInvalid, "wait", &rule, value)
        })?;
        return Ok(Some((seconds * 1000.0) as u64));
    }
    let preferred = headers
        .get_all(PREFER)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|preference| preference.trim().strip_prefix("wait=")?.trim().parse::<f64>().ok());
    Ok(preferred.map(|seconds| (seconds.clamp(0.0, WAIT_SECONDS_MAX) * 1000.0) as u64))
}
