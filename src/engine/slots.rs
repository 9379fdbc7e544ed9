//! The slots of schedules that come due: the engine knows when, and its runner what is submitted.

use std::sync::{Arc, OnceLock, Weak};

use crate::clock::UnixMs;
use crate::store::{Store, StoreError};

/// The runner of slots that are due, called on the scheduler's thread.
pub trait SlotRunner: Send + Sync {
    /// Runs slots that are due at `now_ms`. Returns false if none could be run now.
    ///
    /// # Errors
    /// Returns an error if the store failed; what was not written is due still.
    fn run_due(&self, now_ms: UnixMs) -> Result<bool, StoreError>;
}

/// The runner, once there is one. Weak, because it holds the engine.
#[derive(Default)]
pub(super) struct Slots(OnceLock<Weak<dyn SlotRunner>>);

impl Slots {
    /// Has slots run by `runner` from now on. Only the first call counts.
    pub(crate) fn run_by(&self, runner: Weak<dyn SlotRunner>) {
        let _ = self.0.set(runner);
    }

    /// Runs slots that are due; returns when the next one may be, as far as that is known.
    pub(crate) fn run_due(
        &self,
        store: &Store,
        now_ms: UnixMs,
    ) -> Result<Option<UnixMs>, StoreError> {
        let due_ms = store.next_slot_ms()?;
        if due_ms.is_none_or(|due_ms| due_ms > now_ms) {
            return Ok(due_ms);
        }
        let runner: Option<Arc<dyn SlotRunner>> = self.0.get().and_then(Weak::upgrade);
        let ran = runner.map_or(Ok(false), |runner| runner.run_due(now_ms))?;
        // What cannot be run now is looked at with the next pass, whenever that is.
        Ok(ran.then_some(now_ms))
    }
}
