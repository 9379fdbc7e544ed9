//! Schedules: things by their rows, with their batches, the index of what is due, and their latest
//! runs. The steps are in `store/schedules.rs`; a slot's batch, its record and the next slot are
//! one transaction, and a version refuses the second of two nodes that decide a slot.

use std::sync::Arc;

use uuid::Uuid;

use super::handle::SharedStore;
use super::needs::Needs;
use super::round::Value;
use super::things::{KeyBytes, KeyReader, PRESENT, ThingKey, ThingKind, ThingRange};
use super::transaction::Transaction;
use crate::clock::UnixMs;
use crate::job::{Batch, Idempotency, Schedule, ScheduleRun};
use crate::store::effects::Effect;
use crate::store::schedules::{self, ScheduleTables};
use crate::store::{
    Blocking, NewItem, NewRun, Pending, Row, RunAction, RunWritten, ScheduleEntry, ScheduleError,
    StoreError, SubmitError, record,
};

/// The schedules of which the index says that they are due before a key.
const DUE: &str = "
    SELECT s.key, s.value FROM things d
    JOIN things s ON s.kind = $2 AND s.key = substr(d.key, 9) AND s.value <> ''
    WHERE d.kind = $1 AND d.key < $3 AND d.value <> '' ORDER BY d.key LIMIT $4";
/// All schedules, each with the key and the value of its latest run.
const WITH_LAST_RUNS: &str = "
    SELECT s.key, s.value, r.key, r.value FROM things s
    LEFT JOIN LATERAL (
        SELECT key, value FROM things WHERE kind = $2 AND key > s.key
        AND key < s.key || '\\xffffffffffffffffff'::bytea AND value <> '' ORDER BY key DESC LIMIT 1
    ) r ON true WHERE s.kind = $1 AND s.value <> '' ORDER BY s.key";

impl SharedStore {
    /// Writes a new schedule with its batch: see [`crate::store::Store::insert_schedule`].
    pub(crate) fn insert_schedule(
        &self,
        schedule: Schedule,
        batch: String,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        self.queue(schedule.row, Needs::default(), move |transaction| {
            schedules::insert(&mut ScheduleThings(transaction), schedule.clone(), &batch)
        })
    }

    /// Puts a schedule in the place of the one that it was made of: see
    /// [`crate::store::Store::replace_schedule`].
    pub(crate) fn replace_schedule(
        &self,
        before: Schedule,
        after: Schedule,
        batch: Option<String>,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        self.queue(before.row, needs_of(&before), move |transaction| {
            let tables = &mut ScheduleThings(transaction);
            schedules::replace(tables, &before, after.clone(), batch.as_deref())
        })
    }

    /// Removes a schedule and the history of its runs; its batches stay.
    pub(crate) fn remove_schedule(
        &self,
        schedule: Schedule,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        self.queue(schedule.row, needs_of(&schedule), move |transaction| {
            schedules::remove(&mut ScheduleThings(transaction), &schedule)
        })
    }

    /// Reads a schedule of an account, and its batch as JSON.
    ///
    /// # Errors
    /// Returns an error if the database fails or the schedule is damaged.
    pub(crate) async fn schedule(
        &self,
        id: Uuid,
        account: &str,
    ) -> Result<Option<(ScheduleEntry, String)>, StoreError> {
        let Some(plain) = self.parts_of(id) else { return Ok(None) };
        let row = plain.row;
        let range = |kind| ThingRange::of_row(kind, row).at_most(1);
        let ranges = [
            range(ThingKind::Schedule),
            range(ThingKind::ScheduleBatch),
            range(ThingKind::ScheduleRun),
        ];
        let [schedules, batches, runs] = self.read_last_of(ranges).await?;
        let Some((_, bytes)) = schedules.first() else { return Ok(None) };
        let schedule = record::decode_schedule(row, bytes)?;
        if !plain.has_nonce(schedule.nonce) || schedule.account != account {
            return Ok(None);
        }
        let (_, batch) =
            batches.first().ok_or(StoreError::Damaged("the batch of a schedule is missing"))?;
        let batch = record::decode_schedule_batch(row, batch)?;
        let last_run = runs.first().map(|(key, bytes)| run_of(row, key, bytes)).transpose()?;
        Ok(Some((ScheduleEntry { schedule, last_run }, batch)))
    }

