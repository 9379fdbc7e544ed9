//! The counts that outlive the process: once a minute, and at a stop, those that have changed are
//! written to the store, and a start goes on with them.

use std::sync::Mutex;

use super::lock::lock;
use super::queue::Queue;
use crate::clock::UnixMs;
use crate::store::{Counts, CountsKind, Store};

/// How often they are written, milliseconds.
pub(super) const SAVE_EVERY_MS: u64 = 60_000;

/// The counts that are on disk.
pub(super) struct SavedCounts {
    /// When the counts begin, in this process or one before.
    pub since_ms: UnixMs,
    written: Mutex<Written>,
}

struct Written {
    /// What has changed before this moment is on disk.
    at_ms: UnixMs,
    /// The last records that were written.
    records: Vec<Counts>,
    /// Whether the moment at which the counts begin is on disk.
    since: bool,
}

impl SavedCounts {
    /// Reads the saved counts into the queues' statistics.
    pub(crate) fn restore(store: &Store, queues: &[Queue], now_ms: UnixMs) -> SavedCounts {
        let (records, since_ms) = store.counts().unwrap_or_else(|error| {
            tracing::error!(%error, "the counts of the last day could not be read; they begin again");
            (Vec::new(), None)
        });
        for record in &records {
            if let Some(queue) = queues.iter().find(|queue| queue.scraper == record.scraper) {
                queue.stats.restore(record, now_ms);
            }
        }
        // A clock that was ahead may have written it.
        let known = since_ms.filter(|since_ms| *since_ms <= now_ms);
        let written = Written { at_ms: now_ms, records: Vec::new(), since: since_ms.is_some() };
        SavedCounts { since_ms: known.unwrap_or(now_ms), written: Mutex::new(written) }
    }

    /// Writes the counts that have changed since the last time; nothing if none have.
    pub(crate) fn save(&self, store: &Store, queues: &[Queue], now_ms: UnixMs) {
        let Some(first) = queues.first() else { return };
        let mut written = lock(&self.written);
        let from_ms = written.at_ms.min(now_ms);
        let records: Vec<Counts> =
            queues.iter().flat_map(|queue| queue.stats.records(queue.scraper, from_ms)).collect();
        if records.is_empty() || records == written.records {
            return;
        }
        let mut changed = records.clone();
        if !written.since {
            changed.push(Counts {
                kind: CountsKind::Since,
                scraper: 0,
                number: self.since_ms,
                named: Vec::new(),
                times: Vec::new(),
            });
        }
        let (minutes_from, buckets_from) = first.stats.kept_from(now_ms);
        match store.write_counts(changed, minutes_from, buckets_from) {
            Ok(()) => *written = Written { at_ms: now_ms, records, since: true },
            // They are written the next time.
            Err(error) => tracing::warn!(%error, "the counts of the last day could not be saved"),
        }
    }
}
