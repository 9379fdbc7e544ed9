//! Reading what a transaction needs: one round trip for what is locked by its keys, a second one
//! for what follows from the rows of the first, and one for each demand of the operations. What was
//! read is kept, so that the operations can decide again.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_postgres::Row as PgRow;
use uuid::Uuid;

use super::alert_marks;
use super::connect::PgSession;
use super::demand::{Demand, Entry, Thing};
use super::error::PgError;
use super::needs::Needs;
use super::observations;
use super::process::Process;
use super::round::{Round, Value};
use super::row_number::{Hour, by_hour};
use super::statements::{Prepared, Sql};
use super::things::{KeyReader, ThingKey, ThingKind, ThingRange};
use super::transaction::{
    BatchRow, DeliveryRow, Fate, Holder, JobRow, KeyRow, StoredIn, Transaction,
};
use crate::alert::{scraper_watch, tracker_watch};
use crate::job::{Batch, BatchProgress, State};
use crate::store::accounts::Credits;
use crate::store::{Row, StoreError, record};

/// The subject of a statement's answer.
enum Loaded {
    Keys,
    Jobs,
    SumAllowances,
    /// Things by their keys, and whether one that is not there was inserted empty.
    Things(Vec<ThingKey>, bool),
    Range(ThingRange),
    Batches,
    /// Rows that were asked for as batches'.
    AskedBatches(BTreeSet<Row>),
    Deliveries,
    /// The same, as things by their rows.
    NoticeDeliveries,
    ReadJobs,
}

/// The rows that a transaction has read.
#[derive(Default)]
pub(super) struct LoadedRows(Vec<(Loaded, Vec<PgRow>)>);

impl LoadedRows {
    /// Takes all of them into a transaction that has changed nothing.
    pub(super) fn fill(&self, process: &Process, needs: &Needs, transaction: &mut Transaction<'_>) {
        self.fill_after(0, process, needs, transaction);
    }

    /// Takes those behind the first ones.
    fn fill_after(
        &self,
        first: usize,
        process: &Process,
        needs: &Needs,
        transaction: &mut Transaction<'_>,
    ) {
        for (loaded, answers) in &self.0[first..] {
            take(process, needs, (loaded, answers), transaction);
        }
    }

    fn add(&mut self, asked: Vec<(usize, Loaded)>, mut answers: Vec<Vec<PgRow>>) {
        let answered =
            asked.into_iter().map(|(place, loaded)| (loaded, std::mem::take(&mut answers[place])));
        self.0.extend(answered);
    }
}

/// A round trip whose answers are taken into a transaction.
struct Load<'a, 's> {
    session: &'s PgSession,
    prepared: &'a mut Prepared,
    round: Round<'s>,
    asked: Vec<(usize, Loaded)>,
}

impl Load<'_, '_> {
    async fn ask(&mut self, sql: Sql, values: Vec<Value>, asked: Loaded) -> Result<(), PgError> {
        let statement = self.prepared.get(self.session, sql, Hour::of_ms(0)).await?;
        self.asked.push((self.round.add(statement, values), asked));
        Ok(())
    }

    /// Adds a statement for each hour that has one of the rows. An hour without tables has none.
    async fn ask_by_hour(
        &mut self,
        sql: Sql,
        rows: impl IntoIterator<Item = Row>,
        asked: impl Fn() -> Loaded,
    ) -> Result<(), PgError> {
        for (hour, rows) in by_hour(rows) {
            let statement = self.prepared.get_if_made(self.session, sql, hour).await?;
            if let Some(statement) = statement {
                let place = self.round.add(statement, vec![Arc::new(rows)]);
                self.asked.push((place, asked()));
            }
        }
        Ok(())
    }
}

impl Load<'_, '_> {
    async fn ask_things(&mut self, sql: Sql, keys: Vec<ThingKey>) -> Result<(), PgError> {
        if keys.is_empty() {
            return Ok(());
        }
        let kinds: Vec<i16> = keys.iter().map(|thing| thing.kind as i16).collect();
        let bytes: Vec<Vec<u8>> = keys.iter().map(|thing| thing.key.clone()).collect();
        let values: Vec<Value> = vec![Arc::new(kinds), Arc::new(bytes)];
        self.ask(sql, values, Loaded::Things(keys, sql == Sql::LockThings)).await
    }

