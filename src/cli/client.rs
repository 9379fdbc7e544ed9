//! Typed client of the HTTP API.

mod messages;
mod streams;

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};
use url::{Host, Url};

use super::render::ShownJob;
use crate::api::{self, BatchView, BulkView, DeletionView, ErrorBody, JobsView, UsageView};
use crate::config::{Secret, quoted};
use crate::job::RawRequest;

/// Where `answerd serve` listens by default.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:8080";
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one call may take: the API answers at once, or within the few seconds of a poll.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest reply that is read, bytes.
const REPLY_BYTES_MAX: u64 = 64 << 20;

/// The reason why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{given} is not the address of a server; one is `{DEFAULT_URL}`")]
    Address { given: String },
    #[error("the API key has characters that no key has; it is set by --key or ANSWERD_API_KEY")]
    Key,
    #[error(
        "cannot reach {url}: {reason}. Start a server with `answerd serve`, or name another \
         address with --url or ANSWERD_URL"
    )]
    Unreachable { url: String, reason: String },
    #[error("{detail}")]
    Refused { status: u16, code: Option<String>, detail: String },
    #[error("{url} did not answer as answerd does ({reason}); is it the right address?")]
    InvalidResponse { url: String, reason: String },
}

impl ClientError {
    /// Returns whether the same call may well succeed a moment later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } => true,
            ClientError::Refused { status, .. } => matches!(status, 429 | 503),
            ClientError::Address { .. }
            | ClientError::Key
            | ClientError::InvalidResponse { .. } => false,
        }
    }
}

/// The method of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// A reply, whose body is still to be read.
type PendingReply = Response<Body>;

/// Calls one server, as one key.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: Url,
    key: Option<Secret>,
}

impl Client {
    /// Creates a client of the server at `url` that sends `key`, if any. Calls nothing yet.
    ///
    /// # Errors
    /// Returns an error if the address is invalid, or the key cannot stand in a header.
    pub(crate) fn new(url: &str, key: Option<Secret>) -> Result<Client, ClientError> {
        let mut base = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| ClientError::Address { given: quoted(url) })?;
        base.set_query(None);
        base.set_fragment(None);
        let is_plain = |key: &Secret| key.reveal().bytes().all(|byte| byte.is_ascii_graphic());
        if !key.as_ref().is_none_or(is_plain) {
            return Err(ClientError::Key);
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // The API never redirects, and a redirect would carry the key to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .user_agent(concat!("answerd/", env!("CARGO_PKG_VERSION")));
        // A proxy for the world cannot reach this machine's own loopback.
        let config = if is_loopback(&base) { config.proxy(None) } else { config };
        Ok(Client { agent: config.build().new_agent(), base, key })
    }

