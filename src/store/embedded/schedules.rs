//! Schedules: their records, their batches, the index of what is due, and their latest runs. A slot
//! is decided elsewhere and written here: its batch, its record and the next slot in one
//! transaction, so that no crash can run it twice or lose it.

use redb::ReadableTable;
use uuid::Uuid;

use super::Embedded;
use super::snapshot::Snapshot;
use super::transaction::Tables;
use super::{batches, idempotency, rows, tables};
use crate::clock::UnixMs;
use crate::job::{Batch, BatchKey, RUNS_KEPT_MAX, RunOutcome, Schedule, ScheduleRun};
use crate::store::effects::Effect;
use crate::store::{
    Blocking, NewRun, Pending, Row, RunAction, RunWritten, ScheduleEntry, ScheduleError, Scrapers,
    StoreError, record, schedules,
};

impl Embedded {
    pub(crate) fn insert_schedule(
        &self,
        schedule: Schedule,
        batch: String,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        self.queue(|queue| {
            queue.submit(move |tables| {
                let others = of_account(tables, &schedule.account)?;
                if let Some(refused) = ScheduleError::of_new(&schedule, &others) {
                    return Ok(Err(refused));
                }
                let bytes = record::encode_schedule_batch(schedule.row, &batch)?;
                tables.schedule_batches.insert(schedule.row, bytes.as_slice())?;
                write(tables, None, &schedule)?;
                Ok(Ok(schedule))
            })
        })
    }

    pub(crate) fn replace_schedule(
        &self,
        before: Schedule,
        mut after: Schedule,
        batch: Option<String>,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        self.queue(|queue| {
            queue.submit(move |tables| {
                let Some(current) = current(tables, &before)? else {
                    return Ok(Err(ScheduleError::Gone));
                };
                if current.version != before.version {
                    return Ok(Err(ScheduleError::Stale));
                }
                let others = of_account(tables, &after.account)?;
                if let Some(refused) = ScheduleError::of_change(&after, &others) {
                    return Ok(Err(refused));
                }
                if let Some(batch) = batch {
                    let bytes = record::encode_schedule_batch(after.row, &batch)?;
                    tables.schedule_batches.insert(after.row, bytes.as_slice())?;
                }
                after.version = before.version + 1;
                write(tables, Some(&current), &after)?;
                Ok(Ok(after))
            })
        })
    }