    async fn ask_ranges(&mut self, ranges: BTreeSet<ThingRange>) -> Result<(), PgError> {
        for range in ranges {
            let values: Vec<Value> = vec![
                Arc::new(range.kind as i16),
                Arc::new(range.from.clone()),
                Arc::new(range.until.clone()),
                Arc::new(i64::from(range.rows_max)),
            ];
            let sql = if range.keys_only { Sql::ReadThingKeys } else { Sql::ReadThings };
            self.ask(sql, values, Loaded::Range(range)).await?;
        }
        Ok(())
    }
}

/// Begins a transaction with `begin`, and locks and reads what it needs.
///
/// # Errors
/// Returns an error if the database fails; the transaction is to be rolled back.
pub(super) async fn load<'s>(
    session: &'s PgSession,
    prepared: &mut Prepared,
    begin: Round<'s>,
    process: &Process,
    needs: &Needs,
    transaction: &mut Transaction<'_>,
) -> Result<LoadedRows, PgError> {
    let mut rows = LoadedRows::default();
    let mut load = Load { session, prepared, round: begin, asked: Vec::new() };
    first_round(&mut load, process, needs).await?;
    let answers = load.round.answers().await?;
    rows.add(load.asked, answers);
    rows.fill(process, needs, transaction);
    let first = rows.0.len();
    let mut load = Load { session, prepared, round: Round::new(session), asked: Vec::new() };
    second_round(&mut load, needs, transaction).await?;
    if load.round.is_empty() {
        return Ok(rows);
    }
    let answers = load.round.answers().await?;
    rows.add(load.asked, answers);
    rows.fill_after(first, process, needs, transaction);
    Ok(rows)
}

/// Sends what the round has, and locks and reads what the operations demand.
///
/// # Errors
/// Returns an error if the database fails; the transaction is to be rolled back.
pub(super) async fn load_more<'s>(
    session: &'s PgSession,
    prepared: &mut Prepared,
    round: Round<'s>,
    demand: Demand,
    rows: &mut LoadedRows,
) -> Result<(), PgError> {
    let mut load = Load { session, prepared, round, asked: Vec::new() };
    let Demand { things, held, ranges, batches } = demand;
    load.ask_by_hour(Sql::LockBatches, batches.iter().copied(), || Loaded::Batches).await?;
    load.ask_things(Sql::HoldThings, held.into_iter().collect()).await?;
    load.ask_things(Sql::LockThings, things.into_iter().collect()).await?;
    // Behind the locks: what was committed while they were waited for is read.
    load.ask_ranges(ranges).await?;
    let answers = load.round.answers().await?;
    rows.add(load.asked, answers);
    // Those of which no row was found are absent all the same.
    rows.0.push((Loaded::AskedBatches(batches), Vec::new()));
    Ok(())
}

async fn first_round(
    load: &mut Load<'_, '_>,
    process: &Process,
    needs: &Needs,
) -> Result<(), PgError> {
    if !needs.keys.is_empty() {
        let keys: Vec<Uuid> = needs.keys.keys().map(|key| Uuid::from_u128(*key)).collect();
        let claims = || needs.keys.values();
        let hashes: Vec<Uuid> = claims().map(|claim| Uuid::from_u128(claim.request_hash)).collect();
        let rows: Vec<i64> = claims().map(|claim| claim.row as i64).collect();
        let expires: Vec<i64> = claims().map(|claim| claim.expires_ms as i64).collect();
        let values: Vec<Value> =
            vec![Arc::new(keys), Arc::new(hashes), Arc::new(rows), Arc::new(expires)];
        load.ask(Sql::LockKeys, values, Loaded::Keys).await?;
    }
    load.ask_by_hour(Sql::LockJobs, needs.jobs.iter().copied(), || Loaded::Jobs).await?;
    let mut allowances: Vec<(i32, i32)> = needs
        .allowances
        .iter()
        .filter_map(|(name, month)| Some((process.accounts.number(name).ok()?, *month as i32)))
        .collect();
    if !allowances.is_empty() {
        allowances.sort_unstable();
        let (accounts, months): (Vec<i32>, Vec<i32>) = allowances.into_iter().unzip();
        // The sum is read by a statement of its own, which sees what was committed meanwhile.
        for sql in [Sql::MakeAllowances, Sql::LockAllowances, Sql::SumAllowances] {
            let values: Vec<Value> = vec![Arc::new(accounts.clone()), Arc::new(months.clone())];
            load.ask(sql, values, Loaded::SumAllowances).await?;
        }
        // Only the last of them says something.
        let last = load.asked.pop();
        load.asked.truncate(load.asked.len() - 2);
        load.asked.extend(last);
    }
    Ok(())
}

