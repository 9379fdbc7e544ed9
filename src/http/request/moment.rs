//! A parameter that names a moment.

use crate::api::ErrorCode;
use crate::clock::{Moment, parse_moment};
use crate::http::error::ApiError;

/// Reads a moment: a time, a date or Unix seconds.
///
/// # Errors
/// Returns an error if it is none of these.
pub(crate) fn moment(code: ErrorCode, name: &str, value: &str) -> Result<Moment, ApiError> {
    let rule = "a time such as `2026-05-11T12:00:00Z`, a date, or Unix seconds";
    parse_moment(value).ok_or_else(|| ApiError::invalid(code, name, rule, value))
}
