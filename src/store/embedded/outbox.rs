//! The outbox: pending webhooks, filed in the transaction that ends a job. A delivery
//! stays as long as its job; while it is pending, the job stays for it, though only the
//! deliverer sees that once the job has expired.

use std::ops::{Bound, ControlFlow};

use uuid::Uuid;

use super::Embedded;
use super::snapshot::Snapshot;
use super::transaction::Tables;
use super::{notices, rows, tables};
use crate::clock::UnixMs;
use crate::id::IdParts;
use crate::job::{DELIVERY_MS_MAX, Delivery, DeliveryAttempt, Recipient, Subject};
use crate::store::change::{self, DeliveryChange};
use crate::store::effects::Effect;
use crate::store::outbox::NewDelivery;
use crate::store::{OutboxKey, Reported, ResendError, Row, Scrapers, StoreError, record};

/// A delivery that is about to be written, and its record.
pub(super) struct Sealed {
    new: NewDelivery,
    bytes: Vec<u8>,
}

/// Encodes a new delivery, before anything is written.
pub(super) fn seal(new: Option<NewDelivery>) -> Result<Option<Sealed>, StoreError> {
    let Some(new) = new else { return Ok(None) };
    let bytes = record::encode_delivery(new.row, &new.delivery)?;
    Ok(Some(Sealed { new, bytes }))
}

/// Files what [`seal`] has made.
pub(super) fn file(tables: &mut Tables<'_>, sealed: Option<Sealed>) -> Result<(), StoreError> {
    let Some(Sealed { new, bytes }) = sealed else { return Ok(()) };
    tables.deliveries.insert(new.row, bytes.as_slice())?;
    if let Some(due_ms) = new.delivery.due_ms() {
        tables.outbox.insert((due_ms, new.row), new.recipient.number())?;
    }
    tables.effects.extend(new.effect());
    Ok(())
}

/// Returns whether what has expired at `expires_ms` stays because its delivery is pending. It is
/// filed again in the expiry index then, so that the sweep comes back to it.
pub(super) fn hold_if_pending(
    tables: &mut Tables<'_>,
    row: Row,
    expires_ms: UnixMs,
    now_ms: UnixMs,
) -> Result<bool, StoreError> {
    let Some(delivery) = read(tables, row)? else { return Ok(false) };
    let Some(change) = change::hold(delivery, expires_ms, now_ms) else { return Ok(false) };
    // Its place in the outbox stays.
    write(tables, row, &change, None)?;
    Ok(true)
}

/// Returns whether the delivery of a row is still to be made.
pub(super) fn is_pending(tables: &Tables<'_>, row: Row) -> Result<bool, StoreError> {
    Ok(read(tables, row)?.is_some_and(|delivery| delivery.due_ms().is_some()))
}

/// Removes the delivery of a row that is removed.
pub(super) fn forget(tables: &mut Tables<'_>, row: Row) -> Result<(), StoreError> {
    let Some(delivery) = read(tables, row)? else { return Ok(()) };
    if let Some(due_ms) = delivery.due_ms() {
        tables.outbox.remove((due_ms, row))?;
    }
    if let Some(held_ms) = delivery.held_until_ms {
        tables.expiry.remove((held_ms, row))?;
    }
    tables.deliveries.remove(row)?;
    Ok(())
}

/// Writes a delivery as a step has changed it, with its entry in the outbox, which names the
/// recipient, and the entry of what it reports among what expires.
fn write(
    tables: &mut Tables<'_>,
    row: Row,
    change: &DeliveryChange,
    recipient: Option<Recipient>,
) -> Result<(), StoreError> {
    let bytes = record::encode_delivery(row, &change.delivery)?;

    if let Some(recipient) = recipient {
        if let Some(due_ms) = change.outbox.before_ms {
            tables.outbox.remove((due_ms, row))?;
        }
        if let Some(due_ms) = change.outbox.after_ms {
            tables.outbox.insert((due_ms, row), recipient.number())?;
        }
    }
    if let Some(filed_ms) = change.expiry.before_ms {
        tables.expiry.remove((filed_ms, row))?;
    }
    if let Some(filed_ms) = change.expiry.after_ms {
        tables.expiry.insert((filed_ms, row), ())?;
    }
    tables.deliveries.insert(row, bytes.as_slice())
}

