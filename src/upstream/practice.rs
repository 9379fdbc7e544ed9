//! The practice upstream: asks the practice page over HTTP as a browser without JavaScript does,
//! and reads the answer out of the HTML that comes back (`page`).

mod page;

use std::time::Duration;

use ureq::Agent;

pub use page::parse;

use super::http::{BODY_BYTES_MAX, classify_failure, read_headers};
use super::provider::HttpReply;
use super::providers::retry_after::retry_after_ms;
use super::{Call, Upstream, UpstreamError};
use crate::answer::{Answer, Kind};
use crate::clock::Clock;
use crate::job::{Reason, ScrapeRequest};

/// Connections kept open for the next calls.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// The practice page as an upstream.
pub struct PracticeUpstream {
    name: String,
    base_url: String,
    timeout: Duration,
    agent: Agent,
    clock: Clock,
}

impl PracticeUpstream {
    /// `base_url` is where the page's `/practice` is, without a slash at its end. One call takes
    /// `timeout_seconds` at most.
    pub fn new(
        name: String,
        base_url: String,
        timeout_seconds: u64,
        clock: Clock,
    ) -> PracticeUpstream {
        let agent = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_idle_connections(IDLE_CONNECTIONS_MAX)
            .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
            .user_agent("answerd")
            .build()
            .new_agent();
        let timeout = Duration::from_secs(timeout_seconds);
        PracticeUpstream { name, base_url, timeout, agent, clock }
    }

    fn address(&self, question: &str) -> String {
        let query: String = url::form_urlencoded::byte_serialize(question.as_bytes()).collect();
        format!("{}/practice?q={query}", self.base_url)
    }

    fn error(&self, reason: Reason, what: &str) -> UpstreamError {
        UpstreamError::new(reason, format!("Upstream `{}` {what}.", self.name))
    }

    /// The page at an address, when it is a 200.
    fn page(&self, address: &str, timeout: Duration) -> Result<String, UpstreamError> {
        let request = self.agent.get(address).header("accept", "text/html");
        let call = request.config().timeout_global(Some(timeout)).build().call();
        let failed = |error: &ureq::Error| classify_failure(error, &self.name);
        let mut reply = call.map_err(|error| failed(&error))?;
        let status = reply.status().as_u16();
        if status != 200 {
            let headers = read_headers(reply.headers(), &self.clock);
            let head = HttpReply { status, headers, body: Vec::new() };
            return Err(self.refused(status).retry_after_ms(retry_after_ms(&head, "")));
        }
        let body = reply.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| failed(&error))?;
        String::from_utf8(body)
            .map_err(|_| self.error(Reason::Garbled, "sent a page that is not UTF-8"))
    }

    fn refused(&self, status: u16) -> UpstreamError {
        let reason = match status {
            400 | 413 | 414 => Reason::BadRequest,
            429 => Reason::UpstreamRateLimited,
            503 => Reason::Overloaded,
            500..=599 => Reason::UpstreamError,
            _ => Reason::Garbled,
        };
        self.error(reason, &format!("answered with status {status}"))
    }
}

impl Upstream for PracticeUpstream {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Practice
    }

    fn ask(&self, request: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError> {
        if call.is_canceled() {
            return Err(self.error(Reason::Canceled, "was not asked: the answer is not wanted"));
        }
        let left = call.deadline.saturating_duration_since(self.clock.instant());
        if left.is_zero() {
            return Err(self.error(Reason::UpstreamTimeout, "was not asked: no time was left"));
        }
        let address = self.address(&request.prompt);
        let page = self.page(&address, left.min(self.timeout))?;
        let mut answer = parse(&page)?;
        answer.url = Some(address);
        Ok(answer)
    }
}
