//! The use cases of schedules: make, read, change, remove and run them.

use super::batches::{log_accepted, rejected_batch};
use super::jobs::parse_id;
use super::{Caller, NewBatch, Service, ServiceError};
use crate::job::{
    Batch, Idempotency, RUNS_KEPT_MAX, RunOutcome, SCHEDULES_MAX, Schedule, ScheduleDefinition,
    ScheduleProgress, ScheduleRun,
};
use crate::store::{NewRun, RunAction, RunWritten, ScheduleEntry, ScheduleError, StoreError};

/// How often a change is made again that another one has overtaken.
const CHANGES_MAX: usize = 5;

/// A schedule as a client asks for it.
pub struct NewSchedule {
    pub definition: ScheduleDefinition,
    pub paused: bool,
    pub batch: ScheduledBatch,
}

/// The batch that each slot of a schedule submits.
#[derive(Clone, Debug)]
pub struct ScheduledBatch {
    /// The body of `POST /batches`, as JSON.
    pub json: String,
    /// The trackers that its items name.
    pub tracks: Vec<String>,
}

/// The schedules of all accounts, and their runs since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScheduleCounts {
    pub active: u64,
    pub paused: u64,
    pub ended: u64,
    /// Active ones whose latest slot was refused.
    pub refused: u64,
    /// In the order of [`RunOutcome::WORDS`].
    pub runs: [u64; RunOutcome::WORDS.len()],
}

impl Service {
    /// Makes a schedule.
    ///
    /// # Errors
    /// Returns an error if its name is taken, the caller has too many or lacks a tracker that its
    /// batch names, or the store failed.
    pub async fn create_schedule(
        &self,
        caller: &Caller,
        asked: NewSchedule,
    ) -> Result<Schedule, ServiceError> {
        self.accepting()?;
        self.check_tracks(caller, asked.batch.tracks.iter().map(String::as_str)).await?;
        let identity = self.store.new_identity(&caller.account).await?;
        let now_ms = self.clock.now_ms();
        let name = asked.definition.name.clone();
        let mut schedule = Schedule {
            row: identity.row,
            nonce: identity.nonce,
            account: caller.account.clone(),
            definition: asked.definition,
            paused: asked.paused,
            created_ms: now_ms,
            version: 0,
            progress: ScheduleProgress::default(),
        };
        schedule.plan_after(now_ms);
        let written = self.store.insert_schedule(schedule, asked.batch.json).committed().await?;
        let schedule = written.map_err(|error| schedule_error(error, &name))?;
        tracing::info!(schedule = %identity.id, account = caller.account, "schedule made");
        Ok(schedule)
    }

