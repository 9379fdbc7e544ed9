//! An upstream over HTTP: a provider's requests sent within bounds of time, size and rounds. What
//! is sent and what the replies mean is the provider's part.

use std::io::Read;
use std::time::{Duration, Instant};

use ureq::http::{self, HeaderName, HeaderValue as HttpValue};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};
use url::Url;

use super::errors::{classify_failure, unsendable};
use super::headers::read_headers;
use super::redirects::follow_redirects;
use crate::answer::{Answer, Kind};
use crate::clock::Clock;
use crate::config;
use crate::job::{Reason, ScrapeRequest};
use crate::upstream::provider::{HeaderValue, HttpReply, HttpRequest, Method, Provider, Step};
use crate::upstream::{Call, Limits, Upstream, UpstreamError};

/// The largest body that is read, after decompression, bytes.
pub const BODY_BYTES_MAX: u64 = 8 << 20;
/// The most requests for one answer, those not counted that only look whether it is there.
pub const ROUNDS_MAX: usize = 6;
/// How long an answer in the making is left alone before it is looked at, milliseconds.
pub const POLL_INTERVAL_MS: u64 = 2_000;
/// How soon a cancel is noticed between two looks, milliseconds.
const CANCEL_LOOK_MS: u64 = 100;
/// The longest time to look up a name, and again to connect, milliseconds. An upstream that cannot
/// be reached should not use up the time in which another one could answer.
const CONNECT_MS_MAX: u64 = 10_000;
/// Connections kept open to one upstream while nobody asks it.
const IDLE_CONNECTIONS_MAX: usize = 16;
/// What is read at once, bytes; a cancel is noticed in between.
const READ_BYTES: usize = 64 << 10;

/// `proxy` of an upstream is no address of a proxy.
#[derive(Debug, thiserror::Error)]
#[error("`proxy` in [upstreams.{upstream}] is not the address of a proxy")]
pub struct InvalidProxy {
    pub upstream: String,
}

/// An [`Upstream`] that asks a [`Provider`] over HTTP.
pub struct HttpUpstream {
    name: String,
    provider: Box<dyn Provider>,
    agent: Agent,
    /// The longest one call may take.
    timeout: Duration,
    poll_interval: Duration,
    clock: Clock,
}

