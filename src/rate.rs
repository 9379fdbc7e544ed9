//! Rate limits by the minute, on the service's own clock: for callers and for upstreams.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::Reference;
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::Clock;

const MINUTE_MS: u64 = 60_000;

/// At most so many in a minute, spread evenly, with a minute's worth as the burst.
pub struct RateLimit {
    limiter: RateLimiter<NotKeyed, InMemoryState, LimiterClock, StateInformationMiddleware>,
    clock: LimiterClock,
    per_minute: u32,
    latest: Mutex<Latest>,
}

/// What was left after the latest request, and when: the limiter tells it only then.
struct Latest {
    left: u32,
    at: Nanos,
    /// How long after that the next one may be taken, milliseconds.
    wait_ms: u64,
}

/// How much of a limit is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitStatus {
    pub per_minute: u32,
    pub left: u32,
    /// When nothing of it will be used any more, seconds.
    pub full_in_seconds: u64,
}

/// The service's clock as governor wants it: steps of the wall clock must not shut a limit.
#[derive(Clone)]
struct LimiterClock {
    clock: Clock,
    origin: Instant,
}

impl governor::clock::Clock for LimiterClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(Duration::from_millis(self.clock.monotonic_ms(self.origin)))
    }
}

impl RateLimit {
    pub fn per_minute(most: NonZeroU32, clock: &Clock) -> RateLimit {
        let clock = LimiterClock { clock: clock.clone(), origin: clock.instant() };
        let limiter = RateLimiter::direct_with_clock(Quota::per_minute(most), clock.clone())
            .with_middleware();
        let latest =
            Latest { left: most.get(), at: governor::clock::Clock::now(&clock), wait_ms: 0 };
        RateLimit { limiter, clock, per_minute: most.get(), latest: Mutex::new(latest) }
    }

    /// Takes one of what is left.
    ///
    /// # Errors
    /// Nothing is left: milliseconds until one is.
    pub fn take(&self) -> Result<(), u64> {
        // Held over both, so that what is noted is what came last.
        let mut latest = self.latest();
        let taken = self.limiter.check();
        let now = governor::clock::Clock::now(&self.clock);
        let left = taken.as_ref().map_or(0, StateSnapshot::remaining_burst_capacity);
        let refused = taken.map(drop).map_err(|until| {
            let wait = Duration::from(until.earliest_possible().duration_since(now));
            u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)
        });
        let wait_ms = match refused {
            Ok(()) if left > 0 => 0,
            Ok(()) => MINUTE_MS / u64::from(self.per_minute),
            Err(wait_ms) => wait_ms,
        };
        *latest = Latest { left, at: now, wait_ms };
        refused
    }

    /// Returns how long until one is left, milliseconds; takes none.
    pub fn wait_ms(&self) -> u64 {
        let latest = self.latest();
        let now = governor::clock::Clock::now(&self.clock);
        let since = Duration::from(now.duration_since(latest.at));
        latest.wait_ms.saturating_sub(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Checks whether one is left, without taking it.
    ///
    /// # Errors
    /// Returns the milliseconds until one is left.
    pub fn check(&self) -> Result<(), u64> {
        if self.status().left > 0 {
            return Ok(());
        }
        let now = governor::clock::Clock::now(&self.clock);
        let since = Duration::from(now.duration_since(self.latest().at)).as_millis();
        let since_ms = u64::try_from(since).unwrap_or(u64::MAX);
        Err(60_000_u64.div_ceil(u64::from(self.per_minute)).saturating_sub(since_ms).max(1))
    }

    /// How much is left, with what has come back since the latest request.
    pub fn status(&self) -> RateLimitStatus {
        let latest = self.latest();
        let now = governor::clock::Clock::now(&self.clock);
        let since = Duration::from(now.duration_since(latest.at));
        let per_minute = u128::from(self.per_minute);
        let back = since.as_millis() * per_minute / 60_000;
        let left = u32::try_from(back).unwrap_or(u32::MAX).saturating_add(latest.left);
        let left = left.min(self.per_minute);
        let used = u64::from(self.per_minute - left);
        let full_in_seconds = (used * 60).div_ceil(u64::from(self.per_minute));
        RateLimitStatus { per_minute: self.per_minute, left, full_in_seconds }
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        // It is written whole.
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_is_left_and_comes_back_evenly() {
        let (clock, manual) = Clock::manual(1_000_000);
        let limit = RateLimit::per_minute(NonZeroU32::new(60).unwrap(), &clock);
        for _ in 0..60 {
            assert_eq!(limit.take(), Ok(()));
        }
        assert_eq!(limit.wait_ms(), 1_000);
        let wait_ms = limit.take().unwrap_err();
        assert!((1..=1_000).contains(&wait_ms), "{wait_ms}");
        assert_eq!(limit.wait_ms(), wait_ms);
        manual.advance_ms(1_000);
        assert_eq!(limit.wait_ms(), 0);
        assert_eq!((limit.status().left, limit.status().full_in_seconds), (1, 59));
        assert_eq!(limit.take(), Ok(()));
        assert!(limit.take().is_err());
        assert_eq!(
            limit.status(),
            RateLimitStatus { per_minute: 60, left: 0, full_in_seconds: 60 }
        );
        manual.advance_ms(3_600_000);
        assert_eq!(
            limit.status(),
            RateLimitStatus { per_minute: 60, left: 60, full_in_seconds: 0 }
        );
    }

    #[test]
    fn a_step_of_the_wall_clock_neither_shuts_a_limit_nor_opens_it() {
        let (clock, manual) = Clock::manual(1_778_500_800_000);
        let limit = RateLimit::per_minute(NonZeroU32::new(60).unwrap(), &clock);
        (0..60).for_each(|_| limit.take().unwrap());
        for at_ms in [0, 1_810_036_800_000] {
            manual.set_ms(at_ms);
            assert!((1..=1_000).contains(&limit.take().unwrap_err()));
            assert_eq!(limit.status().left, 0);
            manual.advance_ms(1_000);
            assert_eq!(limit.take(), Ok(()));
        }
    }
}
