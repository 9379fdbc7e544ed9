//! Marks on alerts that what they watch has changed: which are to be evaluated, and when. They are
//! written in the transaction of the change, so that no crash can lose one.

use super::rows;
use super::transaction::Tables;
use crate::alert::{
    HEALTH_EVERY_MS, SINGLE_ANSWERS_MS, SPEND_EVERY_MS, scraper_watch, spend_watch, tracker_watch,
};
use crate::clock::UnixMs;
use crate::job::{BatchKey, Job};
use crate::store::alerts::WatchMark;
use crate::store::effects::Effect;
use crate::store::{Row, StoreError};

/// Files an alert under what it watches, due at a moment or never.
pub(super) fn file(
    tables: &mut Tables<'_>,
    watch: &str,
    row: Row,
    mark: WatchMark,
) -> Result<(), StoreError> {
    if let Some(before_ms) = read(tables, watch, row)?.and_then(WatchMark::due_ms) {
        tables.alerts_due.remove((before_ms, row))?;
    }
    tables.alert_watches.insert((watch, row), (mark.filed_ms, mark.marks))?;
    if let Some(due_ms) = mark.due_ms() {
        tables.alerts_due.insert((due_ms, row), ())?;
        tables.effects.push(Effect::Alert { due_ms });
    }
    Ok(())
}

/// Removes an alert from what it watches.
pub(super) fn forget(tables: &mut Tables<'_>, watch: &str, row: Row) -> Result<(), StoreError> {
    if let Some(before) = read(tables, watch, row)? {
        tables.alerts_due.remove((before.filed_ms, row))?;
        tables.alert_watches.remove((watch, row))?;
    }
    Ok(())
}

/// Reads when an alert is due.
pub(super) fn read(
    tables: &Tables<'_>,
    watch: &str,
    row: Row,
) -> Result<Option<WatchMark>, StoreError> {
    let stored = tables.alert_watches.get((watch, row))?;
    Ok(stored.map(|value| {
        let (filed_ms, marks) = value.value();
        WatchMark { filed_ms, marks }
    }))
}

/// Marks the alerts that watch something: they are evaluated at `due_ms` at the latest.
fn mark(tables: &mut Tables<'_>, watch: &str, due_ms: UnixMs) -> Result<(), StoreError> {
    for (row, before) in watching(tables, watch)? {
        file(tables, watch, row, before.marked(due_ms))?;
    }
    Ok(())
}

/// Marks those that are not to be evaluated after `now_ms` anyway: what comes often is looked at
/// together.
fn mark_unless_due(
    tables: &mut Tables<'_>,
    watch: &str,
    now_ms: UnixMs,
    due_ms: UnixMs,
) -> Result<(), StoreError> {
    for (row, before) in watching(tables, watch)? {
        if let Some(after) = before.marked_unless_due(now_ms, due_ms) {
            file(tables, watch, row, after)?;
        }
    }
    Ok(())
}

fn watching(tables: &Tables<'_>, watch: &str) -> Result<Vec<(Row, WatchMark)>, StoreError> {
    let mut found = Vec::new();
    for entry in tables.alert_watches.range((watch, 0)..=(watch, Row::MAX))? {
        let (key, value) = entry?;
        let (filed_ms, marks) = value.value();
        found.push((key.value().1, WatchMark { filed_ms, marks }));
    }
    Ok(found)
}

/// Returns whether there is an alert to mark. Most services have none, and look no further.
fn are_watching(tables: &Tables<'_>, watch: &str) -> Result<bool, StoreError> {
    let mut found = tables.alert_watches.range((watch, 0)..=(watch, Row::MAX))?;
    Ok(found.next().transpose()?.is_some())
}

/// Marks the alerts of a tracker that has measured an answer: at the end of the answer's batch, or
/// together with other answers that have none.
pub(super) fn note_answer(
    tables: &mut Tables<'_>,
    job: &Job,
    tracker: &str,
    at_ms: UnixMs,
) -> Result<(), StoreError> {
    let watch = tracker_watch(&job.account, tracker);
    if !are_watching(tables, &watch)? {
        return Ok(());
    }
    match job.batch {
        Some(key) if is_running(tables, key)? => {
            tables.alert_runs.insert((key.row, watch.as_str()), ())
        }
        Some(_) => mark(tables, &watch, at_ms),
        None => mark_unless_due(tables, &watch, at_ms, at_ms.saturating_add(SINGLE_ANSWERS_MS)),
    }
}

fn is_running(tables: &Tables<'_>, key: BatchKey) -> Result<bool, StoreError> {
    match rows::read_batch(tables, key.row) {
        Ok(batch) => {
            Ok(batch.is_some_and(|batch| batch.key == key && batch.progress.completed_ms.is_none()))
        }
        Err(error) if error.voids_transaction() => Err(error),
        // One that cannot be read will not end.
        Err(_) => Ok(false),
    }
}

/// Marks the alerts of all trackers that have measured answers of a batch that has ended.
pub(super) fn end_batch(
    tables: &mut Tables<'_>,
    batch: Row,
    now_ms: UnixMs,
) -> Result<(), StoreError> {
    for watch in take_runs(tables, batch)? {
        mark(tables, &watch, now_ms)?;
    }
    Ok(())
}

/// Removes and returns what has measured answers of a batch.
pub(super) fn take_runs(tables: &mut Tables<'_>, batch: Row) -> Result<Vec<String>, StoreError> {
    let mut watches = Vec::new();
    for entry in tables.alert_runs.range((batch, "")..(batch + 1, ""))? {
        watches.push(entry?.0.value().1.to_owned());
    }
    for watch in &watches {
        tables.alert_runs.remove((batch, watch.as_str()))?;
    }
    Ok(watches)
}

/// Marks the alerts of a scraper of which an attempt has ended.
pub(super) fn note_attempt(
    tables: &mut Tables<'_>,
    scraper: &str,
    now_ms: UnixMs,
) -> Result<(), StoreError> {
    let due_ms = now_ms.saturating_add(HEALTH_EVERY_MS);
    mark_unless_due(tables, &scraper_watch(scraper), now_ms, due_ms)
}

/// Marks the alerts of an account that has spent something.
pub(super) fn note_spend(
    tables: &mut Tables<'_>,
    account: &str,
    now_ms: UnixMs,
) -> Result<(), StoreError> {
    let due_ms = now_ms.saturating_add(SPEND_EVERY_MS);
    mark_unless_due(tables, &spend_watch(account), now_ms, due_ms)
}
