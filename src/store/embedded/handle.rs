//! The handle of an open store: its parts, fresh identities, the way to the writer, and the close.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use uuid::Uuid;

use super::shared::Shared;
use super::storage::Storage;
use super::writer::{Pending, WriteQueue};
use crate::id::IdCipher;
use crate::job::Job;
use crate::store::effects::Listener;
use crate::store::options::OpenOptions;
use crate::store::scrapers::Scrapers;
use crate::store::{Row, StoreError};
use crate::tally::HistogramReport;

/// The identity of a job that is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewIdentity {
    pub row: Row,
    pub nonce: u128,
    pub id: Uuid,
}

/// The writer's counters since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterStats {
    /// Transactions committed, each with one fsync.
    pub commits: u64,
    /// Writes in them.
    pub writes: u64,
}

/// The store. Dropping it without [`Store::close`] leaves a repair to the next start.
pub struct Store {
    pub(super) shared: Arc<Shared>,
    pub(super) cipher: IdCipher,
    pub(super) scrapers: Arc<Scrapers>,
    pub(super) next_row: AtomicU64,
    pub(super) queue: RwLock<Option<WriteQueue>>,
    pub(super) writer: Mutex<Option<JoinHandle<()>>>,
    /// What it was opened with and on, for when it has to be opened again.
    pub(super) options: OpenOptions,
    pub(super) storage: Box<dyn Storage>,
}

impl Store {
    /// Makes `listener` hear of every later commit. What was committed before is in the ready
    /// index. Only the first call counts.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        let _ = self.shared.listener.set(listener);
    }

    /// Returns a row number, a nonce and the id that carries both, for a new job.
    ///
    /// # Errors
    /// Returns an error if the operating system's generator failed.
    pub fn new_identity(&self) -> Result<NewIdentity, StoreError> {
        self.identity_of(self.next_rows(1))
    }

    /// Returns the first of this many fresh row numbers.
    pub(super) fn next_rows(&self, count: u64) -> Row {
        self.next_row.fetch_add(count, Ordering::Relaxed)
    }

    pub(super) fn identity_of(&self, row: Row) -> Result<NewIdentity, StoreError> {
        let (nonce, id) = self.cipher.seal_fresh(row)?;
        Ok(NewIdentity { row, nonce, id })
    }

    /// Returns the id of a job.
    pub fn id_of(&self, job: &Job) -> Uuid {
        self.cipher.seal(job.row, job.nonce)
    }

    /// Returns the row that an id carries; `None` if it is no id of this store.
    pub fn row_of(&self, id: Uuid) -> Option<Row> {
        self.cipher.open(id).map(|plain| plain.row)
    }

    /// Returns the numbers and names of all scrapers that the store knows, configured now or not.
    pub fn scrapers(&self) -> impl Iterator<Item = (u16, &str)> {
        self.scrapers.entries.iter().map(|entry| (entry.number, entry.name.as_str()))
    }

    /// Returns a scraper's unfinished jobs: those that wait and those that run.
    pub fn unfinished(&self, scraper: u16) -> usize {
        self.scrapers.depth(scraper, &HashMap::new())
    }

    /// Returns why every write is refused, when it is.
    pub fn failure(&self) -> Option<StoreError> {
        self.shared.outage_error()
    }

    /// Commits a write that changes nothing: whether the writer and the disk still answer. Blocks
    /// for as long as they take.
    ///
    /// # Errors
    /// Returns an error if the store takes no writes.
    pub fn probe(&self) -> Result<(), StoreError> {
        self.queue(|queue| queue.submit_blocking(|_| Ok(()))).wait()
    }

    pub fn writer_stats(&self) -> WriterStats {
        let batches = self.batches();
        WriterStats { commits: batches.count(), writes: batches.sum }
    }

    /// Returns how many writes the commits since the start have had.
    pub fn batches(&self) -> HistogramReport {
        self.shared.batches.report()
    }

    /// Writes what is queued, ends the writer and closes the database properly. Later calls find
    /// the store closed.
    pub fn close(&self) {
        // The queue first: with its last sender gone the writer finishes and ends.
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = writer {
            // The writer catches panics, so it ends in order.
            let _ = thread.join();
        }
        // With the lock, so that no one reads; what was read last must not outlive the database.
        let mut database = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        self.shared.forget_latest();
        drop(database.take());
    }

    pub(super) fn queue<T>(&self, submit: impl FnOnce(&WriteQueue) -> Pending<T>) -> Pending<T> {
        match self.queue.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(queue) => submit(queue),
            None => Pending::refused(StoreError::Closed),
        }
    }
}