/// Changes a delivery with its entry in the outbox.
fn change_delivery(
    tables: &mut Tables<'_>,
    owner: &Owner,
    row: Row,
    delivery: Delivery,
    change: impl FnOnce(&mut Delivery),
) -> Result<Delivery, StoreError> {
    let change = change::delivery(delivery, owner.expires_ms, change);
    let recipient = Recipient::of(&owner.account, &change.delivery.url);
    write(tables, row, &change, Some(recipient))?;
    Ok(change.delivery)
}

fn read(tables: &Tables<'_>, row: Row) -> Result<Option<Delivery>, StoreError> {
    let Some(bytes) = tables.deliveries.get(row)? else { return Ok(None) };
    record::decode_delivery(row, bytes.value()).map(Some)
}

/// Whose job or batch a delivery reports, and when that ceases to exist.
struct Owner {
    account: String,
    expires_ms: UnixMs,
}

/// Returns the owner of what a delivery reports; `None` if that does not exist.
fn owner(
    tables: &Tables<'_>,
    scrapers: &Scrapers,
    row: Row,
    subject: Subject,
) -> Result<Option<Owner>, StoreError> {
    match subject {
        Subject::Job => Ok(rows::read_job(tables, scrapers, row)?
            .map(|(job, _)| Owner { account: job.account, expires_ms: job.expires_ms })),
        Subject::Batch => Ok(rows::read_batch(tables, row)?
            .map(|batch| Owner { account: batch.account, expires_ms: batch.expires_ms })),
        // Its alert keeps it.
        Subject::Notice => Ok(notices::read_notice(tables, row)?
            .map(|notice| Owner { account: notice.account, expires_ms: UnixMs::MAX })),
    }
}

/// Changes the delivery of a row as an attempt demands; `None` when it is not there any more.
pub(super) fn note(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    row: Row,
    note: impl FnOnce(&mut Delivery),
) -> Result<Option<Delivery>, StoreError> {
    let Some(delivery) = read(tables, row)? else { return Ok(None) };
    let Some(owner) = owner(tables, scrapers, row, delivery.subject)? else { return Ok(None) };
    change_delivery(tables, &owner, row, delivery, note).map(Some)
}

/// Makes a webhook due again, inside a transaction: see [`Store::send_again`].
pub(super) fn send_again(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    subject: Subject,
    plain: IdParts,
    id: Uuid,
    account: &str,
    now_ms: UnixMs,
) -> Result<Result<Delivery, ResendError>, StoreError> {
    let mine =
        |target: &ResendTarget| target.owner.account == account && target.owner.expires_ms > now_ms;
    let Some(target) = resend_target(tables, scrapers, subject, plain, id)?.filter(mine) else {
        return Ok(Err(ResendError::Gone));
    };
    if !target.webhook {
        return Ok(Err(ResendError::NoWebhook));
    }
    let Some(delivery) = read(tables, plain.row)? else {
        return Ok(Err(ResendError::Unfinished));
    };
    let again = |delivery: &mut Delivery| delivery.send_again(now_ms);
    let delivery = change_delivery(tables, &target.owner, plain.row, delivery, again)?;
    tables.effects.push(Effect::Delivery { due_ms: now_ms });
    Ok(Ok(delivery))
}

