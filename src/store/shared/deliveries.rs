//! The deliveries of a transaction: filed by what ends, changed by attempts, and removed with what
//! they report.

use super::things::{ThingKey, ThingKind};
use super::transaction::{DeliveryRow, JobRow, Transaction};
use crate::clock::UnixMs;
use crate::job::{Delivery, Recipient, Subject};
use crate::store::outbox::NewDelivery;
use crate::store::{Row, StoreError, change, record};

impl Transaction<'_> {
    /// Files a delivery that something brings about by its end.
    pub(super) fn file(&mut self, new: Option<NewDelivery>) {
        let Some(new) = new else { return };
        self.effects.extend(new.effect());
        let NewDelivery { row, delivery, recipient } = new;
        self.deliveries.insert(row, Ok(DeliveryRow { delivery, recipient: Some(recipient) }));
    }

    /// Removes the delivery of a notice.
    pub(super) fn forget_delivery(&mut self, row: Row) {
        self.deliveries.remove(&row);
        self.things.put(&ThingKey::of_row(ThingKind::NoticeDelivery, row), None);
        self.forgotten.push(row);
    }

    /// Changes the delivery of a row as an attempt or its owner demands; `None` when it, or what it
    /// reports, is not there any more.
    pub(super) fn change_delivery(
        &mut self,
        row: Row,
        change: impl FnOnce(&mut Delivery),
    ) -> Result<Option<Delivery>, StoreError> {
        let known = match self.deliveries.get(&row) {
            Some(Ok(known)) => known.delivery.clone(),
            Some(Err(error)) => return Err(error.clone()),
            None => return Ok(None),
        };
        let owner = match known.subject {
            Subject::Job => {
                let of_job = |known: &JobRow| (known.job.account.clone(), known.job.expires_ms);
                self.job(row)?.map(of_job)
            }
            Subject::Batch => {
                self.batch(row)?.map(|batch| (batch.account.clone(), batch.expires_ms))
            }
            // Its alert keeps it.
            Subject::Notice => {
                let bytes = self.things.held(&ThingKey::of_row(ThingKind::Notice, row));
                let notice = bytes.map(|bytes| record::decode_notice(row, bytes)).transpose()?;
                notice.map(|notice| (notice.account, UnixMs::MAX))
            }
        };
        let Some((account, expires_ms)) = owner else { return Ok(None) };
        // What has expired is held by its hour, not by an entry of an index.
        let delivery = change::delivery(known, expires_ms, change).delivery;
        let recipient = Some(Recipient::of(&account, &delivery.url));
        let changed = DeliveryRow { delivery: delivery.clone(), recipient };
        self.deliveries.insert(row, Ok(changed));
        Ok(Some(delivery))
    }
}