    /// Returns the caller's schedules, oldest first.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn schedules(&self, caller: &Caller) -> Result<Vec<ScheduleEntry>, ServiceError> {
        Ok(self.store.schedules(Some(&caller.account)).await?)
    }

    /// Returns a schedule of the caller's and its batch, as JSON.
    ///
    /// # Errors
    /// Returns an error if there is no such schedule, or the store failed.
    pub async fn schedule(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(ScheduleEntry, String), ServiceError> {
        let id = parse_id(id).map_err(|_| ServiceError::ScheduleNotFound)?;
        let found = self.store.schedule(id, &caller.account).await?;
        found.ok_or(ServiceError::ScheduleNotFound)
    }

    /// Returns the id that clients know a schedule by.
    pub fn schedule_id(&self, schedule: &Schedule) -> uuid::Uuid {
        self.store.schedule_id(schedule)
    }

    /// Returns the runs of a schedule, newest first, at most [`RUNS_KEPT_MAX`].
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn schedule_runs(
        &self,
        schedule: &Schedule,
    ) -> Result<Vec<ScheduleRun>, ServiceError> {
        Ok(self.store.schedule_runs(schedule.row, RUNS_KEPT_MAX).await?)
    }

    /// Changes a schedule of the caller's; `change` may be called again where a slot came between.
    /// What is planned is kept unless the times changed.
    ///
    /// # Errors
    /// Returns an error if there is no such schedule, the new name is taken, the caller lacks a
    /// tracker that the new batch names, or the store failed.
    pub async fn change_schedule(
        &self,
        caller: &Caller,
        id: &str,
        change: impl Fn(&mut ScheduleDefinition, &mut bool),
        batch: Option<ScheduledBatch>,
    ) -> Result<Schedule, ServiceError> {
        let tracks = batch.iter().flat_map(|batch| &batch.tracks);
        self.check_tracks(caller, tracks.map(String::as_str)).await?;
        let batch = batch.map(|batch| batch.json);
        for _ in 0..CHANGES_MAX {
            let before = self.schedule(caller, id).await?.0.schedule;
            let mut after = before.clone();
            change(&mut after.definition, &mut after.paused);
            let timing = |it: &Schedule| (it.paused, it.definition.clone());
            let renamed = |it: &Schedule| {
                let name = before.definition.name.clone();
                (it.paused, ScheduleDefinition { name, ..it.definition.clone() })
            };
            if timing(&before) != renamed(&after) {
                // A slot that has been dealt with is not dealt with again, wherever the clock is.
                let last_ms = after.progress.last_slot_ms.unwrap_or(0);
                after.plan_after(self.clock.now_ms().max(last_ms));
            }
            let name = after.definition.name.clone();
            match self.store.replace_schedule(before, after, batch.clone()).committed().await? {
                Err(ScheduleError::Stale) => {}
                written => return written.map_err(|error| schedule_error(error, &name)),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Removes a schedule of the caller's. Its batches go on.
    ///
    /// # Errors
    /// Returns an error if there is no such schedule, or the store failed.
    pub async fn remove_schedule(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Schedule, ServiceError> {
        let schedule = self.schedule(caller, id).await?.0.schedule;
        let name = schedule.definition.name.clone();
        let removed = self.store.remove_schedule(schedule).committed().await?;
        let schedule = removed.map_err(|error| schedule_error(error, &name))?;
        let id = self.schedule_id(&schedule);
        tracing::info!(schedule = %id, account = caller.account, "schedule removed");
        Ok(schedule)
    }

    /// Runs a schedule now, beside its slots. Says too whether the batch was there before, because
    /// the call is a repeated one.
    ///
    /// # Errors
    /// Returns an error if the batch of the run before has not ended, or the whole batch was
    /// refused; nothing of it is stored.
    pub async fn run_schedule(
        &self,
        caller: &Caller,
        schedule: Schedule,
        asked: NewBatch,
        idempotency: Option<Idempotency>,
    ) -> Result<(Batch, bool), ServiceError> {
        self.accepting()?;
        self.webhooks_ready_for(&asked)?;
        self.within_rate(caller).await?;
        let (batch, items) = self.new_batch(caller, NewBatch { idempotency, ..asked }).await?;
        if let Err(spent) = self.batch_within_spend(caller, &items) {
            return self.earlier_batch(&batch, spent).await.map(|earlier| (earlier, true));
        }
        let action = RunAction::Submit(Box::new(batch), items);
        let run = NewRun { schedule, slot_ms: None, missed: 0, action };
        match self.store.write_run(run, self.clock.now_ms()).committed().await? {
            RunWritten::Run { schedule, run, batch: Some(batch) } => {
                self.note_run(&schedule, &run);
                log_accepted(&batch);
                Ok((*batch, false))
            }
            RunWritten::Replayed(batch) => Ok((*batch, true)),
            RunWritten::Overlap(key) => Err(ServiceError::ScheduleOverlap { batch: key.id }),
            RunWritten::Rejected(error) => Err(rejected_batch(error)),
            RunWritten::Stale | RunWritten::Run { batch: None, .. } => {
                Err(ServiceError::ScheduleNotFound)
            }
        }
    }

    /// Returns how many schedules there are, and their runs since the start.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn schedule_counts(&self) -> Result<ScheduleCounts, ServiceError> {
        let mut counts = ScheduleCounts::default();
        for ScheduleEntry { schedule, .. } in self.store.schedules(None).await? {
            let count = match (schedule.paused, schedule.has_ended()) {
                (true, _) => &mut counts.paused,
                (false, true) => &mut counts.ended,
                (false, false) => &mut counts.active,
            };
            *count += 1;
            let active = !schedule.paused && !schedule.has_ended();
            counts.refused += u64::from(active && schedule.progress.refused_in_row > 0);
        }
        counts.runs = self.run_totals.report();
        Ok(counts)
    }

    /// Counts and logs a run that was written.
    pub(super) fn note_run(&self, schedule: &Schedule, run: &ScheduleRun) {
        self.run_totals.count(&run.outcome);
        let (id, outcome) = (self.schedule_id(schedule), run.outcome.word());
        let (account, missed) = (&schedule.account, run.missed);
        match &run.outcome {
            RunOutcome::Refused { code, .. } => {
                tracing::warn!(schedule = %id, account, outcome, code, missed, "schedule not run");
            }
            RunOutcome::Missed | RunOutcome::Overlap { .. } => {
                tracing::warn!(schedule = %id, account, outcome, missed, "schedule not run");
            }
            RunOutcome::Submitted { .. } => {
                tracing::info!(schedule = %id, account, outcome, missed, "schedule run");
            }
        }
    }
}

fn schedule_error(error: ScheduleError, name: &str) -> ServiceError {
    match error {
        ScheduleError::Gone => ServiceError::ScheduleNotFound,
        ScheduleError::NameTaken => ServiceError::ScheduleNameTaken { name: name.to_owned() },
        ScheduleError::TooMany => ServiceError::SchedulesFull { schedules_max: SCHEDULES_MAX },
        ScheduleError::Stale => StoreError::Busy.into(),
    }
}
