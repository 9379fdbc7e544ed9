//! The replies about schedules and their runs.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::{Id, Time};

/// A batch that is submitted again and again.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Schedule")]
pub struct ScheduleView {
    /// The id to ask for.
    pub schedule_id: Id,
    /// Unique among the schedules of the key.
    pub name: String,
    pub status: ScheduleStatus,
    /// The cron pattern; null with `every`.
    pub cron: Option<String>,
    /// The interval, such as `8h`; null with `cron`.
    pub every: Option<String>,
    /// The time zone of `cron`.
    pub timezone: Option<String>,
    /// The most that a slot is delayed by chance, seconds.
    pub jitter_seconds: u32,
    /// What is done about slots that were missed: `skip` or `run_once`.
    pub missed: Cow<'static, str>,
    /// No slot is later than this.
    pub ends_at: Option<Time>,
    /// How many slots may submit a batch.
    pub max_runs: Option<u64>,
    pub created_at: Time,
    /// The next slot; null while it is paused, and once it has ended.
    pub next_at: Option<Time>,
    /// When the next slot is submitted: later than `next_at` by the jitter.
    pub due_at: Option<Time>,
    /// Slots that have submitted a batch.
    pub runs: u64,
    /// How many slots in a row were refused, up to now.
    pub refused_in_row: u32,
    /// The newest run, whatever its outcome; null before the first.
    pub last_run: Option<ScheduleRunView>,
    /// The body of `POST /batches` that each slot submits; only where one schedule is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "std::collections::BTreeMap<String, Value>")]
    pub batch: Option<Value>,
}

/// The status of a schedule: whether it has slots to come.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ScheduleStatus {
    Active,
    Paused,
    Ended,
}

/// The schedules of a key, oldest first.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Schedules")]
pub struct SchedulesView {
    pub schedules: Vec<ScheduleView>,
}

/// A run of a schedule, or why there was none.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "ScheduleRun")]
pub struct ScheduleRunView {
    /// Counts the runs of the schedule from 0.
    pub number: u64,
    /// The slot; null for a run that a call asked for.
    pub slot_at: Option<Time>,
    /// When it was decided.
    pub at: Time,
    /// `submitted`, `overlap`, `missed` or `refused`.
    pub outcome: Cow<'static, str>,
    /// The batch; with `overlap` that of the run before, which has not ended.
    pub batch_id: Option<Id>,
    /// Items of the batch that were refused by themselves.
    pub refused_items: u32,
    /// Slots before this one that nothing was submitted for; 1000 stands for more, too.
    pub missed: u32,
    /// Why it was refused, for programs.
    pub code: Option<String>,
    /// Why it was refused, as a sentence.
    pub reason: Option<String>,
}

/// The newest runs of a schedule, newest first.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "ScheduleRuns")]
pub struct ScheduleRunsView {
    pub runs: Vec<ScheduleRunView>,
}
