//! An HTTP request and its reply as plain data.

use ureq::http::HeaderMap;

use crate::clock::{Clock, http_date};
use crate::config::Secret;

/// The methods that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

/// A header's value: a secret one never reaches a log or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    Plain(String),
    Secret(Secret),
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpRequest {
    pub method: Method,
    pub url: String,
    /// `content-type: application/json` is added when there is a body.
    pub headers: Vec<(String, HeaderValue)>,
    pub body: Option<serde_json::Value>,
    /// A secret that the provider takes only in the query (`api_key`): added at the last moment.
    pub secret_query: Option<(String, Secret)>,
}

/// A reply within the size limit, whatever its status: redirects are not followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpReply {
    /// Returns the first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Returns the headers that are text. Last comes a `date` of our own, the time of receipt (RFC
/// 9110,
/// 6.6.1), for responses without one: a `retry-after` that is a date is counted from it.
pub(super) fn read_headers(headers: &HeaderMap, clock: &Clock) -> Vec<(String, String)> {
    let theirs = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    theirs.chain([("date".to_owned(), http_date(clock.now_ms()))]).collect()
}
