//! What is written and read of alerts, and when one is evaluated.

use uuid::Uuid;

use crate::alert::{ALERTS_MAX, Alert, Notice};
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

impl AlertError {
    /// Returns why a new alert is not written beside the others of its account.
    pub(super) fn of_new(new: &Alert, others: &[Alert]) -> Option<AlertError> {
        if others.len() >= ALERTS_MAX {
            return Some(AlertError::TooMany);
        }
        AlertError::of_change(new, others)
    }

    /// Returns why a changed alert is not written beside those of its account.
    pub(super) fn of_change(after: &Alert, others: &[Alert]) -> Option<AlertError> {
        let name = &after.definition.name;
        let mut others = others.iter().filter(|it| it.row != after.row);
        others.any(|it| it.definition.name == *name).then_some(AlertError::NameTaken)
    }
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

/// The time under which an alert is filed that is not to be evaluated.
pub(super) const NEVER_MS: UnixMs = UnixMs::MAX;

/// The time at which an alert is evaluated, and how often it was marked: what was read before
/// another mark came is evaluated once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WatchMark {
    /// [`NEVER_MS`] if it is not to be evaluated.
    pub filed_ms: UnixMs,
    pub marks: u64,
}

impl WatchMark {
    /// Returns when the alert is evaluated.
    pub(super) fn due_ms(self) -> Option<UnixMs> {
        (self.filed_ms != NEVER_MS).then_some(self.filed_ms)
    }

    /// Returns the mark of an alert that was written, due at a moment or as before.
    pub(super) fn written(before: Option<WatchMark>, due_ms: Option<UnixMs>) -> WatchMark {
        let filed_ms = due_ms.or(before.map(|before| before.filed_ms)).unwrap_or(NEVER_MS);
        WatchMark { filed_ms, marks: before.map_or(0, |before| before.marks) }
    }

    /// Marks that what is watched has changed: evaluated at `due_ms` at the latest.
    pub(super) fn marked(self, due_ms: UnixMs) -> WatchMark {
        WatchMark { filed_ms: self.filed_ms.min(due_ms), marks: self.marks + 1 }
    }

    /// Does what [`WatchMark::marked`] does; `None` for an alert that is evaluated after `now_ms`
    /// anyway: what comes often is looked at together.
    pub(super) fn marked_unless_due(self, now_ms: UnixMs, due_ms: UnixMs) -> Option<WatchMark> {
        let is_due = self.due_ms().is_some_and(|due_ms| due_ms > now_ms);
        (!is_due).then(|| self.marked(due_ms))
    }

    /// Returns the mark after an evaluation of what was read at `marks_read`, to be repeated at
    /// `again_ms`. Where something has changed that was not read, it is due as it was.
    pub(super) fn evaluated(self, marks_read: u64, again_ms: Option<UnixMs>) -> WatchMark {
        if self.marks != marks_read {
            return self;
        }
        WatchMark { filed_ms: again_ms.unwrap_or(NEVER_MS), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alert_is_due_as_early_as_any_mark_and_again_for_what_was_not_read() {
        let new = WatchMark::written(None, None);
        assert_eq!((new.due_ms(), new.marks), (None, 0));
        let marked = new.marked(50).marked(70);
        assert_eq!((marked.due_ms(), marked.marks), (Some(50), 2));
        assert_eq!(WatchMark::written(Some(marked), None), marked);
        assert_eq!(WatchMark::written(Some(marked), Some(9)).due_ms(), Some(9));
        assert_eq!(marked.evaluated(2, Some(90)).due_ms(), Some(90));
        assert_eq!(marked.evaluated(2, None).due_ms(), None);
        assert_eq!(marked.evaluated(1, Some(90)), marked);
    }

    #[test]
    fn alert_that_is_due_later_anyway_is_not_marked() {
        let mark = WatchMark { filed_ms: 50, marks: 1 };
        assert_eq!(mark.marked_unless_due(49, 90), None);
        assert_eq!(mark.marked_unless_due(50, 90), Some(WatchMark { filed_ms: 50, marks: 2 }));
        let never = WatchMark { filed_ms: NEVER_MS, marks: 1 };
        assert_eq!(never.marked_unless_due(50, 90), Some(WatchMark { filed_ms: 90, marks: 2 }));
    }
}
