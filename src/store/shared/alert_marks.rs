//! The alerts by what they watch, with their marks, and the index of what is due. What comes often
//! only reads them: an alert is locked where its mark changes, which is once between two of its
//! evaluations.

use std::convert::Infallible;

use super::demand::Things;
use super::things::{KeyBytes, KeyReader, PRESENT, ThingKey, ThingKind, ThingRange};
use crate::clock::UnixMs;
use crate::job::BatchKey;
use crate::store::Row;
use crate::store::alert_marks::MarkTables;
use crate::store::alerts::WatchMark;
use crate::store::effects::Effect;

/// Returns the range of the alerts that watch something.
pub(super) fn watch_range(watch: &str) -> ThingRange {
    KeyBytes::default().text(watch).all_of(ThingKind::AlertWatch)
}

fn watch_key(watch: &str, row: Row) -> ThingKey {
    KeyBytes::default().text(watch).u64(row).of(ThingKind::AlertWatch)
}

fn due_key(due_ms: UnixMs, row: Row) -> ThingKey {
    KeyBytes::default().u64(due_ms).u64(row).of(ThingKind::AlertDue)
}

fn encode(mark: WatchMark) -> Vec<u8> {
    [mark.filed_ms.to_be_bytes(), mark.marks.to_be_bytes()].concat()
}

/// Reads a mark; `None` for what is none.
pub(super) fn decode(bytes: &[u8]) -> Option<WatchMark> {
    let mut reader = KeyReader(bytes);
    Some(WatchMark { filed_ms: reader.u64()?, marks: reader.u64()? })
}

/// Returns the things of an alert that is filed under what it watches: its mark, and its entry
/// among what is due, if it is.
pub(super) fn filed(
    watch: &str,
    row: Row,
    mark: WatchMark,
) -> impl Iterator<Item = (ThingKey, Vec<u8>)> {
    let key = watch_key(watch, row);
    // With the key of the mark, which is read with what is due.
    let due = mark.due_ms().map(|due_ms| (due_key(due_ms, row), key.key.clone()));
    due.into_iter().chain([(key, encode(mark))])
}

/// The marks of a transaction.
pub(super) struct MarkThings<'a> {
    pub things: &'a mut Things,
    pub effects: &'a mut Vec<Effect>,
    /// Whether the batch of the job that is looked at has not ended.
    pub is_running: bool,
}

impl MarkThings<'_> {
    /// Reads and locks the mark of an alert.
    pub(super) fn read(&mut self, watch: &str, row: Row) -> Option<WatchMark> {
        self.things.locked(&watch_key(watch, row)).and_then(decode)
    }

    /// Files an alert under what it watches, due at a moment or never.
    pub(super) fn file(&mut self, watch: &str, row: Row, mark: WatchMark) {
        self.forget(watch, row);
        for (key, value) in filed(watch, row, mark) {
            self.things.put(&key, Some(value));
        }
        self.effects.extend(mark.due_ms().map(|due_ms| Effect::Alert { due_ms }));
    }

    /// Removes an alert from what it watches.
    pub(super) fn forget(&mut self, watch: &str, row: Row) {
        if let Some(before_ms) = self.read(watch, row).and_then(WatchMark::due_ms) {
            self.things.put(&due_key(before_ms, row), None);
        }
        self.things.put(&watch_key(watch, row), None);
    }
}

impl MarkTables for MarkThings<'_> {
    type Error = Infallible;
    const DUE_SOON_MS: u64 = 100;

    fn are_watching(&mut self, watch: &str) -> Result<bool, Infallible> {
        Ok(!self.things.range(&watch_range(watch)).is_empty())
    }

    fn change(
        &mut self,
        watch: &str,
        change: impl Fn(WatchMark) -> Option<WatchMark>,
    ) -> Result<(), Infallible> {
        for (key, seen) in self.things.range(&watch_range(watch)) {
            if decode(&seen).and_then(&change).is_none() {
                continue;
            }
            let mut key = KeyReader(&key);
            let Some(row) = key.text().and_then(|_| key.u64()) else { continue };
            // As it is now that it is locked.
            if let Some(after) = self.read(watch, row).and_then(&change) {
                self.file(watch, row, after);
            }
        }
        Ok(())
    }

    fn is_running(&mut self, _: BatchKey) -> Result<bool, Infallible> {
        Ok(self.is_running)
    }

    fn add_run(&mut self, batch: Row, watch: &str) -> Result<(), Infallible> {
        let key = KeyBytes::default().u64(batch).text(watch).of(ThingKind::AlertRun);
        self.things.put(&key, Some(PRESENT.to_vec()));
        Ok(())
    }

    fn take_runs(&mut self, batch: Row) -> Result<Vec<String>, Infallible> {
        // The batch is locked: what has measured an answer of it is committed.
        let runs = self.things.range(&ThingRange::of_row(ThingKind::AlertRun, batch).keys());
        let mut watches = Vec::new();
        for (key, _) in runs {
            let mut reader = KeyReader(&key);
            watches.extend(reader.u64().and_then(|_| reader.text()));
            self.things.put(&ThingKey { kind: ThingKind::AlertRun, key }, None);
        }
        Ok(watches)
    }
}
