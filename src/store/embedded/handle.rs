//! The parts of an open redb store: the way to the writer, the reads, and the close.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use super::shared::Shared;
use super::snapshot::Snapshot;
use super::storage::Storage;
use super::writer::WriteQueue;
use crate::id::IdCipher;
use crate::store::effects::Listener;
use crate::store::evidence_files::EvidenceFolder;
use crate::store::{OpenOptions, Pending, Row, Scrapers, StoreError};
use crate::tally::HistogramReport;

/// A store in one redb file.
pub(crate) struct Embedded {
    pub(super) cipher: IdCipher,
    pub(super) shared: Arc<Shared>,
    pub(super) next_row: AtomicU64,
    pub(super) queue: RwLock<Option<WriteQueue>>,
    pub(super) writer: Mutex<Option<JoinHandle<()>>>,
    /// What it was opened with and on, for when it has to be opened again.
    pub(super) options: OpenOptions,
    pub(super) storage: Box<dyn Storage>,
    pub(super) evidence: EvidenceFolder,
}

impl Embedded {
    pub(crate) fn cipher(&self) -> &IdCipher {
        &self.cipher
    }

    pub(crate) fn scrapers(&self) -> &Arc<Scrapers> {
        &self.shared.scrapers
    }

    /// Returns the first of this many fresh row numbers.
    pub(crate) fn next_rows(&self, count: u64) -> Row {
        self.next_row.fetch_add(count, Ordering::Relaxed)
    }

    pub(crate) fn listen(&self, listener: Arc<dyn Listener>) {
        let _ = self.shared.listener.set(listener);
    }

    pub(crate) fn failure(&self) -> Option<StoreError> {
        self.shared.outage_error()
    }

    pub(crate) fn probe(&self) -> Result<(), StoreError> {
        self.queue(|queue| queue.submit_blocking(|_| Ok(()))).wait()
    }

    pub(crate) fn batches(&self) -> HistogramReport {
        self.shared.batches.report()
    }

    /// Gives a write to the writer.
    pub(super) fn queue<T>(&self, submit: impl FnOnce(&WriteQueue) -> Pending<T>) -> Pending<T> {
        match self.queue.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(queue) => submit(queue),
            None => Pending::refused(StoreError::Closed),
        }
    }

    /// Reads the latest committed state: see [`Shared::read`].
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.shared.read(read)
    }

    /// Writes what is queued, ends the writer and closes the database properly.
    pub(crate) fn close(&self) {
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
}