impl Embedded {
    pub(crate) fn visit_outbox(
        &self,
        now_ms: UnixMs,
        after: Option<OutboxKey>,
        mut visit: impl FnMut(OutboxKey, Recipient) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.read(|snapshot| {
            let outbox = snapshot.open_table(tables::OUTBOX)?;
            let due_end = (now_ms, Row::MAX);
            // None of these is due for more than a day.
            let late_from = (now_ms.saturating_add(DELIVERY_MS_MAX), Row::MAX);
            let due_from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let due = match after.is_some_and(|after| after >= due_end) {
                true => None,
                false => Some(outbox.range((due_from, Bound::Included(due_end)))?),
            };
            let late_from = after.map_or(late_from, |after| after.max(late_from));
            let late = outbox.range((Bound::Excluded(late_from), Bound::Unbounded))?;
            for entry in due.into_iter().flatten().chain(late) {
                let (key, number) = entry?;
                if visit(key.value(), Recipient::from_number(number.value())).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    pub(crate) fn next_delivery_ms(&self, now_ms: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        self.read(|snapshot| {
            let outbox = snapshot.open_table(tables::OUTBOX)?;
            let mut later = outbox.range((now_ms.saturating_add(1), 0)..)?;
            Ok(later.next().transpose()?.map(|(key, _)| key.value().0))
        })
    }

    pub(crate) async fn delivery(&self, row: Row) -> Result<Option<Delivery>, StoreError> {
        self.read(|snapshot| delivery_in(snapshot, row))
    }

    pub(crate) fn read_delivery<T>(
        &self,
        row: Row,
        read: impl FnOnce(&Delivery, Reported<'_>) -> T,
    ) -> Result<T, StoreError> {
        self.read(|snapshot| {
            let delivery =
                delivery_in(snapshot, row)?.ok_or(StoreError::Damaged("a delivery is gone"))?;
            let read = match delivery.subject {
                // At the beginning of time nothing has expired.
                Subject::Job => self.row_in(snapshot, row, 0, |job, result| {
                    job.state.finished().then(|| read(&delivery, Reported::Job(job, result)))
                })?,
                Subject::Batch => rows::batch_of_row(snapshot, row)?.map(|batch| {
                    let ended = batch.progress.completed_ms.is_some();
                    ended.then(|| read(&delivery, Reported::Batch(&batch)))
                }),
                Subject::Notice => notices::notice_in(snapshot, row)?
                    .map(|notice| Some(read(&delivery, Reported::Notice(&notice)))),
            };
            read.ok_or(StoreError::Damaged("what a delivery reports is missing"))?
                .ok_or(StoreError::Damaged("the job or batch of a delivery has not ended"))
        })
    }

    pub(crate) async fn webhook_of<T>(
        &self,
        subject: Subject,
        id: Uuid,
        now_ms: UnixMs,
        read: impl FnOnce(Reported<'_>) -> T,
    ) -> Result<Option<(T, Option<Delivery>)>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(None) };
        self.read(|snapshot| {
            let read = match subject {
                Subject::Job => self
                    .row_in(snapshot, plain.row, now_ms, |job, result| {
                        plain.has_nonce(job.nonce).then(|| read(Reported::Job(job, result)))
                    })?
                    .flatten(),
                Subject::Batch => {
                    self.batch_in(snapshot, id, now_ms)?.map(|batch| read(Reported::Batch(&batch)))
                }
                // Their alerts show them.
                Subject::Notice => None,
            };
            let Some(read) = read else { return Ok(None) };
            Ok(Some((read, delivery_in(snapshot, plain.row)?)))
        })
    }

    pub(crate) fn note_delivery(
        &self,
        row: Row,
        attempt: DeliveryAttempt,
        resends: u32,
        retry_after_ms: Option<u64>,
        spread: u64,
    ) -> Result<Option<Delivery>, StoreError> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                note(tables, &scrapers, row, |delivery| {
                    delivery.note(attempt, resends, retry_after_ms, spread);
                })
            })
        })
        .wait()
    }

    pub(crate) async fn send_again(
        &self,
        subject: Subject,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
    ) -> Result<Result<Delivery, ResendError>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(Err(ResendError::Gone)) };
        let scrapers = self.shared.scrapers.clone();
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                send_again(tables, &scrapers, subject, plain, id, &account, now_ms)
            })
        });
        pending.committed().await
    }
}

pub(super) fn delivery_in(snapshot: &Snapshot, row: Row) -> Result<Option<Delivery>, StoreError> {
    let deliveries = snapshot.open_table(tables::DELIVERIES)?;
    let stored = deliveries.get(row)?;
    stored.map(|bytes| record::decode_delivery(row, bytes.value())).transpose()
}

/// The owner of a job or batch, and whether it has a webhook.
struct ResendTarget {
    owner: Owner,
    webhook: bool,
}

fn resend_target(
    tables: &Tables<'_>,
    scrapers: &Scrapers,
    subject: Subject,
    plain: IdParts,
    id: Uuid,
) -> Result<Option<ResendTarget>, StoreError> {
    match subject {
        Subject::Job => {
            let job = rows::read_job(tables, scrapers, plain.row)?.map(|(job, _)| job);
            Ok(job.filter(|job| plain.has_nonce(job.nonce)).map(|job| ResendTarget {
                owner: Owner { account: job.account, expires_ms: job.expires_ms },
                webhook: job.webhook_url.is_some(),
            }))
        }
        Subject::Batch => {
            let batch = rows::read_batch(tables, plain.row)?;
            Ok(batch.filter(|batch| batch.has_id(id)).map(|batch| ResendTarget {
                owner: Owner { account: batch.account, expires_ms: batch.expires_ms },
                webhook: batch.webhook_url.is_some(),
            }))
        }
        // A test of its alert sends another.
        Subject::Notice => Ok(None),
    }
}
