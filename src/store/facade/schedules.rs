//! Schedules and their runs.

use uuid::Uuid;

use super::backend::{Backend, ask};
use crate::clock::UnixMs;
use crate::job::{Schedule, ScheduleRun};
use crate::store::{
    NewRun, Pending, Row, RunWritten, ScheduleEntry, ScheduleError, Store, StoreError,
};

impl Store {
    /// Writes a new schedule with its batch, as JSON.
    pub fn insert_schedule(
        &self,
        schedule: Schedule,
        batch: String,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        ask!(self.backend, store => store.insert_schedule(schedule, batch))
    }

    /// Puts a schedule in the place of the one that it was made of, with `batch` also another
    /// batch.
    pub fn replace_schedule(
        &self,
        before: Schedule,
        after: Schedule,
        batch: Option<String>,
    ) -> Pending<Result<Schedule, ScheduleError>> {
        ask!(self.backend, store => store.replace_schedule(before, after, batch))
    }

    /// Removes a schedule and the history of its runs; its batches stay.
    pub fn remove_schedule(&self, schedule: Schedule) -> Pending<Result<Schedule, ScheduleError>> {
        ask!(self.backend, store => store.remove_schedule(schedule))
    }

    /// Reads a schedule of an account, and its batch as JSON.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn schedule(
        &self,
        id: Uuid,
        account: &str,
    ) -> Result<Option<(ScheduleEntry, String)>, StoreError> {
        ask!(self.backend, store => store.schedule(id, account).await)
    }

    /// Reads the schedules of an account, or of all, oldest first. One that is damaged is left out,
    /// and `db check` names it.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn schedules(&self, account: Option<&str>) -> Result<Vec<ScheduleEntry>, StoreError> {
        ask!(self.backend, store => store.schedules(account).await)
    }

    /// Reads the batch of a schedule, as JSON.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn schedule_batch(&self, row: Row) -> Result<Option<String>, StoreError> {
        ask!(self.backend, store => store.schedule_batch(row))
    }

    /// Reads the runs of a schedule, newest first, at most `runs_max`.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn schedule_runs(
        &self,
        row: Row,
        runs_max: usize,
    ) -> Result<Vec<ScheduleRun>, StoreError> {
        ask!(self.backend, store => store.schedule_runs(row, runs_max).await)
    }

    /// Returns when the next slot of any schedule is due.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn next_slot_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        ask!(self.backend, store => store.next_slot_ms())
    }

    /// Reads at most `schedules_max` schedules that are due at `now_ms`, the earliest first. One
    /// that is damaged is passed over.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn due_schedules(
        &self,
        now_ms: UnixMs,
        schedules_max: usize,
    ) -> Result<Vec<Schedule>, StoreError> {
        ask!(self.backend, store => store.due_schedules(now_ms, schedules_max))
    }

    /// Writes a run of a schedule, with its batch.
    pub fn write_run(&self, run: NewRun, now_ms: UnixMs) -> Pending<RunWritten> {
        ask!(self.backend, store => store.write_run(run, now_ms))
    }

    /// Plans those schedules again whose latest slot lies so far ahead that a clock must have been
    /// wrong. Blocks until it is committed. Returns how many there were.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn replan_after_clock_step(&self, now_ms: UnixMs) -> Result<usize, StoreError> {
        ask!(self.backend, store => store.replan_after_clock_step(now_ms))
    }
}
