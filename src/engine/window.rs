//! Counts in equal stretches of time, the oldest of which fall away, and run times in a histogram. The
//! store keeps both over a restart.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::lock::lock;
use crate::clock::UnixMs;
use crate::store::{Counts, CountsKind};

/// Each doubling of a run time is cut into this many steps, so a quantile is right to 1 in 16.
const STEPS: usize = 8;
const STEPS_SHIFT: u32 = STEPS.trailing_zeros();
/// Doublings that are distinguished: up to 2^21 ms, more than half an hour.
const DOUBLINGS: usize = 19;
const PLACES: usize = DOUBLINGS * STEPS;

/// How a window is cut, and what is counted in it.
pub(super) struct Layout<const N: usize> {
    pub kind: CountsKind,
    pub bucket_ms: u64,
    pub buckets_max: u64,
    /// The names of the counts in the store.
    pub names: [&'static str; N],
}

/// The buckets in which something happened, oldest first.
pub(super) struct Window<const N: usize> {
    layout: Layout<N>,
    buckets: Mutex<VecDeque<Bucket<N>>>,
}

/// A stretch of time.
pub(super) struct Bucket<const N: usize> {
    /// Since the Unix epoch.
    number: u64,
    pub counts: [u32; N],
    /// Of attempts that succeeded.
    pub run_times: RunTimes,
}

impl<const N: usize> Layout<N> {
    /// Returns the number of the first bucket of the window that ends now.
    fn first_number(&self, now_ms: UnixMs) -> u64 {
        (now_ms / self.bucket_ms + 1).saturating_sub(self.buckets_max)
    }
}

impl<const N: usize> Bucket<N> {
    fn new(number: u64) -> Bucket<N> {
        Bucket { number, counts: [0; N], run_times: RunTimes::default() }
    }
}

impl<const N: usize> Window<N> {
    pub fn new(layout: Layout<N>) -> Window<N> {
        Window { layout, buckets: Mutex::default() }
    }

    /// Returns the number of the first bucket that is still reported.
    pub fn first_number(&self, now_ms: UnixMs) -> u64 {
        self.layout.first_number(now_ms)
    }

    /// Changes the bucket of a moment.
    pub fn count(&self, now_ms: UnixMs, change: impl FnOnce(&mut Bucket<N>)) {
        let mut buckets = lock(&self.buckets);
        let number = now_ms / self.layout.bucket_ms;
        if buckets.back().is_some_and(|latest| latest.number > number + 1) {
            // The clock was set back: how old these are is unknown.
            buckets.clear();
        }
        // Threads may come here in another order than they have read the clock.
        if buckets.back().is_none_or(|latest| latest.number < number) {
            let first = self.layout.first_number(now_ms);
            buckets.retain(|bucket| bucket.number >= first);
            buckets.push_back(Bucket::new(number));
        }
        if let Some(bucket) = buckets.back_mut() {
            change(bucket);
        }
    }

    /// Visits the buckets of the window that ends now, each with its start.
    pub fn visit(&self, now_ms: UnixMs, mut visit: impl FnMut(UnixMs, &Bucket<N>)) {
        let first = self.layout.first_number(now_ms);
        for bucket in lock(&self.buckets).iter().filter(|bucket| bucket.number >= first) {
            visit(bucket.number * self.layout.bucket_ms, bucket);
        }
    }

    /// Returns the buckets that have changed since `from_ms`, as the store keeps them.
    pub fn records(&self, scraper: u16, from_ms: UnixMs) -> Vec<Counts> {
        let Layout { kind, bucket_ms, names, .. } = &self.layout;
        let record = |bucket: &Bucket<N>| Counts {
            kind: *kind,
            scraper,
            number: bucket.number,
            named: std::iter::zip(names, bucket.counts)
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| ((*name).to_owned(), count))
                .collect(),
            times: bucket.run_times.places(),
        };
        let buckets = lock(&self.buckets);
        buckets.iter().filter(|bucket| bucket.number >= from_ms / bucket_ms).map(record).collect()
    }

    /// Takes over a bucket that the store has kept, after those before it.
    pub fn restore(&self, record: &Counts, now_ms: UnixMs) {
        let last = now_ms / self.layout.bucket_ms;
        if (self.layout.first_number(now_ms)..=last).contains(&record.number) {
            lock(&self.buckets).push_back(Bucket {
                number: record.number,
                counts: self.layout.names.map(|name| record.named(name)),
                run_times: RunTimes::from_places(&record.times),
            });
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> u64 {
        lock(&self.buckets).len() as u64
    }
}

/// A histogram of run times.
pub(super) struct RunTimes([u32; PLACES]);

impl Default for RunTimes {
    fn default() -> RunTimes {
        RunTimes([0; PLACES])
    }
}

impl RunTimes {
    pub fn add(&mut self, run_ms: u64) {
        self.0[place(run_ms)] += 1;
    }

    /// Adds all times of another histogram.
    pub fn merge(&mut self, other: &RunTimes) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(count);
        }
    }

