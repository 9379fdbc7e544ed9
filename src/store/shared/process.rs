//! The state that the writers, the readers and the callers of one process share.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use super::connect::PgConnector;
use super::decided::Decided;
use super::ended_jobs::{EndedJobs, JobRecords, ReadJob};
use super::figures::NodeFigures;
use super::hints::HintQueue;
use super::outages::Finder;
use super::readers::ReadQueues;
use super::status::NodeStatus;
use crate::id::IdCipher;
use crate::store::cache::CacheIndex;
use crate::store::effects::{Effect, Listener};
use crate::store::{CacheEntry, Row, Scrapers, StoreError};
use crate::tally::Histogram;

/// The number by which the tables name an account.
pub(super) type AccountNumber = i32;

/// The upper bounds of the histogram of transactions, operations.
const BATCH_BOUNDS: [u64; 8] = [1, 2, 4, 8, 16, 64, 256, 1_024];

/// The accounts whose numbers this process has seen. A number never changes.
#[derive(Default)]
pub(super) struct Accounts(RwLock<HashMap<String, AccountNumber>>);

impl Accounts {
    /// Returns the number of an account.
    ///
    /// # Errors
    /// Returns an error if the database was not asked for it.
    pub(super) fn number(&self, name: &str) -> Result<AccountNumber, StoreError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).copied().ok_or(StoreError::Damaged("an account has no number"))
    }

    /// Returns those of the names that have no number yet.
    pub(super) fn unknown(&self, names: &BTreeSet<String>) -> Vec<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().filter(|name| !known.contains_key(*name)).cloned().collect()
    }

    pub(super) fn learn(&self, name: String, number: AccountNumber) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name, number);
    }
}

/// The counts of transactions of unknown outcome, by what was found out.
#[derive(Debug, Default)]
pub(super) struct UnknownOutcomes {
    pub committed: AtomicU64,
    pub again: AtomicU64,
}

/// The state that the parts of a process share.
pub(super) struct Process {
    pub connector: PgConnector,
    pub status: NodeStatus,
    pub reads: ReadQueues,
    pub cipher: IdCipher,
    pub scrapers: Arc<Scrapers>,
    pub accounts: Accounts,
    pub cache: Mutex<CacheIndex>,
    pub ended: EndedJobs,
    pub listener: OnceLock<Arc<dyn Listener>>,
    /// The operations of each transaction.
    pub batches: Histogram,
    pub unknown_outcomes: UnknownOutcomes,
    pub hints: HintQueue,
    /// Ends of what was waited for here that no hint has reported in time.
    pub wakes_missed: AtomicU64,
    pub figures: NodeFigures,
}

impl Process {
    /// Creates the state of a process that has no listener yet.
    pub(super) fn new(
        connector: PgConnector,
        status: NodeStatus,
        reads: ReadQueues,
        cipher: IdCipher,
        scrapers: Arc<Scrapers>,
        cache: CacheIndex,
        ended: EndedJobs,
    ) -> Process {
        Process {
            connector,
            status,
            reads,
            cipher,
            scrapers,
            accounts: Accounts::default(),
            cache: Mutex::new(cache),
            ended,
            listener: OnceLock::new(),
            batches: Histogram::new(&BATCH_BOUNDS),
            unknown_outcomes: UnknownOutcomes::default(),
            hints: HintQueue::default(),
            wakes_missed: AtomicU64::new(0),
            figures: NodeFigures::default(),
        }
    }

    /// Notes why writes are refused, and tells the listener if that is new.
    pub(super) fn note_outage(&self, finder: Finder, error: StoreError) {
        if !self.status.outages.note(finder, error.clone()) {
            return;
        }
        tracing::error!(%error, "the store takes no writes");
        if let Some(listener) = self.listener.get() {
            let heard = catch_unwind(AssertUnwindSafe(|| listener.failed(&error)));
            if heard.is_err() {
                tracing::error!("the listener to the store's commits panicked");
            }
        }
    }

    /// Notes that a part finds things well.
    pub(super) fn clear_outage(&self, finder: Finder) {
        if self.status.outages.clear(finder) {
            tracing::info!("the store takes writes again");
        }
    }

    /// Tells the listener of effects that are no commit's of this process.
    pub(super) fn tell(&self, effects: &[Effect]) {
        if let Some(listener) = self.listener.get().filter(|_| !effects.is_empty()) {
            // What is committed stays so, and its callers must hear that.
            let heard = catch_unwind(AssertUnwindSafe(|| listener.committed(effects)));
            if heard.is_err() {
                tracing::error!("the listener to the store's commits panicked");
            }
        }
    }

    /// Makes what follows from the commit of some operations follow.
    pub(super) fn committed(&self, operations: usize, decided: Decided) {
        let Decided { effects, depth, opened, deleted, ended, forgets, .. } = decided;
        self.batches.observe(operations as u64);
        for (number, change) in depth {
            let Some(entry) = self.scrapers.entry(number) else { continue };
            let add = |unfinished: usize| Some(unfinished.saturating_add_signed(change));
            // Several writers change it.
            let _ = entry.unfinished.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
        for job in ended {
            let (row, read_ms) = (job.row, self.status.wall_ms());
            let known = Arc::new(ReadJob::new(JobRecords::Written(job), read_ms));
            self.ended.keep(forgets, row, known);
        }
        self.forget_ended(&deleted);
        for effect in &effects {
            if let Effect::Cached { hash, stored_ms, row } = effect {
                let entry = CacheEntry { row: *row, stored_ms: *stored_ms };
                self.cache_index().insert(*hash, entry);
            }
        }
        self.tell(&effects);
        let opened = opened.into_iter().map(|scraper| Effect::Open { scraper });
        self.hints.add(effects.into_iter().chain(opened), self.status.wall_ms());
    }

    /// Makes this process and the others read jobs again that have been deleted or changed.
    pub(super) fn forget_ended(&self, rows: &[Row]) {
        self.ended.forget(rows);
        self.hints.add_gone(rows);
    }

    pub(super) fn cache_index(&self) -> MutexGuard<'_, CacheIndex> {
        // An index that a panic has left half-changed can at worst miss an entry.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
