//! Deleting finished jobs before they expire: all rows of a few jobs go in one transaction, or are
//! only counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::handle::SharedStore;
use super::hours::HourTable;
use super::needs::Needs;
use super::round::Value;
use super::row_number::by_hour;
use super::things::ThingKind;
use super::transaction::Transaction;
use crate::clock::UnixMs;
use crate::job::Job;
use crate::store::removal::{self, DeletionTables};
use crate::store::{DELETION_ROWS_MAX, DeletionCounts, Row, StoreError};

impl SharedStore {
    /// Deletes those of some jobs, at most [`DELETION_ROWS_MAX`], that have ended, or only counts
    /// what would go.
    ///
    /// # Errors
    /// Returns an error if the database fails, or the writer is overloaded; nothing was deleted.
    pub(crate) async fn delete(
        &self,
        mut known: Vec<Job>,
        now_ms: UnixMs,
        dry_run: bool,
    ) -> Result<DeletionCounts, StoreError> {
        known.truncate(DELETION_ROWS_MAX);
        let Some(first) = known.first().map(|job| job.row) else {
            return Ok(DeletionCounts::default());
        };
        let rows: BTreeSet<Row> = known.iter().map(|job| job.row).collect();
        // Of a job that has ended neither changes.
        let (raws, cached) = (self.rows_with_raws(&rows).await?, self.cached_rows(&rows).await?);
        let needs = Needs { read: rows.clone(), deliveries: rows, ..Needs::default() };
        let deleted = self.queue(first, needs, move |transaction| {
            let tables = &mut Deletion { transaction, raws: &raws, cached: &cached };
            removal::delete_all(tables, &known, now_ms, dry_run)
        });
        deleted.committed().await
    }

    async fn rows_with_raws(&self, rows: &BTreeSet<Row>) -> Result<BTreeSet<Row>, StoreError> {
        let text = "SELECT key FROM things WHERE kind = $1 AND key = ANY($2) AND value <> ''";
        let keys: Vec<Vec<u8>> = rows.iter().map(|row| row.to_be_bytes().to_vec()).collect();
        let values: Vec<Value> = vec![Arc::new(ThingKind::Raw as i16), Arc::new(keys)];
        let found = self.ask_text(text, values).committed().await?;
        let row = |key: &[u8]| key.try_into().ok().map(Row::from_be_bytes);
        Ok(found.iter().filter_map(|found| row(found.get(0))).collect())
    }

    async fn cached_rows(&self, rows: &BTreeSet<Row>) -> Result<BTreeSet<Row>, StoreError> {
        let mut cached = BTreeSet::new();
        for (hour, rows) in by_hour(rows.iter().copied()) {
            let table = HourTable::Cache.in_hour(hour);
            let text = format!("SELECT row FROM {table} WHERE row = ANY($1)");
            let found = self.ask_text(&text, vec![Arc::new(rows)]).committed().await?;
            cached.extend(found.iter().map(|row| row.get::<_, i64>(0) as Row));
        }
        Ok(cached)
    }
}

/// The jobs of a transaction.
struct Deletion<'a, 'p> {
    transaction: &'a mut Transaction<'p>,
    raws: &'a BTreeSet<Row>,
    cached: &'a BTreeSet<Row>,
}

impl DeletionTables for Deletion<'_, '_> {
    fn job(&mut self, row: Row) -> Result<Option<Job>, StoreError> {
        Ok(self.transaction.job(row)?.map(|known| known.job.clone()))
    }

    fn traces(&mut self, job: &Job) -> Result<DeletionCounts, StoreError> {
        let delivery = match self.transaction.deliveries.get(&job.row) {
            Some(Ok(known)) => known.delivery.due_ms(),
            Some(Err(error)) => return Err(error.clone()),
            None => None,
        };
        Ok(DeletionCounts {
            raws: u64::from(self.raws.contains(&job.row)),
            cache_entries: u64::from(self.cached.contains(&job.row)),
            webhooks_pending: u64::from(delivery.is_some()),
            ..DeletionCounts::default()
        })
    }

    fn remove(&mut self, job: &Job) -> Result<(), StoreError> {
        self.transaction.delete(job);
        Ok(())
    }
}