    /// Returns a percentile of the run times, milliseconds; `None` if there are none.
    pub fn percentile_ms(&self, percent: u64) -> Option<u64> {
        let count: u64 = self.0.iter().copied().map(u64::from).sum();
        let rank = (count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at_rank = |times: &u32| {
            seen += u64::from(*times);
            seen >= rank
        };
        self.0.iter().position(at_rank).map(middle_ms)
    }

    /// Returns the counts by their places, without those that are 0.
    fn places(&self) -> Vec<(u16, u32)> {
        // There are less than 2^16 places.
        let placed = self.0.iter().enumerate().map(|(place, count)| (place as u16, *count));
        placed.filter(|(_, count)| *count > 0).collect()
    }

    fn from_places(placed: &[(u16, u32)]) -> RunTimes {
        let mut times = RunTimes::default();
        for (place, count) in placed {
            if let Some(time) = times.0.get_mut(usize::from(*place)) {
                *time = *count;
            }
        }
        times
    }
}

/// Returns where a time is counted: below [`STEPS`] each millisecond by itself, above it by the doubling
/// and the bits that follow its first.
fn place(run_ms: u64) -> usize {
    let doubling = run_ms.max(1).ilog2().saturating_sub(STEPS_SHIFT);
    let step = (run_ms >> doubling) as usize;
    (doubling as usize * STEPS + step).min(PLACES - 1)
}

/// Returns the middle of the times that are counted at a place, milliseconds.
fn middle_ms(place: usize) -> u64 {
    let doubling = (place / STEPS).saturating_sub(1);
    let step = (place - doubling * STEPS) as u64;
    (step << doubling) + ((1 << doubling) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: UnixMs = 1_778_500_800_000;
    const MINUTE_MS: u64 = 60_000;

    fn window() -> Window<2> {
        let names = ["a", "b"];
        let kind = CountsKind::Minute;
        Window::new(Layout { kind, bucket_ms: MINUTE_MS, buckets_max: 60, names })
    }

    /// The starts and counts of the window that ends at a moment.
    fn seen(window: &Window<2>, now_ms: UnixMs) -> Vec<(UnixMs, [u32; 2], Option<u64>)> {
        let mut seen = Vec::new();
        window.visit(now_ms, |at_ms, bucket| {
            seen.push((at_ms, bucket.counts, bucket.run_times.percentile_ms(50)));
        });
        seen
    }

    #[test]
    fn every_time_is_counted_near_itself() {
        let mut previous = 0;
        for run_ms in (0..4_000).chain((4_000..900_000).step_by(997)) {
            let at = place(run_ms);
            assert!(at >= previous, "{run_ms}");
            previous = at;
            let middle_ms = middle_ms(at);
            assert!(middle_ms.abs_diff(run_ms) <= run_ms / 16 + 1, "{run_ms}: {middle_ms}");
        }
        assert_eq!(place(u64::MAX), PLACES - 1);
    }

    #[test]
    fn restored_window_goes_on_with_the_buckets_that_are_not_too_old() {
        let original = window();
        for minute in 0..70 {
            original.count(START_MS + minute * MINUTE_MS, |bucket| {
                bucket.counts[1] += 1;
                bucket.run_times.add(1_000);
            });
        }
        assert_eq!(original.len(), 60);
        let now_ms = START_MS + 69 * MINUTE_MS;
        for later_ms in [0, 30 * MINUTE_MS] {
            let restored = window();
            for record in original.records(3, 0) {
                restored.restore(&record, now_ms + later_ms);
            }
            assert_eq!(seen(&restored, now_ms + later_ms), seen(&original, now_ms + later_ms));
        }
        let ahead = window();
        ahead.restore(&original.records(3, 0)[59], START_MS);
        assert_eq!(seen(&ahead, START_MS), []);
        assert_eq!(original.records(3, now_ms).len(), 1);
    }

    #[test]
    fn window_begins_again_after_the_clock_was_set_back() {
        let window = window();
        window.count(START_MS, |bucket| bucket.counts[0] += 1);
        window.count(START_MS - 1, |bucket| bucket.counts[0] += 1);
        assert_eq!(seen(&window, START_MS), [(START_MS, [2, 0], None)], "threads may be late");
        window.count(START_MS - 3_600_000, |bucket| bucket.counts[0] += 1);
        assert_eq!(window.len(), 1);
    }
}