async fn second_round(
    load: &mut Load<'_, '_>,
    needs: &Needs,
    transaction: &Transaction<'_>,
) -> Result<(), PgError> {
    let jobs = transaction.jobs.values().filter_map(|job| job.as_ref().ok());
    let of_jobs = jobs.filter_map(|known| known.job.batch).map(|key| key.row);
    let holders = transaction.keys.values().filter_map(|key| key.holder).map(|it| it.row);
    let readers: Vec<Row> = holders.chain(needs.read.iter().copied()).collect();
    // What is only read may be a batch as well.
    let mut batches: Vec<Row> = needs.batches.iter().copied().chain(of_jobs).collect();
    batches.extend(&readers);
    batches.sort_unstable();
    batches.dedup();
    load.ask_by_hour(Sql::LockBatches, batches, || Loaded::Batches).await?;
    let deliveries = needs.deliveries.iter().copied();
    load.ask_by_hour(Sql::LockDeliveries, deliveries, || Loaded::Deliveries).await?;
    if !needs.deliveries.is_empty() {
        let keys = needs.deliveries.iter().map(|row| row.to_be_bytes().to_vec());
        let keys: Vec<Vec<u8>> = keys.collect();
        let kind = ThingKind::NoticeDelivery as i16;
        let values: Vec<Value> = vec![Arc::new(kind), Arc::new(keys)];
        load.ask(Sql::LockNoticeDeliveries, values, Loaded::NoticeDeliveries).await?;
    }
    let (held, ranges) = followed(needs, transaction);
    load.ask_things(Sql::HoldThings, held).await?;
    let of_slot = needs.slots.iter().map(|key| key.clone().with_slot(transaction.slot));
    let locked: BTreeSet<ThingKey> = needs.things.iter().cloned().chain(of_slot).collect();
    load.ask_things(Sql::LockThings, locked.into_iter().collect()).await?;
    load.ask_ranges(ranges).await?;
    // Those that are not in the queue have ended, or are gone.
    let missing = needs.jobs.iter().copied().chain(readers);
    let mut missing: Vec<Row> = missing.filter(|row| !transaction.jobs.contains_key(row)).collect();
    missing.sort_unstable();
    missing.dedup();
    load.ask_by_hour(Sql::ReadJobs, missing, || Loaded::ReadJobs).await
}

/// Returns what the operations are most likely to ask for, by the jobs that they change: the
/// trackers that have measured an answer, and the alerts that watch them and the scrapers.
fn followed(needs: &Needs, transaction: &Transaction<'_>) -> (Vec<ThingKey>, BTreeSet<ThingRange>) {
    let (mut held, mut ranges) = (BTreeSet::new(), needs.ranges.clone());
    let jobs = transaction.jobs.values().filter_map(|known| known.as_ref().ok());
    // One that runs is most likely to end an attempt; others read what they need later.
    for job in jobs.map(|known| &known.job).filter(|job| job.state == State::Running) {
        ranges.insert(alert_marks::watch_range(&scraper_watch(&job.request.scraper)));
        if let Some(tracker) = needs.measured.get(&job.row) {
            held.insert(observations::tracker_key(&job.account, tracker));
            ranges.insert(alert_marks::watch_range(&tracker_watch(&job.account, tracker)));
        }
    }
    (held.into_iter().collect(), ranges)
}

fn take(
    process: &Process,
    needs: &Needs,
    (loaded, answers): (&Loaded, &[PgRow]),
    transaction: &mut Transaction<'_>,
) {
    match loaded {
        Loaded::Things(keys, is_locked) => {
            return take_things(keys, *is_locked, answers, transaction);
        }
        Loaded::Range(range) => {
            let entries = answers.iter().map(|answer| (answer.get(0), answer.get(1)));
            let entries: Vec<Entry> = entries.collect();
            transaction.things.ranges.insert(range.clone(), entries);
            return;
        }
        Loaded::AskedBatches(rows) => {
            transaction.absent_batches.extend(rows);
            return;
        }
        Loaded::Keys
        | Loaded::Jobs
        | Loaded::SumAllowances
        | Loaded::Batches
        | Loaded::Deliveries
        | Loaded::NoticeDeliveries
        | Loaded::ReadJobs => {}
    }
    for answer in answers {
        match loaded {
            Loaded::Keys => take_key(needs, answer, transaction),
            Loaded::Jobs => {
                let standing: &[u8] = answer.get(3);
                let job = job_of(process, answer, standing, StoredIn::Queue);
                let job = job.map(|job| JobRow { node: answer.get(4), ..job });
                transaction.jobs.insert(row_of(answer), job);
            }
            Loaded::ReadJobs => take_read_job(process, answer, transaction),
            Loaded::SumAllowances => {
                let (account, month): (i32, i32) = (answer.get(0), answer.get(1));
                let taken = credits_of(answer.get(2), answer.get(3));
                transaction.allowances.insert((account, month as u32), taken);
            }
            Loaded::Batches => {
                let batch =
                    batch_of(answer).map(|batch| BatchRow { batch, is_new: false, changed: false });
                transaction.batches.insert(row_of(answer), batch);
            }
            Loaded::Deliveries => take_delivery(row_of(answer), answer.get(1), transaction),
            Loaded::NoticeDeliveries => {
                if let Some(row) = KeyReader(answer.get(0)).u64() {
                    take_delivery(row, answer.get(1), transaction);
                }
            }
            Loaded::Things(..) | Loaded::Range(_) | Loaded::AskedBatches(_) => {}
        }
    }
}

