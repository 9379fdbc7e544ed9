//! Schedules: their records, their batches, the index of what is due, and their latest runs. A slot
//! is decided elsewhere and written here: its batch, its record and the next slot in one
//! transaction, so that no crash can run it twice or lose it. `store/schedules.rs` has the steps.

use redb::ReadableTable;
use uuid::Uuid;

use super::Embedded;
use super::snapshot::Snapshot;
use super::transaction::Tables;
use super::{batches, idempotency, rows, tables};
use crate::clock::UnixMs;
use crate::job::{Batch, Idempotency, Schedule, ScheduleRun};
use crate::store::effects::Effect;
use crate::store::schedules::{self, ScheduleTables};
use crate::store::{
    Blocking, NewItem, NewRun, Pending, Row, RunWritten, ScheduleEntry, ScheduleError, Scrapers,
    StoreError, SubmitError, record,
};

impl Embedded {
    pub(crate) fn insert_schedule(
        &self,
        schedule: Schedule,
        batch: String,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit(move |tables| {
                let tables = &mut RedbSchedules { tables, scrapers: &scrapers };
                schedules::insert(tables, schedule, &batch)
            })
        })
    }

    pub(crate) fn replace_schedule(
        &self,
        before: Schedule,
        after: Schedule,
        batch: Option<String>,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit(move |tables| {
                let tables = &mut RedbSchedules { tables, scrapers: &scrapers };
                schedules::replace(tables, &before, after, batch.as_deref())
            })
        })
    }

    pub(crate) fn remove_schedule(
        &self,
        schedule: Schedule,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit(move |tables| {
                let tables = &mut RedbSchedules { tables, scrapers: &scrapers };
                schedules::remove(tables, &schedule)
            })
        })
    }

    pub(crate) async fn schedule(
        &self,
        id: Uuid,
        account: &str,
    ) -> Result<Option<(ScheduleEntry, String)>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(None) };
        self.read(|snapshot| {
            let schedules = snapshot.open_table(tables::SCHEDULES)?;
            let Some(bytes) = schedules.get(plain.row)? else { return Ok(None) };
            let schedule = record::decode_schedule(plain.row, bytes.value())?;
            if !plain.has_nonce(schedule.nonce) || schedule.account != account {
                return Ok(None);
            }
            let batch = batch_in(snapshot, plain.row)?;
            let batch = batch.ok_or(StoreError::Damaged("the batch of a schedule is missing"))?;
            let last_run = runs_in(snapshot, plain.row, 1)?.pop();
            Ok(Some((ScheduleEntry { schedule, last_run }, batch)))
        })
    }

    pub(crate) async fn schedules(
        &self,
        account: Option<&str>,
    ) -> Result<Vec<ScheduleEntry>, StoreError> {
        self.read(|snapshot| {
            let mut found = Vec::new();
            for entry in snapshot.open_table(tables::SCHEDULES)?.iter()? {
                let (row, bytes) = entry?;
                match record::decode_schedule(row.value(), bytes.value()) {
                    Ok(schedule) if account.is_none_or(|of| schedule.account == of) => {
                        let last_run = runs_in(snapshot, schedule.row, 1)?.pop();
                        found.push(ScheduleEntry { schedule, last_run });
                    }
                    Ok(_) => {}
                    Err(error) if error.voids_transaction() => return Err(error),
                    Err(error) => {
                        tracing::error!(row = row.value(), %error, "a schedule could not be read");
                    }
                }
            }
            Ok(found)
        })
    }

    pub(crate) fn schedule_batch(&self, row: Row) -> Result<Option<String>, StoreError> {
        self.read(|snapshot| batch_in(snapshot, row))
    }

    pub(crate) async fn schedule_runs(
        &self,
        row: Row,
        runs_max: usize,
    ) -> Result<Vec<ScheduleRun>, StoreError> {
        self.read(|snapshot| runs_in(snapshot, row, runs_max))
    }

    pub(crate) fn next_slot_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.read(|snapshot| {
            let due = snapshot.open_table(tables::SCHEDULES_DUE)?;
            Ok(due.first()?.map(|(key, _)| key.value().0))
        })
    }

    pub(crate) fn due_schedules(
        &self,
        now_ms: UnixMs,
        schedules_max: usize,
    ) -> Result<Vec<Schedule>, StoreError> {
        self.read(|snapshot| due_in(snapshot, now_ms, schedules_max))
    }

    pub(crate) fn write_run(&self, run: NewRun, now_ms: UnixMs) -> Pending<RunWritten> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit(move |tables| {
                let tables = &mut RedbSchedules { tables, scrapers: &scrapers };
                schedules::write_run(tables, run, now_ms)
            })
        })
    }

    pub(crate) fn replan_after_clock_step(&self, now_ms: UnixMs) -> Result<usize, StoreError> {
        let known = self.schedules(None).wait()?.into_iter().map(|entry| entry.schedule);
        let is_ahead = |schedule: &Schedule| schedule.clone().plan_after_clock_step(now_ms);
        let ahead: Vec<Schedule> = known.filter(is_ahead).collect();
        if ahead.is_empty() {
            return Ok(0);
        }
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                let tables = &mut RedbSchedules { tables, scrapers: &scrapers };
                schedules::replan(tables, &ahead, now_ms)
            })
        })
        .wait()
    }
}

