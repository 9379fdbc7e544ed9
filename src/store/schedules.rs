//! What is written and read of schedules and their runs, and what comes of a run.

use super::writes::{NewItem, SubmitError};
use crate::api::ErrorCode;
use crate::clock::UnixMs;
use crate::job::{Batch, BatchKey, ItemError, RunOutcome, SCHEDULES_MAX, Schedule, ScheduleRun};

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
pub struct NewRun {
    /// The schedule as it was when the run was decided.
    pub schedule: Schedule,
    /// `None` for a run that a call asks for.
    pub slot_ms: Option<UnixMs>,
    pub missed: u32,
    pub action: RunAction,
}

/// The action of a run.
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

/// Returns the outcome of a batch that was written: a run without a single job is a refused one.
pub(super) fn outcome_of(batch: &Batch) -> RunOutcome {
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
pub(super) fn rejected(error: SubmitError) -> RunOutcome {
    refused(match error {
        SubmitError::QueueFull => ErrorCode::QueueFull,
        SubmitError::CreditLimit => ErrorCode::CreditLimit,
        SubmitError::KeyReused => ErrorCode::IdempotencyKeyReused,
    })
}

fn refused(code: ErrorCode) -> RunOutcome {
    RunOutcome::Refused { code: code.code().to_owned(), sentence: code.example().to_owned() }
}
