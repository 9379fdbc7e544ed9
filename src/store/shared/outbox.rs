//! The outbox: which webhooks are due, and what attempts and owners change of them.

use std::ops::ControlFlow;
use std::sync::Arc;

use uuid::Uuid;

use super::handle::SharedStore;
use super::needs::Needs;
use super::round::Value;
use super::statements::Sql;
use super::transaction::Transaction;
use crate::clock::UnixMs;
use crate::id::IdParts;
use crate::job::{DELIVERY_MS_MAX, Delivery, DeliveryAttempt, Recipient, Subject};
use crate::store::effects::Effect;
use crate::store::{OutboxKey, ResendError, Row, StoreError};

/// The most deliveries that are claimed and read at once: what one node has the others do not.
const VISIT_ROWS_MAX: i64 = 100;

impl SharedStore {
    /// Walks the deliveries that are due at `now_ms`: see [`crate::store::Store::visit_outbox`].
    /// They are this process's from then on, so that no other one makes the same attempt; what
    /// another has already is left out. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn visit_outbox(
        &self,
        now_ms: UnixMs,
        after: Option<OutboxKey>,
        mut visit: impl FnMut(OutboxKey, Recipient) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        // None of these is due for more than a day.
        let late_ms = now_ms.saturating_add(DELIVERY_MS_MAX);
        let mut after =
            after.map_or((i64::MIN, i64::MIN), |(due_ms, row)| (number(due_ms), number(row)));
        loop {
            let values: Vec<Value> = vec![
                Arc::new(self.process.status.number().0),
                Arc::new(number(now_ms)),
                Arc::new(number(late_ms)),
                Arc::new(after.0),
                Arc::new(after.1),
                Arc::new(VISIT_ROWS_MAX),
            ];
            self.ask_statement(Sql::ClaimOutbox, values.clone()).wait()?;
            let found = self.ask_statement(Sql::VisitOutbox, values).wait()?;
            for row in &found {
                after = (row.get(0), row.get(1));
                let key = (after.0 as UnixMs, after.1 as Row);
                let recipient = Recipient::from_number(row.get::<_, i64>(2) as u64);
                if visit(key, recipient).is_break() {
                    return Ok(());
                }
            }
            if (found.len() as i64) < VISIT_ROWS_MAX {
                return Ok(());
            }
        }
    }

    /// Returns when the next delivery comes due after `now_ms`. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn next_delivery_ms(&self, now_ms: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        let values: Vec<Value> =
            vec![Arc::new(self.process.status.number().0), Arc::new(number(now_ms))];
        let found = self.ask_statement(Sql::NextDelivery, values).wait()?;
        let due_ms: Option<i64> = found.first().and_then(|row| row.get(0));
        Ok(due_ms.map(|due_ms| due_ms as UnixMs))
    }

    /// Notes an attempt at a delivery: see [`crate::store::Store::note_delivery`]. Blocks until it
    /// is committed.
    ///
    /// # Errors
    /// Returns an error if the database fails; the delivery is as it was.
    pub(crate) fn note_delivery(
        &self,
        row: Row,
        attempt: DeliveryAttempt,
        resends: u32,
        retry_after_ms: Option<u64>,
        spread: u64,
    ) -> Result<Option<Delivery>, StoreError> {
        let noted = self.queue_blocking(row, needs_of(row), move |transaction| {
            transaction.change_delivery(row, |delivery| {
                delivery.note(attempt, resends, retry_after_ms, spread);
            })
        });
        noted.wait()
    }

    /// Makes the webhook of a job or a batch of `account`'s due once more: see
    /// [`crate::store::Store::send_again`].
    pub(crate) async fn send_again(
        &self,
        subject: Subject,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
    ) -> Result<Result<Delivery, ResendError>, StoreError> {
        let Some(plain) = self.process.cipher.open(id) else { return Ok(Err(ResendError::Gone)) };
        let sent = self.queue(plain.row, needs_of(plain.row), move |transaction| {
            match webhook_url(transaction, subject, plain, id, &account, now_ms)? {
                None => return Ok(Err(ResendError::Gone)),
                Some(None) => return Ok(Err(ResendError::NoWebhook)),
                Some(Some(_)) => {}
            }
            let again = |delivery: &mut Delivery| delivery.send_again(now_ms);
            let Some(delivery) = transaction.change_delivery(plain.row, again)? else {
                return Ok(Err(ResendError::Unfinished));
            };
            transaction.effects.push(Effect::Delivery { due_ms: now_ms });
            Ok(Ok(delivery))
        });
        sent.committed().await
    }
}

/// Returns the address that receives the end of a job or a batch of this account's; `None` if that
/// does not exist at `now_ms`.
fn webhook_url(
    transaction: &Transaction<'_>,
    subject: Subject,
    plain: IdParts,
    id: Uuid,
    account: &str,
    now_ms: UnixMs,
) -> Result<Option<Option<String>>, StoreError> {
    Ok(match subject {
        Subject::Job => transaction
            .job(plain.row)?
            .map(|known| &known.job)
            .filter(|job| {
                plain.has_nonce(job.nonce) && job.account == account && job.expires_ms > now_ms
            })
            .map(|job| job.webhook_url.clone()),
        Subject::Batch => transaction
            .batch(plain.row)?
            .filter(|batch| {
                batch.has_id(id) && batch.account == account && batch.expires_ms > now_ms
            })
            .map(|batch| batch.webhook_url.clone()),
        // It is asked for by its alert.
        Subject::Notice => None,
    })
}

/// Returns the needs of a change of a delivery: what it reports is only read.
fn needs_of(row: Row) -> Needs {
    let rows = || std::collections::BTreeSet::from([row]);
    Needs { deliveries: rows(), read: rows(), ..Needs::default() }
}

/// Returns a time or a row as the database has it; the end of time as the last that it knows.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
