//! The alerts that come due: the engine knows when, and their evaluator what they find.

use std::sync::{Arc, OnceLock, Weak};

use crate::clock::UnixMs;
use crate::store::{Store, StoreError};

/// The evaluator of alerts that are due, called on the scheduler's thread.
pub trait AlertEvaluator: Send + Sync {
    /// Evaluates alerts that are due at `now_ms`. Returns false if none could be evaluated now.
    ///
    /// # Errors
    /// Returns an error if the store failed; what was not written is due still.
    fn evaluate_due(&self, now_ms: UnixMs) -> Result<bool, StoreError>;
}

/// The evaluator, once there is one. Weak, because it holds the engine.
#[derive(Default)]
pub(super) struct Alerts(OnceLock<Weak<dyn AlertEvaluator>>);

impl Alerts {
    /// Has alerts evaluated by `evaluator` from now on. Only the first call counts.
    pub(super) fn evaluate_by(&self, evaluator: Weak<dyn AlertEvaluator>) {
        let _ = self.0.set(evaluator);
    }

    /// Evaluates alerts that are due; returns when the next one may be, as far as that is known.
    pub(super) fn evaluate_due(
        &self,
        store: &Store,
        now_ms: UnixMs,
    ) -> Result<Option<UnixMs>, StoreError> {
        let due_ms = store.next_alert_ms(now_ms)?;
        if due_ms.is_none_or(|due_ms| due_ms > now_ms) {
            return Ok(due_ms);
        }
        let evaluator: Option<Arc<dyn AlertEvaluator>> = self.0.get().and_then(Weak::upgrade);
        let is_done = evaluator.map_or(Ok(false), |evaluator| evaluator.evaluate_due(now_ms))?;
        // What cannot be evaluated now is looked at with the next pass, whenever that is.
        Ok(is_done.then_some(now_ms))
    }
}
