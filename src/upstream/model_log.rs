//! Which model an upstream has answered with, by its own account: the last changes, in memory; the
//! store has them for good.

use std::sync::{Mutex, PoisonError};

use crate::clock::UnixMs;
use crate::job::ModelSeen;

/// The models of an upstream, oldest first. Each is another than the one before.
#[derive(Debug, Default)]
pub(super) struct ModelLog(Mutex<Vec<ModelSeen>>);

impl ModelLog {
    /// Takes over what the store has kept.
    pub(crate) fn restore(&self, models: Vec<ModelSeen>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = models;
    }

    /// Notes the model of an answer; returns it if it is another than that of the answer before.
    pub(crate) fn note(&self, model: &str, at_ms: UnixMs) -> Option<ModelSeen> {
        let mut models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = ModelSeen { since_ms: at_ms, model: model.to_owned() };
        seen.clone().add_to(&mut models).then_some(seen)
    }

    /// Returns the models, oldest first.
    pub(crate) fn models(&self) -> Vec<ModelSeen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::MODEL_CHANGES_MAX;

    #[test]
    fn model_log_keeps_the_last_changes_and_what_the_first_was_from() {
        let log = ModelLog::default();
        assert!(log.note("m-0", 0).is_some());
        assert!(log.note("m-0", 1).is_none());
        for at_ms in 1..100 {
            assert!(log.note(&format!("m-{at_ms}"), at_ms).is_some());
        }
        let models = log.models();
        assert_eq!(models.len(), MODEL_CHANGES_MAX + 1);
        assert_eq!((models[0].model.as_str(), models[20].model.as_str()), ("m-79", "m-99"));
        let restored = ModelLog::default();
        restored.restore(models.clone());
        assert!(restored.note("m-99", 200).is_none());
        assert_eq!(restored.models(), models);
    }
}