    /// Reads the schedules of an account, or of all, oldest first: see
    /// [`crate::store::Store::schedules`].
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) async fn schedules(
        &self,
        account: Option<&str>,
    ) -> Result<Vec<ScheduleEntry>, StoreError> {
        let kinds: Vec<Value> =
            vec![Arc::new(ThingKind::Schedule as i16), Arc::new(ThingKind::ScheduleRun as i16)];
        let mut found = Vec::new();
        for entry in self.ask_text(WITH_LAST_RUNS, kinds).committed().await? {
            let Some(schedule) = readable(entry.get(0), entry.get(1)) else { continue };
            if account.is_some_and(|of| schedule.account != of) {
                continue;
            }
            let last = entry.get::<_, Option<&[u8]>>(2).zip(entry.get::<_, Option<&[u8]>>(3));
            let last_run = last.map(|(key, bytes)| run_of(schedule.row, key, bytes)).transpose()?;
            found.push(ScheduleEntry { schedule, last_run });
        }
        Ok(found)
    }

    /// Reads the batch of a schedule, as JSON. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or the batch is damaged.
    pub(crate) fn schedule_batch(&self, row: Row) -> Result<Option<String>, StoreError> {
        let bytes = self.read_thing(&ThingKey::of_row(ThingKind::ScheduleBatch, row)).wait()?;
        bytes.map(|bytes| record::decode_schedule_batch(row, &bytes)).transpose()
    }

    /// Reads the runs of a schedule, newest first, at most `runs_max`.
    ///
    /// # Errors
    /// Returns an error if the database fails or a run is damaged.
    pub(crate) async fn schedule_runs(
        &self,
        row: Row,
        runs_max: usize,
    ) -> Result<Vec<ScheduleRun>, StoreError> {
        let range = ThingRange::of_row(ThingKind::ScheduleRun, row).at_most(runs_max);
        let [runs] = self.read_last_of([range]).await?;
        runs.iter().rev().map(|(key, bytes)| run_of(row, key, bytes)).collect()
    }

    /// Returns when the next slot of any schedule is due. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn next_slot_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        let first = ThingRange::of_kind(ThingKind::ScheduleDue).at_most(1);
        let found = self.read_range(first).wait()?;
        Ok(found.first().and_then(|(key, _)| KeyReader(key).u64()))
    }

    /// Reads at most `schedules_max` schedules that are due at `now_ms`, the earliest first. One
    /// that is damaged is passed over. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn due_schedules(
        &self,
        now_ms: UnixMs,
        schedules_max: usize,
    ) -> Result<Vec<Schedule>, StoreError> {
        let values: Vec<Value> = vec![
            Arc::new(ThingKind::ScheduleDue as i16),
            Arc::new(ThingKind::Schedule as i16),
            Arc::new(now_ms.saturating_add(1).to_be_bytes().to_vec()),
            Arc::new(i64::try_from(schedules_max).unwrap_or(i64::MAX)),
        ];
        let found = self.ask_text(DUE, values).wait()?;
        Ok(found.iter().filter_map(|entry| readable(entry.get(0), entry.get(1))).collect())
    }

    /// Writes a run of a schedule, with its batch.
    pub(crate) fn write_run(&self, run: NewRun, now_ms: UnixMs) -> Pending<RunWritten> {
        let mut needs = needs_of(&run.schedule);
        needs.read.extend(run.schedule.progress.batch.map(|key| key.row));
        if let RunAction::Submit(batch, items) = &run.action {
            needs.add_new_batch(batch, items);
        }
        self.queue(run.schedule.row, needs, move |transaction| {
            schedules::write_run(&mut ScheduleThings(transaction), run.clone(), now_ms)
        })
    }

    /// Plans those schedules again whose latest slot lies so far ahead that a clock must have been
    /// wrong. Blocks until it is committed. Returns how many there were.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn replan_after_clock_step(&self, now_ms: UnixMs) -> Result<usize, StoreError> {
        let known = self.schedules(None).wait()?.into_iter().map(|entry| entry.schedule);
        let is_ahead = |schedule: &Schedule| schedule.clone().plan_after_clock_step(now_ms);
        let ahead: Vec<Schedule> = known.filter(is_ahead).collect();
        let Some(first) = ahead.first().map(|schedule| schedule.row) else { return Ok(0) };
        let replanned = self.queue(first, Needs::default(), move |transaction| {
            schedules::replan(&mut ScheduleThings(transaction), &ahead, now_ms)
        });
        replanned.wait()
    }
}

fn needs_of(schedule: &Schedule) -> Needs {
    let mut needs = Needs::default();
    needs.things.insert(ThingKey::of_row(ThingKind::Schedule, schedule.row));
    needs
}