    pub(crate) fn remove_schedule(
        &self,
        schedule: Schedule,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        self.queue(|queue| {
            queue.submit(move |tables| {
                let Some(current) = current(tables, &schedule)? else {
                    return Ok(Err(ScheduleError::Gone));
                };
                let row = current.row;
                if let Some(next) = current.progress.next {
                    tables.schedules_due.remove((next.due_ms, row))?;
                }
                for number in run_numbers(tables, row)? {
                    tables.schedule_runs.remove((row, number))?;
                }
                tables.schedule_batches.remove(row)?;
                tables.schedules.remove(row)?;
                Ok(Ok(current))
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
        self.queue(|queue| queue.submit(move |tables| write_run(tables, &scrapers, run, now_ms)))
    }

    pub(crate) fn replan_after_clock_step(&self, now_ms: UnixMs) -> Result<usize, StoreError> {
        let known = self.schedules(None).wait()?.into_iter().map(|entry| entry.schedule);
        let is_ahead = |schedule: &Schedule| schedule.clone().plan_after_clock_step(now_ms);
        let ahead: Vec<Schedule> = known.filter(is_ahead).collect();
        if ahead.is_empty() {
            return Ok(0);
        }
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                let mut replanned = 0;
                for schedule in &ahead {
                    let Some(before) = current(tables, schedule)? else { continue };
                    let mut after = before.clone();
                    if after.plan_after_clock_step(now_ms) {
                        after.version += 1;
                        write(tables, Some(&before), &after)?;
                        replanned += 1;
                    }
                }
                Ok(replanned)
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

/// Reads the schedule of a row.
fn read(tables: &Tables<'_>, row: Row) -> Result<Option<Schedule>, StoreError> {
    let Some(bytes) = tables.schedules.get(row)? else { return Ok(None) };
    record::decode_schedule(row, bytes.value()).map(Some)
}

/// Reads a schedule as it is now, if it is there.
fn current(tables: &Tables<'_>, known: &Schedule) -> Result<Option<Schedule>, StoreError> {
    let found = read(tables, known.row)?;
    Ok(found.filter(|it| it.nonce == known.nonce && it.account == known.account))
}

fn of_account(tables: &Tables<'_>, account: &str) -> Result<Vec<Schedule>, StoreError> {
    let mut found = Vec::new();
    for entry in tables.schedules.range::<Row>(..)? {
        let (row, bytes) = entry?;
        match record::decode_schedule(row.value(), bytes.value()) {
            Ok(schedule) if schedule.account == account => found.push(schedule),
            Err(error) if error.voids_transaction() => return Err(error),
            // A damaged one does not keep the others from being written.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(found)
}

/// Writes a schedule and its entry in the index of what is due.
fn write(
    tables: &mut Tables<'_>,
    before: Option<&Schedule>,
    after: &Schedule,
) -> Result<(), StoreError> {
    let row = after.row;
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

fn run_numbers(tables: &Tables<'_>, row: Row) -> Result<Vec<u64>, StoreError> {
    let runs = tables.schedule_runs.range((row, 0)..=(row, u64::MAX))?;
    runs.map(|entry| Ok(entry?.0.value().1)).collect()
}

/// Returns the batch of the run before if it has not ended.
fn unended(
    tables: &Tables<'_>,
    schedule: &Schedule,
    now_ms: UnixMs,
) -> Result<Option<BatchKey>, StoreError> {
    let Some(key) = schedule.progress.batch else { return Ok(None) };
    let batch = match rows::read_batch(tables, key.row) {
        Err(error) if error.voids_transaction() => return Err(error),
        // One that cannot be read must not stop the schedule for good.
        read => read.unwrap_or(None),
    };
    let runs = |batch: Batch| {
        batch.key == key && batch.expires_ms > now_ms && batch.progress.completed_ms.is_none()
    };
    Ok(batch.is_some_and(runs).then_some(key))
}

fn write_run(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    run: NewRun,
    now_ms: UnixMs,
) -> Result<RunWritten, StoreError> {
    let NewRun { schedule: known, slot_ms, missed, action } = run;
    let before = match current(tables, &known)? {
        // A call for a run holds whatever slot has passed meanwhile.
        Some(it) if it.version == known.version || slot_ms.is_none() => it,
        Some(_) | None => return Ok(RunWritten::Stale),
    };
    let (outcome, batch) = match action {
        RunAction::Miss => (RunOutcome::Missed, None),
        RunAction::Refuse { code, sentence } => (RunOutcome::Refused { code, sentence }, None),
        RunAction::Submit(batch, items) => {
            let (key, by_call) = (batch.key, slot_ms.is_none());
            let repeated = match batch.idempotency {
                Some(known) => idempotency::find(tables, scrapers, known, now_ms)?.is_some(),
                None => false,
            };
            match unended(tables, &before, now_ms)?.filter(|_| !repeated) {
                Some(unended) if by_call => return Ok(RunWritten::Overlap(unended)),
                Some(unended) => (RunOutcome::Overlap { batch: unended.id }, None),
                None => match batches::insert(tables, scrapers, *batch, items)? {
                    Ok(batch) if by_call && batch.key != key => {
                        return Ok(RunWritten::Replayed(Box::new(batch)));
                    }
                    Ok(batch) => (schedules::outcome_of(&batch), Some(batch)),
                    Err(error) if by_call => return Ok(RunWritten::Rejected(error)),
                    Err(error) => (schedules::rejected(error), None),
                },
            }
        }
    };
    let mut after = before.clone();
    after.version += 1;
    let submitted = batch.as_ref().filter(|batch| batch.jobs() > 0).map(|batch| batch.key);
    let run = after.note_run(slot_ms, missed, outcome, submitted, now_ms);
    write(tables, Some(&before), &after)?;
    let row = after.row;
    tables.schedule_runs.insert((row, run.number), record::encode_run(row, &run)?.as_slice())?;
    if let Some(old) = run.number.checked_sub(RUNS_KEPT_MAX as u64) {
        tables.schedule_runs.remove((row, old))?;
    }
    Ok(RunWritten::Run { schedule: Box::new(after), run, batch: batch.map(Box::new) })
}
