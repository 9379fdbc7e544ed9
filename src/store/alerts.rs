//! What is written and read of alerts.

use uuid::Uuid;

use crate::alert::{Alert, Notice};
use crate::clock::UnixMs;
use crate::job::Delivery;

/// The reason why an alert was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertError {
    /// The account has no such alert.
    Gone,
    /// Another alert of the account has this name.
    NameTaken,
    /// The account has [`ALERTS_MAX`] of them.
    TooMany,
    /// It has changed since it was read.
    Stale,
}

/// An alert that is due, as it was read.
#[derive(Clone, Debug)]
pub struct DueAlert {
    pub alert: Alert,
    /// How often it was marked before it was read.
    pub marks: u64,
}

/// An evaluation that is about to be written.
#[derive(Clone, Debug)]
pub struct NewEvaluation {
    pub due: DueAlert,
    /// The alert as the evaluation has changed it.
    pub after: Alert,
    /// When it is evaluated again, whether something changes or not.
    pub again_ms: Option<UnixMs>,
    /// The notice that follows, with the row and the nonce of a fresh identity.
    pub notice: Option<Notice>,
}

/// The outcome of writing an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvaluationWritten {
    Written,
    /// The alert has changed or is gone; nothing was written.
    Stale,
}

/// A notice and its delivery.
#[derive(Clone, Debug)]
pub struct SentNotice {
    pub id: Uuid,
    pub notice: Notice,
    pub delivery: Option<Delivery>,
}
