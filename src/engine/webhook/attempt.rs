//! One attempt to deliver, from the outbox to the written outcome.

use uuid::Uuid;

use super::shares::Conduct;
use super::{Deliverer, signature};
use crate::answer::object::job_object;
use crate::api::BatchView;
use crate::clock::UnixMs;
use crate::engine::breakpoints::Point;
use crate::engine::context::Context;
use crate::engine::pool::guard;
use crate::engine::retry;
use crate::job::{Delivery, DeliveryAttempt, DeliveryState, Outcome, SendFailure};
use crate::net::Receipt;
use crate::store::{Reported, Row, Store, StoreError};

/// What is sent.
struct Message {
    /// Of the job or the batch that has ended.
    id: Uuid,
    payload: Vec<u8>,
}

/// Makes an attempt and writes its outcome, or does nothing if none is due any more. Returns how the
/// receiver dealt with it.
///
/// # Errors
/// Returns an error if the store failed, or lacks a part of what is to be sent; nothing is written then.
pub(super) fn run(deliverer: &Deliverer, row: Row) -> Result<Conduct, StoreError> {
    let Context { store, clock, breakpoints, .. } = &*deliverer.context;
    let at_ms = clock.now_ms();
    // The row was found in a state of the store that may be past.
    let due = store.read_delivery(row, |delivery, reported| {
        delivery.is_due(at_ms).then(|| (delivery.clone(), message(store, reported)))
    })?;
    let Some((delivery, message)) = due else { return Ok(Conduct::Unknown) };
    let watch = clock.stopwatch();
    let sent = guard(|| {
        breakpoints.reach(Point::WebhookUnsent);
        send(deliverer, &delivery, &message, at_ms)
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
            Err(error) if error.stops_writes() && deliverer.context.await_store() => {}
            written => break written?,
        }
        let stored = store.delivery(row)?;
        if stored.as_ref().is_some_and(|delivery| delivery.log.last() == Some(&attempt)) {
            break stored;
        }
    };
    breakpoints.reach(Point::WebhookNoted);
    if let Some(delivery) = written {
        deliverer.tally.note(delivery.state);
        log(&delivery, message.id, attempt);
    }
    Ok(conduct(attempt, deliverer.hung_ms))
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

/// Returns what is sent: the object as a poll gets it, a batch's without its items.
fn message(store: &Store, reported: Reported<'_>) -> Message {
    match reported {
        Reported::Job(job, result) => {
            let id = store.id_of(job);
            Message { id, payload: job_object(job, id, result) }
        }
        Reported::Batch(batch) => {
            // Strings and numbers of our own always serialize.
            let payload = serde_json::to_vec(&BatchView::from(batch)).unwrap_or_default();
            Message { id: batch.key.id, payload }
        }
    }
}

fn send(deliverer: &Deliverer, delivery: &Delivery, message: &Message, at_ms: UnixMs) -> Receipt {
    let id = delivery.subject.message_id(message.id);
    let timestamp = (at_ms / 1000).to_string();
    let signatures = signature::signatures(&deliverer.keys, &id, &timestamp, &message.payload);
    let headers = [
        ("webhook-id", id.as_str()),
        ("webhook-timestamp", timestamp.as_str()),
        ("webhook-signature", signatures.as_str()),
    ];
    deliverer.poster.post(&delivery.url, &headers, &message.payload)
}

/// One line for an attempt; never the address.
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
