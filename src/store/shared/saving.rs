//! Writing what a transaction has changed: whatever its size, one statement for each table, all of
//! them in one round trip with the commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::connect::PgSession;
use super::ended_jobs::WrittenJob;
use super::error::PgError;
use super::round::{Round, Value};
use super::row_number::{Hour, RowParts};
use super::statements::{Prepared, Sql};
use super::things::{ThingKey, ThingKind};
use super::transaction::{DeliveryRow, Fate, JobRow, StoredIn, Transaction};
use crate::job::Subject;
use crate::store::{Row, StoreError, record};

/// A new batch: its row, its account, when it was submitted, and its record.
type NewBatchRow = (i64, i32, i64, Vec<u8>);

/// The statements of a transaction, by what they write.
#[derive(Default)]
pub(super) struct Writes(Vec<(Sql, Hour, Vec<Value>)>);

/// The values of the columns of one statement.
macro_rules! columns {
    ($($column:expr),+ $(,)?) => { vec![$(Arc::new($column) as Value),+] };
}

impl Writes {
    /// Returns what writes the changes of a transaction.
    ///
    /// # Errors
    /// Returns an error if a record cannot be encoded.
    pub(super) fn of(transaction: &Transaction<'_>) -> Result<Writes, StoreError> {
        let mut writes = Writes::default();
        writes.add_jobs(transaction)?;
        writes.add_batches(transaction)?;
        writes.add_deliveries(transaction)?;
        writes.add_cache(transaction);
        writes.add_completions(transaction);
        writes.add_keys(transaction);
        writes.add_counters(transaction);
        writes.add_things(transaction);
        Ok(writes)
    }

    fn add(&mut self, sql: Sql, hour: Hour, values: Vec<Value>) {
        self.0.push((sql, hour, values));
    }

    /// Adds a statement that names no hour's tables.
    fn add_plain(&mut self, sql: Sql, values: Vec<Value>) {
        self.add(sql, Hour::of_ms(0), values);
    }

