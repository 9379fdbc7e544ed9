//! The counts that outlive the process: once a minute, and at a stop, those that have changed are
//! written to the store, and a start goes on with them. Processes that share a store write them
//! more often, and read those of the others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lock::lock;
use super::queue::Queue;
use crate::clock::UnixMs;
use crate::store::{Counts, CountsKind, Store};

/// How often they are written, milliseconds.
const SAVE_EVERY_MS: u64 = 60_000;
/// The same where processes share a store, which then read those of the others as well: what one
/// counts the others have twice as late at most.
pub(super) const EXCHANGE_EVERY_MS: u64 = 5_000;
/// How often all that others have counted is read, not only what may have changed, milliseconds.
const READ_ALL_EVERY_MS: u64 = 300_000;
/// How many buckets before the present one others may still change, in most cases.
const CHANGING_BUCKETS: u64 = 2;

/// The counts that are on disk.
pub(super) struct SavedCounts {
    /// When the counts begin, in this process or one before, or in another one of the same store.
    since_ms: AtomicU64,
    written: Mutex<Written>,
    /// When all that others have counted was read last.
    read_all_ms: Mutex<Option<UnixMs>>,
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
        SavedCounts {
            since_ms: AtomicU64::new(known.unwrap_or(now_ms)),
            written: Mutex::new(written),
            read_all_ms: Mutex::default(),
        }
    }

    /// Returns how often they are saved, milliseconds.
    pub(crate) fn every_ms(store: &Store) -> u64 {
        if store.is_shared() { EXCHANGE_EVERY_MS } else { SAVE_EVERY_MS }
    }

    /// Returns when the counts begin.
    pub(crate) fn since_ms(&self) -> UnixMs {
        self.since_ms.load(Ordering::Relaxed)
    }

    /// Reads what other processes have counted. Does nothing where the store is a file.
    pub(crate) fn read_elsewhere(&self, store: &Store, queues: &[Queue], now_ms: UnixMs) {
        let Some(first) = queues.first().filter(|_| store.is_shared()) else { return };
        let mut read_all_ms = lock(&self.read_all_ms);
        let (mut minutes_from, mut buckets_from) = first.stats.kept_from(now_ms);
        let is_recent = |read_ms: UnixMs| now_ms.abs_diff(read_ms) < READ_ALL_EVERY_MS;
        if read_all_ms.is_some_and(is_recent) {
            let (minute, bucket) = first.stats.numbers(now_ms);
            minutes_from = minute.saturating_sub(CHANGING_BUCKETS);
            buckets_from = bucket.saturating_sub(CHANGING_BUCKETS);
        } else {
            *read_all_ms = Some(now_ms);
        }
        let (records, since_ms) = match store.counts_elsewhere(minutes_from, buckets_from) {
            Ok(read) => read,
            Err(error) => {
                *read_all_ms = None;
                tracing::warn!(%error, "the counts of other processes could not be read");
                return;
            }
        };
        for queue in queues {
            let of_queue = records.iter().filter(|record| record.scraper == queue.scraper);
            let of_queue: Vec<&Counts> = of_queue.collect();
            queue.stats.replace_elsewhere((minutes_from, buckets_from), &of_queue, now_ms);
        }
        if let Some(since_ms) = since_ms {
            self.since_ms.fetch_min(since_ms, Ordering::Relaxed);
        }
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
                number: self.since_ms(),
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
