//! The practice upstream: asks the practice page over HTTP as a browser without JavaScript does,
//! and reads the answer out of the HTML that comes back (`page`).

mod page;

use std::time::Duration;

use ureq::Agent;

pub use page::parse;

use super::{Call, Upstream, UpstreamError};
use crate::answer::{Answer, Kind};
use crate::clock::Clock;
use crate::job::{Reason, ScrapeRequest};

/// The largest page that is read, bytes.
const PAGE_BYTES_MAX: u64 = 8 << 20;
/// Connections kept open for the next calls.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// The longest wait that a page may ask for, seconds.
const RETRY_AFTER_SECONDS_MAX: u64 = 3_600;
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
        let mut reply = call.map_err(|error| self.transport(&error))?;
        let status = reply.status().as_u16();
        if status != 200 {
            let asked = reply.headers().get("retry-after").and_then(|value| value.to_str().ok());
            return Err(self.refused(status).retry_after_ms(asked.and_then(wait_ms)));
        }
        let body = reply.body_mut().with_config().limit(PAGE_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| self.transport(&error))?;
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

    fn transport(&self, error: &ureq::Error) -> UpstreamError {
        let (reason, what) = match error {
            ureq::Error::Timeout(_) => {
                (Reason::UpstreamTimeout, "did not answer in time".to_owned())
            }
            ureq::Error::BodyExceedsLimit(bytes) => {
                (Reason::TooLarge, format!("sent a page of more than {bytes} bytes"))
            }
            ureq::Error::Io(error) => {
                (Reason::Unreachable, format!("could not be reached: {}", error.kind()))
            }
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
                (Reason::Unreachable, format!("could not be reached: {error}"))
            }
            // Not ours, and open to new variants: whatever else there is happened to the reply.
            other => (Reason::Garbled, format!("did not speak HTTP as it should: {other}")),
        };
        self.error(reason, &what)
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

/// `Retry-After` in its form of seconds, as milliseconds.
fn wait_ms(header: &str) -> Option<u64> {
    let seconds: u64 = header.trim().parse().ok()?;
    Some(seconds.min(RETRY_AFTER_SECONDS_MAX) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_and_bounded() {
        assert_eq!(wait_ms(" 2 "), Some(2_000));
        assert_eq!(wait_ms("999999999"), Some(RETRY_AFTER_SECONDS_MAX * 1_000));
        assert_eq!(wait_ms("Wed, 21 Oct 2015 07:28:00 GMT"), None);
    }
}
