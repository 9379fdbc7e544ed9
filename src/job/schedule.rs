//! A schedule: a batch that is submitted again and again. Decides which of its slots is due, and
//! what is done about one that was missed. Pure: the time is a parameter.

mod recurrence;
#[cfg(test)]
mod tests;

pub use recurrence::{
    CRON_CHARS_MAX, EVERY_SECONDS_MAX, EVERY_SECONDS_MIN, InvalidRecurrence, Recurrence,
    check_zone, duration_text, parse_duration,
};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::BatchKey;
use crate::clock::UnixMs;

/// The most schedules of an account.
pub const SCHEDULES_MAX: usize = 1_000;
/// The longest name of a schedule, characters.
pub const SCHEDULE_NAME_CHARS_MAX: usize = 100;
/// The largest batch of a schedule, bytes of JSON.
pub const SCHEDULE_BATCH_BYTES_MAX: usize = 1 << 20;
/// The longest delay of a slot by chance, seconds.
pub const JITTER_SECONDS_MAX: u32 = 3_600;
/// The most runs that `max_runs` can name.
pub const MAX_RUNS_MAX: u64 = 1_000_000;
/// The runs of a schedule that are kept, the newest.
pub const RUNS_KEPT_MAX: usize = 100;
/// How late a slot may begin, milliseconds; a later one is missed.
pub const SLOT_LATE_MS_MAX: u64 = 300_000;
/// The most missed slots that are counted one by one; of more it is known that there are as many.
pub const MISSED_COUNTED_MAX: u32 = 1_000;
/// How far the latest slot may lie ahead, milliseconds, before the clock must have been wrong: the
/// slots are planned again from the present time then, so that none waits for a year.
pub const SLOT_AHEAD_MS_MAX: u64 = 86_400_000;

/// The treatment of slots that were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedPolicy {
    /// Nothing: the next slot is the next run.
    Skip,
    /// One run for all of them, as soon as possible.
    RunOnce,
}

impl MissedPolicy {
    pub const ALL: [MissedPolicy; 2] = [MissedPolicy::Skip, MissedPolicy::RunOnce];

    pub fn word(self) -> &'static str {
        match self {
            MissedPolicy::Skip => "skip",
            MissedPolicy::RunOnce => "run_once",
        }
    }
}

/// A moment at which a schedule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleSlot {
    /// As the recurrence has it. It names the run.
    pub at_ms: UnixMs,
    /// When it is submitted: later by the jitter.
    pub due_ms: UnixMs,
}

/// A schedule without its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub row: u64,
    pub nonce: u128,
    /// Whose key made it, and pays for its runs.
    pub account: String,
    pub definition: ScheduleDefinition,
    pub paused: bool,
    pub created_ms: UnixMs,
    /// Rises with every write: what was decided of an earlier state is not applied to a later one.
    pub version: u64,
    pub progress: ScheduleProgress,
}

/// The part of a schedule that its owner writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleDefinition {
    pub name: String,
    pub recurrence: Recurrence,
    pub jitter_seconds: u32,
    pub missed: MissedPolicy,
    /// No slot is later than this.
    pub ends_ms: Option<UnixMs>,
    /// How many slots may submit a batch.
    pub max_runs: Option<u64>,
}

/// The part of a schedule that its runs write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleProgress {
    /// `None` while it is paused, and once it has ended.
    pub next: Option<ScheduleSlot>,
    /// The latest slot that was dealt with.
    pub last_slot_ms: Option<UnixMs>,
    /// Slots that have submitted a batch.
    pub submitted: u64,
    /// The number of the next run.
    pub next_run: u64,
    /// The batch of the latest run that submitted one.
    pub batch: Option<BatchKey>,
    /// How many slots in a row were refused, up to now.
    pub refused_in_row: u32,
}

/// A run of a schedule, or the record that there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRun {
    /// Counts the runs of the schedule from 0.
    pub number: u64,
    /// `None` for a run that a call asked for.
    pub slot_ms: Option<UnixMs>,
    /// When it was decided.
    pub at_ms: UnixMs,
    pub outcome: RunOutcome,
    /// Slots before this one that nothing was submitted for, at most [`MISSED_COUNTED_MAX`].
    pub missed: u32,
}

/// The outcome of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// A batch was submitted; this many of its items were refused.
    Submitted { batch: Uuid, refused: u32 },
    /// The batch of the run before has not ended.
    Overlap { batch: Uuid },
    /// The service was down, or its clock was wrong, for too long.
    Missed,
    /// Nothing was queued; why, for programs and as a sentence.
    Refused { code: String, sentence: String },
}

impl RunOutcome {
    pub const WORDS: [&str; 4] = ["submitted", "overlap", "missed", "refused"];

    /// Returns its place in [`RunOutcome::WORDS`].
    pub fn index(&self) -> usize {
        match self {
            RunOutcome::Submitted { .. } => 0,
            RunOutcome::Overlap { .. } => 1,
            RunOutcome::Missed => 2,
            RunOutcome::Refused { .. } => 3,
        }
    }

    pub fn word(&self) -> &'static str {
        RunOutcome::WORDS[self.index()]
    }
}

/// The decision about a schedule that may have come due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotDecision {
    /// Nothing is due.
    Wait,
    /// The slot is submitted.
    Run { slot_ms: UnixMs, missed: u32 },
    /// The slot, and those before it, are recorded as missed.
    Miss { slot_ms: UnixMs, missed: u32 },
}

