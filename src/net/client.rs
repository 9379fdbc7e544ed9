//! The HTTP client of upstreams: one exchange within bounds of time and size, and where an address
//! redirects to.

use std::io::Read;
use std::time::Duration;

use ureq::config::{Config, ConfigBuilder};
use ureq::http::{self, HeaderName, HeaderValue as HttpValue};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::{Agent, Proxy};
use url::Url;

use super::message::{HeaderValue, HttpReply, HttpRequest, Method, read_headers};
use crate::clock::Clock;

/// The largest body that is read, after decompression, bytes.
pub const BODY_BYTES_MAX: u64 = 8 << 20;
/// The longest time to look up a name, and again to connect, milliseconds. An upstream that cannot
/// be reached should not use up the time in which another one could answer.
const CONNECT_MS_MAX: u64 = 10_000;
/// Idle connections kept open to one host.
const IDLE_CONNECTIONS_MAX: usize = 16;
/// The size of one read, bytes; a cancel is noticed in between.
const READ_BYTES: usize = 64 << 10;

/// The address of a proxy is invalid.
#[derive(Debug)]
pub struct InvalidProxy;

/// The reason why there is no reply.
#[derive(Debug)]
pub enum ExchangeError {
    /// The request cannot be put into HTTP.
    InvalidRequest,
    Canceled,
    Http(ureq::Error),
}

/// An HTTP client that follows no redirects.
pub struct Client {
    agent: Agent,
    clock: Clock,
}

/// Returns the settings that all outgoing calls share.
pub(super) fn agent_config(proxy: Option<Proxy>) -> ConfigBuilder<AgentScope> {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Config::builder()
        .http_status_as_error(false)
        // A key must not follow to where a redirect points.
        .max_redirects(0)
        .max_redirects_will_error(false)
        // Without this, ureq takes a proxy from the environment.
        .proxy(proxy)
        .tls_config(tls)
        .user_agent(concat!("answerd/", env!("CARGO_PKG_VERSION")))
}

impl Client {
    /// Creates a client.
    ///
    /// # Errors
    /// Returns an error if the address of the proxy is invalid.
    pub fn new(proxy: Option<&str>, clock: Clock) -> Result<Client, InvalidProxy> {
        let proxy = proxy.map(Proxy::new).transpose().map_err(|_| InvalidProxy)?;
        let connect = Some(Duration::from_millis(CONNECT_MS_MAX));
        let config = agent_config(proxy)
            .timeout_resolve(connect)
            .timeout_connect(connect)
            .max_idle_connections(IDLE_CONNECTIONS_MAX)
            .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
            .build();
        Ok(Client { agent: config.new_agent(), clock })
    }

    /// Sends a request and reads its reply, at most for `within`.
    ///
    /// # Errors
    /// Returns an error if there is no whole reply, or if `is_canceled` says so between two reads.
    pub fn exchange(
        &self,
        request: &HttpRequest,
        within: Duration,
        is_canceled: impl Fn() -> bool,
    ) -> Result<HttpReply, ExchangeError> {
        let (parts, body) = put_into_http(request).ok_or(ExchangeError::InvalidRequest)?;
        let sent = match body {
            Some(body) => self.send(http::Request::from_parts(parts, body), within),
            None => self.send(http::Request::from_parts(parts, ()), within),
        };
        let (head, body) = sent.map_err(ExchangeError::Http)?.into_parts();
        let mut reader = body.into_with_config().limit(BODY_BYTES_MAX).reader();
        let mut body = Vec::new();
        loop {
            let before = body.len();
            let read = (&mut reader).take(READ_BYTES as u64).read_to_end(&mut body);
            read.map_err(|error| ExchangeError::Http(ureq::Error::from(error)))?;
            if body.len() == before {
                break;
            }
            if is_canceled() {
                return Err(ExchangeError::Canceled);
            }
        }
        let headers = read_headers(&head.headers, &self.clock);
        Ok(HttpReply { status: head.status.as_u16(), headers, body })
    }

    fn send<B: ureq::AsSendBody>(
        &self,
        request: http::Request<B>,
        within: Duration,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        // Over the whole exchange: a body that trickles in cannot outlive it.
        let request = self.agent.configure_request(request).timeout_global(Some(within)).build();
        self.agent.run(request)
    }

    /// Returns where an address redirects to. It is asked with HEAD, and with GET where that is not
    /// allowed.
    pub fn redirect_target(&self, url: &str, within: Duration) -> Option<String> {
        let head =
            self.agent.head(url).config().timeout_global(Some(within)).build().call().ok()?;
        let refused = head.status().is_client_error() || head.status().is_server_error();
        let reply = if refused {
            self.agent.get(url).config().timeout_global(Some(within)).build().call().ok()?
        } else {
            head
        };
        let location = reply.headers().get("location").filter(|_| reply.status().is_redirection());
        Some(location?.to_str().ok()?.to_owned())
    }
}

/// Returns a request in the types of the HTTP library; `None` if a part of it is invalid.
fn put_into_http(request: &HttpRequest) -> Option<(http::request::Parts, Option<Vec<u8>>)> {
    let mut url = Url::parse(&request.url).ok()?;
    if let Some((name, secret)) = &request.secret_query {
        url.query_pairs_mut().append_pair(name, secret.reveal());
    }
    let method = match request.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
    };
    let built = http::Request::builder().method(method).uri(url.as_str()).body(());
    let (mut parts, ()) = built.ok()?.into_parts();
    if request.body.is_some() {
        let json = HttpValue::from_static("application/json");
        parts.headers.insert(http::header::CONTENT_TYPE, json);
    }
    for (name, value) in &request.headers {
        let (text, is_secret) = match value {
            HeaderValue::Plain(text) => (text.as_str(), false),
            HeaderValue::Secret(secret) => (secret.reveal(), true),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HttpValue::from_str(text).ok()?;
        value.set_sensitive(is_secret);
        parts.headers.insert(name, value);
    }
    let body = request.body.as_ref().map(|body| body.to_string().into_bytes());
    // A POST without a body has an empty one: with none at all, it would be sent in chunks.
    Some((parts, body.or_else(|| (request.method == Method::Post).then(Vec::new))))
}
