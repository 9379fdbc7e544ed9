//! Schedules and their runs as stored on disk.

use bincode::{Decode, Encode};
use uuid::Uuid;

use super::super::StoreError;
use super::{seal, unseal};
use crate::job::{
    BatchKey, MissedPolicy, Recurrence, RunOutcome, Schedule, ScheduleDefinition, ScheduleProgress,
    ScheduleRun, ScheduleSlot,
};

#[derive(Encode, Decode)]
struct ScheduleV1 {
    nonce: u128,
    account: String,
    name: String,
    recurrence: RecurrenceV1,
    jitter_seconds: u32,
    run_missed_once: bool,
    ends_ms: Option<u64>,
    max_runs: Option<u64>,
    paused: bool,
    created_ms: u64,
    version: u64,
    /// The moment of the next slot and when it is due.
    next: Option<(u64, u64)>,
    last_slot_ms: Option<u64>,
    submitted: u64,
    next_run: u64,
    batch: Option<(u64, u128)>,
    refused_in_row: u32,
}

#[derive(Encode, Decode)]
enum RecurrenceV1 {
    Cron { pattern: String, zone: String },
    Every { seconds: u64, from_ms: u64 },
}

#[derive(Encode, Decode)]
struct RunV1 {
    slot_ms: Option<u64>,
    at_ms: u64,
    outcome: RunOutcomeV1,
    missed: u32,
}

#[derive(Encode, Decode)]
enum RunOutcomeV1 {
    Submitted { batch: u128, refused: u32 },
    Overlap { batch: u128 },
    Missed,
    Refused { code: String, sentence: String },
}

#[derive(Encode, Decode)]
struct ScheduleBatchV1(String);

/// Encodes a schedule.
///
/// # Errors
/// Returns an error if a field is longer than a record can hold.
pub(crate) fn encode_schedule(schedule: &Schedule) -> Result<Vec<u8>, StoreError> {
    let ScheduleDefinition { name, recurrence, jitter_seconds, missed, ends_ms, max_runs } =
        &schedule.definition;
    let ScheduleProgress { next, last_slot_ms, submitted, next_run, batch, refused_in_row } =
        &schedule.progress;
    let recurrence = match recurrence.clone() {
        Recurrence::Cron { pattern, zone } => RecurrenceV1::Cron { pattern, zone },
        Recurrence::Every { seconds, from_ms } => RecurrenceV1::Every { seconds, from_ms },
    };
    let disk = ScheduleV1 {
        nonce: schedule.nonce,
        account: schedule.account.clone(),
        name: name.clone(),
        recurrence,
        jitter_seconds: *jitter_seconds,
        run_missed_once: *missed == MissedPolicy::RunOnce,
        ends_ms: *ends_ms,
        max_runs: *max_runs,
        paused: schedule.paused,
        created_ms: schedule.created_ms,
        version: schedule.version,
        next: next.map(|next| (next.at_ms, next.due_ms)),
        last_slot_ms: *last_slot_ms,
        submitted: *submitted,
        next_run: *next_run,
        batch: batch.map(|batch| (batch.row, batch.id.as_u128())),
        refused_in_row: *refused_in_row,
    };
    seal(schedule.row, &disk)
}

/// Decodes the schedule of a row.
///
/// # Errors
/// Returns an error if the record is damaged or another row's.
pub(crate) fn decode_schedule(row: u64, bytes: &[u8]) -> Result<Schedule, StoreError> {
    let disk: ScheduleV1 = unseal(row, bytes)?;
    let recurrence = match disk.recurrence {
        RecurrenceV1::Cron { pattern, zone } => Recurrence::Cron { pattern, zone },
        RecurrenceV1::Every { seconds, from_ms } => Recurrence::Every { seconds, from_ms },
    };
    let missed = if disk.run_missed_once { MissedPolicy::RunOnce } else { MissedPolicy::Skip };
    Ok(Schedule {
        row,
        nonce: disk.nonce,
        account: disk.account,
        definition: ScheduleDefinition {
            name: disk.name,
            recurrence,
            jitter_seconds: disk.jitter_seconds,
            missed,
            ends_ms: disk.ends_ms,
            max_runs: disk.max_runs,
        },
        paused: disk.paused,
        created_ms: disk.created_ms,
        version: disk.version,
        progress: ScheduleProgress {
            next: disk.next.map(|(at_ms, due_ms)| ScheduleSlot { at_ms, due_ms }),
            last_slot_ms: disk.last_slot_ms,
            submitted: disk.submitted,
            next_run: disk.next_run,
            batch: disk.batch.map(|(row, id)| BatchKey { row, id: Uuid::from_u128(id) }),
            refused_in_row: disk.refused_in_row,
        },
    })
}

/// Encodes the batch of a schedule's row, as JSON.
///
/// # Errors
/// Returns an error if it is longer than a record can hold.
pub(crate) fn encode_schedule_batch(row: u64, json: &str) -> Result<Vec<u8>, StoreError> {
    seal(row, &ScheduleBatchV1(json.to_owned()))
}

pub(crate) fn decode_schedule_batch(row: u64, bytes: &[u8]) -> Result<String, StoreError> {
    let ScheduleBatchV1(json) = unseal(row, bytes)?;
    Ok(json)
}

/// Encodes a run of a schedule's row.
///
/// # Errors
/// Returns an error if a field is longer than a record can hold.
pub(crate) fn encode_run(row: u64, run: &ScheduleRun) -> Result<Vec<u8>, StoreError> {
    let outcome = match run.outcome.clone() {
        RunOutcome::Submitted { batch, refused } => {
            RunOutcomeV1::Submitted { batch: batch.as_u128(), refused }
        }
        RunOutcome::Overlap { batch } => RunOutcomeV1::Overlap { batch: batch.as_u128() },
        RunOutcome::Missed => RunOutcomeV1::Missed,
        RunOutcome::Refused { code, sentence } => RunOutcomeV1::Refused { code, sentence },
    };
    let ScheduleRun { slot_ms, at_ms, missed, number: _, outcome: _ } = *run;
    seal(row, &RunV1 { slot_ms, at_ms, outcome, missed })
}

/// Decodes the run with a number of a schedule's row.
///
/// # Errors
/// Returns an error if the record is damaged or another row's.
pub(crate) fn decode_run(row: u64, number: u64, bytes: &[u8]) -> Result<ScheduleRun, StoreError> {
    let RunV1 { slot_ms, at_ms, outcome, missed } = unseal(row, bytes)?;
    let outcome = match outcome {
        RunOutcomeV1::Submitted { batch, refused } => {
            RunOutcome::Submitted { batch: Uuid::from_u128(batch), refused }
        }
        RunOutcomeV1::Overlap { batch } => RunOutcome::Overlap { batch: Uuid::from_u128(batch) },
        RunOutcomeV1::Missed => RunOutcome::Missed,
        RunOutcomeV1::Refused { code, sentence } => RunOutcome::Refused { code, sentence },
    };
    Ok(ScheduleRun { number, slot_ms, at_ms, outcome, missed })
}
