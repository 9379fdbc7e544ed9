//! Marks on alerts that what they watch has changed: which are to be evaluated, and when. They are
//! written in the transaction of the change, so that no crash can lose one: whatever keeps the
//! store has the tables.

use super::alerts::WatchMark;
use super::row::Row;
use crate::alert::{
    HEALTH_EVERY_MS, SINGLE_ANSWERS_MS, SPEND_EVERY_MS, scraper_watch, spend_watch, tracker_watch,
};
use crate::clock::UnixMs;
use crate::job::{BatchKey, Job};

/// The alerts by what they watch, inside of one transaction.
pub(super) trait MarkTables {
    type Error;
    /// For how long before an alert is due a change marks it all the same, milliseconds: what was
    /// read of it may be older than the change.
    const DUE_SOON_MS: u64;
    /// Returns whether there is an alert to mark. Most services have none, and look no further.
    fn are_watching(&mut self, watch: &str) -> Result<bool, Self::Error>;
    /// Changes the marks of the alerts that watch something, of those for which `change` returns
    /// another mark.
    fn change(
        &mut self,
        watch: &str,
        change: impl Fn(WatchMark) -> Option<WatchMark>,
    ) -> Result<(), Self::Error>;
    fn is_running(&mut self, batch: BatchKey) -> Result<bool, Self::Error>;
    /// Writes that what is watched has measured an answer of a batch.
    fn add_run(&mut self, batch: Row, watch: &str) -> Result<(), Self::Error>;
    /// Removes and returns what has measured answers of a batch.
    fn take_runs(&mut self, batch: Row) -> Result<Vec<String>, Self::Error>;
}

/// Marks the alerts that watch something: they are evaluated at `due_ms` at the latest.
fn mark<T: MarkTables>(tables: &mut T, watch: &str, due_ms: UnixMs) -> Result<(), T::Error> {
    tables.change(watch, |before| Some(before.marked(due_ms)))
}

/// Marks those that are not to be evaluated after `now_ms` anyway: what comes often is looked at
/// together.
fn mark_unless_due<T: MarkTables>(
    tables: &mut T,
    watch: &str,
    now_ms: UnixMs,
    due_ms: UnixMs,
) -> Result<(), T::Error> {
    let soon_ms = now_ms.saturating_add(T::DUE_SOON_MS);
    tables.change(watch, |before| before.marked_unless_due(soon_ms, due_ms))
}

/// Marks the alerts of a tracker that has measured an answer: at the end of the answer's batch, or
/// together with other answers that have none.
pub(super) fn note_answer<T: MarkTables>(
    tables: &mut T,
    job: &Job,
    tracker: &str,
    at_ms: UnixMs,
) -> Result<(), T::Error> {
    let watch = tracker_watch(&job.account, tracker);
    if !tables.are_watching(&watch)? {
        return Ok(());
    }
    match job.batch {
        Some(key) if tables.is_running(key)? => tables.add_run(key.row, &watch),
        Some(_) => mark(tables, &watch, at_ms),
        None => {
            let due_ms = at_ms.saturating_add(SINGLE_ANSWERS_MS);
            mark_unless_due(tables, &watch, at_ms, due_ms)
        }
    }
}

/// Marks the alerts of all trackers that have measured answers of a batch that has ended.
pub(super) fn end_batch<T: MarkTables>(
    tables: &mut T,
    batch: Row,
    now_ms: UnixMs,
) -> Result<(), T::Error> {
    for watch in tables.take_runs(batch)? {
        mark(tables, &watch, now_ms)?;
    }
    Ok(())
}

/// Marks the alerts of a scraper of which an attempt has ended.
pub(super) fn note_attempt<T: MarkTables>(
    tables: &mut T,
    scraper: &str,
    now_ms: UnixMs,
) -> Result<(), T::Error> {
    let due_ms = now_ms.saturating_add(HEALTH_EVERY_MS);
    mark_unless_due(tables, &scraper_watch(scraper), now_ms, due_ms)
}

/// Marks the alerts of an account that has spent something.
pub(super) fn note_spend<T: MarkTables>(
    tables: &mut T,
    account: &str,
    now_ms: UnixMs,
) -> Result<(), T::Error> {
    let due_ms = now_ms.saturating_add(SPEND_EVERY_MS);
    mark_unless_due(tables, &spend_watch(account), now_ms, due_ms)
}
