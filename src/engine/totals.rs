//! A scraper's counts since the start, which only rise: what Prometheus draws rates from. In memory only;
//! a restart begins at 0, as Prometheus expects.

use std::sync::atomic::{AtomicU64, Ordering};

use super::events::{AttemptOutcome, EngineEvent};
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
    /// By [`UsageEvent`].
    jobs: [AtomicU64; 5],
    cache_misses: AtomicU64,
    /// How long attempts were due before they began.
    waits: Histogram,
    /// How long rows were in their channel until a worker took them.
    pickups: Histogram,
    /// How long successful attempts took.
    runs: Histogram,
    /// Attempts that found that the engine showed no answer.
    absent: AtomicU64,
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
    /// From when a row was offered, at once after the commit that made it ready, until a worker took
    /// it, microseconds.
    pub pickups: HistogramReport,
    /// How long successful attempts took, milliseconds.
    pub runs: HistogramReport,
    /// Attempts that found that the engine showed no answer: no AI Overview, say.
    pub absent: u64,
    /// The reasons with which attempts have failed, and how often; without those that were canceled
    /// or could not be asked.
    pub failures: Vec<(Reason, u64)>,
}

impl Default for Totals {
    fn default() -> Totals {
        Totals {
            jobs: Default::default(),
            cache_misses: AtomicU64::new(0),
            waits: Histogram::new(&WAIT_BOUNDS_MS),
            pickups: Histogram::new(&PICKUP_BOUNDS_MICROSECONDS),
            runs: Histogram::new(&RUN_BOUNDS_MS),
            absent: AtomicU64::new(0),
            failures: ReasonCounts::default(),
        }
    }
}

impl Totals {
    pub(super) fn on_event(&self, event: EngineEvent<'_>) {
        match event {
            EngineEvent::Job { what, .. } => {
                self.jobs[what as usize].fetch_add(1, Ordering::Relaxed);
            }
            EngineEvent::PickedUp { after } => {
                self.pickups.observe(u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
            }
            EngineEvent::Started { waited_ms, cache_missed } => {
                self.waits.observe(waited_ms);
                self.cache_misses.fetch_add(u64::from(cache_missed), Ordering::Relaxed);
            }
            EngineEvent::Ended(ended) => match ended.outcome() {
                AttemptOutcome::Succeeded(_) => {
                    self.runs.observe(ended.run_ms);
                    let is_absent = ended.present == Some(false);
                    self.absent.fetch_add(u64::from(is_absent), Ordering::Relaxed);
                }
                AttemptOutcome::Failed(reason) => self.failures.note(reason),
                AttemptOutcome::Uncounted => {}
            },
        }
    }

    pub fn report(&self) -> TotalsReport {
        let jobs = |what: UsageEvent| self.jobs[what as usize].load(Ordering::Relaxed);
        TotalsReport {
            submitted: jobs(UsageEvent::Submitted),
            done: jobs(UsageEvent::Done) + jobs(UsageEvent::Cached),
            failed: jobs(UsageEvent::Failed),
            canceled: jobs(UsageEvent::Canceled),
            cache_hits: jobs(UsageEvent::Cached),
            cache_misses: self.cache_misses.load(Ordering::Relaxed),
            waits: self.waits.report(),
            pickups: self.pickups.report(),
            runs: self.runs.report(),
            absent: self.absent.load(Ordering::Relaxed),
            failures: self.failures.report(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::events::tests::ended;
    use super::*;

    #[test]
    fn every_event_is_counted_in_its_place() {
        let totals = Totals::default();
        for what in [
            UsageEvent::Submitted,
            UsageEvent::Done,
            UsageEvent::Cached,
            UsageEvent::Failed,
            UsageEvent::Canceled,
        ] {
            totals.on_event(EngineEvent::Job { at_ms: 0, what });
        }
        totals.on_event(EngineEvent::Started { waited_ms: 11, cache_missed: true });
        totals.on_event(EngineEvent::PickedUp { after: Duration::from_micros(101) });
        for reason in [Reason::Empty, Reason::Canceled, Reason::CountryUnsupported] {
            ended(0, 5, Err(reason), |event| totals.on_event(event));
        }
        for run_ms in [100, 101, 999_999] {
            ended(0, run_ms, Ok(&[]), |event| totals.on_event(event));
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
