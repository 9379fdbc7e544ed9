//! The slots of schedules that come due, which the engine's scheduler hands over.

use std::sync::{Arc, Weak};

use super::batches::log_accepted;
use super::{NewBatch, Service, ServiceError};
use crate::clock::UnixMs;
use crate::engine::SlotRunner;
use crate::job::{Batch, Schedule, SlotDecision, slot_key};
use crate::store::{
    Blocking, NewItem, NewRun, RunAction, RunWritten, StoreError, idempotency_of_batch,
};

/// The most slots of one pass of the scheduler: queues come in between.
const SLOTS_MAX: usize = 8;

/// The reason why a slot submits nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRefusal {
    /// The stable word for programs.
    pub code: String,
    pub sentence: String,
}

/// The reader of the batches of schedules. The edge has it, which reads those of calls alike.
pub struct SlotReader {
    pub batch: fn(&Service, &[u8]) -> Result<NewBatch, SlotRefusal>,
    pub refusal: fn(ServiceError, u64) -> SlotRefusal,
}

/// Runs the slots of schedules for as long as it is kept.
pub struct ScheduleRunner {
    service: Arc<Service>,
    reader: SlotReader,
}

/// The reason why a slot cannot be submitted now.
enum SlotError {
    Refused(SlotRefusal),
    /// It is tried again.
    Store(StoreError),
}

impl ScheduleRunner {
    /// Starts to run the schedules of a service. Their batches are read by `reader`.
    pub fn start(service: &Arc<Service>, reader: SlotReader) -> Arc<ScheduleRunner> {
        let runner = Arc::new(ScheduleRunner { service: service.clone(), reader });
        let weak: Weak<ScheduleRunner> = Arc::downgrade(&runner);
        service.engine.run_slots_by(weak);
        runner
    }

    /// Runs the slot of a schedule that is due, if it still is. Blocks until it is committed.
    fn run_slot(&self, schedule: Schedule, now_ms: UnixMs) -> Result<bool, StoreError> {
        let (slot_ms, missed, action) = match schedule.decide(now_ms) {
            SlotDecision::Wait => return Ok(false),
            SlotDecision::Miss { slot_ms, missed } => (slot_ms, missed, RunAction::Miss),
            SlotDecision::Run { slot_ms, missed } => match self.slot_batch(&schedule, slot_ms) {
                Ok((batch, items)) => (slot_ms, missed, RunAction::Submit(Box::new(batch), items)),
                Err(SlotError::Refused(SlotRefusal { code, sentence })) => {
                    (slot_ms, missed, RunAction::Refuse { code, sentence })
                }
                Err(SlotError::Store(error)) => return Err(error),
            },
        };
        let run = NewRun { schedule, slot_ms: Some(slot_ms), missed, action };
        match self.service.store.write_run(run, now_ms).wait()? {
            RunWritten::Run { schedule, run, batch } => {
                self.service.note_run(&schedule, &run);
                if let Some(batch) = batch {
                    log_accepted(&batch);
                }
                Ok(true)
            }
            // It was changed meanwhile, and is looked at again.
            RunWritten::Stale => Ok(true),
            // Only of runs that a call asks for.
            RunWritten::Overlap(_) | RunWritten::Rejected(_) | RunWritten::Replayed(_) => Ok(false),
        }
    }

    /// Returns the batch of a slot as it will be written.
    fn slot_batch(
        &self,
        schedule: &Schedule,
        slot_ms: UnixMs,
    ) -> Result<(Batch, Vec<NewItem>), SlotError> {
        let service = &self.service;
        let refused = |code: &str, sentence: String| {
            Err(SlotError::Refused(SlotRefusal { code: code.to_owned(), sentence }))
        };
        let Some(caller) = service.keyring().caller_of(&schedule.account) else {
            let account = &schedule.account;
            return refused(
                "key_revoked",
                format!(
                    "The key `{account}`, which made the schedule, is not configured any more."
                ),
            );
        };
        let json = self.service.store.schedule_batch(schedule.row).map_err(SlotError::Store)?;
        let Some(json) = json else {
            return refused("batch_missing", "The batch of the schedule is missing.".to_owned());
        };
        let mut asked =
            (self.reader.batch)(service, json.as_bytes()).map_err(SlotError::Refused)?;
        let key = slot_key(service.schedule_id(schedule), slot_ms);
        asked.idempotency = Some(idempotency_of_batch(&caller.account, &key, json.as_bytes()));
        let made = service
            .webhooks_ready_for(&asked)
            .and_then(|()| service.new_batch(&caller, asked).wait());
        let made = made.and_then(|(batch, items)| {
            service.batch_within_spend(&caller, &items).map(|()| (batch, items))
        });
        made.map_err(|error| {
            if let ServiceError::Store(error) = error {
                return SlotError::Store(error);
            }
            SlotError::Refused((self.reader.refusal)(error, service.retention_hours()))
        })
    }
}

impl SlotRunner for ScheduleRunner {
    fn run_due(&self, now_ms: UnixMs) -> Result<bool, StoreError> {
        // The slots stay due while no job is taken, and are looked at again.
        if self.service.accepting().is_err() {
            return Ok(false);
        }
        let mut ran = false;
        for schedule in self.service.store.due_schedules(now_ms, SLOTS_MAX)? {
            ran |= self.run_slot(schedule, now_ms)?;
        }
        Ok(ran)
    }
}
