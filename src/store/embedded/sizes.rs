//! How much the store holds and how much more it may, as far as that is known without reading it
//! through.

use redb::ReadableTableMetadata;

use super::Embedded;
use super::tables;
use crate::store::{StoreError, StoreSizes};

impl Embedded {
    pub(crate) async fn sizes(&self) -> Result<StoreSizes, StoreError> {
        self.read(|snapshot| {
            Ok(StoreSizes {
                jobs: snapshot.open_table(tables::JOBS)?.len()?,
                deliveries_pending: snapshot.open_table(tables::OUTBOX)?.len()?,
            })
        })
    }

    pub(crate) fn free_page_bytes(&self) -> Result<u64, StoreError> {
        let tables: Vec<_> =
            self.read(|snapshot| Ok(snapshot.transaction().list_tables()?.collect()))?;
        let mut used_bytes = 0;
        for table in tables {
            used_bytes += self.read(|snapshot| {
                let stats = snapshot.transaction().open_untyped_table(table)?.stats()?;
                Ok(stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes())
            })?;
        }
        Ok(self.storage.bytes()?.saturating_sub(used_bytes))
    }

    pub(crate) fn free_bytes(&self) -> Option<u64> {
        self.storage.free_bytes()
    }
}
