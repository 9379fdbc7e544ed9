//! The notices of alerts since the start, by the condition of their alert.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::alert::AlertKind;

/// Counts in the order of [`AlertKind::ALL`].
#[derive(Default)]
pub(super) struct NoticeTotals([AtomicU64; AlertKind::ALL.len()]);

impl NoticeTotals {
    pub(super) fn count(&self, kind: AlertKind) {
        let places = AlertKind::ALL.iter().zip(&self.0);
        for (_, count) in places.filter(|(known, _)| **known == kind) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn report(&self) -> [u64; AlertKind::ALL.len()] {
        self.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}
