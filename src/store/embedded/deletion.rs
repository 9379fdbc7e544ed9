//! Deleting finished jobs before they expire: all rows of a few jobs go in one transaction, or are
//! only counted.

use super::Embedded;
use super::transaction::Tables;
use super::{jobs, outbox, rows};
use crate::clock::UnixMs;
use crate::job::Job;
use crate::store::removal::{DeletionTables, delete_all};
use crate::store::{DeletionCounts, Row, Scrapers, StoreError};

/// The tables of a transaction.
struct RedbDeletion<'a, 't> {
    tables: &'a mut Tables<'t>,
    scrapers: &'a Scrapers,
}

/// Returns the key of the cache entry that a job may have: it was made in the transaction that
/// ended it.
fn cache_key(job: &Job) -> (UnixMs, Row) {
    (job.completed_ms.unwrap_or_default(), job.row)
}

impl DeletionTables for RedbDeletion<'_, '_> {
    fn job(&mut self, row: Row) -> Result<Option<Job>, StoreError> {
        Ok(rows::read_job(self.tables, self.scrapers, row)?.map(|(job, _)| job))
    }

    fn traces(&mut self, job: &Job) -> Result<DeletionCounts, StoreError> {
        let cached = self.tables.cache.get(cache_key(job))?.is_some();
        Ok(DeletionCounts {
            raws: u64::from(self.tables.raws.get(job.row)?.is_some()),
            cache_entries: u64::from(cached),
            webhooks_pending: u64::from(outbox::is_pending(self.tables, job.row)?),
            ..DeletionCounts::default()
        })
    }

    fn remove(&mut self, job: &Job) -> Result<(), StoreError> {
        self.tables.cache.remove(cache_key(job))?;
        jobs::remove_rows(self.tables, job)
    }
}

impl Embedded {
    pub(crate) async fn delete(
        &self,
        known: Vec<Job>,
        now_ms: UnixMs,
        dry_run: bool,
    ) -> Result<DeletionCounts, StoreError> {
        let scrapers = self.shared.scrapers.clone();
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                let tables = &mut RedbDeletion { tables, scrapers: &scrapers };
                delete_all(tables, &known, now_ms, dry_run)
            })
        });
        pending.committed().await
    }
}
