//! The handle of an open store: what is the same whatever it is kept in, and what it is kept in.

use std::collections::HashMap;
use std::sync::Arc;

use crate::id::IdCipher;
use crate::store::effects::Listener;
use crate::store::embedded::Embedded;
use crate::store::{Scrapers, StoreError, WriterStats};
use crate::tally::HistogramReport;

/// The store. Dropping it without [`Store::close`] leaves a repair to the next start.
pub struct Store {
    pub(in crate::store) cipher: IdCipher,
    pub(in crate::store) scrapers: Arc<Scrapers>,
    pub(in crate::store) embedded: Embedded,
}

impl Store {
    /// Makes `listener` hear of every later commit. What was committed before is in the ready
    /// index. Only the first call counts.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        self.embedded.listen(listener);
    }

    /// Returns the numbers and names of all scrapers that the store knows, configured now or not.
    pub fn scrapers(&self) -> impl Iterator<Item = (u16, &str)> {
        self.scrapers.iter().map(|entry| (entry.number, entry.name.as_str()))
    }

    /// Returns a scraper's unfinished jobs: those that wait and those that run.
    pub fn unfinished(&self, scraper: u16) -> usize {
        self.scrapers.depth(scraper, &HashMap::new())
    }

    /// Returns why every write is refused, when it is.
    pub fn failure(&self) -> Option<StoreError> {
        self.embedded.failure()
    }

    /// Commits a write that changes nothing: whether the writer and the disk still answer. Blocks
    /// for as long as they take.
    ///
    /// # Errors
    /// Returns an error if the store takes no writes.
    pub fn probe(&self) -> Result<(), StoreError> {
        self.embedded.probe()
    }

    pub fn writer_stats(&self) -> WriterStats {
        let batches = self.batches();
        WriterStats { commits: batches.count(), writes: batches.sum }
    }

    /// Returns how many writes the commits since the start have had.
    pub fn batches(&self) -> HistogramReport {
        self.embedded.batches()
    }

    /// Writes what is queued, ends the writer and closes the database properly. Later calls find
    /// the store closed.
    pub fn close(&self) {
        self.embedded.close();
    }
}
