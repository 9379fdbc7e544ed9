//! What is written and read of schedules and their runs, and the steps of their writes: whatever
//! keeps the store has the tables, and runs a step in one transaction.

use super::StoreError;
use super::row::Row;
use super::writes::{NewItem, SubmitError};
use crate::api::ErrorCode;
use crate::clock::UnixMs;
use crate::job::{
    Batch, BatchKey, Idempotency, ItemError, RUNS_KEPT_MAX, RunOutcome, SCHEDULES_MAX, Schedule,
    ScheduleRun,
};

/// The reason why a schedule was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleError {
    /// The account has no such schedule.
    Gone,
    /// Another schedule of the account has this name.
    NameTaken,
    /// The account has [`SCHEDULES_MAX`] of them.
    TooMany,
    /// It has changed since it was read.
    Stale,
}

/// A schedule and its newest run, of one state.
#[derive(Clone, Debug)]
pub struct ScheduleEntry {
    pub schedule: Schedule,
    pub last_run: Option<ScheduleRun>,
}

/// A run that is about to be written.
#[derive(Clone)]
pub struct NewRun {
    /// The schedule as it was when the run was decided.
    pub schedule: Schedule,
    /// `None` for a run that a call asks for.
    pub slot_ms: Option<UnixMs>,
    pub missed: u32,
    pub action: RunAction,
}

/// The action of a run.
#[derive(Clone)]
pub enum RunAction {
    Submit(Box<Batch>, Vec<NewItem>),
    Miss,
    Refuse { code: String, sentence: String },
}

/// A run as it was written.
#[derive(Debug)]
pub enum RunWritten {
    /// The schedule has changed or is gone; nothing was written.
    Stale,
    /// A run that a call asked for was refused, because the batch of the run before has not ended;
    /// nothing was written.
    Overlap(BatchKey),
    /// The same, because the batch was refused as a whole.
    Rejected(SubmitError),
    /// The call was a repeated one: this batch came of it before.
    Replayed(Box<Batch>),
    Run {
        schedule: Box<Schedule>,
        run: ScheduleRun,
        batch: Option<Box<Batch>>,
    },
}

impl ScheduleError {
    /// Returns why a new schedule is not written beside the others of its account.
    pub(super) fn of_new(new: &Schedule, others: &[Schedule]) -> Option<ScheduleError> {
        if others.len() >= SCHEDULES_MAX {
            return Some(ScheduleError::TooMany);
        }
        ScheduleError::of_change(new, others)
    }

    /// Returns why a changed schedule is not written beside those of its account.
    pub(super) fn of_change(after: &Schedule, others: &[Schedule]) -> Option<ScheduleError> {
        let name = &after.definition.name;
        let mut others = others.iter().filter(|it| it.row != after.row);
        others.any(|it| it.definition.name == *name).then_some(ScheduleError::NameTaken)
    }
}

/// The tables of schedules inside of one transaction.
pub(super) trait ScheduleTables {
    /// Reads the schedule of a row.
    fn schedule(&mut self, row: Row) -> Result<Option<Schedule>, StoreError>;
    /// Reads the schedules of an account. A damaged one does not keep the others from being
    /// written.
    fn of_account(&mut self, account: &str) -> Result<Vec<Schedule>, StoreError>;
    /// Writes a schedule and its entry in the index of what is due.
    fn put(&mut self, before: Option<&Schedule>, after: &Schedule) -> Result<(), StoreError>;
    fn put_batch(&mut self, row: Row, json: &str) -> Result<(), StoreError>;
    fn put_run(&mut self, row: Row, run: &ScheduleRun) -> Result<(), StoreError>;
    fn remove_run(&mut self, row: Row, number: u64) -> Result<(), StoreError>;
    /// Removes a schedule with all that it has.
    fn remove(&mut self, schedule: &Schedule) -> Result<(), StoreError>;
    /// Returns whether something was submitted with an idempotency key before.
    fn is_repeated(&mut self, known: Idempotency, now_ms: UnixMs) -> Result<bool, StoreError>;
    /// Reads the batch of a row; `None` for one that cannot be read.
    fn batch(&mut self, row: Row) -> Result<Option<Batch>, StoreError>;
    fn insert_batch(
        &mut self,
        batch: Batch,
        items: Vec<NewItem>,
    ) -> Result<Result<Batch, SubmitError>, StoreError>;
}

/// Writes a new schedule with its batch, as JSON.
pub(super) fn insert(
    tables: &mut impl ScheduleTables,
    schedule: Schedule,
    batch: &str,
) -> Result<Result<Schedule, ScheduleError>, StoreError> {
    let others = tables.of_account(&schedule.account)?;
    if let Some(refused) = ScheduleError::of_new(&schedule, &others) {
        return Ok(Err(refused));
    }
    tables.put_batch(schedule.row, batch)?;
    tables.put(None, &schedule)?;
    Ok(Ok(schedule))
}