fn row_of(answer: &PgRow) -> Row {
    answer.get::<_, i64>(0) as Row
}

/// Returns the credits that the slots of an account add up to: a job may be reserved in one and
/// settled in another.
pub(super) fn credits_of(reserved: i64, used: i64) -> Credits {
    let amount = |sum: i64| u64::try_from(sum).unwrap_or(0);
    Credits { reserved: amount(reserved), used: amount(used) }
}

fn take_delivery(row: Row, bytes: &[u8], transaction: &mut Transaction<'_>) {
    let delivery = record::decode_delivery(row, bytes);
    let delivery = delivery.map(|delivery| DeliveryRow { delivery, recipient: None });
    transaction.deliveries.insert(row, delivery);
}

fn take_key(needs: &Needs, answer: &PgRow, transaction: &mut Transaction<'_>) {
    let (key, request): (Uuid, Uuid) = (answer.get(0), answer.get(1));
    let (row, expires_ms): (i64, i64) = (answer.get(2), answer.get(3));
    let holder =
        Holder { row: row as Row, request_hash: request.as_u128(), expires_ms: expires_ms as u64 };
    // What the claim itself has inserted holds nothing yet.
    let is_held = needs
        .keys
        .get(&key.as_u128())
        .is_some_and(|claim| claim.row != holder.row && holder.expires_ms > claim.now_ms);
    let known = KeyRow { stored: holder.row, holder: Some(holder).filter(|_| is_held) };
    transaction.keys.insert(key.as_u128(), known);
}

fn take_read_job(process: &Process, answer: &PgRow, transaction: &mut Transaction<'_>) {
    let (queued, ended): (Option<&[u8]>, Option<&[u8]>) = (answer.get(3), answer.get(4));
    // One with neither has expired before it could end.
    let found = ended.map(|it| (it, StoredIn::Ends)).or(queued.map(|it| (it, StoredIn::Queue)));
    let Some((standing, place)) = found else { return };
    let job = job_of(process, answer, standing, place);
    transaction.jobs.insert(row_of(answer), job);
}

fn job_of(
    process: &Process,
    answer: &PgRow,
    standing: &[u8],
    stored: StoredIn,
) -> Result<JobRow, StoreError> {
    let name = |number| process.scrapers.name(number);
    let (job, scraper) = record::decode_halves(row_of(answer), answer.get(2), standing, name)?;
    let account = answer.get(1);
    let (fate, node, result) = (Fate::Unchanged, None, None);
    Ok(JobRow { job, scraper, account, stored, fate, node, result })
}

/// Returns the batch of a row with its record and its counts.
pub(super) fn batch_of(answer: &PgRow) -> Result<Batch, StoreError> {
    let (done, failed): (i32, i32) = (answer.get(2), answer.get(3));
    let completed_ms: Option<i64> = answer.get(4);
    let progress = BatchProgress {
        done: done as u32,
        failed: failed as u32,
        completed_ms: completed_ms.map(|at_ms| at_ms as u64),
    };
    record::decode_batch(row_of(answer), answer.get(1), progress)
}

fn take_things(
    keys: &[ThingKey],
    is_locked: bool,
    answers: &[PgRow],
    transaction: &mut Transaction<'_>,
) {
    let rows = &mut transaction.things.rows;
    for key in keys {
        rows.insert(key.clone(), Thing { has_row: is_locked, ..Thing::default() });
    }
    for answer in answers {
        let Some(kind) = ThingKind::from_number(answer.get(0)) else { continue };
        let value: Vec<u8> = answer.get(2);
        let value = Some(value).filter(|value| !value.is_empty());
        let thing = Thing { value, changed: false, has_row: true };
        rows.insert(ThingKey { kind, key: answer.get(1) }, thing);
    }
}
