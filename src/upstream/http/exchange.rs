//! One upstream over HTTP: a single request and its reply, the waits between them, and the failures
//! that are no provider's. How many requests make an answer is in `rounds`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::errors::{classify_failure, unsendable};
use crate::clock::Clock;
use crate::config::{self, KeepRaw};
use crate::job::Reason;
use crate::net::{Client, ExchangeError, HttpReply, HttpRequest};
use crate::upstream::extra_body::{merge_extra_body, without_search};
use crate::upstream::provider::Provider;
use crate::upstream::raw_capture::{RawCapture, RawReply};
use crate::upstream::secret_spellings::SecretSpellings;
use crate::upstream::{Call, UpstreamError};

/// The most requests for one answer, without those that only look whether it is there.
pub(super) const ROUNDS_MAX: usize = 6;
/// The time between two looks at an answer in the making, milliseconds.
pub(super) const POLL_INTERVAL_MS: u64 = 2_000;
/// How soon a cancel is noticed between two looks, milliseconds.
const CANCEL_LOOK_MS: u64 = 100;

/// `proxy` of an upstream is no address of a proxy.
#[derive(Debug, thiserror::Error)]
#[error("`proxy` in [upstreams.{upstream}] is not the address of a proxy")]
pub struct InvalidProxy {
    pub upstream: String,
}

/// An [`Upstream`] that asks a [`Provider`] over HTTP.
pub(crate) struct HttpUpstream {
    pub(super) name: String,
    pub(super) provider: Box<dyn Provider>,
    /// Laid over the JSON of every request that wants a search, and of every other one.
    extra_body: serde_json::Map<String, serde_json::Value>,
    extra_body_unsearched: serde_json::Map<String, serde_json::Value>,
    pub(super) client: Client,
    /// The longest one call may take.
    pub(super) timeout: Duration,
    pub(super) poll_interval: Duration,
    keep_raw: KeepRaw,
    secrets: SecretSpellings,
    pub(super) clock: Clock,
}

impl HttpUpstream {
    /// Creates an upstream; `settings` has its name, time limit and proxy.
    ///
    /// # Errors
    /// Returns an error if the address of the proxy is invalid.
    pub(crate) fn new(
        settings: &config::Upstream,
        provider: Box<dyn Provider>,
        clock: Clock,
    ) -> Result<HttpUpstream, InvalidProxy> {
        let proxy = settings.proxy.as_ref().map(config::Secret::reveal);
        let client = Client::new(proxy, clock.clone());
        Ok(HttpUpstream {
            name: settings.name.clone(),
            provider,
            extra_body: settings.extra_body.clone(),
            extra_body_unsearched: without_search(&settings.extra_body),
            client: client.map_err(|_| InvalidProxy { upstream: settings.name.clone() })?,
            timeout: Duration::from_secs(settings.timeout_seconds),
            poll_interval: Duration::from_millis(POLL_INTERVAL_MS),
            keep_raw: settings.keep_raw,
            secrets: SecretSpellings::of(settings),
            clock,
        })
    }

    /// Returns the same upstream with another poll interval.
    #[cfg(test)]
    pub(super) fn polling_every(self, poll_interval: Duration) -> HttpUpstream {
        HttpUpstream { poll_interval, ..self }
    }

    /// Returns the request with what the operator adds to its body.
    fn with_extra_body<'a>(
        &self,
        request: &'a HttpRequest,
        web_search: bool,
    ) -> Cow<'a, HttpRequest> {
        let extra = if web_search { &self.extra_body } else { &self.extra_body_unsearched };
        if extra.is_empty() || request.body.is_none() {
            return Cow::Borrowed(request);
        }
        let mut request = request.clone();
        request.body.iter_mut().for_each(|body| merge_extra_body(body, extra));
        Cow::Owned(request)
    }

    /// Waits until an answer in the making is worth a look.
    pub(super) fn pause(&self, deadline: Instant, call: &Call) -> Result<(), UpstreamError> {
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
    pub(super) fn exchange(
        &self,
        request: &HttpRequest,
        web_search: bool,
        deadline: Instant,
        call: &Call,
    ) -> Result<HttpReply, UpstreamError> {
        let left = deadline.saturating_duration_since(self.clock.instant());
        if left.is_zero() {
            return Err(self.late());
        }
        let request = self.with_extra_body(request, web_search);
        let reply = self.client.exchange(&request, left, || call.is_canceled());
        reply.map_err(|error| match error {
            ExchangeError::InvalidRequest => unsendable(&self.name),
            ExchangeError::Canceled => self.canceled(),
            ExchangeError::Http(error) => classify_failure(&error, &self.name),
        })
    }

    pub(super) fn canceled(&self) -> UpstreamError {
        UpstreamError::new(Reason::Canceled, format!("The call to {} was canceled.", self.name))
    }

    fn late(&self) -> UpstreamError {
        UpstreamError::new(
            Reason::UpstreamTimeout,
            format!("{} did not answer in time.", self.name),
        )
    }

    pub(super) fn pointed_elsewhere(&self) -> UpstreamError {
        let sentence = format!("{} pointed to another host for its answer.", self.name);
        UpstreamError::new(Reason::InvalidResponse, sentence)
    }

    pub(super) fn too_many_rounds(&self) -> UpstreamError {
        let sentence = format!("{} gave no whole answer in {ROUNDS_MAX} rounds.", self.name);
        UpstreamError::new(Reason::Incomplete, sentence)
    }

    pub(super) fn unkept(&self) -> UpstreamError {
        let sentence = format!("{} began a task without a usable name.", self.name);
        UpstreamError::new(Reason::InvalidResponse, sentence)
    }

    /// Hands the replies to the caller where they may be kept.
    pub(super) fn hand_over(
        &self,
        replies: Vec<HttpReply>,
        redirects: BTreeMap<String, String>,
        call: &Call,
    ) {
        if replies.is_empty() || !call.may_keep_raw(self.keep_raw) {
            return;
        }
        let raw = |reply: HttpReply| {
            let content_type = reply.header("content-type").map(|value| value.as_bytes().to_vec());
            let content_type = content_type.map(|value| self.secrets.without(value));
            RawReply {
                status: Some(reply.status),
                content_type: content_type
                    .map(|value| String::from_utf8_lossy(&value).into_owned()),
                body: self.secrets.without(reply.body),
            }
        };
        call.keep_raw(RawCapture {
            upstream: self.name.clone(),
            keep: self.keep_raw,
            replies: replies.into_iter().map(raw).collect(),
            redirects,
        });
    }
}