    /// Prepares all statements and adds them to a round trip.
    ///
    /// # Errors
    /// Returns an error if the server refuses one.
    pub(super) async fn add_to<'s>(
        self,
        session: &'s PgSession,
        prepared: &mut Prepared,
        round: &mut Round<'s>,
    ) -> Result<(), PgError> {
        for (sql, hour, values) in self.0 {
            let statement = prepared.get(session, sql, hour).await?;
            round.add(statement, values);
        }
        Ok(())
    }

    fn add_jobs(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let (mut asked, mut ended) = (HourColumns::default(), HourColumns::default());
        let mut queued = Vec::new();
        let (mut moved, mut left) = (Vec::new(), Vec::new());
        let mut deleted: BTreeMap<Hour, Vec<i64>> = BTreeMap::new();
        let jobs = transaction.jobs.values().filter_map(|job| job.as_ref().ok());
        for known in jobs.filter(|known| known.fate != Fate::Unchanged) {
            let row = known.job.row;
            if known.fate == Fate::Deleted {
                deleted.entry(RowParts::of(row).hour).or_default().push(row as i64);
                continue;
            }
            if known.stored == StoredIn::Nowhere {
                asked.of(row).push(AskedRow::of(known)?);
            }
            let ends = known.job.state.finished();
            match known.stored {
                StoredIn::Nowhere if !ends && known.fate == Fate::Changed => {
                    queued.push(Queued::of(known)?);
                }
                StoredIn::Queue if !ends && known.fate == Fate::Changed => {
                    moved.push(Queued::of(known)?);
                }
                StoredIn::Queue => left.push(row as i64),
                StoredIn::Nowhere | StoredIn::Ends => {}
            }
            if ends && known.stored != StoredIn::Ends {
                ended.of(row).push(Ended::of(known)?);
            }
        }
        for (hour, rows) in asked.0 {
            self.add(Sql::InsertJobs, hour, AskedRow::columns(rows));
        }
        if !queued.is_empty() {
            self.add_plain(Sql::InsertQueue, Queued::all_columns(queued));
        }
        if !moved.is_empty() {
            self.add_plain(Sql::UpdateQueue, Queued::moving_columns(moved));
        }
        if !left.is_empty() {
            self.add_plain(Sql::DeleteQueue, columns![left]);
        }
        for (hour, rows) in ended.0 {
            self.add(Sql::InsertEnds, hour, Ended::columns(rows));
        }
        for (hour, rows) in deleted {
            self.add(Sql::DeleteJobs, hour, columns![rows]);
        }
        Ok(())
    }

    fn add_batches(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let mut records: HourColumns<NewBatchRow> = HourColumns::default();
        let (mut rows, mut done, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let (mut completed, mut expires) = (Vec::new(), Vec::new());
        let batches = transaction.batches.values().filter_map(|batch| batch.as_ref().ok());
        for known in batches.filter(|known| known.changed) {
            let batch = &known.batch;
            let row = batch.key.row;
            if known.is_new {
                let account = transaction.account(&batch.account)?;
                let record = record::encode_batch(batch)?;
                records.of(row).push((row as i64, account, batch.created_ms as i64, record));
            }
            rows.push(row as i64);
            done.push(batch.progress.done as i32);
            failed.push(batch.progress.failed as i32);
            completed.push(batch.progress.completed_ms.map(|at_ms| at_ms as i64));
            expires.push(batch.expires_ms as i64);
        }
        for (hour, records) in records.0 {
            let (rows, accounts, created, records): (Vec<_>, Vec<_>, Vec<_>, Vec<_>) =
                records.into_iter().collect();
            self.add(Sql::InsertBatches, hour, columns![rows, accounts, created, records]);
        }
        if !rows.is_empty() {
            let values = columns![rows, done, failed, completed, expires];
            self.add_plain(Sql::PutBatchEnds, values);
        }
        Ok(())
    }

    fn add_deliveries(&mut self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let mut records: HourColumns<(i64, Vec<u8>)> = HourColumns::default();
        let (mut rows, mut due, mut receivers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut settled, mut notices) = (Vec::new(), ThingColumns::default());
        for (row, known) in &transaction.deliveries {
            let Ok(DeliveryRow { delivery, recipient: Some(recipient) }) = known else { continue };
            let bytes = record::encode_delivery(*row, delivery)?;
            match delivery.subject {
                Subject::Job | Subject::Batch => records.of(*row).push((*row as i64, bytes)),
                // It lasts longer than its hour.
                Subject::Notice => {
                    notices.push(&ThingKey::of_row(ThingKind::NoticeDelivery, *row), &bytes);
                }
            }
            match delivery.due_ms() {
                Some(due_ms) => {
                    rows.push(*row as i64);
                    due.push(due_ms as i64);
                    receivers.push(recipient.number() as i64);
                }
                None => settled.push(*row as i64),
            }
        }
        for (hour, records) in records.0 {
            let (rows, records): (Vec<_>, Vec<_>) = records.into_iter().unzip();
            self.add(Sql::PutDeliveries, hour, columns![rows, records]);
        }
        let ThingColumns { kinds, keys, values } = notices;
        if !kinds.is_empty() {
            self.add_plain(Sql::PutThings, columns![kinds, keys, values]);
        }
        if !rows.is_empty() {
            self.add_plain(Sql::PutOutbox, columns![rows, due, receivers]);
        }
        let deleted = transaction.jobs.values().filter_map(|job| job.as_ref().ok());
        let deleted = deleted.filter(|known| known.fate == Fate::Deleted);
        settled.extend(deleted.map(|known| known.job.row as i64));
        settled.extend(transaction.forgotten.iter().map(|row| *row as i64));
        if !settled.is_empty() {
            self.add_plain(Sql::DeleteOutbox, columns![settled]);
        }
        Ok(())
    }

    fn add_cache(&mut self, transaction: &Transaction<'_>) {
        let mut entries: HourColumns<(i64, i64, Uuid)> = HourColumns::default();
        for (stored_ms, row, hash) in &transaction.cache {
            let entry = (*stored_ms as i64, *row as i64, Uuid::from_u128(*hash));
            entries.of(*row).push(entry);
        }
        for (hour, entries) in entries.0 {
            let times: Vec<i64> = entries.iter().map(|entry| entry.0).collect();
            let rows: Vec<i64> = entries.iter().map(|entry| entry.1).collect();
            let hashes: Vec<Uuid> = entries.iter().map(|entry| entry.2).collect();
            self.add(Sql::InsertCache, hour, columns![times, rows, hashes]);
        }
    }

    fn add_completions(&mut self, transaction: &Transaction<'_>) {
        let done = &transaction.completions;
        if !done.is_empty() {
            let rows: Vec<i64> = done.iter().map(|it| it.0 as i64).collect();
            let completed: Vec<i64> = done.iter().map(|it| it.1 as i64).collect();
            let expires: Vec<i64> = done.iter().map(|it| it.2 as i64).collect();
            let values = columns![transaction.slot, rows, completed, expires];
            self.add_plain(Sql::InsertCompletions, values);
        }
    }

    fn add_keys(&mut self, transaction: &Transaction<'_>) {
        let (mut keys, mut requests) = (Vec::new(), Vec::new());
        let (mut rows, mut expires) = (Vec::new(), Vec::new());
        let mut freed = Vec::new();
        for (key, known) in &transaction.keys {
            let Some(holder) = known.holder else {
                freed.push(Uuid::from_u128(*key));
                continue;
            };
            // The claim that stands there already has the hash and the expiry of its row.
            let is_written = holder.row == known.stored;
            if !is_written {
                keys.push(Uuid::from_u128(*key));
                requests.push(Uuid::from_u128(holder.request_hash));
                rows.push(holder.row as i64);
                expires.push(holder.expires_ms as i64);
            }
        }
        if !keys.is_empty() {
            self.add_plain(Sql::UpdateKeys, columns![keys, requests, rows, expires]);
        }
        if !freed.is_empty() {
            self.add_plain(Sql::DeleteKeys, columns![freed]);
        }
        let deleted = &transaction.freed_keys;
        if !deleted.is_empty() {
            let keys: Vec<Uuid> = deleted.iter().map(|(key, _)| Uuid::from_u128(*key)).collect();
            let rows: Vec<i64> = deleted.iter().map(|(_, row)| *row as i64).collect();
            self.add_plain(Sql::FreeKeys, columns![keys, rows]);
        }
    }

    fn add_counters(&mut self, transaction: &Transaction<'_>) {
        let slot = transaction.slot;
        let credits = &transaction.credits;
        if !credits.is_empty() {
            let accounts: Vec<i32> = credits.keys().map(|key| key.0).collect();
            let months: Vec<i32> = credits.keys().map(|key| key.1 as i32).collect();
            let reserved: Vec<i64> = credits.values().map(|delta| delta.reserved).collect();
            let used: Vec<i64> = credits.values().map(|delta| delta.used).collect();
            self.add_plain(Sql::AddCredits, columns![slot, accounts, months, reserved, used]);
        }
        let usage = &transaction.usage;
        if !usage.is_empty() {
            let accounts: Vec<i32> = usage.keys().map(|key| key.0).collect();
            let days: Vec<i32> = usage.keys().map(|key| key.1 as i32).collect();
            let scrapers: Vec<i16> = usage.keys().map(|key| key.2 as i16).collect();
            let jobs: Vec<i64> = usage.values().map(|used| used.jobs as i64).collect();
            let done: Vec<i64> = usage.values().map(|used| used.done as i64).collect();
            let failed: Vec<i64> = usage.values().map(|used| used.failed as i64).collect();
            let cached: Vec<i64> = usage.values().map(|used| used.cached as i64).collect();
            let credits: Vec<i64> = usage.values().map(|used| used.credits as i64).collect();
            let values =
                columns![slot, accounts, days, scrapers, jobs, done, failed, cached, credits];
            self.add_plain(Sql::AddUsage, values);
        }
        let mut depth: Vec<(i16, i64)> = transaction
            .depth
            .iter()
            .filter(|(_, change)| **change != 0)
            .map(|(scraper, change)| (*scraper as i16, *change as i64))
            .collect();
        if !depth.is_empty() {
            depth.sort_unstable();
            let (scrapers, changes): (Vec<_>, Vec<_>) = depth.into_iter().unzip();
            self.add_plain(Sql::AddDepth, columns![slot, scrapers, changes]);
        }
    }

    fn add_things(&mut self, transaction: &Transaction<'_>) {
        let (mut updated, mut inserted) = (ThingColumns::default(), ThingColumns::default());
        let mut gone = ThingColumns::default();
        for (key, thing) in &transaction.things.rows {
            match &thing.value {
                Some(value) if thing.changed && thing.has_row => updated.push(key, value),
                Some(value) if thing.changed => inserted.push(key, value),
                // It was inserted empty, to be locked.
                None if thing.has_row => gone.push(key, &[]),
                Some(_) | None => {}
            }
        }
        for (sql, ThingColumns { kinds, keys, values }) in
            [(Sql::UpdateThings, updated), (Sql::PutThings, inserted)]
        {
            if !kinds.is_empty() {
                self.add_plain(sql, columns![kinds, keys, values]);
            }
        }
        let ThingColumns { kinds, keys, .. } = gone;
        if !kinds.is_empty() {
            self.add_plain(Sql::DeleteThings, columns![kinds, keys]);
        }
    }
}

