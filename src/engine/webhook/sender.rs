//! One attempt to deliver, from the outbox to the written outcome.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::shares::Conduct;
use super::signature::signatures;
use super::tally::{DeliveryCounts, DeliveryTally};
use crate::answer;
use crate::api::{BatchView, job_object, notice_message};
use crate::clock::UnixMs;
use crate::config::{Settings, SigningKey};
use crate::engine::breakpoints::Point;
use crate::engine::context::Context;
use crate::engine::pool::guard;
use crate::engine::retry;
use crate::job::{Delivery, DeliveryAttempt, DeliveryState, Outcome, SendFailure};
use crate::net::{Lookup, Poster, Receipt};
use crate::store::{Blocking, Reported, Row, StoreError};

/// An attempt that takes more than a half of its time-out counts as one that hung.
const HUNG_DIVISOR: u64 = 2;

/// Makes attempts to deliver.
pub(super) struct Sender {
    context: Arc<Context>,
    keys: Vec<SigningKey>,
    poster: Poster,
    /// The start of links in notices; `None` where it is not set.
    public_url: Option<String>,
    /// Whether a job's result has more than the contract names.
    has_extras: bool,
    /// An attempt that takes longer hung, milliseconds.
    hung_ms: u64,
    tally: DeliveryTally,
}

/// What is sent.
struct Message {
    /// Of the job or the batch that has ended, or of the notice.
    id: Uuid,
    is_signed: bool,
    payload: Vec<u8>,
}

impl Sender {
    /// Creates a sender; `lookup`, if given, resolves hosts in place of the system.
    pub(crate) fn new(
        context: Arc<Context>,
        settings: &Settings,
        lookup: Option<Lookup>,
    ) -> Sender {
        let public_url = settings.http.public_url.clone();
        let has_extras = settings.results.extra_arrays;
        let settings = &settings.webhooks;
        let timeout = Duration::from_secs(settings.timeout_seconds);
        let poster = Poster::new(timeout, &settings.allow_hosts, lookup, context.clock.clone());
        Sender {
            context,
            keys: settings.keys.clone(),
            poster,
            public_url,
            has_extras,
            hung_ms: settings.timeout_seconds.saturating_mul(1000) / HUNG_DIVISOR,
            tally: DeliveryTally::default(),
        }
    }

    /// Returns whether there is a key to sign with.
    pub(crate) fn can_sign(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Returns the counts of attempts since the start.
    pub(crate) fn counts(&self) -> DeliveryCounts {
        self.tally.report()
    }

    /// Makes an attempt and writes its outcome, or does nothing if none is due any more. Returns how the
    /// receiver dealt with it; `None` if it must be signed, and nothing can sign.
    ///
    /// # Errors
    /// Returns an error if the store failed, or lacks a part of what is to be sent; nothing is written then.
    pub(crate) fn send(&self, row: Row) -> Result<Option<Conduct>, StoreError> {
        let Context { store, clock, breakpoints, .. } = &*self.context;
        let at_ms = clock.now_ms();
        // The row was found in a state of the store that may be past.
        let due = store.read_delivery(row, |delivery, reported| {
            delivery.is_due(at_ms).then(|| (delivery.clone(), self.message(reported)))
        })?;
        let Some((delivery, message)) = due else { return Ok(Some(Conduct::Unknown)) };
        if message.is_signed && !self.can_sign() {
            return Ok(None);
        }
        let watch = clock.stopwatch();
        let sent = guard(|| {
            breakpoints.reach(Point::WebhookUnsent);
            self.post(&delivery, &message, at_ms)
        });
        let panicked = Outcome::Failed(SendFailure::Panicked);
        let Receipt { outcome, retry_after_ms } =
            sent.unwrap_or(Receipt { outcome: panicked, retry_after_ms: None });
        let attempt = DeliveryAttempt { at_ms, took_ms: watch.elapsed_ms(), outcome };
        let jitter = retry::jitter_seed(row, delivery.attempts);
        breakpoints.reach(Point::WebhookSent);
        let written = loop {
            match store.note_delivery(row, attempt, delivery.resends, retry_after_ms, jitter) {
                // It was sent: that is kept until the store takes it, so that it is not sent again.
                Err(error) if error.stops_writes() && self.context.await_store() => {}
                written => break written?,
            }
            let stored = store.delivery(row).wait()?;
            if stored.as_ref().is_some_and(|delivery| delivery.log.last() == Some(&attempt)) {
                break stored;
            }
        };
        breakpoints.reach(Point::WebhookNoted);
        if let Some(delivery) = written {
            self.tally.note(delivery.state);
            log(&delivery, message.id, attempt);
        }
        Ok(Some(conduct(attempt, self.hung_ms)))
    }

    /// Returns what is sent: the object as a poll gets it, a batch's without its items, or the notice.
    fn message(&self, reported: Reported<'_>) -> Message {
        let store = &self.context.store;
        match reported {
            Reported::Job(job, result) => {
                let id = store.id_of(job);
                let shown = result.map(|json| answer::shown(json, self.has_extras));
                let payload = job_object(job, id, shown.as_deref());
                Message { id, is_signed: true, payload }
            }
            Reported::Batch(batch) => {
                // Strings and numbers of our own always serialize.
                let payload = serde_json::to_vec(&BatchView::from(batch)).unwrap_or_default();
                Message { id: batch.key.id, is_signed: true, payload }
            }
            Reported::Notice(notice) => {
                let id = store.notice_id(notice);
                let payload = notice_message(notice, id, self.public_url.as_deref());
                Message { id, is_signed: notice.definition.format.is_signed(), payload }
            }
        }
    }

    fn post(&self, delivery: &Delivery, message: &Message, at_ms: UnixMs) -> Receipt {
        let id = delivery.subject.message_id(message.id);
        let timestamp = (at_ms / 1000).to_string();
        let signatures = signatures(&self.keys, &id, &timestamp, &message.payload);
        let headers = [
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", signatures.as_str()),
        ];
        let headers = if message.is_signed { &headers[..] } else { &headers[..2] };
        self.poster.post(&delivery.url, headers, &message.payload)
    }
}

/// Returns how a receiver dealt with an attempt. What a body that trickles in, or a name that cannot be
/// looked up, takes of the time counts as well.
fn conduct(attempt: DeliveryAttempt, hung_ms: u64) -> Conduct {
    match attempt.outcome {
        Outcome::Failed(SendFailure::Timeout) => Conduct::Hung,
        _ if attempt.took_ms > hung_ms => Conduct::Hung,
        Outcome::Status(_) => Conduct::Answered,
        Outcome::Failed(_) => Conduct::Unknown,
    }
}

/// Logs an attempt, never with the address.
fn log(delivery: &Delivery, of: Uuid, DeliveryAttempt { took_ms, outcome, .. }: DeliveryAttempt) {
    let attempt = delivery.attempts;
    let outcome = match outcome {
        Outcome::Status(status) => status.to_string(),
        Outcome::Failed(failure) => failure.word().to_owned(),
    };
    match delivery.state {
        DeliveryState::Delivered => {
            tracing::info!(%of, attempt, outcome, took_ms, "webhook delivered");
        }
        DeliveryState::Pending { .. } => {
            tracing::warn!(%of, attempt, outcome, took_ms, "webhook not delivered yet");
        }
        DeliveryState::Failed(why) => {
            let why = why.word();
            tracing::warn!(%of, attempt, outcome, took_ms, why, "webhook given up");
        }
    }
}