/// Returns a schedule, or nothing where it cannot be read.
fn readable(key: &[u8], bytes: &[u8]) -> Option<Schedule> {
    let row = KeyReader(key).u64()?;
    let decoded = record::decode_schedule(row, bytes);
    decoded.map_err(|error| tracing::error!(row, %error, "a schedule could not be read")).ok()
}

fn run_of(row: Row, key: &[u8], bytes: &[u8]) -> Result<ScheduleRun, StoreError> {
    let mut key = KeyReader(key);
    let number = key.u64().and_then(|_| key.u64());
    let number = number.ok_or(StoreError::Damaged("a run of a schedule has no number"))?;
    record::decode_run(row, number, bytes)
}

pub(super) fn run_key(row: Row, number: u64) -> ThingKey {
    KeyBytes::default().u64(row).u64(number).of(ThingKind::ScheduleRun)
}

pub(super) fn due_key(due_ms: UnixMs, row: Row) -> ThingKey {
    KeyBytes::default().u64(due_ms).u64(row).of(ThingKind::ScheduleDue)
}

/// The schedules of a transaction.
struct ScheduleThings<'a, 'p>(&'a mut Transaction<'p>);

impl ScheduleTables for ScheduleThings<'_, '_> {
    fn schedule(&mut self, row: Row) -> Result<Option<Schedule>, StoreError> {
        let bytes = self.0.things.locked(&ThingKey::of_row(ThingKind::Schedule, row));
        bytes.map(|bytes| record::decode_schedule(row, bytes)).transpose()
    }

    fn of_account(&mut self, account: &str) -> Result<Vec<Schedule>, StoreError> {
        let lock = KeyBytes::default().text("schedules").text(account).of(ThingKind::AccountLock);
        self.0.things.locked(&lock);
        let all = self.0.things.range(&ThingRange::of_kind(ThingKind::Schedule));
        let schedules = all.iter().filter_map(|(key, bytes)| readable(key, bytes));
        Ok(schedules.filter(|schedule| schedule.account == account).collect())
    }

    fn put(&mut self, before: Option<&Schedule>, after: &Schedule) -> Result<(), StoreError> {
        let (row, Transaction { things, effects, .. }) = (after.row, &mut *self.0);
        let bytes = record::encode_schedule(after)?;
        if let Some(next) = before.and_then(|before| before.progress.next) {
            things.put(&due_key(next.due_ms, row), None);
        }
        if let Some(next) = after.progress.next {
            things.put(&due_key(next.due_ms, row), Some(PRESENT.to_vec()));
            effects.push(Effect::Slot { due_ms: next.due_ms });
        }
        things.put(&ThingKey::of_row(ThingKind::Schedule, row), Some(bytes));
        Ok(())
    }

    fn put_batch(&mut self, row: Row, json: &str) -> Result<(), StoreError> {
        let bytes = record::encode_schedule_batch(row, json)?;
        self.0.things.put(&ThingKey::of_row(ThingKind::ScheduleBatch, row), Some(bytes));
        Ok(())
    }

    fn put_run(&mut self, row: Row, run: &ScheduleRun) -> Result<(), StoreError> {
        let bytes = record::encode_run(row, run)?;
        self.0.things.put(&run_key(row, run.number), Some(bytes));
        Ok(())
    }

    fn remove_run(&mut self, row: Row, number: u64) -> Result<(), StoreError> {
        self.0.things.put(&run_key(row, number), None);
        Ok(())
    }

    fn remove(&mut self, schedule: &Schedule) -> Result<(), StoreError> {
        let (row, things) = (schedule.row, &mut self.0.things);
        if let Some(next) = schedule.progress.next {
            things.put(&due_key(next.due_ms, row), None);
        }
        for (key, _) in things.range(&ThingRange::of_row(ThingKind::ScheduleRun, row).keys()) {
            things.put(&ThingKey { kind: ThingKind::ScheduleRun, key }, None);
        }
        for kind in [ThingKind::ScheduleBatch, ThingKind::Schedule] {
            things.put(&ThingKey::of_row(kind, row), None);
        }
        Ok(())
    }

    fn is_repeated(&mut self, known: Idempotency, now_ms: UnixMs) -> Result<bool, StoreError> {
        Ok(self.0.existing(known, now_ms)?.is_some())
    }

    fn batch(&mut self, row: Row) -> Result<Option<Batch>, StoreError> {
        // One that cannot be read must not stop the schedule.
        Ok(self.0.read_batch(row).ok().flatten().cloned())
    }

    fn insert_batch(
        &mut self,
        batch: Batch,
        items: Vec<NewItem>,
    ) -> Result<Result<Batch, SubmitError>, StoreError> {
        self.0.insert_batch(&batch, &items)
    }
}
