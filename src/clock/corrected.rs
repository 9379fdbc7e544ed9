//! A clock that is corrected to show another one's time. Between two corrections it goes by the
//! machine's monotonic clock: to set the wall clock of the machine does not change it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// The state that all clones of a corrected clock share.
pub struct CorrectedClock {
    origin: Instant,
    /// What it showed at the origin.
    began_ms: u64,
    ahead_ms: AtomicI64,
}

impl CorrectedClock {
    /// Creates one that shows `began_ms` at the moment `origin`.
    pub(super) fn new(origin: Instant, began_ms: u64) -> CorrectedClock {
        CorrectedClock { origin, began_ms, ahead_ms: AtomicI64::new(0) }
    }

    /// Sets it ahead by some milliseconds.
    pub(super) fn correct_by(&self, ahead_ms: i64) {
        self.ahead_ms.fetch_add(ahead_ms, Ordering::Relaxed);
    }

    /// Returns by how much it is ahead of a clock that shows `now_ms`, milliseconds.
    pub(super) fn ahead_of(&self, now_ms: u64) -> i64 {
        self.now_ms().cast_signed().saturating_sub(now_ms.cast_signed())
    }

    /// Returns the time, in milliseconds since the Unix epoch.
    pub(super) fn now_ms(&self) -> u64 {
        let passed_ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now_ms = self.began_ms.saturating_add(passed_ms);
        now_ms.saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed))
    }
}
