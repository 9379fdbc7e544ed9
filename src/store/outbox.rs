//! What is read of the deliveries of webhooks, and why one is not sent again.

use super::row::Row;
use crate::alert::Notice;
use crate::clock::UnixMs;
use crate::job::{Batch, Job};

/// The key of a delivery in the outbox: when it is due, and its row.
pub type OutboxKey = (UnixMs, Row);

/// For how long the sweep leaves an expired job alone whose delivery is pending, milliseconds.
pub(super) const HOLD_MS: u64 = 3_600_000;

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
