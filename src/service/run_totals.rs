//! The runs of schedules since the start, by their outcome.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::job::RunOutcome;

/// Counts in the order of [`RunOutcome::WORDS`].
#[derive(Default)]
pub(super) struct RunTotals([AtomicU64; RunOutcome::WORDS.len()]);

impl RunTotals {
    pub(crate) fn count(&self, outcome: &RunOutcome) {
        self.0[outcome.index()].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> [u64; RunOutcome::WORDS.len()] {
        self.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}
