//! What a scraper has done over the last day: jobs that came and ended, and how long attempts took,
//! in buckets of five minutes. The store keeps them over a restart.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::health::{self, TIMES};
use crate::clock::UnixMs;
use crate::job::Reason;
use crate::store::{Counts, CountsKind, UsageEvent};

/// How long a bucket is, seconds.
pub const BUCKET_SECONDS: u64 = 300;
/// The most buckets that are kept: a day.
pub(super) const BUCKETS_MAX: u64 = 86_400 / BUCKET_SECONDS;
pub(super) const BUCKET_MS: u64 = BUCKET_SECONDS * 1000;

/// The buckets in which something happened, oldest first; at most [`BUCKETS_MAX`].
#[derive(Default)]
pub struct Day(Mutex<VecDeque<Bucket>>);

struct Bucket {
    /// Since the Unix epoch.
    number: u64,
    submitted: u32,
    done: u32,
    failed: u32,
    canceled: u32,
    succeeded: u32,
    attempts_failed: u32,
    /// Attempts that succeeded by how long they took.
    times: [u32; TIMES],
}

/// Five minutes of a scraper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayBucket {
    /// When it begins.
    pub at_ms: UnixMs,
    /// Jobs that came.
    pub submitted: u32,
    /// Jobs that ended in it, whenever they came.
    pub done: u32,
    /// Without those that were canceled.
    pub failed: u32,
    pub canceled: u32,
    /// Attempts that brought an answer.
    pub attempts_succeeded: u32,
    /// Attempts that say that something is wrong: as the health counts them.
    pub attempts_failed: u32,
    /// Of attempts that succeeded, milliseconds; `None` when there are none.
    pub p50_ms: Option<u64>,
    pub p95_ms: Option<u64>,
}

impl Day {
    /// Counts a job that has come or ended.
    pub fn count(&self, now_ms: UnixMs, what: UsageEvent) {
        self.with_bucket(now_ms, |bucket| match what {
            UsageEvent::Submitted => bucket.submitted += 1,
            UsageEvent::Done | UsageEvent::Cached => bucket.done += 1,
            UsageEvent::Failed => bucket.failed += 1,
            UsageEvent::Canceled => bucket.canceled += 1,
        });
    }

    /// Notes an attempt's end, and why there was no answer.
    pub fn attempted(&self, now_ms: UnixMs, run_ms: u64, failed: Option<Reason>) {
        if failed.is_some_and(|reason| !health::counts(reason)) {
            return;
        }
        self.with_bucket(now_ms, |bucket| {
            if failed.is_some() {
                bucket.attempts_failed += 1;
            } else {
                bucket.succeeded += 1;
                bucket.times[health::place(run_ms)] += 1;
            }
        });
    }

    /// The day before `now_ms`, oldest first; buckets in which nothing happened are left out.
    pub fn report(&self, now_ms: UnixMs) -> Vec<DayBucket> {
        let number = now_ms / BUCKET_MS;
        let buckets = self.lock();
        buckets.iter().filter(|bucket| bucket.number + BUCKETS_MAX > number).map(snapshot).collect()
    }

    /// The bucket that it is now, when something happened in it.
    pub fn now(&self, now_ms: UnixMs) -> Option<DayBucket> {
        let buckets = self.lock();
        buckets.back().filter(|bucket| bucket.number == now_ms / BUCKET_MS).map(snapshot)
    }

    /// Returns the buckets from `from` on, as they are kept.
    pub fn records(&self, scraper: u16, from: u64) -> Vec<Counts> {
        let buckets = self.lock();
        let recent = buckets.iter().filter(|bucket| bucket.number >= from);
        recent
            .map(|bucket| Counts {
                kind: CountsKind::Bucket,
                scraper,
                number: bucket.number,
                named: health::named([
                    ("submitted", bucket.submitted),
                    ("done", bucket.done),
                    ("failed", bucket.failed),
                    ("canceled", bucket.canceled),
                    ("attempts_succeeded", bucket.succeeded),
                    ("attempts_failed", bucket.attempts_failed),
                ]),
                times: health::sparse(&bucket.times),
            })
            .collect()
    }

    /// Takes up a bucket that was kept, after those before it.
    pub fn restore(&self, record: &Counts, now_ms: UnixMs) {
        let number = now_ms / BUCKET_MS;
        if record.number > number || record.number + BUCKETS_MAX <= number {
            return;
        }
        self.lock().push_back(Bucket {
            number: record.number,
            submitted: record.named("submitted"),
            done: record.named("done"),
            failed: record.named("failed"),
            canceled: record.named("canceled"),
            succeeded: record.named("attempts_succeeded"),
            attempts_failed: record.named("attempts_failed"),
            times: health::dense(&record.times),
        });
    }