/// Returns the jobs that a transaction ends, as it writes them.
///
/// # Errors
/// Returns an error if a record cannot be encoded.
pub(super) fn ended(transaction: &Transaction<'_>) -> Result<Vec<WrittenJob>, StoreError> {
    let jobs = transaction.jobs.values().filter_map(|job| job.as_ref().ok());
    let ends = |known: &&JobRow| {
        known.fate == Fate::Changed && known.stored != StoredIn::Ends && known.job.state.finished()
    };
    let written = |known: &JobRow| {
        let Ended { standing, result, .. } = Ended::of(known)?;
        let asked = record::encode_asked(&known.job, known.scraper)?;
        Ok(WrittenJob { row: known.job.row, asked, standing, result })
    };
    jobs.filter(ends).map(written).collect()
}

/// Rows of the table of things.
#[derive(Default)]
struct ThingColumns {
    kinds: Vec<i16>,
    keys: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
}

impl ThingColumns {
    fn push(&mut self, key: &ThingKey, value: &[u8]) {
        self.kinds.push(key.kind as i16);
        self.keys.push(key.key.clone());
        self.values.push(value.to_vec());
    }
}

/// Rows of a table that each hour has, by hour.
struct HourColumns<T>(BTreeMap<Hour, Vec<T>>);

