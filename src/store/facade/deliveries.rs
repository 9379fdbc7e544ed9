//! Deliveries of webhooks: what is due, and what came of each attempt.

use std::ops::ControlFlow;
use uuid::Uuid;

use super::backend::{Backend, ask};
use crate::clock::UnixMs;
use crate::job::{Delivery, DeliveryAttempt, Recipient, Subject};
use crate::store::{OutboxKey, Reported, ResendError, Row, Store, StoreError};

impl Store {
    /// Walks the deliveries that are due at `now_ms` ([`Delivery::is_due`]), in the order in which
    /// they came due and from the one after `after` on, until `visit` breaks: the key of each, and
    /// its recipient.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn visit_outbox(
        &self,
        now_ms: UnixMs,
        after: Option<OutboxKey>,
        visit: impl FnMut(OutboxKey, Recipient) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        ask!(self.backend, store => store.visit_outbox(now_ms, after, visit))
    }

    /// Returns when the next delivery comes due after `now_ms`.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn next_delivery_ms(&self, now_ms: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        ask!(self.backend, store => store.next_delivery_ms(now_ms))
    }

    /// Returns the delivery of a row.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn delivery(&self, row: Row) -> Result<Option<Delivery>, StoreError> {
        ask!(self.backend, store => store.delivery(row).await)
    }

    /// Reads the delivery of a row together with what it reports, both of one state, whether that
    /// has expired for clients or not.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged; a delivery whose job or batch is missing
    /// or has not ended is damage.
    pub fn read_delivery<T>(
        &self,
        row: Row,
        read: impl FnOnce(&Delivery, Reported<'_>) -> T,
    ) -> Result<T, StoreError> {
        ask!(self.backend, store => store.read_delivery(row, read))
    }

    /// Reads the delivery of a job or a batch that exists at `now_ms`, in one state with what
    /// `read` takes from that; `None` if it does not exist.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn webhook_of<T>(
        &self,
        subject: Subject,
        id: Uuid,
        now_ms: UnixMs,
        read: impl FnOnce(Reported<'_>) -> T,
    ) -> Result<Option<(T, Option<Delivery>)>, StoreError> {
        ask!(self.backend, store => store.webhook_of(subject, id, now_ms, read).await)
    }

    /// Notes an attempt that was made in the round `resends` of a delivery; `retry_after_ms` is
    /// what the receiver asked for. Blocks until it is committed. Returns the delivery as it is
    /// then; `None` when it is not there any more.
    ///
    /// # Errors
    /// Returns an error if the store failed; the delivery is as it was.
    pub fn note_delivery(
        &self,
        row: Row,
        attempt: DeliveryAttempt,
        resends: u32,
        retry_after_ms: Option<u64>,
        spread: u64,
    ) -> Result<Option<Delivery>, StoreError> {
        ask!(self.backend, store => {
            store.note_delivery(row, attempt, resends, retry_after_ms, spread)
        })
    }

    /// Makes the webhook of a job or a batch of `account`'s due once more, whatever the state of
    /// it. Does not block the thread.
    ///
    /// # Errors
    /// Returns an error if the store failed, or its writer is overloaded; the delivery is as
    /// it was.
    pub async fn send_again(
        &self,
        subject: Subject,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
    ) -> Result<Result<Delivery, ResendError>, StoreError> {
        ask!(self.backend, store => store.send_again(subject, id, account, now_ms).await)
    }
}
