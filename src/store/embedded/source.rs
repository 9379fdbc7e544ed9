//! All that the store of a stopped service has, row by row, for a shared store to take over.

use std::path::Path;

use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, Value,
};

use super::open::{self, open_existing};
use super::storage::FileStorage;
use super::tables;
use crate::job::{Delivery, Recipient};
use crate::store::accounts::DAY_MIN;
use crate::store::evidence_files::EvidenceFolder;
use crate::store::moved::{MovedKey, MovedRow};
use crate::store::{StoreError, record};

/// The store of a stopped service. It belongs to this process until this is dropped.
pub(crate) struct MoveSource {
    transaction: ReadTransaction,
    evidence: EvidenceFolder,
    /// The key of the ids.
    pub id_key: [u8; 16],
    /// The numbers and names of all scrapers.
    pub scrapers: Vec<(u16, String)>,
    /// Keeps the database open.
    _database: Database,
}

/// Takes a row.
type Visit<'v> = &'v mut dyn FnMut(MovedRow<'_>) -> Result<(), StoreError>;

/// Passes on the records of tables that have them under keys of their own.
macro_rules! records {
    ($transaction:expr, $visit:expr, $($table:ident, $key:pat => $moved:expr;)+) => {$(
        each($transaction, tables::$table, |$key, bytes| {
            $visit(MovedRow::Record($moved, bytes))
        })?;
    )+};
}

impl MoveSource {
    /// Opens the store in a directory.
    ///
    /// # Errors
    /// Returns an error if there is none, it is in use, or it is damaged.
    pub(crate) fn open(directory: &Path) -> Result<MoveSource, StoreError> {
        let database = open_existing(&FileStorage::new(directory))?;
        let transaction = database.begin_read()?;
        let id_key = open::id_key(&transaction)?;
        let mut scrapers = Vec::new();
        each(&transaction, tables::SCRAPERS, |number, name| {
            scrapers.push((number, name.to_owned()));
            Ok(())
        })?;
        let evidence = EvidenceFolder::new(directory, u64::MAX);
        Ok(MoveSource { transaction, evidence, id_key, scrapers, _database: database })
    }

    /// Passes on every row: jobs first, and what was done in its order last. Returns a sentence for
    /// each file of evidence that is damaged.
    ///
    /// # Errors
    /// Returns an error if something cannot be read or `visit` does.
    pub(crate) fn visit_all(&self, visit: Visit<'_>) -> Result<Vec<String>, StoreError> {
        self.visit_jobs(visit)?;
        self.visit_batches(visit)?;
        self.visit_deliveries(visit)?;
        self.visit_accounts(visit)?;
        let transaction = &self.transaction;
        let jobs = transaction.open_table(tables::JOBS)?;
        each(transaction, tables::CACHE, |(stored_ms, row), hash| {
            // It may outlive its job, whose row is gone then.
            let is_of_use = jobs.get(row)?.is_some();
            let cached = MovedRow::Cached { stored_ms, row, hash };
            if is_of_use { visit(cached) } else { Ok(()) }
        })?;
        self.visit_records(visit)?;
        let left = self
            .evidence
            .visit(|job, name, content| visit(MovedRow::Evidence { job, name, content }))?;
        each(transaction, tables::COMPLETIONS, |number, (row, completed_ms)| {
            visit(MovedRow::Completed { number, row, completed_ms })
        })?;
        Ok(left)
    }

    fn visit_jobs(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        let transaction = &self.transaction;
        let prompts = transaction.open_table(tables::PROMPTS)?;
        let results = transaction.open_table(tables::RESULTS)?;
        let keys = transaction.open_table(tables::IDEMPOTENCY)?;
        let name = |number: u16| {
            let known = self.scrapers.iter().find(|(known, _)| *known == number);
            known.map(|(_, name)| name.clone())
        };
        each(transaction, tables::JOBS, |row, bytes| {
            let long_prompt = || Ok(prompts.get(row)?.map(|prompt| prompt.value().to_owned()));
            let (job, scraper) = record::decode_job(row, bytes, name, long_prompt)?;
            let result = match results.get(row)? {
                Some(bytes) => Some(record::decode_result(row, bytes.value())?.to_vec()),
                None => None,
            };
            let has_key = match job.idempotency {
                Some(known) => keys.get(known.key_hash)?.is_some_and(|of| of.value() == row),
                None => false,
            };
            visit(MovedRow::Job { job, scraper, result, has_key })
        })
    }

    fn visit_batches(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        let progress = self.transaction.open_table(tables::BATCH_PROGRESS)?;
        let keys = self.transaction.open_table(tables::IDEMPOTENCY)?;
        each(&self.transaction, tables::BATCHES, |row, bytes| {
            let ended = progress.get(row)?.ok_or(StoreError::Damaged("a batch has no counts"))?;
            let ended = record::decode_progress(row, ended.value())?;
            let batch = record::decode_batch(row, bytes, ended)?;
            let has_key = match batch.idempotency {
                Some(known) => keys.get(known.key_hash)?.is_some_and(|of| of.value() == row),
                None => false,
            };
            visit(MovedRow::Batch { batch, has_key })
        })
    }

    fn visit_deliveries(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        let outbox = self.transaction.open_table(tables::OUTBOX)?;
        each(&self.transaction, tables::DELIVERIES, |row, bytes| {
            let delivery: Delivery = record::decode_delivery(row, bytes)?;
            let filed = match delivery.due_ms() {
                Some(due_ms) => outbox.get((due_ms, row))?.map(|number| number.value()),
                None => None,
            };
            let recipient = Recipient::from_number(filed.unwrap_or_default());
            visit(MovedRow::Delivery { row, delivery, recipient })
        })
    }

    fn visit_accounts(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        each(&self.transaction, tables::CREDITS, |(account, date), bytes| {
            if date < DAY_MIN {
                let credits = record::decode_credits(date, bytes)?;
                return visit(MovedRow::Credits { account, month: date, credits });
            }
            for (scraper, usage) in record::decode_day(date, bytes)?.0 {
                visit(MovedRow::Usage { account, day: date, scraper, usage })?;
            }
            Ok(())
        })
    }

    fn visit_records(&self, visit: Visit<'_>) -> Result<(), StoreError> {
        let transaction = &self.transaction;
        each(transaction, tables::SCHEDULES_DUE, |(due_ms, row), ()| {
            visit(MovedRow::Record(MovedKey::ScheduleDue(due_ms, row), &[]))
        })?;
        each(transaction, tables::ALERT_WATCHES, |(watch, row), (filed_ms, marks)| {
            visit(MovedRow::Watch { watch, row, filed_ms, marks })
        })?;
        each(transaction, tables::ALERT_RUNS, |(row, watch), ()| {
            visit(MovedRow::Record(MovedKey::AlertRun(row, watch), &[]))
        })?;
        records!(transaction, visit,
            ATTEMPTS, row => MovedKey::Attempts(row);
            RAWS, row => MovedKey::Raw(row);
            VENDOR_TASKS, row => MovedKey::VendorTask(row);
            SPEND, (day, account, upstream, label) =>
                MovedKey::Spend(day, account, upstream, label);
            MODELS, upstream => MovedKey::Models(upstream);
            COUNTS, key => MovedKey::Counts(key);
            SCHEDULES, row => MovedKey::Schedule(row);
            SCHEDULE_BATCHES, row => MovedKey::ScheduleBatch(row);
            SCHEDULE_RUNS, (row, number) => MovedKey::ScheduleRun(row, number);
            TRACKERS, (account, name) => MovedKey::Tracker(account, name);
            TRACKER_VERSIONS, (id, version) => MovedKey::TrackerVersion(id, version);
            OBSERVATIONS, key => MovedKey::Observation(key);
            SUMS, key => MovedKey::Sums(key);
            PAGE_SUMS, key => MovedKey::PageSums(key);
            ALERTS, row => MovedKey::Alert(row);
            NOTICES, row => MovedKey::Notice(row);
        );
        Ok(())
    }
}

/// Visits every entry of a table, in the order of its keys.
fn each<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'static, K, V>,
    mut visit: impl for<'a> FnMut(K::SelfType<'a>, V::SelfType<'a>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let Some(table) = tables::later(transaction, definition)? else { return Ok(()) };
    for entry in table.iter()? {
        let (key, value) = entry?;
        visit(key.value(), value.value())?;
    }
    Ok(())
}