impl<T> Default for HourColumns<T> {
    fn default() -> HourColumns<T> {
        HourColumns(BTreeMap::new())
    }
}

impl<T> HourColumns<T> {
    fn of(&mut self, row: Row) -> &mut Vec<T> {
        self.0.entry(RowParts::of(row).hour).or_default()
    }
}

/// A row of the table of what was asked.
struct AskedRow {
    row: i64,
    account: i32,
    created_ms: i64,
    record: Vec<u8>,
}

impl AskedRow {
    fn of(known: &JobRow) -> Result<AskedRow, StoreError> {
        Ok(AskedRow {
            row: known.job.row as i64,
            account: known.account,
            created_ms: known.job.created_ms as i64,
            record: record::encode_asked(&known.job, known.scraper)?,
        })
    }

    fn columns(all: Vec<AskedRow>) -> Vec<Value> {
        let rows: Vec<i64> = all.iter().map(|it| it.row).collect();
        let accounts: Vec<i32> = all.iter().map(|it| it.account).collect();
        let created: Vec<i64> = all.iter().map(|it| it.created_ms).collect();
        let records: Vec<Vec<u8>> = all.into_iter().map(|it| it.record).collect();
        columns![rows, accounts, created, records]
    }
}

/// A row of the queue.
struct Queued {
    row: i64,
    scraper: i16,
    interactive: bool,
    due_ms: i64,
    start_by_ms: Option<i64>,
    expires_ms: i64,
    node: Option<i32>,
    standing: Vec<u8>,
}

impl Queued {
    fn of(known: &JobRow) -> Result<Queued, StoreError> {
        let job = &known.job;
        Ok(Queued {
            row: job.row as i64,
            scraper: known.scraper as i16,
            interactive: job.interactive,
            due_ms: job.due_ms as i64,
            start_by_ms: job.start_deadline_ms().map(|at_ms| at_ms as i64),
            expires_ms: job.expires_ms as i64,
            node: known.node,
            standing: record::encode_standing(job)?,
        })
    }

    fn all_columns(all: Vec<Queued>) -> Vec<Value> {
        let rows: Vec<i64> = all.iter().map(|it| it.row).collect();
        let scrapers: Vec<i16> = all.iter().map(|it| it.scraper).collect();
        let interactive: Vec<bool> = all.iter().map(|it| it.interactive).collect();
        let due: Vec<i64> = all.iter().map(|it| it.due_ms).collect();
        let start_by: Vec<Option<i64>> = all.iter().map(|it| it.start_by_ms).collect();
        let expires: Vec<i64> = all.iter().map(|it| it.expires_ms).collect();
        let nodes: Vec<Option<i32>> = all.iter().map(|it| it.node).collect();
        let standings: Vec<Vec<u8>> = all.into_iter().map(|it| it.standing).collect();
        columns![rows, scrapers, interactive, due, start_by, expires, nodes, standings]
    }

    fn moving_columns(all: Vec<Queued>) -> Vec<Value> {
        let rows: Vec<i64> = all.iter().map(|it| it.row).collect();
        let due: Vec<i64> = all.iter().map(|it| it.due_ms).collect();
        let start_by: Vec<Option<i64>> = all.iter().map(|it| it.start_by_ms).collect();
        let nodes: Vec<Option<i32>> = all.iter().map(|it| it.node).collect();
        let standings: Vec<Vec<u8>> = all.into_iter().map(|it| it.standing).collect();
        columns![rows, due, start_by, nodes, standings]
    }
}

/// A row of the table of ends.
struct Ended {
    row: i64,
    standing: Vec<u8>,
    result: Option<Vec<u8>>,
}

impl Ended {
    fn of(known: &JobRow) -> Result<Ended, StoreError> {
        let row = known.job.row;
        let result = known.result.as_ref().map(|json| record::encode_result(row, json));
        Ok(Ended { row: row as i64, standing: record::encode_standing(&known.job)?, result })
    }

    fn columns(all: Vec<Ended>) -> Vec<Value> {
        let rows: Vec<i64> = all.iter().map(|it| it.row).collect();
        let (mut standings, mut results) = (Vec::new(), Vec::new());
        for Ended { standing, result, .. } in all {
            standings.push(standing);
            results.push(result);
        }
        columns![rows, standings, results]
    }
}