    /// Submits a job, once for each idempotency key where there is one.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn submit(
        &self,
        scraper: &str,
        asked: &RawRequest,
        idempotency_key: Option<&str>,
    ) -> Result<ShownJob, ClientError> {
        // The prompt goes into the body, out of sight of the access logs that keep addresses.
        let request = self.agent.post(self.path(&["scrapers", scraper, "jobs"]).as_str());
        let mut request = self.keyed(request);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        self.job_of(request.send_json(api::body(asked)))
    }

    /// Submits a batch, once for each idempotency key.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn submit_batch(&self, batch: &Value, key: &str) -> Result<BatchView, ClientError> {
        let request = self.agent.post(self.path(&["batches"]).as_str());
        let request = self.keyed(request).header("idempotency-key", key);
        self.batch_of(request.send_json(batch))
    }

    /// Returns the batch once all its jobs have ended, or after `wait_seconds`.
    ///
    /// # Errors
    /// Returns an error if there is no such batch, or the server could not be reached.
    pub(crate) fn batch_within(
        &self,
        id: &str,
        wait_seconds: u64,
    ) -> Result<BatchView, ClientError> {
        let mut url = self.path(&["batches", id]);
        url.query_pairs_mut().append_pair("wait", &wait_seconds.to_string());
        self.batch_of(self.agent.get(url.as_str()).call())
    }

    /// Cancels a job and returns it.
    ///
    /// # Errors
    /// Returns an error if the key has no such job, it has ended, or the server could not be
    /// reached.
    pub(crate) fn cancel(&self, id: &str) -> Result<ShownJob, ClientError> {
        self.job_of(self.keyed(self.agent.delete(self.path(&["jobs", id]).as_str())).call())
    }

    /// Deletes the key's finished jobs, or only counts what would go; `query` as `DELETE /jobs`
    /// takes it. Returns what is gone, and the document that says so.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn delete(
        &self,
        query: &[(&str, String)],
    ) -> Result<(DeletionView, Value), ClientError> {
        let mut url = self.path(&["jobs"]);
        url.query_pairs_mut().extend_pairs(query);
        // However many there are.
        let request = self.keyed(self.agent.delete(url.as_str()));
        let request = request.config().timeout_global(None).build();
        let document = self.document_of(request.call())?;
        let deletion =
            DeletionView::deserialize(&document).map_err(|error| self.unreadable(&error))?;
        Ok((deletion, document))
    }

    /// Cancels or retries the key's jobs that match (`cancel`, `retry`); `query` as
    /// `POST /jobs/cancel` takes it.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn bulk(
        &self,
        action: &str,
        query: &[(&str, String)],
    ) -> Result<BulkView, ClientError> {
        let mut url = self.path(&["jobs", action]);
        url.query_pairs_mut().extend_pairs(query);
        let document = self.document_of(self.keyed(self.agent.post(url.as_str())).send_empty())?;
        BulkView::deserialize(document).map_err(|error| self.unreadable(&error))
    }

    /// Returns the raw replies of a job of the key's.
    ///
    /// # Errors
    /// Returns an error if none are kept, or the server could not be reached.
    pub(crate) fn raw(&self, id: &str) -> Result<Value, ClientError> {
        self.send(Verb::Get, &["jobs", id, "raw"], None)
    }

    /// Returns a page of the key's jobs, newest first; `query` as `GET /jobs` takes it.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn list(&self, query: &[(&str, String)]) -> Result<JobsView<ShownJob>, ClientError> {
        let mut url = self.path(&["jobs"]);
        url.query_pairs_mut().extend_pairs(query);
        let document = self.document_of(self.keyed(self.agent.get(url.as_str())).call())?;
        let page = JobsView::deserialize(document).map_err(|error| self.unreadable(&error))?;
        let jobs = page.jobs.into_iter().map(ShownJob::read).collect::<Result<_, _>>();
        let jobs = jobs.map_err(|error| self.unreadable(&error))?;
        Ok(JobsView { jobs, next_cursor: page.next_cursor })
    }

    /// Returns what the key has spent this month, and the document that says so.
    ///
    /// # Errors
    /// Returns an error if the server refused or could not be reached.
    pub(crate) fn usage(&self, days: Option<u64>) -> Result<(UsageView, Value), ClientError> {
        let mut url = self.path(&["usage"]);
        if let Some(days) = days {
            url.query_pairs_mut().append_pair("days", &days.to_string());
        }
        let document = self.document_of(self.keyed(self.agent.get(url.as_str())).call())?;
        let usage = UsageView::deserialize(&document).map_err(|error| self.unreadable(&error))?;
        Ok((usage, document))
    }

    /// Returns the reply of `GET /readyz`.
    ///
    /// # Errors
    /// Returns an error if the server takes none, or could not be reached.
    pub(crate) fn ready(&self) -> Result<Value, ClientError> {
        self.document_of(self.agent.get(self.path(&["readyz"]).as_str()).call())
    }

    /// Returns the delivery of a job's webhook; with `again` it is sent once more.
    ///
    /// # Errors
    /// Returns an error if the key has no such job, it has no webhook, or the server could not be
    /// reached.
    pub(crate) fn webhook(&self, id: &str, again: bool) -> Result<Value, ClientError> {
        let verb = if again { Verb::Post } else { Verb::Get };
        self.send(verb, &["jobs", id, "webhook"], None)
    }

    /// Returns a list of the key's, by the name of its path; `query` as the path takes it.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn listed(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ClientError> {
        let url = self.queried(&[path], query);
        self.document_of(self.keyed(self.agent.get(url.as_str())).call())
    }

    /// Makes a call with the key and returns the document of its reply.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn send(
        &self,
        verb: Verb,
        segments: &[&str],
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let url = self.path(segments);
        let url = url.as_str();
        let reply = match (verb, body) {
            (Verb::Get, _) => self.keyed(self.agent.get(url)).call(),
            (Verb::Delete, _) => self.keyed(self.agent.delete(url)).call(),
            (Verb::Post, Some(body)) => self.keyed(self.agent.post(url)).send_json(body),
            (Verb::Post, None) => self.keyed(self.agent.post(url)).send_empty(),
            (Verb::Put, Some(body)) => self.keyed(self.agent.put(url)).send_json(body),
            (Verb::Put, None) => self.keyed(self.agent.put(url)).send_empty(),
            (Verb::Patch, Some(body)) => self.keyed(self.agent.patch(url)).send_json(body),
            (Verb::Patch, None) => self.keyed(self.agent.patch(url)).send_empty(),
        };
        self.document_of(reply)
    }

    /// Reads a document of the server's.
    ///
    /// # Errors
    /// Returns an error if it is not of this type.
    pub(crate) fn read<'a, T: Deserialize<'a>>(
        &self,
        document: &'a Value,
    ) -> Result<T, ClientError> {
        T::deserialize(document).map_err(|error| self.unreadable(&error))
    }

    /// Measures the key's results that are still there by a tracker, however many there are.
    ///
    /// # Errors
    /// Returns an error if there is no such tracker, or the server could not be reached.
    pub(crate) fn apply_tracker(&self, name: &str) -> Result<Value, ClientError> {
        let request = self.agent.post(self.path(&["trackers", name, "apply"]).as_str());
        let request = self.keyed(request).config().timeout_global(None).build();
        self.document_of(request.send_empty())
    }

    /// Returns a report; `query` as `GET /reports` takes it.
    ///
    /// # Errors
    /// Returns an error if the server refused it or could not be reached.
    pub(crate) fn report(&self, query: &[(&str, String)]) -> Result<Value, ClientError> {
        let mut url = self.path(&["reports"]);
        url.query_pairs_mut().extend_pairs(query);
        self.document_of(self.keyed(self.agent.get(url.as_str())).call())
    }

    fn keyed<T>(&self, request: RequestBuilder<T>) -> RequestBuilder<T> {
        match &self.key {
            Some(key) => request.header("x-api-key", key.reveal()),
            None => request,
        }
    }

    /// Returns the job. Needs no key: the id is the secret (contract 1.2).
    ///
    /// # Errors
    /// Returns an error if there is no such job, or the server could not be reached.
    pub(crate) fn job(&self, id: &str) -> Result<ShownJob, ClientError> {
        self.job_of(self.agent.get(self.path(&["jobs", id]).as_str()).call())
    }

    fn queried(&self, segments: &[&str], query: &[(&str, impl AsRef<str>)]) -> Url {
        let mut url = self.path(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn path(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only an address without a host has no segments, and `new` refuses those.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    fn job_of(&self, reply: Result<PendingReply, ureq::Error>) -> Result<ShownJob, ClientError> {
        ShownJob::read(self.document_of(reply)?).map_err(|error| self.unreadable(&error))
    }

    fn batch_of(&self, reply: Result<PendingReply, ureq::Error>) -> Result<BatchView, ClientError> {
        BatchView::deserialize(self.document_of(reply)?).map_err(|error| self.unreadable(&error))
    }

    fn document_of(&self, reply: Result<PendingReply, ureq::Error>) -> Result<Value, ClientError> {
        let (status, body) = self.body_of(reply)?;
        if !(200..300).contains(&status) {
            return Err(self.refusal(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| self.unreadable(&error))
    }

    fn body_of(
        &self,
        reply: Result<PendingReply, ureq::Error>,
    ) -> Result<(u16, Vec<u8>), ClientError> {
        let mut reply = reply.map_err(|error| self.call_failed(error))?;
        let body = reply.body_mut().with_config().limit(REPLY_BYTES_MAX).read_to_vec();
        Ok((reply.status().as_u16(), body.map_err(|error| self.call_failed(error))?))
    }

    fn refusal(&self, status: u16, body: &[u8]) -> ClientError {
        match serde_json::from_slice(body) {
            Ok(ErrorBody { detail, code, .. }) => {
                let code = Some(code.into_owned()).filter(|code| !code.is_empty());
                ClientError::Refused { status, code, detail }
            }
            // A proxy before a server that is down, being restarted say.
            Err(_) if matches!(status, 502..=504) => {
                self.unreachable(format!("a proxy before it answers {status}"))
            }
            Err(_) => self.invalid_response(format!("status {status} without a reason")),
        }
    }

    fn unreadable(&self, error: &serde_json::Error) -> ClientError {
        self.invalid_response(error.to_string())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "ureq's list of errors is open")]
    fn call_failed(&self, error: ureq::Error) -> ClientError {
        match error {
            // rustls reports a certificate that it does not trust, and a peer without TLS, like
            // this.
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                self.unreachable(format!("no trusted TLS connection ({error})"))
            }
            ureq::Error::Io(error) => self.unreachable(error.to_string()),
            ureq::Error::Timeout(_) => self.unreachable("it did not answer in time".to_owned()),
            error @ (ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_)
            | ureq::Error::InvalidProxyUrl
            | ureq::Error::Tls(_)
            | ureq::Error::Rustls(_)) => self.unreachable(error.to_string()),
            // The enum is ureq's and open; what remains is about the reply.
            error => self.invalid_response(error.to_string()),
        }
    }

    fn unreachable(&self, reason: String) -> ClientError {
        ClientError::Unreachable { url: self.address(), reason }
    }

    fn invalid_response(&self, reason: String) -> ClientError {
        ClientError::InvalidResponse { url: self.address(), reason }
    }

    /// Returns the server's address for people, without a login.
    pub(crate) fn address(&self) -> String {
        let mut shown = self.base.clone();
        // Both fail only where there is no host, and `new` refuses such an address.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        shown.as_str().trim_end_matches('/').to_owned()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_or_no_key_is_refused_before_any_call() {
        for wrong in ["", "localhost:8080", "127.0.0.1:8080", "ftp://host", "http://"] {
            let refused = Client::new(wrong, None).err();
            assert!(matches!(refused, Some(ClientError::Address { .. })), "{wrong}");
        }
        let key = Some(Secret::new("ak_two\nlines"));
        assert!(matches!(Client::new(DEFAULT_URL, key).err(), Some(ClientError::Key)));
    }

    #[test]
    fn no_sentence_shows_the_login_of_an_address() {
        let refused = Client::new("me:word@host", None).err().unwrap().to_string();
        assert!(!refused.contains("word"), "{refused}");
        let client = Client::new("http://me:word@127.0.0.1:9", None).unwrap();
        let unreachable = client.job("id").err().unwrap().to_string();
        assert!(unreachable.contains("http://127.0.0.1:9:"), "{unreachable}");
        assert!(!unreachable.contains("word"), "{unreachable}");
    }

    #[test]
    fn an_id_stays_one_segment_below_the_path_of_the_address() {
        let client = Client::new("https://host/answers/", None).unwrap();
        let path = |id| client.path(&["jobs", id]).to_string();
        assert_eq!(path("a/../b?c"), "https://host/answers/jobs/a%2F..%2Fb%3Fc");
        let client = Client::new("http://localhost:8080", None).unwrap();
        assert_eq!(client.path(&["jobs", "a"]).as_str(), "http://localhost:8080/jobs/a");
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (url, loopback) in [
            ("http://localhost:1", true),
            ("http://127.0.0.2", true),
            ("http://[::1]:1", true),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), loopback, "{url}");
        }
    }
}