    fn with_bucket(&self, now_ms: UnixMs, change: impl FnOnce(&mut Bucket)) {
        let mut buckets = self.lock();
        let number = now_ms / BUCKET_MS;
        if buckets.back().is_some_and(|latest| latest.number > number + 1) {
            // The clock was set back: nobody knows how old these are.
            buckets.clear();
        }
        // Threads may come here in another order than they have read the clock.
        if buckets.back().is_none_or(|latest| latest.number < number) {
            buckets.retain(|bucket| bucket.number + BUCKETS_MAX > number);
            buckets.push_back(Bucket::new(number));
        }
        if let Some(bucket) = buckets.back_mut() {
            change(bucket);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Bucket>> {
        // Every change is an addition, so a panic cannot have torn a bucket.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn new(number: u64) -> Bucket {
        Bucket {
            number,
            submitted: 0,
            done: 0,
            failed: 0,
            canceled: 0,
            succeeded: 0,
            attempts_failed: 0,
            times: [0; TIMES],
        }
    }
}

fn snapshot(bucket: &Bucket) -> DayBucket {
    let times = bucket.times.map(u64::from);
    let succeeded = u64::from(bucket.succeeded);
    DayBucket {
        at_ms: bucket.number * BUCKET_MS,
        submitted: bucket.submitted,
        done: bucket.done,
        failed: bucket.failed,
        canceled: bucket.canceled,
        attempts_succeeded: bucket.succeeded,
        attempts_failed: bucket.attempts_failed,
        p50_ms: health::quantile(&times, succeeded, 50),
        p95_ms: health::quantile(&times, succeeded, 95),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: UnixMs = 1_778_500_800_000;

    #[test]
    fn a_day_is_told_in_buckets_and_no_more_is_kept() {
        let day = Day::default();
        for bucket in 0..BUCKETS_MAX + 12 {
            let now_ms = START_MS + bucket * BUCKET_MS;
            day.count(now_ms, UsageEvent::Submitted);
            day.count(now_ms + BUCKET_MS - 1, UsageEvent::Done);
            day.attempted(now_ms, 1_000, None);
            day.attempted(now_ms, 5, Some(Reason::Overloaded));
            day.attempted(now_ms, 5, Some(Reason::Canceled));
        }
        assert_eq!(day.lock().len() as u64, BUCKETS_MAX);
        let last_ms = START_MS + (BUCKETS_MAX + 11) * BUCKET_MS;
        let report = day.report(last_ms);
        assert_eq!(report.len() as u64, BUCKETS_MAX);
        assert_eq!(report[0].at_ms, START_MS + 12 * BUCKET_MS);
        for bucket in &report {
            let counts = (bucket.submitted, bucket.done, bucket.failed, bucket.canceled);
            assert_eq!(counts, (1, 1, 0, 0));
            assert_eq!((bucket.attempts_succeeded, bucket.attempts_failed), (1, 1));
            assert!(bucket.p95_ms.is_some_and(|p95_ms| p95_ms.abs_diff(1_000) < 63));
        }
        assert_eq!(day.now(last_ms), report.last().copied());
        assert_eq!(day.now(last_ms + BUCKET_MS), None);
        assert!(day.report(last_ms + 2 * 86_400_000).is_empty());
    }

    #[test]
    fn day_goes_on_with_the_buckets_that_were_kept() {
        let day = Day::default();
        for bucket in 0..5 {
            let now_ms = START_MS + bucket * BUCKET_MS;
            for what in
                [UsageEvent::Submitted, UsageEvent::Done, UsageEvent::Failed, UsageEvent::Canceled]
            {
                day.count(now_ms, what);
            }
            day.attempted(now_ms, 1_000, None);
            day.attempted(now_ms, 5, Some(Reason::Overloaded));
        }
        let restored = Day::default();
        let now_ms = START_MS + 4 * BUCKET_MS;
        for record in day.records(3, 0) {
            restored.restore(&record, now_ms);
        }
        assert_eq!(restored.report(now_ms), day.report(now_ms));
        assert_eq!(day.records(3, now_ms / BUCKET_MS).len(), 1);
        restored.count(now_ms, UsageEvent::Done);
        assert_eq!(restored.now(now_ms).unwrap().done, 2);
    }

    #[test]
    fn every_end_has_a_count_of_its_own() {
        let day = Day::default();
        day.count(START_MS, UsageEvent::Failed);
        day.count(START_MS, UsageEvent::Canceled);
        let bucket = day.now(START_MS).unwrap();
        assert_eq!((bucket.done, bucket.failed, bucket.canceled), (0, 1, 1));
        assert_eq!((bucket.p50_ms, bucket.attempts_succeeded), (None, 0));
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let day = Day::default();
        day.count(START_MS, UsageEvent::Submitted);
        day.count(START_MS - 3_600_000, UsageEvent::Submitted);
        assert_eq!(day.report(START_MS - 3_600_000).len(), 1);
    }
}
