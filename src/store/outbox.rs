//! The deliveries of webhooks: which are filed with the end of something, what is read of them, and
//! why one is not sent again.

use super::effects::Effect;
use super::row::Row;
use crate::alert::Notice;
use crate::clock::UnixMs;
use crate::job::{Batch, Delivery, Job, Recipient, Subject};

/// The key of a delivery in the outbox: when it is due, and its row.
pub type OutboxKey = (UnixMs, Row);

/// For how long the sweep leaves an expired job alone whose delivery is pending, milliseconds.
pub(super) const HOLD_MS: u64 = 3_600_000;

/// A delivery that is written with the end of what it reports.
#[derive(Debug)]
pub(super) struct NewDelivery {
    pub row: Row,
    pub delivery: Delivery,
    pub recipient: Recipient,
}

impl NewDelivery {
    /// Returns the delivery that a job brings about by its end; `None` while it has not ended, and
    /// for one without a webhook.
    pub(super) fn of_job(job: &Job) -> Option<NewDelivery> {
        let (url, ended_ms) = (job.webhook_url.as_deref()?, job.completed_ms?);
        Some(NewDelivery::new(job.row, Subject::Job, &job.account, url, ended_ms))
    }

    /// Does what [`NewDelivery::of_job`] does, for a batch.
    pub(super) fn of_batch(batch: &Batch) -> Option<NewDelivery> {
        let (url, ended_ms) = (batch.webhook_url.as_deref()?, batch.progress.completed_ms?);
        Some(NewDelivery::new(batch.key.row, Subject::Batch, &batch.account, url, ended_ms))
    }

    /// Returns the delivery of a notice.
    pub(super) fn of_notice(notice: &Notice) -> NewDelivery {
        let url = notice.definition.url.as_str();
        NewDelivery::new(notice.row, Subject::Notice, &notice.account, url, notice.at_ms)
    }

    fn new(row: Row, subject: Subject, account: &str, url: &str, due_ms: UnixMs) -> NewDelivery {
        let delivery = Delivery::new(subject, url.to_owned(), due_ms);
        NewDelivery { row, delivery, recipient: Recipient::of(account, url) }
    }

    /// Returns what follows from its commit.
    pub(super) fn effect(&self) -> Option<Effect> {
        self.delivery.due_ms().map(|due_ms| Effect::Delivery { due_ms })
    }
}

/// The job, batch or notice that a delivery reports.
#[derive(Clone, Copy, Debug)]
pub enum Reported<'a> {
    /// With the JSON of its result.
    Job(&'a Job, Option<&'a [u8]>),
    Batch(&'a Batch),
    Notice(&'a Notice),
}

/// The reason why a webhook is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendError {
    /// There is no such job, or no longer, or it is another account's.
    Gone,
    /// It was submitted without a webhook.
    NoWebhook,
    /// It has not ended: its webhook will be sent when it does.
    Unfinished,
}
