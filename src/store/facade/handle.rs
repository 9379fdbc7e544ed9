//! The handle of an open store: what is the same whatever it is kept in, and what it is kept in.

use std::collections::HashMap;
use std::sync::Arc;

use super::backend::{Backend, ask};
use crate::id::IdCipher;
use crate::store::effects::Listener;
use crate::store::embedded::Embedded;
use crate::store::shared::{self, SharedOptions, SharedStore};
use crate::store::{DatabaseReport, OpenOptions, Scrapers, StoreError, WriterStats};
use crate::tally::HistogramReport;

/// The store. Dropping it without [`Store::close`] leaves a repair to the next start.
pub struct Store {
    pub(in crate::store) cipher: IdCipher,
    pub(in crate::store) scrapers: Arc<Scrapers>,
    pub(in crate::store) backend: Backend,
}

impl Store {
    /// Opens the store, makes it when it is not there, and starts what writes to it. One in a file
    /// is repaired after a crash; to one that is shared this process is made known by its name,
    /// and what an earlier process of that name had is open to all again.
    ///
    /// # Errors
    /// Returns an error if the directory or the database cannot be used or reached, another process
    /// has the file, the store was written by another version, or it is damaged.
    pub fn open(options: &OpenOptions) -> Result<Store, StoreError> {
        match &options.shared {
            None => Ok(Store::keeping(Backend::Embedded(Embedded::open(options)?))),
            Some((settings, clock)) => {
                let options = SharedOptions::of(options, settings, clock);
                Ok(Store::keeping(Backend::Shared(SharedStore::open(&options)?)))
            }
        }
    }

    /// Opens the store as [`Store::open`] does, if it is there, for a command that runs beside the
    /// processes of a shared one.
    ///
    /// # Errors
    /// Returns an error if [`Store::open`] would, or there is no store.
    pub fn open_existing(options: &OpenOptions) -> Result<Store, StoreError> {
        match &options.shared {
            None => Ok(Store::keeping(Backend::Embedded(Embedded::open_existing(options)?))),
            Some((settings, clock)) => {
                let mut options = SharedOptions::of(options, settings, clock);
                // Under a name of its own: one of that name is a process that runs.
                options.pg.node = format!("{}/{}", settings.node, std::process::id());
                Ok(Store::keeping(Backend::Shared(SharedStore::open(&options)?)))
            }
        }
    }

    /// Looks at the database of a shared store without becoming one of its processes; `None` where
    /// the store is a file. Writes nothing, and blocks until the database has answered.
    ///
    /// # Errors
    /// Returns an error if the database cannot be reached.
    pub fn inspect(options: &OpenOptions) -> Result<Option<DatabaseReport>, StoreError> {
        let Some((settings, clock)) = &options.shared else { return Ok(None) };
        shared::inspect(&SharedOptions::of(options, settings, clock)).map(Some)
    }

    pub(in crate::store) fn keeping(backend: Backend) -> Store {
        let (cipher, scrapers) = ask!(backend, store => (store.cipher(), store.scrapers()));
        Store { cipher: cipher.clone(), scrapers: scrapers.clone(), backend }
    }

    /// Returns the store in a file that this is; `None` if it is shared.
    pub(in crate::store) fn embedded(&self) -> Option<&Embedded> {
        match &self.backend {
            Backend::Embedded(store) => Some(store),
            Backend::Shared(_) => None,
        }
    }

    /// Returns the store in a database that this is; `None` if it is in a file.
    pub(in crate::store) fn shared(&self) -> Option<&SharedStore> {
        match &self.backend {
            Backend::Embedded(_) => None,
            Backend::Shared(store) => Some(store),
        }
    }

    /// Returns whether other processes may have the store too.
    pub fn is_shared(&self) -> bool {
        self.shared().is_some()
    }

    /// Makes `listener` hear of every later commit. What was committed before is in the ready
    /// index. Only the first call counts.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        ask!(self.backend, store => store.listen(listener));
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
        ask!(self.backend, store => store.failure())
    }

    /// Commits a write that changes nothing: whether the writer and the disk still answer. Blocks
    /// for as long as they take.
    ///
    /// # Errors
    /// Returns an error if the store takes no writes.
    pub fn probe(&self) -> Result<(), StoreError> {
        ask!(self.backend, store => store.probe())
    }

    pub fn writer_stats(&self) -> WriterStats {
        let batches = self.batches();
        WriterStats { commits: batches.count(), writes: batches.sum }
    }

    /// Returns how many writes the commits since the start have had.
    pub fn batches(&self) -> HistogramReport {
        ask!(self.backend, store => store.batches())
    }

    /// Makes writes be given up that a database which is away does not answer: the service stops,
    /// and its threads wait for them. A store in a file answers at once.
    pub fn begin_close(&self) {
        match &self.backend {
            Backend::Embedded(_) => {}
            Backend::Shared(store) => store.begin_close(),
        }
    }

    /// Writes what is queued, ends the writer and closes the database properly. Later calls find
    /// the store closed.
    pub fn close(&self) {
        ask!(self.backend, store => store.close());
    }
}
