//! What comes due: jobs to start, start deadlines, expiry.

use std::ops::ControlFlow;

use super::backend::{Backend, ask};
use crate::clock::UnixMs;
use crate::store::{DeadlineOutcome, ReadyKey, Row, Store, StoreError, SweepOutcome};

impl Store {
    /// Walks a scraper's unfinished jobs that are due at `now_ms` and that a client waits
    /// for (`interactive`) or does not, in the order in which they came due, until `visit` breaks.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn visit_ready(
        &self,
        scraper: u16,
        interactive: bool,
        now_ms: UnixMs,
        visit: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        ask!(self.backend, store => store.visit_ready(scraper, interactive, now_ms, visit).await)
    }

    /// Reserves jobs of a scraper for this process: at most `most` of those that are due at
    /// `now_ms` and that a client waits for (`interactive`) or does not, in the order in which they
    /// came due. Returns their rows. Those that `is_held` names are left out: the process has them
    /// already. Nothing is written, because no other process has this store.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn reserve(
        &self,
        scraper: u16,
        interactive: bool,
        now_ms: UnixMs,
        most: usize,
        is_held: impl Fn(Row) -> bool,
    ) -> Result<Vec<Row>, StoreError> {
        ask!(self.backend, store => store.reserve(scraper, interactive, now_ms, most, is_held))
    }

    /// Returns when the next unfinished job of some scrapers comes due after `now_ms`.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn next_ready_ms(
        &self,
        scrapers: &[u16],
        now_ms: UnixMs,
    ) -> Result<Option<UnixMs>, StoreError> {
        ask!(self.backend, store => store.next_ready_ms(scrapers, now_ms))
    }

    /// Returns when the oldest job ceases to exist.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn next_expiry_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        ask!(self.backend, store => store.next_expiry_ms())
    }

    /// Returns when the last job ceases to exist.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn last_expiry_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        ask!(self.backend, store => store.last_expiry_ms())
    }

    /// Returns when the newest job was submitted, by the clock of that time.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn newest_created_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        ask!(self.backend, store => store.newest_created_ms())
    }

    /// Returns when the first of the jobs that must start by a moment, and have not, ends for that.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn next_deadline_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        ask!(self.backend, store => store.next_deadline_ms())
    }

    /// Returns when the oldest result was stored that the cache's table still has.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn oldest_cached_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        ask!(self.backend, store => store.oldest_cached_ms())
    }

    /// Removes at most `SWEEP_ROWS_MAX` expired jobs and as many cache entries stored before
    /// `cache_from_ms`, or by a clock that was ahead. Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the store failed; nothing was removed.
    pub fn sweep(&self, now_ms: UnixMs, cache_from_ms: UnixMs) -> Result<SweepOutcome, StoreError> {
        ask!(self.backend, store => store.sweep(now_ms, cache_from_ms))
    }

    /// Ends at most `SWEEP_ROWS_MAX` jobs that should have started by `now_ms` and have not.
    /// Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the store failed; no job was ended.
    pub fn end_overdue(&self, now_ms: UnixMs) -> Result<DeadlineOutcome, StoreError> {
        ask!(self.backend, store => store.end_overdue(now_ms))
    }

    /// Makes at most `SWEEP_ROWS_MAX` unfinished jobs that are due after `now_ms` due so much
    /// earlier, but not before that: the clock was set back, and by it they would wait too long.
    /// Begins after `after`, and returns what to continue after if there may be more. Blocks until
    /// it is committed.
    ///
    /// # Errors
    /// Returns an error if the store failed; no job was changed.
    pub fn pull_forward_after_clock_step(
        &self,
        now_ms: UnixMs,
        by_ms: u64,
        after: Option<ReadyKey>,
    ) -> Result<Option<ReadyKey>, StoreError> {
        ask!(self.backend, store => store.pull_forward_after_clock_step(now_ms, by_ms, after))
    }
}
