//! How well a recipe has fitted its page recently: which alternative of each selector matched, so
//! that a page
//! that has changed is seen before its answers run out.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The most selectors that are counted; a recipe has fewer.
const SELECTORS_MAX: usize = 200;

/// Since the recipe was loaded.
#[derive(Default)]
pub(crate) struct Drift(Mutex<BTreeMap<String, Matches>>);

/// The count of matches of a selector's alternatives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// By alternative, in the order of the recipe.
    pub alternatives: Vec<u64>,
    /// How often none did.
    pub none: u64,
}

/// A recipe, and how its selectors matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeHealth {
    pub recipe: String,
    pub version: u64,
    pub last_verified: Option<String>,
    pub selectors: BTreeMap<String, Matches>,
}

impl Drift {
    /// Counts what matched in one attempt.
    pub(crate) fn note(&self, matched: Vec<(String, Option<usize>)>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, alternative) in matched {
            if counts.len() >= SELECTORS_MAX && !counts.contains_key(&name) {
                continue;
            }
            let matches = counts.entry(name).or_default();
            match alternative {
                None => matches.none += 1,
                Some(at) => {
                    if matches.alternatives.len() <= at {
                        matches.alternatives.resize(at + 1, 0);
                    }
                    matches.alternatives[at] += 1;
                }
            }
        }
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, Matches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts again, for another version of the recipe.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_and_misses_are_counted_apart() {
        let drift = Drift::default();
        let box_name = || "prompt.box".to_owned();
        drift.note(vec![(box_name(), Some(0)), (box_name(), Some(2)), (box_name(), None)]);
        let counts = drift.counts();
        assert_eq!(counts["prompt.box"], Matches { alternatives: vec![1, 0, 1], none: 1 });
        drift.forget();
        assert!(drift.counts().is_empty());
    }
}
