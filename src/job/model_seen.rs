//! The model that an upstream answers with, by its own account.

use crate::clock::UnixMs;

/// The most changes of an upstream's model that are kept.
pub const MODEL_CHANGES_MAX: usize = 20;

/// The model that an upstream has answered with from a moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSeen {
    pub since_ms: UnixMs,
    pub model: String,
}

impl ModelSeen {
    /// Adds a model to those of an upstream, oldest first, if it is another than the last; returns
    /// whether it is. The first one that is kept is what the first change was from.
    pub fn add_to(self, models: &mut Vec<ModelSeen>) -> bool {
        if models.last().is_some_and(|last| last.model == self.model) {
            return false;
        }
        models.push(self);
        let surplus = models.len().saturating_sub(MODEL_CHANGES_MAX + 1);
        models.drain(..surplus);
        true
    }
}
