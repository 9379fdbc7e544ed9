//! What is written and read of schedules and their runs.

use super::writes::{NewItem, SubmitError};
use crate::clock::UnixMs;
use crate::job::{Batch, BatchKey, Schedule, ScheduleRun};

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