impl HttpUpstream {
    /// `settings` gives the name, the time limit and the proxy; all else is the provider's.
    ///
    /// # Errors
    /// The proxy's address does not hold.
    pub fn new(
        settings: &config::Upstream,
        provider: Box<dyn Provider>,
        clock: Clock,
    ) -> Result<HttpUpstream, InvalidProxy> {
        let proxy = settings.proxy.as_ref().map(|proxy| Proxy::new(proxy.reveal())).transpose();
        let proxy = proxy.map_err(|_| InvalidProxy { upstream: settings.name.clone() })?;
        let connect = Some(Duration::from_millis(CONNECT_MS_MAX));
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A key must not follow to where a redirect points.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Without this, ureq takes a proxy from the environment.
            .proxy(proxy)
            .tls_config(tls)
            .user_agent(concat!("answerd/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(connect)
            .timeout_connect(connect)
            .max_idle_connections(IDLE_CONNECTIONS_MAX)
            .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
            .build();
        Ok(HttpUpstream {
            name: settings.name.clone(),
            provider,
            agent: config.new_agent(),
            timeout: Duration::from_secs(settings.timeout_seconds),
            poll_interval: Duration::from_millis(POLL_INTERVAL_MS),
            clock,
        })
    }

    /// As [`HttpUpstream::new`] has made it, but in a hurry.
    #[cfg(test)]
    pub(super) fn polling_every(self, poll_interval: Duration) -> HttpUpstream {
        HttpUpstream { poll_interval, ..self }
    }

    /// Waits until an answer in the making is worth a look.
    fn pause(&self, deadline: Instant, call: &Call) -> Result<(), UpstreamError> {
        // On the machine's own time, as everything that waits for a socket.
        let until = self.clock.instant() + self.poll_interval;
        if until >= deadline {
            return Err(self.late());
        }
        loop {
            if call.is_canceled() {
                return Err(self.canceled());
            }
            let left = until.saturating_duration_since(self.clock.instant());
            if left.is_zero() {
                return Ok(());
            }
            let look = left.min(Duration::from_millis(CANCEL_LOOK_MS));
            // The one message of this channel is that the time is up.
            let _ = crossbeam_channel::after(look).recv();
        }
    }

    /// Sends one request and reads its reply, until `deadline` at the latest.
    fn exchange(
        &self,
        request: &HttpRequest,
        deadline: Instant,
        call: &Call,
    ) -> Result<HttpReply, UpstreamError> {
        let left = deadline.saturating_duration_since(self.clock.instant());
        if left.is_zero() {
            return Err(self.late());
        }
        let failed = |error: ureq::Error| classify_failure(&error, &self.name);
        let (parts, body) = self.put_into_http(request)?;
        let sent = match body {
            Some(body) => self.send(http::Request::from_parts(parts, body), left),
            None => self.send(http::Request::from_parts(parts, ()), left),
        };
        let (head, body) = sent.map_err(failed)?.into_parts();
        let mut reader = body.into_with_config().limit(BODY_BYTES_MAX).reader();
        let mut body = Vec::new();
        loop {
            let before = body.len();
            (&mut reader)
                .take(READ_BYTES as u64)
                .read_to_end(&mut body)
                .map_err(|error| failed(ureq::Error::from(error)))?;
            if body.len() == before {
                break;
            }
            if call.is_canceled() {
                return Err(self.canceled());
            }
        }
        let headers = read_headers(&head.headers, &self.clock);
        Ok(HttpReply { status: head.status.as_u16(), headers, body })
    }

    fn send<B: ureq::AsSendBody>(
        &self,
        request: http::Request<B>,
        left: Duration,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        // Over the whole exchange: a body that trickles in cannot outlive it.
        let request = self.agent.configure_request(request).timeout_global(Some(left)).build();
        self.agent.run(request)
    }

    fn put_into_http(
        &self,
        request: &HttpRequest,
    ) -> Result<(http::request::Parts, Option<Vec<u8>>), UpstreamError> {
        let unsendable = || unsendable(&self.name);
        let mut url = Url::parse(&request.url).map_err(|_| unsendable())?;
        if let Some((name, secret)) = &request.secret_query {
            url.query_pairs_mut().append_pair(name, secret.reveal());
        }
        let method = match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
        };
        let built = http::Request::builder().method(method).uri(url.as_str()).body(());
        let (mut parts, ()) = built.map_err(|_| unsendable())?.into_parts();
        if request.body.is_some() {
            let json = HttpValue::from_static("application/json");
            parts.headers.insert(http::header::CONTENT_TYPE, json);
        }
        for (name, value) in &request.headers {
            let (text, is_secret) = match value {
                HeaderValue::Plain(text) => (text.as_str(), false),
                HeaderValue::Secret(secret) => (secret.reveal(), true),
            };
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
            let mut value = HttpValue::from_str(text).map_err(|_| unsendable())?;
            value.set_sensitive(is_secret);
            parts.headers.insert(name, value);
        }
        Ok((parts, request.body.as_ref().map(|body| body.to_string().into_bytes())))
    }

    fn canceled(&self) -> UpstreamError {
        UpstreamError::new(Reason::Canceled, format!("The call to {} was canceled.", self.name))
    }

    fn late(&self) -> UpstreamError {
        UpstreamError::new(
            Reason::UpstreamTimeout,
            format!("{} did not answer in time.", self.name),
        )
    }
}

impl Upstream for HttpUpstream {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        self.provider.kind()
    }

    fn limits(&self) -> Limits {
        self.provider.limits()
    }

    fn ask(&self, request: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError> {
        let deadline = call.deadline.min(self.clock.instant() + self.timeout);
        let mut next = self.provider.request(request)?;
        let first_url = next.url.clone();
        let mut replies = Vec::new();
        let mut rounds = 1;
        loop {
            if call.is_canceled() {
                return Err(self.canceled());
            }
            replies.push(self.exchange(&next, deadline, call)?);
            next = match self.provider.reply(request, &replies)? {
                Step::Done(answer) => {
                    let mut answer = *answer;
                    if let Some(prefix) = self.provider.resolve_prefix() {
                        follow_redirects(
                            &self.agent,
                            prefix,
                            &mut answer,
                            deadline,
                            call,
                            &self.clock,
                        );
                    }
                    return Ok(answer);
                }
                Step::Next(next) => next,
            };
            // The key goes with every request, and a reply may have had its part in this address.
            if !same_origin(&first_url, &next.url) {
                let sentence = format!("{} pointed to another host for its answer.", self.name);
                return Err(UpstreamError::new(Reason::Garbled, sentence));
            }
            match next.method {
                // It asks for the same reply again, which takes the place of this one: only the
                // deadline bounds how often.
                Method::Get => {
                    replies.pop();
                    self.pause(deadline, call)?;
                }
                Method::Post if rounds < ROUNDS_MAX => rounds += 1,
                Method::Post => {
                    let sentence =
                        format!("{} gave no whole answer in {ROUNDS_MAX} rounds.", self.name);
                    return Err(UpstreamError::new(Reason::Incomplete, sentence));
                }
            }
        }
    }
}

fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        (Ok(_) | Err(_), _) => false,
    }
}
