//! How often each reason has come since the start. Counting takes no lock and no memory.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Reason;

/// By the place of the reason in [`Reason::ALL`].
#[derive(Default)]
pub struct ReasonCounts([AtomicU64; Reason::ALL.len()]);

impl ReasonCounts {
    pub fn note(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the reasons that have come, and how often.
    pub fn report(&self) -> Vec<(Reason, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        Reason::ALL.iter().copied().zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_place_of_its_own() {
        let counts = ReasonCounts::default();
        assert_eq!(counts.report(), []);
        Reason::ALL.iter().for_each(|reason| counts.note(*reason));
        assert_eq!(
            counts.report(),
            Reason::ALL.iter().map(|reason| (*reason, 1)).collect::<Vec<_>>()
        );
    }
}
