//! The state of the store itself: whether it takes writes, its sizes, and what it keeps for the
//! next start.

use crossbeam_channel::Receiver;

use super::backend::{Backend, ask};
use crate::clock::UnixMs;
use crate::job::ModelSeen;
use crate::store::shared::SharedStore;
use crate::store::{
    BackendError, BackupSource, Counts, NodeFiguresReport, NodeReport, Pending, ScraperLoad, Store,
    StoreError, StoreSizes,
};

impl Store {
    /// Returns, while every write is refused, a channel that is disconnected when the store works
    /// again; nothing is ever sent. `None` while it works.
    pub fn outage(&self) -> Option<Receiver<()>> {
        ask!(self.backend, store => store.outage())
    }

    /// Returns whether there is room for new jobs.
    ///
    /// # Errors
    /// Returns [`StoreError::SpaceLow`] if less is free than the settings keep for what is under
    /// way.
    pub fn room(&self) -> Result<(), StoreError> {
        ask!(self.backend, store => store.room())
    }

    /// Does what [`Store::room`] does, for a write that is about to be queued. The first that goes
    /// into a transaction looks, and the others rely on it: what is refused late is at most the
    /// writes of one transaction.
    ///
    /// # Errors
    /// Returns an error if [`Store::room`] would.
    pub fn room_for_write(&self) -> Result<(), StoreError> {
        ask!(self.backend, store => store.room_for_write())
    }

    /// Opens the database again after a failure of the storage, and proves that it takes writes;
    /// until then every write is refused. A write that has failed before may be found done after
    /// it: no caller was answered either way. Does nothing while nothing has failed.
    ///
    /// # Errors
    /// Returns an error if the storage still fails; this can be tried again unless
    /// [`StoreError::is_damage`].
    pub fn recover(&self, cache_from_ms: UnixMs) -> Result<(), StoreError> {
        ask!(self.backend, store => store.recover(cache_from_ms))
    }

    /// Returns how much the store holds. The counts are kept in the tables' roots, so this is
    /// quick.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn sizes(&self) -> Result<StoreSizes, StoreError> {
        ask!(self.backend, store => store.sizes().await)
    }

    /// Estimates what the pages of the database's file take that hold nothing, bytes: what comes
    /// next goes there before the file grows. Reads through every tree, which takes some seconds
    /// for a million jobs; a table at a time, so that what is freed meanwhile is not kept for long.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn free_page_bytes(&self) -> Result<u64, StoreError> {
        ask!(self.backend, store => store.free_page_bytes())
    }

    /// Returns what is free where the store's files are, bytes; `None` if unknown.
    pub fn free_bytes(&self) -> Option<u64> {
        ask!(self.backend, store => store.free_bytes())
    }

    /// Returns the processes that share the store, as of the latest beat, by their names; none
    /// where the store is a file.
    pub fn nodes(&self) -> Vec<NodeReport> {
        self.shared().map_or_else(Vec::new, SharedStore::nodes)
    }

    /// Returns the workers that other processes have for a scraper, how many of them run a job, and
    /// for how long they do, as of the latest beat.
    pub fn load_elsewhere(&self, scraper: u16) -> ScraperLoad {
        let none = ScraperLoad { scraper, ..ScraperLoad::default() };
        self.shared().map_or(none, |store| store.load_elsewhere(scraper))
    }

    /// Returns what this process counts as a node of a shared store; `None` where the store is a
    /// file.
    pub fn node_figures(&self) -> Option<NodeFiguresReport> {
        self.shared().map(SharedStore::node_figures)
    }

    /// Returns all counts that are kept, each scraper's in the order of time, and the moment from
    /// which on there are any.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn counts(&self) -> Result<(Vec<Counts>, Option<UnixMs>), StoreError> {
        ask!(self.backend, store => store.counts())
    }

    /// Returns the counts of all other processes from a minute and from a five minutes on, those of
    /// several processes beside each other, and the earliest moment from which on any of them has
    /// counted. Blocks.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn counts_elsewhere(
        &self,
        minutes_from: u64,
        buckets_from: u64,
    ) -> Result<(Vec<Counts>, Option<UnixMs>), StoreError> {
        match self.shared() {
            None => Ok((Vec::new(), None)),
            Some(store) => store.counts_elsewhere(minutes_from, buckets_from),
        }
    }

    /// Writes counts that have changed; what lies before `minutes_from` or `buckets_from` is not
    /// kept. Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the store failed; nothing was written.
    pub fn write_counts(
        &self,
        changed: Vec<Counts>,
        minutes_from: u64,
        buckets_from: u64,
    ) -> Result<(), StoreError> {
        ask!(self.backend, store => store.write_counts(changed, minutes_from, buckets_from))
    }

    /// Writes that an upstream answers with another model than before.
    pub fn note_model(&self, upstream: String, seen: ModelSeen) -> Pending<()> {
        ask!(self.backend, store => store.note_model(upstream, seen))
    }

    /// Returns the models of every upstream, oldest first.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn models(&self) -> Result<Vec<(String, Vec<ModelSeen>)>, StoreError> {
        ask!(self.backend, store => store.models())
    }

    /// Returns the state that was committed last, to be copied while the store goes on.
    ///
    /// # Errors
    /// Returns an error if the store failed or is closed.
    pub fn backup(&self) -> Result<BackupSource, StoreError> {
        self.embedded().ok_or_else(not_in_a_file)?.backup()
    }
}

/// The error of what only a store in a file can do.
#[derive(Debug, thiserror::Error)]
#[error(
    "the store is in a database, whose own tools make its backups, such as `pg_basebackup` and \
     `pg_dump`"
)]
struct NotInAFile;

fn not_in_a_file() -> StoreError {
    StoreError::Unsuitable(BackendError::new(NotInAFile, false))
}
