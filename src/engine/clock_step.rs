//! Notices steps of the wall clock: while the service runs by the monotonic clock, and at a start by
//! what the store holds. A clock that is wrong for a while must neither hold jobs up nor lose them.

use std::time::Instant;

use super::Engine;
use crate::clock::Clock;
use crate::store::StoreError;

/// The least step that counts, milliseconds: more than a clock that is slewed or a machine under load
/// brings about between two looks.
const STEP_MS_MIN: u64 = 2_000;

/// What has expired so long before a start, milliseconds, the sweep of a running service would have
/// removed: it did not run, or it held the sweep after a step of the clock.
const OVERDUE_MS_MAX: u64 = 60_000;

/// How the wall clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Set forward, or the machine has slept.
    Forward,
    /// By so many milliseconds.
    Back { by_ms: u64 },
}

/// The wall clock, watched.
pub(super) struct ClockStepDetector {
    origin: Instant,
    /// The wall clock and the monotonic one at the last look, milliseconds.
    last: (u64, u64),
}

impl ClockStepDetector {
    pub fn new(clock: &Clock) -> ClockStepDetector {
        let origin = clock.instant();
        ClockStepDetector { origin, last: (clock.now_ms(), clock.monotonic_ms(origin)) }
    }

    /// Milliseconds on a clock that no step moves.
    pub fn monotonic_ms(&self, clock: &Clock) -> u64 {
        clock.monotonic_ms(self.origin)
    }

    /// Whether the clock was set since the last look; says so in the log.
    pub fn look(&mut self, clock: &Clock) -> Option<Step> {
        let (wall_ms, monotonic_ms) = (clock.now_ms(), self.monotonic_ms(clock));
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

/// How a start finds the clock, by what the store holds.
///
/// # Errors
/// The store failed.
pub(super) fn at_start(engine: &Engine) -> Result<Option<Step>, StoreError> {
    let now_ms = engine.clock.now_ms();
    let Some(newest_ms) = engine.store.newest_created_ms()? else { return Ok(None) };
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
    let overdue = engine.store.next_expiry_ms()?.is_some_and(|first_ms| first_ms <= kept_from_ms);
    if overdue || engine.store.last_expiry_ms()?.is_some_and(|last_ms| last_ms <= now_ms) {
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
    fn a_step_is_told_from_time_that_passes() {
        let (clock, manual) = Clock::manual(1_778_500_800_000);
        let mut wall = ClockStepDetector::new(&clock);
        manual.advance_ms(365 * 86_400_000);
        assert_eq!(wall.look(&clock), None);
        manual.set_ms(clock.now_ms() + STEP_MS_MIN - 1);
        assert_eq!(wall.look(&clock), None);
        manual.set_ms(clock.now_ms() + STEP_MS_MIN);
        assert_eq!(wall.look(&clock), Some(Step::Forward));
        manual.advance_ms(60_000);
        manual.set_ms(clock.now_ms() - STEP_MS_MIN);
        assert_eq!(wall.look(&clock), Some(Step::Back { by_ms: STEP_MS_MIN }));
        assert_eq!(wall.look(&clock), None);
        let by_ms = clock.now_ms();
        manual.set_ms(0);
        assert_eq!(wall.look(&clock), Some(Step::Back { by_ms }));
    }
}
