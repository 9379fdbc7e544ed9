//! After a failure of the storage: the database is closed and opened again, and what is in memory
//! is made again from what is on disk. And how much room there is before it comes to that.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crossbeam_channel::Receiver;
use redb::Database;

use super::Embedded;
use super::database::guarded;
use super::open::{open_database, prepare, probe, rebuild};
use super::outage::WriteOutage;
use super::overlay;
use crate::clock::UnixMs;
use crate::id::IdCipher;
use crate::store::StoreError;

impl Embedded {
    pub(crate) fn outage(&self) -> Option<Receiver<()>> {
        let outage = self.shared.outage.lock().unwrap_or_else(PoisonError::into_inner);
        outage.as_ref().map(|outage| outage.over.1.clone())
    }

    pub(crate) fn room(&self) -> Result<(), StoreError> {
        let free_mib_min = self.options.free_mib_min;
        if free_mib_min == 0 {
            return Ok(());
        }
        match self.storage.free_bytes().map(|bytes| bytes >> 20) {
            Some(free_mib) if free_mib < free_mib_min => {
                Err(StoreError::SpaceLow { free_mib, free_mib_min })
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn room_for_write(&self) -> Result<(), StoreError> {
        if !self.shared.room_seen.load(Ordering::Relaxed) {
            self.room()?;
            self.shared.room_seen.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(crate) fn recover(&self, cache_from_ms: UnixMs) -> Result<(), StoreError> {
        if self.shared.outage_error().is_none() {
            return Ok(());
        }
        let recovered = self.reopen(cache_from_ms);
        let mut outage = self.shared.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match &recovered {
            Ok(()) => *outage = None,
            Err(error) => drop(WriteOutage::set(&mut outage, error.clone())),
        }
        recovered
    }

    fn reopen(&self, cache_from_ms: UnixMs) -> Result<(), StoreError> {
        let only_read = &self.shared.only_read;
        if let Err(error) = self.storage.writable() {
            if !only_read.load(Ordering::Relaxed) {
                self.read_only();
            }
            return Err(error);
        }
        // The file's lock is its own: the old one has to be gone before the new one is opened.
        drop(self.replace(None));
        match guarded(|| self.open_sound(cache_from_ms)) {
            Ok(database) => {
                self.replace(Some(database));
                only_read.store(false, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.read_only();
                Err(error)
            }
        }
    }

    /// Puts what is there, where it can be opened to be read, in the place of a database that has
    /// failed, of which redb reads nothing more.
    fn read_only(&self) {
        drop(self.replace(None));
        let reader = self.storage.reader();
        let opened = reader.and_then(|reader| overlay::open(reader, self.options.cache_bytes));
        if let Err(error) = &opened {
            tracing::error!(%error, "nothing can be read until the store works again");
        }
        self.shared.only_read.store(opened.is_ok(), Ordering::Relaxed);
        self.replace(opened.ok());
    }

    /// Opens the database and proves that it takes writes, and brings what is in memory up to it.
    fn open_sound(&self, cache_from_ms: UnixMs) -> Result<Database, StoreError> {
        let options = &self.options;
        let database = open_database(self.storage.as_ref(), options.cache_bytes, false)?;
        let (key, scrapers) = prepare(&database, &options.scrapers)?;
        if self.cipher.seal(0, 0) != IdCipher::new(key).seal(0, 0) {
            return Err(StoreError::Damaged("another store has taken its place"));
        }
        probe(&database)?;
        let (next_row, cache) = rebuild(&database, options.cache_entries_max, cache_from_ms)?;
        // Rows that were given to jobs whose writes have failed are not given again.
        self.next_row.fetch_max(next_row, Ordering::Relaxed);
        *self.shared.cache_index() = cache;
        for counted in scrapers.entries {
            if let Some(entry) = self.shared.scrapers.entry(counted.number) {
                let unfinished = counted.unfinished.into_inner();
                entry.unfinished.store(unfinished, Ordering::Relaxed);
            }
        }
        Ok(database)
    }

    /// Puts a database in the place of the one that is there, once no one reads that any more.
    fn replace(&self, database: Option<Database>) -> Option<Database> {
        let mut place = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        self.shared.forget_latest();
        std::mem::replace(&mut *place, database)
    }
}
