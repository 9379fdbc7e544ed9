//! Writing what is moved: rows are collected into a transaction in memory, as those of a writer
//! are, and written by the same statements, many at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use tokio::runtime::Runtime;
use uuid::Uuid;

use super::accounts;
use super::connect::PgSession;
use super::hours::{self, HourTable, WRITE_EXPIRY};
use super::move_error::MoveError;
use super::moved_keys;
use super::nodes::{NodeNumber, SLOT_OF_ALL};
use super::process::{AccountNumber, Process};
use super::round::Round;
use super::row_number::{Hour, RowParts};
use super::saving::Writes;
use super::statements::Prepared;
use super::things::ThingKey;
use super::transaction::{BatchRow, DeliveryRow, Fate, JobRow, StoredIn, Transaction};
use crate::clock::UnixMs;
use crate::job::{Batch, Delivery, Idempotency, Job, Recipient, Subject};
use crate::store::accounts::{Credits, Usage};
use crate::store::alerts::WatchMark;
use crate::store::moved::{MoveReport, MovedRow};
use crate::store::{Row, StoreError};

/// The most rows that are written at once, and about the most bytes of them.
const ROWS_MAX: usize = 1_000;
const BYTES_MAX: usize = 8 << 20;

const PUT_KEYS: &str = "
    INSERT INTO idempotency(key_hash, request_hash, row, expires_ms)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::int8[])";
/// Kept until the last of the jobs has expired.
const PUT_COMPLETIONS: &str = "
    INSERT INTO completions(slot, seq, row, completed_ms, expires_ms)
    SELECT $1, u.seq, u.row, u.completed_ms, $5
    FROM unnest($2::int8[], $3::int8[], $4::int8[]) u(seq, row, completed_ms)";
/// One run of all numbers, with the gaps that they have.
const PUT_RUN: &str = "
    INSERT INTO completion_runs(number, slot, seq, n)
    SELECT min(seq), slot, min(seq), max(seq) + 1 - min(seq) FROM completions
    WHERE slot = $1 GROUP BY slot";

/// A shared store that is being filled.
pub(super) struct Filling<'p> {
    runtime: &'p Runtime,
    session: &'p PgSession,
    process: &'p Process,
    prepared: Prepared,
    /// The hours that have tables.
    hours: BTreeSet<Hour>,
    now_ms: UnixMs,
    /// When the last job of each hour expires.
    expires_ms: BTreeMap<Hour, UnixMs>,
    transaction: Transaction<'p>,
    keys: Vec<(Idempotency, Row, UnixMs)>,
    completed: Vec<(u64, Row, UnixMs)>,
    evidence: Vec<(Row, String, Vec<u8>)>,
    /// What is not written yet.
    rows: usize,
    bytes: usize,
    rows_total: u64,
    moved: Moved,
}

/// The numbers of rows that the tables should have after the move.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    jobs: u64,
    unfinished: u64,
    batches: u64,
    deliveries: u64,
    /// Deliveries that are pending.
    outbox: u64,
    keys: u64,
    cached: u64,
    completed: u64,
    credits: u64,
    usage: u64,
    things: u64,
    /// Of the things, deliveries of notices.
    notices: u64,
    evidence: u64,
}

