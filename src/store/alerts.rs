//! What is written and read of alerts, when one is evaluated, and the steps of their writes:
//! whatever keeps the store has the tables, and runs a step in one transaction.

use uuid::Uuid;

use super::StoreError;
use super::row::Row;
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

/// How far ahead an evaluation can be due, milliseconds: one that seems to be was planned by a
/// clock that was ahead, and is due.
pub(super) const DUE_AHEAD_MS_MAX: u64 = 600_000;

/// The tables of alerts and notices inside of one transaction.
pub(super) trait AlertTables {
    /// Reads the alert of a row.
    fn alert(&mut self, row: Row) -> Result<Option<Alert>, StoreError>;
    /// Reads the alerts of an account. A damaged one does not keep the others from being written.
    fn of_account(&mut self, account: &str) -> Result<Vec<Alert>, StoreError>;
    fn put(&mut self, alert: &Alert) -> Result<(), StoreError>;
    fn remove(&mut self, row: Row) -> Result<(), StoreError>;
    /// Writes a notice with its delivery.
    fn put_notice(&mut self, notice: &Notice) -> Result<(), StoreError>;
    fn forget_notice(&mut self, row: Row) -> Result<(), StoreError>;
    /// Reads when an alert is due.
    fn mark(&mut self, watch: &str, row: Row) -> Result<Option<WatchMark>, StoreError>;
    /// Files an alert under what it watches, due at a moment or never.
    fn file(&mut self, watch: &str, row: Row, mark: WatchMark) -> Result<(), StoreError>;
    /// Removes an alert from what it watches.
    fn forget_mark(&mut self, watch: &str, row: Row) -> Result<(), StoreError>;
}

/// Writes a new alert, to be evaluated at `due_ms`.
pub(super) fn insert(
    tables: &mut impl AlertTables,
    alert: Alert,
    due_ms: Option<UnixMs>,
) -> Result<Result<Alert, AlertError>, StoreError> {
    let others = tables.of_account(&alert.account)?;
    if let Some(refused) = AlertError::of_new(&alert, &others) {
        return Ok(Err(refused));
    }
    tables.put(&alert)?;
    watch(tables, &alert, due_ms)?;
    Ok(Ok(alert))
}

/// Puts an alert in the place of the one that it was made of; evaluated at `due_ms`.
pub(super) fn replace(
    tables: &mut impl AlertTables,
    before: &Alert,
    mut after: Alert,
    due_ms: Option<UnixMs>,
) -> Result<Result<Alert, AlertError>, StoreError> {
    let Some(current) = current(tables, before)? else {
        return Ok(Err(AlertError::Gone));
    };
    if current.version != before.version {
        return Ok(Err(AlertError::Stale));
    }
    let others = tables.of_account(&after.account)?;
    if let Some(refused) = AlertError::of_change(&after, &others) {
        return Ok(Err(refused));
    }
    after.version = before.version + 1;
    tables.put(&after)?;
    watch(tables, &after, due_ms)?;
    Ok(Ok(after))
}

/// Removes an alert with its notices, sent or not.
pub(super) fn remove(
    tables: &mut impl AlertTables,
    known: &Alert,
) -> Result<Result<Alert, AlertError>, StoreError> {
    let Some(current) = current(tables, known)? else {
        return Ok(Err(AlertError::Gone));
    };
    for row in &current.progress.notices {
        tables.forget_notice(*row)?;
    }
    tables.forget_mark(&current.watch(), current.row)?;
    tables.remove(current.row)?;
    Ok(Ok(current))
}

/// Writes an evaluation with its notice.
pub(super) fn write_evaluation(
    tables: &mut impl AlertTables,
    evaluation: NewEvaluation,
) -> Result<EvaluationWritten, StoreError> {
    let NewEvaluation { due: DueAlert { alert: before, marks }, mut after, again_ms, notice } =
        evaluation;
    match current(tables, &before)? {
        Some(current) if current.version == before.version && !current.paused => {}
        Some(_) | None => return Ok(EvaluationWritten::Stale),
    }
    if let Some(notice) = notice {
        file_notice(tables, &mut after, &notice)?;
    }
    if after != before {
        after.version = before.version + 1;
        tables.put(&after)?;
    }
    let watch = after.watch();
    if let Some(now) = tables.mark(&watch, after.row)? {
        tables.file(&watch, after.row, now.evaluated(marks, again_ms))?;
    }
    Ok(EvaluationWritten::Written)
}

/// Writes a notice that somebody has asked for, whatever the state of the alert.
pub(super) fn add_notice(
    tables: &mut impl AlertTables,
    known: &Alert,
    notice: Notice,
) -> Result<Result<Notice, AlertError>, StoreError> {
    let Some(mut current) = current(tables, known)? else {
        return Ok(Err(AlertError::Gone));
    };
    let notice = Notice { number: current.progress.next_notice, ..notice };
    file_notice(tables, &mut current, &notice)?;
    current.version += 1;
    tables.put(&current)?;
    Ok(Ok(notice))
}

/// Reads an alert as it is now, if it is there.
fn current(tables: &mut impl AlertTables, known: &Alert) -> Result<Option<Alert>, StoreError> {
    let found = tables.alert(known.row)?;
    Ok(found.filter(|it| it.nonce == known.nonce && it.account == known.account))
}

/// Files an alert under what it watches, or nowhere while it is paused.
fn watch(
    tables: &mut impl AlertTables,
    alert: &Alert,
    due_ms: Option<UnixMs>,
) -> Result<(), StoreError> {
    let watch = alert.watch();
    if alert.paused {
        return tables.forget_mark(&watch, alert.row);
    }
    let before = tables.mark(&watch, alert.row)?;
    tables.file(&watch, alert.row, WatchMark::written(before, due_ms))
}

/// Adds a notice to its alert, with its delivery.
fn file_notice(
    tables: &mut impl AlertTables,
    alert: &mut Alert,
    notice: &Notice,
) -> Result<(), StoreError> {
    tables.put_notice(notice)?;
    match alert.add_notice(notice.row) {
        Some(surplus) => tables.forget_notice(surplus),
        None => Ok(()),
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
