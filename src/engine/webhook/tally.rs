//! Counts of webhook attempts since the start, which only rise.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::job::DeliveryState;

/// By what followed from the attempt, in the order of [`DeliveryCounts`].
#[derive(Default)]
pub(super) struct DeliveryTally([AtomicU64; 3]);

/// The counts at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// The receiver has taken it.
    pub delivered: u64,
    /// It has not, and another attempt follows.
    pub pending: u64,
    /// It has not, and the delivery was given up.
    pub failed: u64,
}

impl DeliveryTally {
    /// Counts an attempt by the state that it has left its delivery in.
    pub(crate) fn note(&self, state: DeliveryState) {
        let place = match state {
            DeliveryState::Delivered => 0,
            DeliveryState::Pending { .. } => 1,
            DeliveryState::Failed(_) => 2,
        };
        self.0[place].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> DeliveryCounts {
        let [delivered, pending, failed] =
            [0, 1, 2].map(|at: usize| self.0[at].load(Ordering::Relaxed));
        DeliveryCounts { delivered, pending, failed }
    }
}
