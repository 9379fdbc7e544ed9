//! What callers read: jobs, batches and deliveries by their rows, and what accounts have used.

use std::sync::Arc;

use tokio_postgres::Row as PgRow;
use uuid::Uuid;

use super::ended_jobs::{JobRecords, ReadJob};
use super::handle::SharedStore;
use super::loading::{batch_of, credits_of};
use super::reads::{Read, ReadReply, RowSubject};
use super::round::Value;
use super::statements::Sql;
use super::things::{ThingKey, ThingKind};
use crate::clock::{self, UnixMs};
use crate::job::{Batch, Delivery, Job, State};
use crate::store::accounts::{Credits, DailyUsage, Usage};
use crate::store::record::SealedResult;
use crate::store::{Cached, Pending, Row, StoreError, record};

/// The rows of the tables that were found of one row number.
pub(crate) type Found = Option<Arc<PgRow>>;

impl SharedStore {
    /// Begins to read the job of a row, for [`SharedStore::take_job`].
    pub(crate) fn begin_read(&self, row: Row) -> Pending<Found> {
        self.ask(|reply| Read::One(RowSubject::Job, row, reply))
    }

    /// Reads the row of a job, from memory if it has ended.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn known_job(&self, row: Row) -> Result<Option<Arc<ReadJob>>, StoreError> {
        let (ended, now_ms) = (&self.process.ended, self.clock.now_ms());
        let is_away = self.process.status.outages.error().is_some();
        if let Some(known) = ended.get(row, now_ms, is_away) {
            return Ok(Some(known));
        }
        let since = ended.forgets();
        let Some(found) = self.begin_read(row).committed().await? else { return Ok(None) };
        let has_ended = found.get(4);
        let job = Arc::new(ReadJob::new(JobRecords::Read(found), now_ms));
        if has_ended {
            ended.keep(since, row, job.clone());
        }
        Ok(Some(job))
    }

    /// Calls `read` with a job that was found and the JSON of its result, if it exists at `now_ms`.
    ///
    /// # Errors
    /// Returns an error if the job is damaged.
    pub(crate) fn take_job<T>(
        &self,
        found: &Found,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(found) = found else { return Ok(None) };
        let records = JobRecords::Read(found.clone());
        self.take_records(&records, now_ms, |job, result| read(job, result.map(|it| it.json)))
    }

    /// Does what [`SharedStore::take_job`] does with the records of a job, and with the checksum of
    /// the result.
    ///
    /// # Errors
    /// Returns an error if [`SharedStore::take_job`] would.
    pub(super) fn take_records<T>(
        &self,
        records: &JobRecords,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<SealedResult<'_>>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let row = records.row();
        let Some(standing) = records.standing() else { return Ok(None) };
        let name = |number| self.process.scrapers.name(number);
        let (job, _) = record::decode_halves(row, records.asked(), standing, name)?;
        if job.expires_ms <= now_ms {
            return Ok(None);
        }
        if job.state != State::Done {
            return Ok(Some(read(&job, None)));
        }
        let result = records.result().ok_or(StoreError::Damaged("a result is missing"))?;
        Ok(Some(read(&job, Some(record::decode_sealed_result(row, result)?))))
    }

    /// Reads the job of a row with the JSON of its result, if it exists at `now_ms`.
    ///
    /// # Errors
    /// Returns an error if the database fails or the job is damaged.
    pub(crate) async fn read_row<T>(
        &self,
        row: Row,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(known) = self.known_job(row).await? else { return Ok(None) };
        self.take_records(&known.records, now_ms, |job, result| read(job, result.map(|it| it.json)))
    }

    /// Does what [`SharedStore::read_row`] does, by the id.
    ///
    /// # Errors
    /// Returns an error if [`SharedStore::read_row`] would.
    pub(crate) async fn read_job<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(plain) = self.process.cipher.open(id) else { return Ok(None) };
        let found = self.read_row(plain.row, now_ms, |job, result| {
            plain.has_nonce(job.nonce).then(|| read(job, result))
        });
        found.await.map(Option::flatten)
    }

    /// Returns the cached result for a request's hash that was stored from `from_ms` to `now_ms`
    /// and whose job still exists.
    ///
    /// # Errors
    /// Returns an error if the database fails or the job is damaged.
    pub(crate) async fn cached(
        &self,
        hash: u128,
        from_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Option<Cached>, StoreError> {
        let entry = self.process.cache_index().get(hash, from_ms, now_ms);
        let Some(entry) = entry else { return Ok(None) };
        let found = self.read_row(entry.row, now_ms, |job, result| {
            let json = result?.to_vec();
            Some(Cached { stored_ms: entry.stored_ms, request: job.request.clone(), json })
        });
        found.await.map(Option::flatten)
    }

    /// Reads a batch, if it exists at `now_ms`.
    ///
    /// # Errors
    /// Returns an error if the database fails or the batch is damaged.
    pub(crate) async fn batch(
        &self,
        id: Uuid,
        now_ms: UnixMs,
    ) -> Result<Option<Batch>, StoreError> {
        let Some(plain) = self.process.cipher.open(id) else { return Ok(None) };
        let found = self.ask(|reply| Read::One(RowSubject::Batch, plain.row, reply));
        let found = found.committed().await?;
        let batch = found.map(|found| batch_of(&found)).transpose()?;
        Ok(batch.filter(|batch| batch.has_id(id) && batch.expires_ms > now_ms))
    }

    /// Reads the delivery of a row.
    ///
    /// # Errors
    /// Returns an error if the database fails or the delivery is damaged.
    pub(crate) async fn delivery(&self, row: Row) -> Result<Option<Delivery>, StoreError> {
        let found = self.ask(|reply| Read::One(RowSubject::Delivery, row, reply));
        match found.committed().await? {
            Some(found) => record::decode_delivery(row, found.get(1)).map(Some),
            None => {
                let key = ThingKey::of_row(ThingKind::NoticeDelivery, row);
                let bytes = self.read_thing(&key).await?;
                bytes.map(|bytes| record::decode_delivery(row, &bytes)).transpose()
            }
        }
    }

    /// Returns what an account has reserved and used in a calendar month.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) async fn credits(&self, account: &str, month: u32) -> Result<Credits, StoreError> {
        let text = "SELECT coalesce(sum(reserved), 0)::int8, coalesce(sum(used), 0)::int8 \
                    FROM credits JOIN accounts ON number = account WHERE name = $1 AND month = $2";
        let values: Vec<Value> = vec![Arc::new(account.to_owned()), Arc::new(month as i32)];
        let found = self.ask_text(text, values).committed().await?;
        Ok(found.first().map_or_else(Credits::default, |sum| credits_of(sum.get(0), sum.get(1))))
    }

    /// Returns an account's use on the days (UTC) from that of `from_ms` to that of `to_ms`, both
    /// included, oldest first; those on which it used nothing are left out.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) async fn usage(
        &self,
        account: &str,
        from_ms: UnixMs,
        to_ms: UnixMs,
    ) -> Result<Vec<DailyUsage>, StoreError> {
        let text = "SELECT day, scraper, sum(jobs)::int8, sum(done)::int8, sum(failed)::int8, \
                    sum(cached)::int8, sum(credits)::int8 FROM usage \
                    JOIN accounts ON number = account \
                    WHERE name = $1 AND day BETWEEN $2 AND $3 GROUP BY 1, 2 ORDER BY 1, 2";
        let day = |at_ms| Arc::new(clock::calendar_day(at_ms) as i32) as Value;
        let values: Vec<Value> =
            vec![Arc::new(account.to_owned()), day(from_ms.min(to_ms)), day(to_ms)];
        let mut days: Vec<DailyUsage> = Vec::new();
        for found in self.ask_text(text, values).committed().await? {
            let (number, scraper): (i32, i16) = (found.get(0), found.get(1));
            let day = number as u32;
            if days.last().is_none_or(|known| known.day != day) {
                days.push(DailyUsage { day, scrapers: Vec::new() });
            }
            let count = |column: usize| found.get::<_, i64>(column) as u64;
            let usage = Usage {
                jobs: count(2),
                done: count(3),
                failed: count(4),
                cached: count(5),
                credits: count(6),
            };
            if let Some((name, known)) =
                self.process.scrapers.name(scraper as u16).zip(days.last_mut())
            {
                known.scrapers.push((name, usage));
            }
        }
        Ok(days)
    }

    /// Does what [`ReadQueues::ask_statement`] does.
    ///
    /// [`ReadQueues::ask_statement`]: super::readers::ReadQueues::ask_statement
    pub(super) fn ask_statement(&self, sql: Sql, values: Vec<Value>) -> Pending<Vec<PgRow>> {
        self.process.reads.ask_statement(sql, values)
    }

    /// Does what [`ReadQueues::ask_text`] does.
    ///
    /// [`ReadQueues::ask_text`]: super::readers::ReadQueues::ask_text
    pub(super) fn ask_text(&self, text: &str, values: Vec<Value>) -> Pending<Vec<PgRow>> {
        self.process.reads.ask_text(text, values)
    }

    pub(super) fn ask<T>(&self, read: impl FnOnce(ReadReply<T>) -> Read) -> Pending<T> {
        self.process.reads.ask(read)
    }
}