impl<'p> Filling<'p> {
    pub(super) fn new(
        runtime: &'p Runtime,
        session: &'p PgSession,
        process: &'p Process,
        hours: Vec<Hour>,
        now_ms: UnixMs,
    ) -> Filling<'p> {
        Filling {
            runtime,
            session,
            process,
            prepared: Prepared::default(),
            hours: hours.into_iter().collect(),
            now_ms,
            expires_ms: BTreeMap::new(),
            transaction: Transaction::new(process, NodeNumber(0), SLOT_OF_ALL),
            keys: Vec::new(),
            completed: Vec::new(),
            evidence: Vec::new(),
            rows: 0,
            bytes: 0,
            rows_total: 0,
            moved: Moved::default(),
        }
    }

    /// Takes a row, and writes what has been collected where that is enough. `seen` is called then
    /// with how many rows there were.
    ///
    /// # Errors
    /// Returns an error if the row cannot be in a shared store, or the database fails.
    pub(super) fn take(
        &mut self,
        row: MovedRow<'_>,
        seen: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        match row {
            MovedRow::Job { job, scraper, result, has_key } => {
                self.take_job(job, scraper, result, has_key)?;
            }
            MovedRow::Batch { batch, has_key } => self.take_batch(batch, has_key)?,
            MovedRow::Delivery { row, delivery, recipient } => {
                self.take_delivery(row, delivery, recipient)?;
            }
            MovedRow::Cached { stored_ms, row, hash } => {
                self.transaction.cache.push((stored_ms, row, hash));
                self.moved.cached += 1;
            }
            MovedRow::Credits { account, month, credits: Credits { reserved, used } } => {
                let account = self.account(account)?;
                let delta = self.transaction.credits.entry((account, month)).or_default();
                (delta.reserved, delta.used) = (reserved as i64, used as i64);
                self.moved.credits += 1;
            }
            MovedRow::Usage { account, day, scraper, usage } => {
                self.take_usage((account, day, scraper), usage)?;
            }
            MovedRow::Completed { number, row, completed_ms } => {
                self.completed.push((number, row, completed_ms));
                self.moved.completed += 1;
            }
            MovedRow::Watch { watch, row, filed_ms, marks } => {
                let mark = WatchMark { filed_ms, marks };
                for (key, value) in super::alert_marks::filed(watch, row, mark) {
                    self.put_thing(&key, value);
                }
            }
            MovedRow::Record(key, bytes) => {
                let node = self.process.connector.node_name();
                let (key, value) = moved_keys::thing_of(key, bytes, node);
                self.put_thing(&key, value);
            }
            MovedRow::Evidence { job, name, content } => {
                self.make_room(job.row)?;
                self.expire(job.row, job.expires_ms);
                self.bytes += content.len();
                self.evidence.push((job.row, name.to_owned(), content));
                self.moved.evidence += 1;
            }
        }
        self.rows += 1;
        self.rows_total += 1;
        if self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX {
            self.write()?;
            seen(self.rows_total);
        }
        Ok(())
    }

    fn take_job(
        &mut self,
        job: Job,
        scraper: u16,
        result: Option<Vec<u8>>,
        has_key: bool,
    ) -> Result<(), StoreError> {
        self.make_room(job.row)?;
        self.expire(job.row, job.expires_ms);
        let account = self.account(&job.account)?;
        let unfinished = !job.state.finished();
        self.moved.jobs += 1;
        self.moved.unfinished += u64::from(unfinished);
        if unfinished {
            *self.transaction.depth.entry(scraper).or_default() += 1;
        }
        self.take_key(job.idempotency.filter(|_| has_key), job.row, job.expires_ms);
        self.bytes += job.request.prompt.len() + result.as_ref().map_or(0, Vec::len);
        // One that ran is run again by the node that takes it: its attempt has crashed.
        let (stored, fate, node) = (StoredIn::Nowhere, Fate::Changed, None);
        let row = JobRow { job, scraper, account, stored, fate, node, result };
        self.transaction.jobs.insert(row.job.row, Ok(row));
        Ok(())
    }

    fn take_batch(&mut self, batch: Batch, has_key: bool) -> Result<(), StoreError> {
        let row = batch.key.row;
        self.make_room(row)?;
        self.expire(row, batch.expires_ms);
        self.account(&batch.account)?;
        self.take_key(batch.idempotency.filter(|_| has_key), row, batch.expires_ms);
        self.moved.batches += 1;
        let batch = BatchRow { batch, is_new: true, changed: true };
        self.transaction.batches.insert(row, Ok(batch));
        Ok(())
    }

    fn take_delivery(
        &mut self,
        row: Row,
        delivery: Delivery,
        recipient: Recipient,
    ) -> Result<(), StoreError> {
        match delivery.subject {
            Subject::Job | Subject::Batch => {
                self.make_room(row)?;
                self.moved.deliveries += 1;
            }
            // It is a thing.
            Subject::Notice => {
                self.moved.things += 1;
                self.moved.notices += 1;
            }
        }
        self.moved.outbox += u64::from(delivery.due_ms().is_some());
        let delivery = DeliveryRow { delivery, recipient: Some(recipient) };
        self.transaction.deliveries.insert(row, Ok(delivery));
        Ok(())
    }

    fn take_usage(
        &mut self,
        (account, day, scraper): (&str, u32, u16),
        usage: Usage,
    ) -> Result<(), StoreError> {
        let account = self.account(account)?;
        self.transaction.usage.insert((account, day, scraper), usage);
        self.moved.usage += 1;
        Ok(())
    }

    fn take_key(&mut self, known: Option<Idempotency>, row: Row, expires_ms: UnixMs) {
        if let Some(known) = known {
            self.keys.push((known, row, expires_ms));
            self.moved.keys += 1;
        }
    }

    fn put_thing(&mut self, key: &ThingKey, value: Vec<u8>) {
        self.bytes += value.len();
        self.moved.things += 1;
        self.transaction.put_thing(key, Some(value));
    }

    /// Notes when a row expires.
    fn expire(&mut self, row: Row, expires_ms: UnixMs) {
        let latest_ms = self.expires_ms.entry(RowParts::of(row).hour).or_default();
        *latest_ms = expires_ms.max(*latest_ms);
    }

    /// Makes the tables of a row's hour. Rows of a store in a file are of hours that have passed.
    fn make_room(&mut self, row: Row) -> Result<(), StoreError> {
        let hour = RowParts::of(row).hour;
        if hour >= Hour::of_ms(self.now_ms) {
            return Err(MoveError::TooManyRows.into());
        }
        if !self.hours.contains(&hour) {
            self.runtime.block_on(hours::make(self.session, hour))?;
            self.hours.insert(hour);
        }
        Ok(())
    }

    fn account(&self, name: &str) -> Result<AccountNumber, StoreError> {
        let accounts = &self.process.accounts;
        if let Ok(number) = accounts.number(name) {
            return Ok(number);
        }
        let names = BTreeSet::from([name.to_owned()]);
        self.runtime.block_on(accounts::learn(self.session, accounts, &names))?;
        accounts.number(name)
    }

    /// Writes what has been collected.
    fn write(&mut self) -> Result<(), StoreError> {
        let empty = Transaction::new(self.process, NodeNumber(0), SLOT_OF_ALL);
        let transaction = mem::replace(&mut self.transaction, empty);
        (self.rows, self.bytes) = (0, 0);
        self.runtime.block_on(async {
            let mut round = Round::new(self.session);
            let writes = Writes::of(&transaction)?;
            writes.add_to(self.session, &mut self.prepared, &mut round).await?;
            round.answers().await?;
            put_keys(self.session, mem::take(&mut self.keys)).await?;
            let last_ms = self.expires_ms.values().max().copied().unwrap_or_default();
            put_completed(self.session, mem::take(&mut self.completed), last_ms).await?;
            put_evidence(self.session, mem::take(&mut self.evidence)).await
        })
    }

    /// Writes the rest and commits all of it, if all is there. `left` is what was left out.
    ///
    /// # Errors
    /// Returns an error if the database fails or lacks something that was moved.
    pub(super) fn finish(mut self, left: Vec<String>) -> Result<MoveReport, StoreError> {
        self.write()?;
        let (session, moved) = (self.session, self.moved);
        self.runtime.block_on(async {
            for (hour, expires_ms) in &self.expires_ms {
                let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
                    [&hour.number(), &(*expires_ms as i64)];
                session.execute(WRITE_EXPIRY, &values).await?;
            }
            session.execute(PUT_RUN, &[&SLOT_OF_ALL]).await?;
            compare(session, &self.hours, moved).await?;
            session.batch_execute("COMMIT").await?;
            Ok::<_, StoreError>(())
        })?;
        Ok(MoveReport {
            jobs: moved.jobs,
            unfinished: moved.unfinished,
            batches: moved.batches,
            deliveries: moved.deliveries + moved.notices,
            keys: moved.keys,
            cache_entries: moved.cached,
            records: moved.things - moved.notices,
            evidence: moved.evidence,
            left,
        })
    }
}

