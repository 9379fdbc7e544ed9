//! How much the store holds and how much more it may, as far as that is known without reading it
//! through.

use redb::ReadableTableMetadata;

use super::{Store, StoreError, tables};

/// How much there is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSizes {
    /// Jobs, in whatever state; those that have expired until they are swept.
    pub jobs: u64,
    /// Webhooks that are still to be delivered.
    pub deliveries_pending: u64,
}

impl Store {
    /// How much the store holds. The counts are kept in the tables' roots, so this is quick.
    ///
    /// # Errors
    /// The store failed.
    pub fn sizes(&self) -> Result<StoreSizes, StoreError> {
        self.shared.read(|transaction| {
            Ok(StoreSizes {
                jobs: transaction.open_table(tables::JOBS)?.len()?,
                deliveries_pending: transaction.open_table(tables::OUTBOX)?.len()?,
            })
        })
    }

    /// What is free where the store's files are, bytes; `None` where nobody knows.
    pub fn free_bytes(&self) -> Option<u64> {
        self.medium.free_bytes()
    }
}
