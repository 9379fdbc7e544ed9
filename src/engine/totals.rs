//! What a scraper has done since the start, in counts that only rise: what Prometheus draws rates
//! from. In memory only; a restart begins at nought, as Prometheus expects.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::job::Reason;
use crate::store::Counted;

/// The upper bounds of the histogram of attempts, milliseconds.
pub const RUN_BOUNDS_MS: [u64; 10] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 180_000];

/// A scraper's counts.
#[derive(Default)]
pub struct Totals {
    submitted: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    canceled: AtomicU64,
    /// Attempts that brought an answer, by the bound they stayed within; the last is beyond all.
    runs: [AtomicU64; RUN_BOUNDS_MS.len() + 1],
    /// How long those took together, milliseconds.
    run_sum_ms: AtomicU64,
    /// Attempts that failed, by the place of the reason in [`Reason::ALL`].
    failures: [AtomicU64; Reason::ALL.len()],
}

/// The counts at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TotalsReport {
    pub submitted: u64,
    pub done: u64,
    /// Without those that were canceled.
    pub failed: u64,
    pub canceled: u64,
    /// As in the counts, each by itself and not summed up.
    pub runs: [u64; RUN_BOUNDS_MS.len() + 1],
    pub run_sum_ms: u64,
    /// The reasons with which attempts have failed, and how often.
    pub failures: Vec<(Reason, u64)>,
}

impl Totals {
    /// Counts a job that has come or ended.
    pub fn count(&self, what: Counted) {
        let counter = match what {
            Counted::Submitted => &self.submitted,
            Counted::Done => &self.done,
            Counted::Failed => &self.failed,
            Counted::Canceled => &self.canceled,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an attempt that has ended, and why there was no answer.
    pub fn attempted(&self, run_ms: u64, failed: Option<Reason>) {
        let counter = match failed {
            None => {
                self.run_sum_ms.fetch_add(run_ms, Ordering::Relaxed);
                let bound = RUN_BOUNDS_MS.iter().position(|bound_ms| run_ms <= *bound_ms);
                &self.runs[bound.unwrap_or(RUN_BOUNDS_MS.len())]
            }
            Some(reason) => {
                let place = Reason::ALL.iter().position(|known| *known == reason);
                // Every reason is in the list.
                &self.failures[place.unwrap_or_default()]
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn report(&self) -> TotalsReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let failures = Reason::ALL.into_iter().zip(self.failures.iter().map(read));
        TotalsReport {
            submitted: read(&self.submitted),
            done: read(&self.done),
            failed: read(&self.failed),
            canceled: read(&self.canceled),
            runs: self.runs.each_ref().map(read),
            run_sum_ms: read(&self.run_sum_ms),
            failures: failures.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_in_its_place() {
        let totals = Totals::default();
        for what in [Counted::Submitted, Counted::Done, Counted::Failed, Counted::Canceled] {
            totals.count(what);
        }
        for reason in Reason::ALL {
            totals.attempted(5, Some(reason));
        }
        for run_ms in [100, 101, 999_999] {
            totals.attempted(run_ms, None);
        }
        let report = totals.report();
        assert_eq!((report.submitted, report.done, report.failed, report.canceled), (1, 1, 1, 1));
        assert_eq!(report.failures, Reason::ALL.map(|reason| (reason, 1)));
        assert_eq!(report.runs, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(report.run_sum_ms, 1_000_200);
    }
}