async fn put_keys(
    session: &PgSession,
    keys: Vec<(Idempotency, Row, UnixMs)>,
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let hash = |hash: u128| Uuid::from_u128(hash);
    let hashes: Vec<Uuid> = keys.iter().map(|key| hash(key.0.key_hash)).collect();
    let requests: Vec<Uuid> = keys.iter().map(|key| hash(key.0.request_hash)).collect();
    let rows: Vec<i64> = keys.iter().map(|key| key.1 as i64).collect();
    let expires: Vec<i64> = keys.iter().map(|key| key.2 as i64).collect();
    session.execute(PUT_KEYS, &[&hashes, &requests, &rows, &expires]).await?;
    Ok(())
}

async fn put_completed(
    session: &PgSession,
    completed: Vec<(u64, Row, UnixMs)>,
    last_ms: UnixMs,
) -> Result<(), StoreError> {
    if completed.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = completed.iter().map(|it| it.0 as i64).collect();
    let rows: Vec<i64> = completed.iter().map(|it| it.1 as i64).collect();
    let times: Vec<i64> = completed.iter().map(|it| it.2 as i64).collect();
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&SLOT_OF_ALL, &numbers, &rows, &times, &(last_ms as i64)];
    session.execute(PUT_COMPLETIONS, &values).await?;
    Ok(())
}