fn batch_in(snapshot: &Snapshot, row: Row) -> Result<Option<String>, StoreError> {
    let bytes = snapshot.open_table(tables::SCHEDULE_BATCHES)?.get(row)?;
    bytes.map(|bytes| record::decode_schedule_batch(row, bytes.value())).transpose()
}

fn runs_in(snapshot: &Snapshot, row: Row, runs_max: usize) -> Result<Vec<ScheduleRun>, StoreError> {
    let runs = snapshot.open_table(tables::SCHEDULE_RUNS)?;
    let newest = runs.range((row, 0)..=(row, u64::MAX))?.rev().take(runs_max);
    let mut found = Vec::new();
    for entry in newest {
        let (key, bytes) = entry?;
        found.push(record::decode_run(row, key.value().1, bytes.value())?);
    }
    Ok(found)
}

fn due_in(
    snapshot: &Snapshot,
    now_ms: UnixMs,
    schedules_max: usize,
) -> Result<Vec<Schedule>, StoreError> {
    let due = snapshot.open_table(tables::SCHEDULES_DUE)?;
    let schedules = snapshot.open_table(tables::SCHEDULES)?;
    let mut found = Vec::new();
    for entry in due.range(..=(now_ms, Row::MAX))? {
        if found.len() >= schedules_max {
            break;
        }
        let row = entry?.0.value().1;
        let Some(bytes) = schedules.get(row)? else { continue };
        match record::decode_schedule(row, bytes.value()) {
            Ok(schedule) => found.push(schedule),
            Err(error) if error.voids_transaction() => return Err(error),
            Err(error) => tracing::error!(row, %error, "a schedule could not be read"),
        }
    }
    Ok(found)
}

/// The tables of a transaction.
struct RedbSchedules<'a, 't> {
    tables: &'a mut Tables<'t>,
    scrapers: &'a Scrapers,
}

impl ScheduleTables for RedbSchedules<'_, '_> {
    fn schedule(&mut self, row: Row) -> Result<Option<Schedule>, StoreError> {
        let Some(bytes) = self.tables.schedules.get(row)? else { return Ok(None) };
        record::decode_schedule(row, bytes.value()).map(Some)
    }

    fn of_account(&mut self, account: &str) -> Result<Vec<Schedule>, StoreError> {
        let mut found = Vec::new();
        for entry in self.tables.schedules.range::<Row>(..)? {
            let (row, bytes) = entry?;
            match record::decode_schedule(row.value(), bytes.value()) {
                Ok(schedule) if schedule.account == account => found.push(schedule),
                Err(error) if error.voids_transaction() => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(found)
    }

    fn put(&mut self, before: Option<&Schedule>, after: &Schedule) -> Result<(), StoreError> {
        let (row, tables) = (after.row, &mut *self.tables);
        let bytes = record::encode_schedule(after)?;
        if let Some(next) = before.and_then(|before| before.progress.next) {
            tables.schedules_due.remove((next.due_ms, row))?;
        }
        if let Some(next) = after.progress.next {
            tables.schedules_due.insert((next.due_ms, row), ())?;
            tables.effects.push(Effect::Slot { due_ms: next.due_ms });
        }
        tables.schedules.insert(row, bytes.as_slice())
    }

    fn put_batch(&mut self, row: Row, json: &str) -> Result<(), StoreError> {
        let bytes = record::encode_schedule_batch(row, json)?;
        self.tables.schedule_batches.insert(row, bytes.as_slice())
    }

    fn put_run(&mut self, row: Row, run: &ScheduleRun) -> Result<(), StoreError> {
        let bytes = record::encode_run(row, run)?;
        self.tables.schedule_runs.insert((row, run.number), bytes.as_slice())
    }

    fn remove_run(&mut self, row: Row, number: u64) -> Result<(), StoreError> {
        self.tables.schedule_runs.remove((row, number))
    }

    fn remove(&mut self, schedule: &Schedule) -> Result<(), StoreError> {
        let (row, tables) = (schedule.row, &mut *self.tables);
        if let Some(next) = schedule.progress.next {
            tables.schedules_due.remove((next.due_ms, row))?;
        }
        let runs = tables.schedule_runs.range((row, 0)..=(row, u64::MAX))?;
        let numbers: Vec<u64> =
            runs.map(|entry| Ok(entry?.0.value().1)).collect::<Result<_, StoreError>>()?;
        for number in numbers {
            tables.schedule_runs.remove((row, number))?;
        }
        tables.schedule_batches.remove(row)?;
        tables.schedules.remove(row)
    }

    fn is_repeated(&mut self, known: Idempotency, now_ms: UnixMs) -> Result<bool, StoreError> {
        Ok(idempotency::find(self.tables, self.scrapers, known, now_ms)?.is_some())
    }

    fn batch(&mut self, row: Row) -> Result<Option<Batch>, StoreError> {
        match rows::read_batch(self.tables, row) {
            Err(error) if error.voids_transaction() => Err(error),
            // One that cannot be read must not stop the schedule.
            read => Ok(read.unwrap_or(None)),
        }
    }

    fn insert_batch(
        &mut self,
        batch: Batch,
        items: Vec<NewItem>,
    ) -> Result<Result<Batch, SubmitError>, StoreError> {
        batches::insert(self.tables, self.scrapers, batch, items)
    }
}
