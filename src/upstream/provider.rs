//! What a provider over HTTP is to the shared call in `http`: two pure functions, from a request
//! to HTTP, and from the replies so far to an answer or to the next request.

use crate::answer::{Answer, Kind};
use crate::config::Secret;
use crate::job::ScrapeRequest;

use super::{Limits, UpstreamError};

/// A provider's protocol. Implementations hold their settings and no other state.
pub trait Provider: Send + Sync {
    /// Where its answers are had.
    fn kind(&self) -> Kind;

    /// Returns what it takes, as far as that is known before a call.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Returns the first HTTP request for a scrape that is within the limits.
    ///
    /// # Errors
    /// Returns an error if the provider's settings cannot be used; nothing was sent.
    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError>;

    /// Reads the replies so far, the latest last; there is at least one.
    ///
    /// # Errors
    /// The reply says so, or is not what this provider speaks.
    fn reply(&self, request: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError>;

    /// The prefix of addresses that only redirect to the page they stand for; the shared call looks
    /// up where those lead. `None`: the provider names pages by their own addresses.
    fn resolve_prefix(&self) -> Option<&'static str> {
        None
    }
}

/// What follows from a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Done(Box<Answer>),
    /// Another request is needed. A POST is a further round, whose reply stands behind those so
    /// far; the shared call bounds how many. A GET looks again, after a pause, for an answer that
    /// is in the making: its reply takes the place of the latest.
    Next(HttpRequest),
}

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
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
