//! What a scraper has done since the start, in counts that only rise: what Prometheus draws rates
//! from. In memory only; a restart begins at nought, as Prometheus expects.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::health;
use crate::job::{Reason, ReasonCounts};
use crate::store::UsageEvent;
use crate::tally::{Histogram, HistogramReport};

/// The upper bounds of the histogram of attempts, milliseconds; a job's `timeout` is at most the last.
const RUN_BOUNDS_MS: [u64; 11] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 180_000, 600_000];
/// The upper bounds of the histogram of waits, milliseconds.
const WAIT_BOUNDS_MS: [u64; 11] =
    [10, 50, 100, 500, 1_000, 5_000, 10_000, 60_000, 300_000, 1_800_000, 7_200_000];

/// The upper bounds of the histogram of how long workers left rows in their queue, microseconds: as
/// short as a thread's wake-up, and as long as a backlog.
const PICKUP_BOUNDS_MICROSECONDS: [u64; 13] =
    [25, 50, 75, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// A scraper's counts.
pub struct Totals {
    submitted: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    canceled: AtomicU64,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
    /// How long attempts were due before they began.
    waits: Histogram,
    /// How long rows were in the queue until a worker took them.
    pickups: Histogram,
    /// How long attempts took that brought an answer.
    runs: Histogram,
    /// Why the others failed.
    failures: ReasonCounts,
}

/// The counts at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotalsReport {
    pub submitted: u64,
    /// With those that the cache has answered.
    pub done: u64,
    /// Without those that were canceled.
    pub failed: u64,
    pub canceled: u64,
    /// Jobs that the cache has answered.
    pub cache_hits: u64,
    /// Jobs that it might have answered, and could not.
    pub cache_misses: u64,
    /// From when an attempt was due to its start, milliseconds.
    pub waits: HistogramReport,
    /// From when a row was offered, at once behind the commit that made it ready, until a worker took
    /// it, microseconds.
    pub pickups: HistogramReport,
    /// How long attempts took that brought an answer, milliseconds.
    pub runs: HistogramReport,
    /// The reasons with which attempts have failed, and how often; without those that were canceled
    /// or could not be asked.
    pub failures: Vec<(Reason, u64)>,
}

impl Default for Totals {
    fn default() -> Totals {
        Totals {
            submitted: AtomicU64::new(0),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            canceled: AtomicU64::new(0),
            cache_hits: AtomicU64::new(0),
            cache_misses: AtomicU64::new(0),
            waits: Histogram::new(&WAIT_BOUNDS_MS),
            pickups: Histogram::new(&PICKUP_BOUNDS_MICROSECONDS),
            runs: Histogram::new(&RUN_BOUNDS_MS),
            failures: ReasonCounts::default(),
        }
    }
}

impl Totals {
    /// Counts a job that has come or ended.
    pub fn count(&self, what: UsageEvent) {
        let counter = match what {
            UsageEvent::Submitted => &self.submitted,
            UsageEvent::Done => &self.done,
            UsageEvent::Cached => {
                increment(&self.cache_hits);
                &self.done
            }
            UsageEvent::Failed => &self.failed,
            UsageEvent::Canceled => &self.canceled,
        };
        increment(counter);
    }

    /// Counts a job that the cache might have answered, and could not.
    pub fn cache_missed(&self) {
        increment(&self.cache_misses);
    }

    /// Counts an attempt that begins to ask, so long after it was due.
    pub fn attempt_begins(&self, waited_ms: u64) {
        self.waits.observe(waited_ms);
    }

    /// Counts a row that a worker has taken, so long after it was offered.
    pub fn picked_up(&self, after: Duration) {
        self.pickups.observe(u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts an attempt that has ended, and its reason if that is the scraper's failure.
    pub fn attempted(&self, run_ms: u64, failed: Option<Reason>) {
        match failed {
            None => self.runs.observe(run_ms),
            Some(reason) if health::counts(reason) => self.failures.note(reason),
            Some(_) => {}
        }
    }

    pub fn report(&self) -> TotalsReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TotalsReport {
            submitted: read(&self.submitted),
            done: read(&self.done),
            failed: read(&self.failed),
            canceled: read(&self.canceled),
            cache_hits: read(&self.cache_hits),
            cache_misses: read(&self.cache_misses),
            waits: self.waits.report(),
            pickups: self.pickups.report(),
            runs: self.runs.report(),
            failures: self.failures.report(),
        }
    }
}

fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_in_its_place() {
        let totals = Totals::default();
        for what in [
            UsageEvent::Submitted,
            UsageEvent::Done,
            UsageEvent::Cached,
            UsageEvent::Failed,
            UsageEvent::Canceled,
        ] {
            totals.count(what);
        }
        totals.cache_missed();
        totals.attempt_begins(11);
        totals.picked_up(Duration::from_micros(101));
        totals.attempted(5, Some(Reason::Empty));
        totals.attempted(5, Some(Reason::Canceled));
        totals.attempted(5, Some(Reason::CountryUnsupported));
        for run_ms in [100, 101, 999_999] {
            totals.attempted(run_ms, None);
        }
        let report = totals.report();
        assert_eq!((report.submitted, report.done, report.failed, report.canceled), (1, 2, 1, 1));
        assert_eq!((report.cache_hits, report.cache_misses), (1, 1));
        assert_eq!((report.waits.counts[1], report.waits.count(), report.waits.sum), (1, 1, 11));
        assert_eq!((report.pickups.counts[4], report.pickups.sum), (1, 101));
        assert_eq!(report.failures, [(Reason::Empty, 1)]);
        assert_eq!(report.runs.counts, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(report.runs.sum, 1_000_200);
    }
}