impl Schedule {
    /// Decides what is done at `now_ms`.
    pub fn decide(&self, now_ms: UnixMs) -> SlotDecision {
        let Some(next) = self.progress.next.filter(|next| next.due_ms <= now_ms) else {
            return SlotDecision::Wait;
        };
        let latest = self.latest_due(next, now_ms);
        let missed = self.count_between(next.at_ms, latest.at_ms);
        let late = now_ms - latest.due_ms > SLOT_LATE_MS_MAX;
        match self.definition.missed {
            MissedPolicy::Skip if late => SlotDecision::Miss { slot_ms: latest.at_ms, missed },
            MissedPolicy::Skip | MissedPolicy::RunOnce => {
                SlotDecision::Run { slot_ms: latest.at_ms, missed }
            }
        }
    }

    /// Returns the latest slot that is due at `now_ms`, where `next` is.
    fn latest_due(&self, next: ScheduleSlot, now_ms: UnixMs) -> ScheduleSlot {
        let until_ms = self.definition.ends_ms.map_or(now_ms, |ends_ms| ends_ms.min(now_ms));
        let recurrence = &self.definition.recurrence;
        let mut before_ms = until_ms;
        // The last one by the clock may still wait for its jitter; the one before it does not.
        for _ in 0..2 {
            let Some(at_ms) = recurrence.last_until(before_ms).filter(|at_ms| *at_ms > next.at_ms)
            else {
                break;
            };
            let slot = self.slot(at_ms);
            if slot.due_ms <= now_ms {
                return slot;
            }
            before_ms = at_ms.saturating_sub(1);
        }
        next
    }

    /// Counts the slots from one to another, without that, up to [`MISSED_COUNTED_MAX`].
    fn count_between(&self, from_ms: UnixMs, until_ms: UnixMs) -> u32 {
        let mut count = 0;
        let mut at_ms = from_ms;
        while at_ms < until_ms && count < MISSED_COUNTED_MAX {
            count += 1;
            let Some(next_ms) = self.definition.recurrence.next_after(at_ms) else { break };
            at_ms = next_ms;
        }
        count
    }

    /// Returns the slot at `at_ms` with its jitter, which is the same every time and ends before
    /// the next slot.
    fn slot(&self, at_ms: UnixMs) -> ScheduleSlot {
        let jitter_ms = u64::from(self.definition.jitter_seconds) * 1_000;
        if jitter_ms == 0 {
            return ScheduleSlot { at_ms, due_ms: at_ms };
        }
        let next_ms = self.definition.recurrence.next_after(at_ms);
        let gap_ms = next_ms.map_or(u64::MAX, |next_ms| next_ms - at_ms);
        let most_ms = jitter_ms.min(gap_ms.saturating_sub(1_000));
        let due_ms = at_ms + self.chance(at_ms) % (most_ms + 1);
        ScheduleSlot { at_ms, due_ms }
    }

    /// Returns a number that is fixed for a slot and looks like chance.
    fn chance(&self, at_ms: UnixMs) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.nonce.to_be_bytes());
        hash.update(at_ms.to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// Plans the first slot after `after_ms`; none while it is paused or if it has ended.
    pub fn plan_after(&mut self, after_ms: UnixMs) {
        let spent = self.definition.max_runs.is_some_and(|max| self.progress.submitted >= max);
        self.progress.next = if self.paused || spent {
            None
        } else {
            let next_ms = self.definition.recurrence.next_after(after_ms);
            let open = |at_ms: &UnixMs| self.definition.ends_ms.is_none_or(|ends| *at_ms <= ends);
            next_ms.filter(open).map(|at_ms| self.slot(at_ms))
        };
    }

    /// Plans again from the present time if the latest slot lies so far ahead that the clock must
    /// have been wrong; returns whether it did.
    pub fn plan_after_clock_step(&mut self, now_ms: UnixMs) -> bool {
        let ahead_ms = now_ms.saturating_add(SLOT_AHEAD_MS_MAX);
        let wrong = self.progress.last_slot_ms.is_some_and(|last_ms| last_ms > ahead_ms);
        if wrong {
            self.progress.last_slot_ms = None;
            self.plan_after(now_ms);
        }
        wrong
    }

    /// Notes the outcome of a slot, or of a run that a call asked for, and plans what follows.
    /// Returns the record of it.
    pub fn note_run(
        &mut self,
        slot_ms: Option<UnixMs>,
        missed: u32,
        outcome: RunOutcome,
        batch: Option<BatchKey>,
        at_ms: UnixMs,
    ) -> ScheduleRun {
        let number = self.progress.next_run;
        self.progress.next_run += 1;
        self.progress.batch = batch.or(self.progress.batch);
        match &outcome {
            RunOutcome::Submitted { .. } => self.progress.refused_in_row = 0,
            RunOutcome::Refused { .. } => self.progress.refused_in_row += 1,
            RunOutcome::Overlap { .. } | RunOutcome::Missed => {}
        }
        if let Some(slot_ms) = slot_ms {
            if matches!(outcome, RunOutcome::Submitted { .. }) {
                self.progress.submitted += 1;
            }
            self.progress.last_slot_ms = Some(slot_ms);
            self.plan_after(slot_ms);
        }
        ScheduleRun { number, slot_ms, at_ms, outcome, missed }
    }

    /// Returns whether it will have no slot any more, paused or not.
    pub fn has_ended(&self) -> bool {
        self.progress.next.is_none() && !self.paused
    }
}

/// Returns the idempotency key of a slot's batch, so that no slot can submit twice.
pub fn slot_key(id: Uuid, slot_ms: UnixMs) -> String {
    format!("schedule/{id}/{}", slot_ms / 1_000)
}
