//! One POST to an address that a client has named: never past a redirect, never through a proxy,
//! to public addresses only, within bounds of time and size.

use std::io::{self, Read};
use std::time::Duration;

use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Timeout};

use super::HttpReply;
use super::address::{Lookup, NotPublic, PublicResolver};
use super::client::agent_config;
use super::message::read_headers;
use super::retry_after::retry_after_ms;
use crate::clock::Clock;
use crate::job::{Outcome, SendFailure};

/// How much of a response's body is read, bytes. It is read so that the connection ends in order,
/// and dropped.
pub(crate) const REPLY_BYTES_MAX: u64 = 4 << 10;
/// The largest head of a response, bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// The answer of a receiver, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub outcome: Outcome,
    /// The `Retry-After` beside a 429 or a 503, milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// A client for addresses that clients have named.
pub struct Poster {
    agent: Agent,
    clock: Clock,
}

impl Poster {
    /// Creates a poster. `timeout` is that of a whole request. `allow_hosts` need not be public.
    /// `lookup` takes the place of the system's, where there is one.
    pub fn new(
        timeout: Duration,
        allow_hosts: &[String],
        lookup: Option<Lookup>,
        clock: Clock,
    ) -> Poster {
        // A proxy would resolve the name itself.
        let config = agent_config(None)
            .timeout_global(Some(timeout))
            .max_response_header_size(HEAD_BYTES_MAX)
            // Every request looks its host up again: the decision holds for one connection.
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build();
        let resolver = PublicResolver::new(allow_hosts, lookup);
        let agent = Agent::with_parts(config, DefaultConnector::new(), resolver);
        Poster { agent, clock }
    }

    /// Posts JSON with these headers. The status decides; the body does not matter.
    pub fn post(&self, url: &str, headers: &[(&str, &str)], json: &[u8]) -> Receipt {
        let mut request = self.agent.post(url).content_type("application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match request.send(json) {
            Ok(response) => {
                let status = response.status().as_u16();
                let headers = read_headers(response.headers(), &self.clock);
                let reply = HttpReply { status, headers, body: Vec::new() };
                let asked_to_wait = matches!(status, 429 | 503);
                let retry_after_ms = if asked_to_wait { retry_after_ms(&reply, "") } else { None };
                let mut body = response.into_body().into_reader().take(REPLY_BYTES_MAX);
                let _ = io::copy(&mut body, &mut io::sink());
                Receipt { outcome: Outcome::Status(status), retry_after_ms }
            }
            Err(error) => {
                Receipt { outcome: Outcome::Failed(classify(&error)), retry_after_ms: None }
            }
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "ureq's list of errors is open")]
fn classify(error: &ureq::Error) -> SendFailure {
    match error {
        ureq::Error::Other(other) if other.is::<NotPublic>() => SendFailure::AddressNotPublic,
        ureq::Error::HostNotFound | ureq::Error::Timeout(Timeout::Resolve) => {
            SendFailure::NameNotFound
        }
        ureq::Error::Timeout(_) => SendFailure::Timeout,
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => SendFailure::Timeout,
            // So come certificates that rustls refuses, and hosts that do not speak TLS at all.
            io::ErrorKind::InvalidData => SendFailure::Tls,
            _ => SendFailure::Unreachable,
        },
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::TlsRequired => SendFailure::Tls,
        ureq::Error::Protocol(_)
        | ureq::Error::Http(_)
        | ureq::Error::BadUri(_)
        | ureq::Error::LargeResponseHeader(..) => SendFailure::Garbled,
        // ureq's list of errors is open.
        _ => SendFailure::Unreachable,
    }
}
