//! What has become of attempts to deliver since the start, in counts that only rise.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::job::DeliveryState;

/// By what followed from the attempt.
#[derive(Default)]
pub(super) struct DeliveryTally {
    delivered: AtomicU64,
    pending: AtomicU64,
    failed: AtomicU64,
}

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
    /// Counts an attempt after which the delivery stands so.
    pub fn note(&self, state: DeliveryState) {
        let counter = match state {
            DeliveryState::Delivered => &self.delivered,
            DeliveryState::Pending { .. } => &self.pending,
            DeliveryState::Failed(_) => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn report(&self) -> DeliveryCounts {
        DeliveryCounts {
            delivered: self.delivered.load(Ordering::Relaxed),
            pending: self.pending.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}
