//! A scraper's last day: jobs that came and ended, and how long attempts took, in buckets of five
//! minutes.

use super::events::{AttemptOutcome, EngineEvent};
use super::window::{Bucket, Layout, Window};
use crate::clock::UnixMs;
use crate::store::{CountsKind, UsageEvent};

/// How long a bucket is, seconds.
pub const BUCKET_SECONDS: u64 = 300;
const BUCKET_MS: u64 = BUCKET_SECONDS * 1000;

/// The names of the counts, and their places.
const NAMES: [&str; 6] =
    ["submitted", "done", "failed", "canceled", "attempts_succeeded", "attempts_failed"];
const SUBMITTED: usize = 0;
const DONE: usize = 1;
const FAILED: usize = 2;
const CANCELED: usize = 3;
const ATTEMPTS_SUCCEEDED: usize = 4;
const ATTEMPTS_FAILED: usize = 5;

/// The jobs and attempts of the last day.
pub struct Day(Window<{ NAMES.len() }>);

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
    /// Attempts whose failure says that something is wrong: as the health counts them.
    pub attempts_failed: u32,
    /// Of attempts that succeeded, milliseconds; `None` if there are none.
    pub p50_ms: Option<u64>,
    pub p95_ms: Option<u64>,
}

impl Default for Day {
    fn default() -> Day {
        let (bucket_ms, buckets_max) = (BUCKET_MS, 86_400 / BUCKET_SECONDS);
        let kind = CountsKind::Bucket;
        Day(Window::new(Layout { kind, bucket_ms, buckets_max, names: NAMES }))
    }
}

impl Day {
    pub(super) fn on_event(&self, event: EngineEvent<'_>) {
        match event {
            EngineEvent::Job { at_ms, what } => {
                let place = match what {
                    UsageEvent::Submitted => SUBMITTED,
                    UsageEvent::Done | UsageEvent::Cached => DONE,
                    UsageEvent::Failed => FAILED,
                    UsageEvent::Canceled => CANCELED,
                };
                self.0.count(at_ms, |bucket| bucket.counts[place] += 1);
            }
            EngineEvent::Ended(ended) => match ended.outcome() {
                AttemptOutcome::Succeeded(_) => self.0.count(ended.at_ms, |bucket| {
                    bucket.counts[ATTEMPTS_SUCCEEDED] += 1;
                    bucket.run_times.add(ended.run_ms);
                }),
                AttemptOutcome::Failed(_) => {
                    self.0.count(ended.at_ms, |bucket| bucket.counts[ATTEMPTS_FAILED] += 1);
                }
                AttemptOutcome::Uncounted => {}
            },
            EngineEvent::PickedUp { .. } | EngineEvent::Started { .. } => {}
        }
    }

    pub(super) fn window(&self) -> &Window<{ NAMES.len() }> {
        &self.0
    }

    /// Returns the day before `now_ms`, oldest first; buckets in which nothing happened are left out.
    pub fn report(&self, now_ms: UnixMs) -> Vec<DayBucket> {
        let mut report = Vec::new();
        self.0.visit(now_ms, |at_ms, bucket| report.push(snapshot(at_ms, bucket)));
        report
    }

    /// Returns the bucket that has begun, if something happened in it.
    pub fn now(&self, now_ms: UnixMs) -> Option<DayBucket> {
        let mut now = None;
        self.0.visit(now_ms, |at_ms, bucket| {
            if at_ms == now_ms / BUCKET_MS * BUCKET_MS {
                now = Some(snapshot(at_ms, bucket));
            }
        });
        now
    }
}

fn snapshot(at_ms: UnixMs, bucket: &Bucket<{ NAMES.len() }>) -> DayBucket {
    DayBucket {
        at_ms,
        submitted: bucket.counts[SUBMITTED],
        done: bucket.counts[DONE],
        failed: bucket.counts[FAILED],
        canceled: bucket.counts[CANCELED],
        attempts_succeeded: bucket.counts[ATTEMPTS_SUCCEEDED],
        attempts_failed: bucket.counts[ATTEMPTS_FAILED],
        p50_ms: bucket.run_times.percentile_ms(50),
        p95_ms: bucket.run_times.percentile_ms(95),
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::ended;
    use super::*;
    use crate::job::Reason;

    const START_MS: UnixMs = 1_778_500_800_000;
    const BUCKETS_MAX: u64 = 288;

    impl Day {
        fn count(&self, at_ms: UnixMs, what: UsageEvent) {
            self.on_event(EngineEvent::Job { at_ms, what });
        }
    }

    #[test]
    fn day_is_reported_in_buckets_and_no_more_is_kept() {
        let day = Day::default();
        for bucket in 0..BUCKETS_MAX + 12 {
            let now_ms = START_MS + bucket * BUCKET_MS;
            day.count(now_ms, UsageEvent::Submitted);
            day.count(now_ms + BUCKET_MS - 1, UsageEvent::Done);
            ended(now_ms, 1_000, Ok(&[]), |event| day.on_event(event));
            for reason in [Reason::Overloaded, Reason::Canceled] {
                ended(now_ms, 5, Err(reason), |event| day.on_event(event));
            }
        }
        assert_eq!(day.0.len(), BUCKETS_MAX);
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
    fn every_end_has_a_count_of_its_own() {
        let day = Day::default();
        for what in [UsageEvent::Failed, UsageEvent::Canceled] {
            day.count(START_MS, what);
        }
        let bucket = day.now(START_MS).unwrap();
        assert_eq!((bucket.done, bucket.failed, bucket.canceled), (0, 1, 1));
        assert_eq!((bucket.p50_ms, bucket.attempts_succeeded), (None, 0));
        day.count(START_MS, UsageEvent::Cached);
        assert_eq!(day.now(START_MS).unwrap().done, 1);
    }
}
