//! Notices steps of the wall clock: while the service runs by the monotonic clock, and at a start by
//! what the store holds. A clock that is wrong for a while must neither delay jobs nor lose them.

use crate::clock::{Clock, Stopwatch, UnixMs};
use crate::store::{Store, StoreError};

/// The least step that counts, milliseconds: more than a clock that is slewed or a machine under load
/// brings about between two looks.
const STEP_MS_MIN: u64 = 2_000;

/// What has expired so long before a start, milliseconds, the sweep of a running service would have
/// removed: it did not run, or it held the sweep after a step of the clock.
const OVERDUE_MS_MAX: u64 = 60_000;

/// A step of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Set forward, or the machine has slept.
    Forward,
    Back {
        by_ms: u64,
    },
}

/// Compares the wall clock with the monotonic one.
pub(super) struct ClockStepDetector {
    clock: Clock,
    watch: Stopwatch,
    /// What both showed at the last look, milliseconds.
    last: (u64, u64),
}

impl ClockStepDetector {
    pub(crate) fn new(clock: Clock) -> ClockStepDetector {
        ClockStepDetector { watch: clock.stopwatch(), last: (clock.now_ms(), 0), clock }
    }

    /// Returns how the clock was set since the last look, and logs it; `None` if it was not.
    pub(crate) fn look(&mut self) -> Option<Step> {
        let (wall_ms, monotonic_ms) = (self.clock.now_ms(), self.watch.elapsed_ms());
        let (last_wall_ms, last_monotonic_ms) =
            std::mem::replace(&mut self.last, (wall_ms, monotonic_ms));
        let passed_ms = monotonic_ms.saturating_sub(last_monotonic_ms);
        let expected_ms = last_wall_ms.saturating_add(passed_ms);
        let by_ms = wall_ms.abs_diff(expected_ms);
        if by_ms < STEP_MS_MIN {
            return None;
        }
        if wall_ms < expected_ms {
            tracing::warn!(
                by_ms,
                "the clock was set back: no job waits longer for it, and jobs from before are kept longer"
            );
            return Some(Step::Back { by_ms });
        }
        tracing::warn!(
            by_ms,
            "the clock was set forward, or the machine has slept: expired jobs are not removed for a while"
        );
        Some(Step::Forward)
    }
}

/// Returns how the clock seems to have been set before a start, by what the store holds.
///
/// # Errors
/// Returns an error if the store failed.
pub(super) fn at_start(store: &Store, now_ms: UnixMs) -> Result<Option<Step>, StoreError> {
    let Some(newest_ms) = store.newest_created_ms()? else { return Ok(None) };
    if newest_ms >= now_ms.saturating_add(STEP_MS_MIN) {
        let by_ms = newest_ms - now_ms;
        tracing::warn!(
            by_ms,
            "the clock is behind the newest job: it was ahead when that came, or is wrong now; no job \
             waits longer for it, and such jobs are kept until the clock has come to their `expires_at`"
        );
        return Ok(Some(Step::Back { by_ms }));
    }
    let kept_from_ms = now_ms.saturating_sub(OVERDUE_MS_MAX);
    let overdue = store.next_expiry_ms()?.is_some_and(|first_ms| first_ms <= kept_from_ms);
    if overdue || store.last_expiry_ms()?.is_some_and(|last_ms| last_ms <= now_ms) {
        tracing::warn!(
            "jobs have expired that were not removed before the start: none is removed for a while, \
             in case the clock is wrong"
        );
        return Ok(Some(Step::Forward));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_is_detected_and_time_that_passes_is_not() {
        let (clock, manual) = Clock::manual(1_778_500_800_000);
        let mut detector = ClockStepDetector::new(clock.clone());
        manual.advance_ms(365 * 86_400_000);
        assert_eq!(detector.look(), None);
        manual.set_ms(clock.now_ms() + STEP_MS_MIN - 1);
        assert_eq!(detector.look(), None);
        manual.set_ms(clock.now_ms() + STEP_MS_MIN);
        assert_eq!(detector.look(), Some(Step::Forward));
        manual.advance_ms(60_000);
        manual.set_ms(clock.now_ms() - STEP_MS_MIN);
        assert_eq!(detector.look(), Some(Step::Back { by_ms: STEP_MS_MIN }));
        assert_eq!(detector.look(), None);
        let by_ms = clock.now_ms();
        manual.set_ms(0);
        assert_eq!(detector.look(), Some(Step::Back { by_ms }));
    }
}
