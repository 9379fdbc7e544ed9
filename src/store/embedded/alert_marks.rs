//! The alerts by what they watch, with their marks, and the index of what is due.

use super::rows;
use super::transaction::Tables;
use crate::job::BatchKey;
use crate::store::alert_marks::MarkTables;
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

impl MarkTables for Tables<'_> {
    type Error = StoreError;
    const DUE_SOON_MS: u64 = 0;

    fn are_watching(&mut self, watch: &str) -> Result<bool, StoreError> {
        let mut found = self.alert_watches.range((watch, 0)..=(watch, Row::MAX))?;
        Ok(found.next().transpose()?.is_some())
    }

    fn change(
        &mut self,
        watch: &str,
        change: impl Fn(WatchMark) -> Option<WatchMark>,
    ) -> Result<(), StoreError> {
        let mut changed = Vec::new();
        for entry in self.alert_watches.range((watch, 0)..=(watch, Row::MAX))? {
            let (key, value) = entry?;
            let (filed_ms, marks) = value.value();
            let after = change(WatchMark { filed_ms, marks });
            changed.extend(after.map(|after| (key.value().1, after)));
        }
        for (row, after) in changed {
            file(self, watch, row, after)?;
        }
        Ok(())
    }

    fn is_running(&mut self, key: BatchKey) -> Result<bool, StoreError> {
        match rows::read_batch(self, key.row) {
            Ok(batch) => {
                Ok(batch.is_some_and(|it| it.key == key && it.progress.completed_ms.is_none()))
            }
            Err(error) if error.voids_transaction() => Err(error),
            // One that cannot be read will not end.
            Err(_) => Ok(false),
        }
    }

    fn add_run(&mut self, batch: Row, watch: &str) -> Result<(), StoreError> {
        self.alert_runs.insert((batch, watch), ())
    }

    fn take_runs(&mut self, batch: Row) -> Result<Vec<String>, StoreError> {
        take_runs(self, batch)
    }
}
