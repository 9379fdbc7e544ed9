//! What the writer's thread and the readers share: the database, the state that was committed last,
//! and why nothing is written where that is so.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use redb::{Database, ReadableDatabase};

use super::database::guarded;
use super::outage::WriteOutage;
use super::snapshot::Snapshot;
use crate::store::cache::CacheIndex;
use crate::store::{CacheEntry, Effect, Listener, QuickRepair, Scrapers, StoreError};
use crate::tally::Histogram;

/// The upper bounds of the histogram of batches, writes;
/// [`BATCH_WRITES_MAX`](super::BATCH_WRITES_MAX) is the last.
pub(super) const BATCH_BOUNDS: [u64; 8] = [1, 2, 4, 8, 16, 64, 256, 1_024];

/// The state that the writer's thread and the readers share.
pub(super) struct Shared {
    /// `None` once the store is closed, and while it recovers.
    pub(super) database: RwLock<Option<Database>>,
    /// Whether the database that is there is only read, because the storage takes no writes.
    pub(super) only_read: AtomicBool,
    /// The latest committed state, once somebody has read it.
    pub(super) latest: Mutex<Option<Arc<Snapshot>>>,
    pub(super) quick_repair: QuickRepair,
    pub(super) scrapers: Arc<Scrapers>,
    pub(super) cache: Mutex<CacheIndex>,
    pub(super) listener: OnceLock<Arc<dyn Listener>>,
    /// Why every write is refused, when it is.
    pub(super) outage: Mutex<Option<WriteOutage>>,
    /// The writes of each commit.
    pub(super) batches: Histogram,
    /// Whether there was room when a write was queued for the transaction that the writer begins
    /// next.
    pub(super) room_seen: AtomicBool,
    /// Called by the writer between a commit and the change of what readers see.
    #[cfg(test)]
    pub(super) after_commit: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

impl Shared {
    pub(super) fn outage_error(&self) -> Option<StoreError> {
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.as_ref().map(|outage| outage.error.clone())
    }

    pub(super) fn stop_writes(&self, error: StoreError) {
        let first = {
            let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
            WriteOutage::set(&mut outage, error.clone())
        };
        if first && let Some(listener) = self.listener.get() {
            listener.failed(&error);
        }
    }

    pub(super) fn committed(
        &self,
        writes: usize,
        effects: &[Effect],
        depth_changes: &HashMap<u16, isize>,
    ) {
        self.batches.observe(writes as u64);
        for (number, change) in depth_changes {
            if let Some(entry) = self.scrapers.entry(*number) {
                // Only the writer's thread changes the count, so load and store cannot race.
                let unfinished = entry.unfinished.load(Ordering::Relaxed);
                entry
                    .unfinished
                    .store(unfinished.saturating_add_signed(*change), Ordering::Relaxed);
            }
        }
        for effect in effects {
            match effect {
                Effect::Cached { hash, stored_ms, row } => {
                    let entry = CacheEntry { row: *row, stored_ms: *stored_ms };
                    self.cache_index().insert(*hash, entry);
                }
                Effect::Ready { .. }
                | Effect::Taken { .. }
                | Effect::Started { .. }
                | Effect::Open { .. }
                | Effect::Deadline { .. }
                | Effect::Slot { .. }
                | Effect::Alert { .. }
                | Effect::BatchEnded { .. }
                | Effect::Delivery { .. }
                | Effect::Counted { .. }
                | Effect::Ended { .. } => {}
            }
        }
        if let Some(listener) = self.listener.get() {
            // What is committed stays so, and its writers must hear that. What a panicking
            // listener has missed stands in the ready index.
            let heard = catch_unwind(AssertUnwindSafe(|| listener.committed(effects)));
            if heard.is_err() {
                tracing::error!("the listener to the store's commits panicked");
            }
        }
    }

    pub(super) fn cache_index(&self) -> MutexGuard<'_, CacheIndex> {
        // An index that a panic has left half-changed can at worst miss an entry.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the latest committed state that any reader has seen.
    ///
    /// All readers share it, so that none sees a commit before the others do: the writer lets go of
    /// the old state before it reports what it has committed.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Held while reading: the database is not closed under a reader.
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| self.absent())?;
        self.noted(guarded(|| {
            let snapshot = {
                // Opened under the lock: the writer drops what is here after its commit, so that a
                // state which is older than the latest commit cannot be put back after it.
                let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
                match &*latest {
                    Some(snapshot) => snapshot.clone(),
                    None => {
                        let snapshot = Arc::new(Snapshot::new(database.begin_read()?));
                        latest.insert(snapshot).clone()
                    }
                }
            };
            read(&snapshot)
        }))
    }

    /// Stops all writes on what makes everything later fail as well.
    pub(super) fn noted<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &outcome
            && error.stops_writes()
        {
            self.stop_writes(error.clone());
        }
        outcome
    }

    /// Returns why there is no database.
    pub(super) fn absent(&self) -> StoreError {
        self.outage_error().unwrap_or(StoreError::Closed)
    }

    #[cfg(test)]
    pub(super) fn reach_after_commit(&self) {
        let hook = self.after_commit.lock().unwrap().clone();
        if let Some(hook) = hook {
            hook();
        }
    }

    /// Forgets the state that a commit has replaced.
    pub(super) fn forget_latest(&self) {
        drop(self.latest.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