/// Puts a schedule in the place of the one that it was made of, with `batch` also another batch.
pub(super) fn replace(
    tables: &mut impl ScheduleTables,
    before: &Schedule,
    mut after: Schedule,
    batch: Option<&str>,
) -> Result<Result<Schedule, ScheduleError>, StoreError> {
    let Some(current) = current(tables, before)? else {
        return Ok(Err(ScheduleError::Gone));
    };
    if current.version != before.version {
        return Ok(Err(ScheduleError::Stale));
    }
    let others = tables.of_account(&after.account)?;
    if let Some(refused) = ScheduleError::of_change(&after, &others) {
        return Ok(Err(refused));
    }
    if let Some(batch) = batch {
        tables.put_batch(after.row, batch)?;
    }
    after.version = before.version + 1;
    tables.put(Some(&current), &after)?;
    Ok(Ok(after))
}

/// Removes a schedule and the history of its runs.
pub(super) fn remove(
    tables: &mut impl ScheduleTables,
    known: &Schedule,
) -> Result<Result<Schedule, ScheduleError>, StoreError> {
    let Some(current) = current(tables, known)? else {
        return Ok(Err(ScheduleError::Gone));
    };
    tables.remove(&current)?;
    Ok(Ok(current))
}

/// Plans those schedules again whose latest slot lies so far ahead of `now_ms` that a clock must
/// have been wrong. Returns how many there were.
pub(super) fn replan(
    tables: &mut impl ScheduleTables,
    known: &[Schedule],
    now_ms: UnixMs,
) -> Result<usize, StoreError> {
    let mut replanned = 0;
    for schedule in known {
        let Some(before) = current(tables, schedule)? else { continue };
        let mut after = before.clone();
        if after.plan_after_clock_step(now_ms) {
            after.version += 1;
            tables.put(Some(&before), &after)?;
            replanned += 1;
        }
    }
    Ok(replanned)
}

/// Writes a run of a schedule, with its batch.
pub(super) fn write_run(
    tables: &mut impl ScheduleTables,
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
                Some(known) => tables.is_repeated(known, now_ms)?,
                None => false,
            };
            match unended(tables, &before, now_ms)?.filter(|_| !repeated) {
                Some(unended) if by_call => return Ok(RunWritten::Overlap(unended)),
                Some(unended) => (RunOutcome::Overlap { batch: unended.id }, None),
                None => match tables.insert_batch(*batch, items)? {
                    Ok(batch) if by_call && batch.key != key => {
                        return Ok(RunWritten::Replayed(Box::new(batch)));
                    }
                    Ok(batch) => (outcome_of(&batch), Some(batch)),
                    Err(error) if by_call => return Ok(RunWritten::Rejected(error)),
                    Err(error) => (rejected(error), None),
                },
            }
        }
    };
    let mut after = before.clone();
    after.version += 1;
    let submitted = batch.as_ref().filter(|batch| batch.jobs() > 0).map(|batch| batch.key);
    let run = after.note_run(slot_ms, missed, outcome, submitted, now_ms);
    tables.put(Some(&before), &after)?;
    tables.put_run(after.row, &run)?;
    if let Some(old) = run.number.checked_sub(RUNS_KEPT_MAX as u64) {
        tables.remove_run(after.row, old)?;
    }
    Ok(RunWritten::Run { schedule: Box::new(after), run, batch: batch.map(Box::new) })
}

/// Reads a schedule as it is now, if it is there.
fn current(
    tables: &mut impl ScheduleTables,
    known: &Schedule,
) -> Result<Option<Schedule>, StoreError> {
    let found = tables.schedule(known.row)?;
    Ok(found.filter(|it| it.nonce == known.nonce && it.account == known.account))
}

/// Returns the batch of the run before if it has not ended.
fn unended(
    tables: &mut impl ScheduleTables,
    schedule: &Schedule,
    now_ms: UnixMs,
) -> Result<Option<BatchKey>, StoreError> {
    let Some(key) = schedule.progress.batch else { return Ok(None) };
    let runs = |batch: Batch| {
        batch.key == key && batch.expires_ms > now_ms && batch.progress.completed_ms.is_none()
    };
    Ok(tables.batch(key.row)?.is_some_and(runs).then_some(key))
}

/// Returns the outcome of a batch that was written: a run without a single job is a refused one.
fn outcome_of(batch: &Batch) -> RunOutcome {
    match batch.refused.first() {
        Some(first) if batch.jobs() == 0 => match &first.why {
            ItemError::Invalid { code, detail } => {
                RunOutcome::Refused { code: code.clone(), sentence: detail.clone() }
            }
            ItemError::QueueFull => refused(ErrorCode::QueueFull),
            ItemError::CreditLimit => refused(ErrorCode::CreditLimit),
        },
        Some(_) | None => RunOutcome::Submitted {
            batch: batch.key.id,
            // At most as many as a batch has items.
            refused: batch.refused.len() as u32,
        },
    }
}

/// Returns the outcome of a batch that was rejected as a whole.
fn rejected(error: SubmitError) -> RunOutcome {
    refused(match error {
        SubmitError::QueueFull => ErrorCode::QueueFull,
        SubmitError::CreditLimit => ErrorCode::CreditLimit,
        SubmitError::KeyReused => ErrorCode::IdempotencyKeyReused,
    })
}

fn refused(code: ErrorCode) -> RunOutcome {
    RunOutcome::Refused { code: code.code().to_owned(), sentence: code.example().to_owned() }
}
