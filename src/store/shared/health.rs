//! Whether the store works: why writes are refused, and what proves that they are taken again.

use std::sync::PoisonError;

use crossbeam_channel::Receiver;

use super::handle::SharedStore;
use super::needs::Needs;
use crate::clock::UnixMs;
use crate::store::{Pending, Row, StoreError};
use crate::tally::HistogramReport;

impl SharedStore {
    /// Returns why every write is refused, when it is.
    pub(crate) fn failure(&self) -> Option<StoreError> {
        self.process.status.outages.error()
    }

    /// Returns, while every write is refused, a channel that is disconnected when the store works
    /// again: see [`crate::store::Store::outage`].
    pub(crate) fn outage(&self) -> Option<Receiver<()>> {
        self.process.status.outages.over()
    }

    /// Returns whether there is room for new jobs.
    ///
    /// # Errors
    /// Returns an error if the server has refused a write for want of space a moment ago.
    pub(crate) fn room(&self) -> Result<(), StoreError> {
        self.process.status.refused_for_space().map_or(Ok(()), Err)
    }

    /// Does what [`SharedStore::room`] does.
    ///
    /// # Errors
    /// Returns an error if [`SharedStore::room`] would.
    pub(crate) fn room_for_write(&self) -> Result<(), StoreError> {
        self.room()
    }

    /// Returns `None`: what is free where the database is, the database does not say.
    #[allow(clippy::unused_self, reason = "as the embedded store's")]
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        None
    }

    /// Returns 0: the server uses its free pages by itself.
    ///
    /// # Errors
    /// Returns none.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "as the embedded store's")]
    pub(crate) fn free_page_bytes(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// Commits a write that changes nothing by each of the writers. Blocks until they have
    /// answered, or have not for too long.
    ///
    /// # Errors
    /// Returns an error if one of them takes no writes.
    pub(crate) fn probe(&self) -> Result<(), StoreError> {
        let writers = self.writers.read().unwrap_or_else(PoisonError::into_inner).len();
        // One is asked even if there is none: it answers that the store is closed.
        let probes =
            (0..writers.max(1)).map(|at| self.queue(at as Row, Needs::default(), |_| Ok(())));
        // All of them are under way before the first is waited for.
        let probes: Vec<Pending<()>> = probes.collect();
        probes.into_iter().try_for_each(Pending::wait)
    }

    /// Tries whether writes are taken again, and reads what other nodes have done meanwhile. The
    /// store also finds that by itself. Does nothing while nothing has failed.
    ///
    /// # Errors
    /// Returns an error if writes are still refused.
    pub(crate) fn recover(&self, cache_from_ms: UnixMs) -> Result<(), StoreError> {
        if self.failure().is_none() {
            return Ok(());
        }
        self.probe()?;
        self.failure().map_or(Ok(()), Err)?;
        self.refresh(cache_from_ms)
    }

    /// Returns how many operations the commits since the start have had.
    pub(crate) fn batches(&self) -> HistogramReport {
        self.process.batches.report()
    }
}
