//! Rate limits by the minute, on the service's own clock: for callers and for upstreams.

mod lease;

use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::clock::{Clock, UnixMs};
use lease::Lease;

const MINUTE_NS: u64 = 60_000_000_000;
const MS_NS: u64 = 1_000_000;
const MICROSECOND_NS: u64 = 1_000;

/// A number of requests per minute, spread evenly, with a minute's worth as the burst: the generic
/// cell rate algorithm, whose whole state is one moment. Steps of the wall clock do not move it.
pub struct RateLimit {
    clock: Clock,
    origin: Instant,
    per_minute: u32,
    /// When the whole burst is left again, nanoseconds since `origin`. Where the limit is shared,
    /// as of the latest lease.
    full_at_ns: AtomicU64,
    /// Set where other processes have the same limit.
    shared: OnceLock<SharedLimit>,
}

/// A limit that several processes have together: what this one has taken of it and not used.
struct SharedLimit {
    name: String,
    budgets: Arc<dyn SharedBudgets>,
    lease: Lease,
}

/// Some of a budget that several processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetRequest<'a> {
    /// What has the limit: each has a budget of its own.
    pub name: &'a str,
    pub per_minute: u32,
    /// How many are asked for.
    pub most: u32,
    /// The time of the clock by which all processes go.
    pub now_ms: UnixMs,
}

/// The part of a budget that was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetGrant {
    /// As many as were asked for, or as are left.
    pub tokens: u32,
    /// What is used, as the time in which it comes back, microseconds.
    pub used_us: u64,
}

/// A grant that is on its way; `None` if the budget cannot be asked for.
pub type GrantFuture<'a> = Pin<Box<dyn Future<Output = Option<BudgetGrant>> + Send + 'a>>;

/// The limits that several processes have together.
pub trait SharedBudgets: Send + Sync {
    /// Takes of a budget.
    fn grant<'a>(&'a self, request: BudgetRequest<'a>) -> GrantFuture<'a>;

    /// Returns how many processes ask an upstream, this one included.
    fn sharers(&self, upstream: &str) -> usize;
}

/// The rest of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitStatus {
    pub per_minute: u32,
    pub left: u32,
    /// When the whole of it is left again, seconds.
    pub full_in_seconds: u64,
}

impl RateLimit {
    pub fn per_minute(most: NonZeroU32, clock: &Clock) -> RateLimit {
        let (clock, origin) = (clock.clone(), clock.instant());
        RateLimit {
            clock,
            origin,
            per_minute: most.get(),
            full_at_ns: AtomicU64::new(0),
            shared: OnceLock::new(),
        }
    }

    /// Makes it the limit of all processes that share a budget of this name. Only the first call
    /// counts.
    pub fn share(&self, budgets: Arc<dyn SharedBudgets>, name: String) {
        let _ = self.shared.set(SharedLimit { name, budgets, lease: Lease::default() });
    }

    /// Takes one of what is left, or of what is left to all processes where the limit is shared.
    /// What cannot be asked for, because the database is away, is taken of a limit of this process.
    ///
    /// # Errors
    /// Returns the milliseconds until one is left.
    pub async fn acquire(&self) -> Result<(), u64> {
        let Some(SharedLimit { name, budgets, lease }) = self.shared.get() else {
            return self.take();
        };
        let elapsed_ms = self.clock.monotonic_ms(self.origin);
        let Some(most) = lease.take(elapsed_ms) else { return Ok(()) };
        let (per_minute, now_ms) = (self.per_minute, self.clock.now_ms());
        let request = BudgetRequest { name, per_minute, most, now_ms };
        let Some(BudgetGrant { tokens, used_us }) = budgets.grant(request).await else {
            return self.take();
        };
        let full_at_ns = self.now_ns().saturating_add(used_us.saturating_mul(MICROSECOND_NS));
        self.full_at_ns.store(full_at_ns, Ordering::Relaxed);
        match tokens.checked_sub(1) {
            Some(rest) => {
                lease.put(rest, elapsed_ms);
                Ok(())
            }
            None => Err(self.wait_ms().max(1)),
        }
    }

    /// Takes one of what is left.
    ///
    /// # Errors
    /// Returns the milliseconds until one is left.
    pub fn take(&self) -> Result<(), u64> {
        let now_ns = self.now_ns();
        let next = |full_at_ns: u64| {
            let next_ns = full_at_ns.max(now_ns) + self.interval_ns();
            (next_ns - now_ns <= self.burst_ns()).then_some(next_ns)
        };
        match self.full_at_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => Ok(()),
            // Another thread may have waited for the same moment.
            Err(_) => Err(self.wait_ms().max(1)),
        }
    }

    /// Checks whether one is left, without taking it.
    ///
    /// # Errors
    /// Returns the milliseconds until one is left.
    pub fn check(&self) -> Result<(), u64> {
        match self.wait_ms() {
            0 => Ok(()),
            wait_ms => Err(wait_ms),
        }
    }

    /// Returns how long until one is left, milliseconds. Where the limit is shared, another process
    /// may take that one.
    pub fn wait_ms(&self) -> u64 {
        if self.leased() > 0 {
            return 0;
        }
        let next_ns = self.used_ns() + self.interval_ns();
        next_ns.saturating_sub(self.burst_ns()).div_ceil(MS_NS)
    }

    /// Returns how much is left.
    pub fn status(&self) -> RateLimitStatus {
        let per_minute = self.per_minute;
        // Never more than there is.
        let used = self.used_ns().div_ceil(self.interval_ns()).min(u64::from(per_minute));
        let full_in_seconds = (used * 60).div_ceil(u64::from(per_minute));
        let left = per_minute - used as u32;
        let left = left.saturating_add(self.leased()).min(per_minute);
        RateLimitStatus { per_minute, left, full_in_seconds }
    }

    /// Returns how many this process has taken of a shared limit and not used.
    fn leased(&self) -> u32 {
        let elapsed_ms = self.clock.monotonic_ms(self.origin);
        self.shared.get().map_or(0, |shared| shared.lease.left(elapsed_ms))
    }

    /// Returns what is used, as the time in which it comes back.
    fn used_ns(&self) -> u64 {
        self.full_at_ns.load(Ordering::Relaxed).saturating_sub(self.now_ns())
    }

    fn interval_ns(&self) -> u64 {
        MINUTE_NS / u64::from(self.per_minute)
    }

    fn burst_ns(&self) -> u64 {
        self.interval_ns() * u64::from(self.per_minute)
    }

    fn now_ns(&self) -> u64 {
        self.clock.monotonic_ms(self.origin).saturating_mul(MS_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_of_a_minute_comes_back_evenly() {
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
    fn step_of_the_wall_clock_does_not_move_a_limit() {
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

    #[test]
    fn threads_take_no_more_than_there_is() {
        let (clock, _manual) = Clock::manual(0);
        let limit = RateLimit::per_minute(NonZeroU32::new(1_000).unwrap(), &clock);
        let take = || (0..500).filter(|_| limit.take().is_ok()).count();
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((taken, limit.status().left), (1_000, 0));
        assert_eq!(limit.check(), Err(60));
    }
}
