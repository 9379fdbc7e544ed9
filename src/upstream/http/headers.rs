//! A response's headers in the form that providers read.

use ureq::http::HeaderMap;

use crate::clock::{Clock, http_date};

/// Returns the headers that are text. Last comes a `date` of our own, the time of receipt (RFC 9110,
/// 6.6.1), for responses without one: a `retry-after` that is a date is counted from it.
pub fn read_headers(headers: &HeaderMap, clock: &Clock) -> Vec<(String, String)> {
    let theirs = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    theirs.chain([("date".to_owned(), http_date(clock.now_ms()))]).collect()
}
