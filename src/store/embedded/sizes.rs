//! How much the store holds and how much more it may, as far as that is known without reading it
//! through.

use redb::ReadableTableMetadata;

use super::tables;
use crate::store::{Store, StoreError, StoreSizes};

impl Store {
    /// Returns how much the store holds. The counts are kept in the tables' roots, so this is
    /// quick.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn sizes(&self) -> Result<StoreSizes, StoreError> {
        self.embedded.read(|snapshot| {
            Ok(StoreSizes {
                jobs: snapshot.open_table(tables::JOBS)?.len()?,
                deliveries_pending: snapshot.open_table(tables::OUTBOX)?.len()?,
            })
        })
    }

    /// Estimates what the pages of the database's file take that hold nothing, bytes: what comes
    /// next goes there before the file grows. Reads through every tree, which takes some seconds
    /// for a million jobs; a table at a time, so that what is freed meanwhile is not kept for long.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn free_page_bytes(&self) -> Result<u64, StoreError> {
        let tables: Vec<_> =
            self.embedded.read(|snapshot| Ok(snapshot.transaction().list_tables()?.collect()))?;
        let mut used_bytes = 0;
        for table in tables {
            used_bytes += self.embedded.read(|snapshot| {
                let stats = snapshot.transaction().open_untyped_table(table)?.stats()?;
                Ok(stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes())
            })?;
        }
        Ok(self.embedded.storage.bytes()?.saturating_sub(used_bytes))
    }

    /// Returns what is free where the store's files are, bytes; `None` if unknown.
    pub fn free_bytes(&self) -> Option<u64> {
        self.embedded.storage.free_bytes()
    }
}