async fn put_evidence(
    session: &PgSession,
    files: Vec<(Row, String, Vec<u8>)>,
) -> Result<(), StoreError> {
    for (row, name, content) in files {
        let table = HourTable::Evidence.in_hour(RowParts::of(row).hour);
        let put = format!("INSERT INTO {table}(row, name, content) VALUES ($1, $2, $3)");
        session.execute(put.as_str(), &[&(row as i64), &name, &content]).await?;
    }
    Ok(())
}

/// Compares what was moved with what the tables have.
async fn compare(
    session: &PgSession,
    hours: &BTreeSet<Hour>,
    moved: Moved,
) -> Result<(), StoreError> {
    let finished = moved.jobs - moved.unfinished;
    for (table, what, moved) in [
        (HourTable::Jobs, "jobs", moved.jobs),
        (HourTable::Ends, "ends of jobs", finished),
        (HourTable::Batches, "batches", moved.batches),
        (HourTable::Deliveries, "deliveries", moved.deliveries),
        (HourTable::Cache, "cache entries", moved.cached),
        (HourTable::Evidence, "files of evidence", moved.evidence),
    ] {
        let mut found = 0;
        for hour in hours {
            found += count(session, &table.in_hour(*hour)).await?;
        }
        is_all(what, moved, found)?;
    }
    for (table, what, moved) in [
        ("queue", "unfinished jobs", moved.unfinished),
        ("batch_ends", "counts of batches", moved.batches),
        ("outbox", "pending deliveries", moved.outbox),
        ("idempotency", "idempotency keys", moved.keys),
        ("completions", "numbers of jobs", moved.completed),
        ("credits", "months of accounts", moved.credits),
        ("usage", "days of accounts", moved.usage),
        ("things", "records", moved.things),
    ] {
        is_all(what, moved, count(session, table).await?)?;
    }
    Ok(())
}

async fn count(session: &PgSession, table: &str) -> Result<u64, StoreError> {
    let count = format!("SELECT count(*) FROM {table}");
    Ok(session.query_one(count.as_str(), &[]).await?.get::<_, i64>(0) as u64)
}

fn is_all(what: &'static str, moved: u64, found: u64) -> Result<(), StoreError> {
    if moved == found { Ok(()) } else { Err(MoveError::Differs { what, moved, found }.into()) }
}
