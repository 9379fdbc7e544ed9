//! A scraper's counts by time: buckets of a minute for the last hour, and of five minutes for the last
//! day. The oldest fall away; the store keeps the rest over a restart.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::events::{AttemptEnded, AttemptOutcome, EngineEvent};
use super::lock::lock;
use super::run_times::RunTimes;
use crate::catalog::Array;
use crate::clock::UnixMs;
use crate::store::{Counts, CountsKind, UsageEvent};

/// How far back the hour looks, minutes.
pub const WINDOW_MINUTES: u64 = 60;
/// How long a bucket of the day is, seconds.
pub const BUCKET_SECONDS: u64 = 300;

/// The places of the counts in a bucket. Answers in which an array had something follow from [`FILLED`]
/// on, by the array's place in the enum.
const SUBMITTED: usize = 0;
const DONE: usize = 1;
const FAILED: usize = 2;
const CANCELED: usize = 3;
const ATTEMPTS_SUCCEEDED: usize = 4;
const ATTEMPTS_FAILED: usize = 5;
const SEARCH_KNOWN: usize = 6;
const SEARCHED: usize = 7;
const PRESENCE_KNOWN: usize = 8;
const ABSENT: usize = 9;
const FILLED: usize = 10;
const COUNTS: usize = FILLED + Array::COUNT;

/// The names of the counts in the store.
const NAMES: [&str; FILLED] = [
    "submitted",
    "done",
    "failed",
    "canceled",
    "attempts_succeeded",
    "attempts_failed",
    "search_known",
    "searched",
    "presence_known",
    "absent",
];

/// The buckets in which something happened, oldest first.
pub struct History {
    kind: CountsKind,
    bucket_ms: u64,
    buckets_max: u64,
    buckets: Mutex<VecDeque<Bucket>>,
}

struct Bucket {
    /// Since the Unix epoch.
    number: u64,
    counts: [u32; COUNTS],
    /// Of attempts that succeeded.
    run_times: RunTimes,
}

/// The attempts of the last hour in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthReport {
    pub attempts: u64,
    pub succeeded: u64,
    /// Of successes, milliseconds; `None` if there are none.
    pub p50_ms: Option<u64>,
    pub p95_ms: Option<u64>,
    /// Answers of which it is known whether the engine made a search, and those for which it did.
    search_known: u64,
    searched: u64,
    /// Answers of engines that do not always show one, and those that say that none was there.
    presence_known: u64,
    absent: u64,
    filled: [u64; Array::COUNT],
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
    /// Attempts that succeeded.
    pub attempts_succeeded: u32,
    /// Attempts whose failure says that something is wrong: as the health counts them.
    pub attempts_failed: u32,
    /// Attempts that succeeded and found that the engine showed no answer.
    pub absent: u32,
    /// Of attempts that succeeded, milliseconds; `None` if there are none.
    pub p50_ms: Option<u64>,
    pub p95_ms: Option<u64>,
}

impl History {
    /// Creates the history of the last hour, by the minute.
    pub(super) fn hour() -> History {
        History::new(CountsKind::Minute, 60_000, WINDOW_MINUTES)
    }

    /// Creates the history of the last day, by five minutes.
    pub(super) fn day() -> History {
        History::new(CountsKind::Bucket, BUCKET_SECONDS * 1000, 86_400 / BUCKET_SECONDS)
    }

    fn new(kind: CountsKind, bucket_ms: u64, buckets_max: u64) -> History {
        History { kind, bucket_ms, buckets_max, buckets: Mutex::default() }
    }

    pub(super) fn on_event(&self, event: EngineEvent<'_>) {
        match event {
            EngineEvent::Job { at_ms, what } => {
                let place = match what {
                    UsageEvent::Submitted => SUBMITTED,
                    UsageEvent::Done | UsageEvent::Cached => DONE,
                    UsageEvent::Failed => FAILED,
                    UsageEvent::Canceled => CANCELED,
                };
                self.count(at_ms, |bucket| bucket.counts[place] += 1);
            }
            EngineEvent::Ended(ended) => self.on_ended(ended),
            EngineEvent::PickedUp { .. } | EngineEvent::Started { .. } => {}
        }
    }

    fn on_ended(&self, ended: &AttemptEnded<'_>) {
        if let Some(searched) = ended.searched {
            self.count(ended.at_ms, |bucket| {
                bucket.counts[SEARCH_KNOWN] += 1;
                bucket.counts[SEARCHED] += u32::from(searched);
            });
        }
        if let Some(present) = ended.present {
            self.count(ended.at_ms, |bucket| {
                bucket.counts[PRESENCE_KNOWN] += 1;
                bucket.counts[ABSENT] += u32::from(!present);
            });
        }
        match ended.outcome() {
            AttemptOutcome::Succeeded(filled) => self.count(ended.at_ms, |bucket| {
                bucket.counts[ATTEMPTS_SUCCEEDED] += 1;
                bucket.run_times.add(ended.run_ms);
                for array in filled {
                    bucket.counts[FILLED + *array as usize] += 1;
                }
            }),
            AttemptOutcome::Failed(_) => {
                self.count(ended.at_ms, |bucket| bucket.counts[ATTEMPTS_FAILED] += 1);
            }
            AttemptOutcome::Uncounted => {}
        }
    }

    fn count(&self, now_ms: UnixMs, change: impl FnOnce(&mut Bucket)) {
        let mut buckets = lock(&self.buckets);
        let number = now_ms / self.bucket_ms;
        if buckets.back().is_some_and(|latest| latest.number > number + 1) {
            // The clock was set back: how old these are is unknown.
            buckets.clear();
        }
        // Threads may come here in another order than they have read the clock.
        if buckets.back().is_none_or(|latest| latest.number < number) {
            let first = self.first_number(now_ms);
            buckets.retain(|bucket| bucket.number >= first);
            let (counts, run_times) = ([0; COUNTS], RunTimes::default());
            buckets.push_back(Bucket { number, counts, run_times });
        }
        if let Some(bucket) = buckets.back_mut() {
            change(bucket);
        }
    }

    /// Returns the hour or day before `now_ms` in sum, give or take the bucket that has begun.
    pub fn sum(&self, now_ms: UnixMs) -> HealthReport {
        let mut counts = [0_u64; COUNTS];
        let mut run_times = RunTimes::default();
        for bucket in lock(&self.buckets).iter().filter(|bucket| self.reports(bucket, now_ms)) {
            counts.iter_mut().zip(bucket.counts).for_each(|(sum, count)| *sum += u64::from(count));
            run_times.merge(&bucket.run_times);
        }
        HealthReport {
            attempts: counts[ATTEMPTS_SUCCEEDED] + counts[ATTEMPTS_FAILED],
            succeeded: counts[ATTEMPTS_SUCCEEDED],
            p50_ms: run_times.percentile_ms(50),
            p95_ms: run_times.percentile_ms(95),
            search_known: counts[SEARCH_KNOWN],
            searched: counts[SEARCHED],
            presence_known: counts[PRESENCE_KNOWN],
            absent: counts[ABSENT],
            filled: Array::ALL.map(|array| counts[FILLED + array as usize]),
        }
    }

    /// Returns the buckets before `now_ms`, oldest first, without those in which nothing happened.
    pub fn buckets(&self, now_ms: UnixMs) -> Vec<DayBucket> {
        let buckets = lock(&self.buckets);
        let reported = buckets.iter().filter(|bucket| self.reports(bucket, now_ms));
        reported.map(|bucket| self.snapshot(bucket)).collect()
    }

    /// Returns the bucket that has begun, if something happened in it.
    pub fn now(&self, now_ms: UnixMs) -> Option<DayBucket> {
        let buckets = lock(&self.buckets);
        let latest = buckets.back().filter(|latest| latest.number == now_ms / self.bucket_ms);
        latest.map(|bucket| self.snapshot(bucket))
    }

    fn snapshot(&self, bucket: &Bucket) -> DayBucket {
        DayBucket {
            at_ms: bucket.number * self.bucket_ms,
            submitted: bucket.counts[SUBMITTED],
            done: bucket.counts[DONE],
            failed: bucket.counts[FAILED],
            canceled: bucket.counts[CANCELED],
            attempts_succeeded: bucket.counts[ATTEMPTS_SUCCEEDED],
            attempts_failed: bucket.counts[ATTEMPTS_FAILED],
            absent: bucket.counts[ABSENT],
            p50_ms: bucket.run_times.percentile_ms(50),
            p95_ms: bucket.run_times.percentile_ms(95),
        }
    }

    fn reports(&self, bucket: &Bucket, now_ms: UnixMs) -> bool {
        bucket.number >= self.first_number(now_ms)
    }

    /// Returns the number of the first bucket that is still reported.
    pub(super) fn first_number(&self, now_ms: UnixMs) -> u64 {
        (now_ms / self.bucket_ms + 1).saturating_sub(self.buckets_max)
    }

    /// Returns the buckets that have changed since `from_ms`, as the store keeps them.
    pub(super) fn records(&self, scraper: u16, from_ms: UnixMs) -> Vec<Counts> {
        let record = |bucket: &Bucket| Counts {
            kind: self.kind,
            scraper,
            number: bucket.number,
            named: std::iter::zip(names(), bucket.counts)
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| (name.to_owned(), count))
                .collect(),
            times: bucket.run_times.places(),
        };
        let from = from_ms / self.bucket_ms;
        let buckets = lock(&self.buckets);
        buckets.iter().filter(|bucket| bucket.number >= from).map(record).collect()
    }

    /// Takes over a bucket that the store has kept, after those before it.
    pub(super) fn restore(&self, record: &Counts, now_ms: UnixMs) {
        let last = now_ms / self.bucket_ms;
        if !(self.first_number(now_ms)..=last).contains(&record.number) {
            return;
        }
        let mut counts = [0; COUNTS];
        std::iter::zip(&mut counts, names()).for_each(|(count, name)| *count = record.named(name));
        let run_times = RunTimes::from_places(&record.times);
        lock(&self.buckets).push_back(Bucket { number: record.number, counts, run_times });
    }
}

/// Returns the names of the counts in the store, by their places.
fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().chain(Array::ALL.map(Array::name))
}

impl HealthReport {
    /// Returns the share of answers for which the engine made a search, of those of which that is
    /// known; `None` if there are none.
    pub fn searched_share(&self) -> Option<f64> {
        (self.search_known > 0).then(|| self.searched as f64 / self.search_known as f64)
    }

    /// Returns the share of looks at an engine that does not always show an answer at which it
    /// showed one; `None` if there are none.
    pub fn present_share(&self) -> Option<f64> {
        let present = self.presence_known.saturating_sub(self.absent);
        (self.presence_known > 0).then(|| present as f64 / self.presence_known as f64)
    }

    /// Returns the share of answers in which an array had something, of those that were there;
    /// `None` if there are none.
    pub fn fill_rate(&self, array: Array) -> Option<f64> {
        let present = self.succeeded.saturating_sub(self.absent);
        (present > 0).then(|| self.filled[array as usize].min(present) as f64 / present as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::ended;
    use super::*;
    use crate::job::Reason;

    const START_MS: UnixMs = 1_778_500_800_000;
    const MINUTE_MS: u64 = 60_000;
    const BUCKET_MS: u64 = BUCKET_SECONDS * 1000;

    impl History {
        fn job(&self, at_ms: UnixMs, what: UsageEvent) {
            self.on_event(EngineEvent::Job { at_ms, what });
        }

        fn ended(&self, at_ms: UnixMs, run_ms: u64, answered: Result<&[Array], Reason>) {
            ended(at_ms, run_ms, answered, |event| self.on_event(event));
        }

        fn len(&self) -> u64 {
            lock(&self.buckets).len() as u64
        }
    }

    #[test]
    fn hour_is_summed_up_and_no_more_is_kept() {
        let hour = History::hour();
        for minute in 0..200 {
            let now_ms = START_MS + minute * MINUTE_MS;
            hour.ended(now_ms, 1_000, Ok(&[Array::Links]));
            hour.ended(now_ms, 100_000, Ok(&[]));
            for reason in [Reason::Overloaded, Reason::Canceled, Reason::CountryUnsupported] {
                hour.ended(now_ms, 5, Err(reason));
            }
        }
        assert_eq!(hour.len(), WINDOW_MINUTES);
        let report = hour.sum(START_MS + 199 * MINUTE_MS);
        assert_eq!((report.attempts, report.succeeded), (180, 120));
        assert!(report.p50_ms.is_some_and(|p50_ms| p50_ms.abs_diff(1_000) < 63));
        assert!(report.p95_ms.is_some_and(|p95_ms| p95_ms.abs_diff(100_000) < 6_250));
        assert_eq!(report.fill_rate(Array::Links), Some(0.5));
        assert_eq!(report.fill_rate(Array::Sources), Some(0.0));
        assert_eq!(report.searched_share(), None, "no answer says whether it was searched for");
        let later = hour.sum(START_MS + 400 * MINUTE_MS);
        assert_eq!((later.attempts, later.p50_ms, later.fill_rate(Array::Links)), (0, None, None));
    }

    #[test]
    fn day_is_reported_in_buckets_and_no_more_is_kept() {
        let day = History::day();
        for bucket in 0..300 {
            let now_ms = START_MS + bucket * BUCKET_MS;
            day.job(now_ms, UsageEvent::Submitted);
            day.job(now_ms + BUCKET_MS - 1, UsageEvent::Done);
            day.ended(now_ms, 1_000, Ok(&[]));
            day.ended(now_ms, 5, Err(Reason::Overloaded));
            day.ended(now_ms, 5, Err(Reason::Canceled));
        }
        assert_eq!(day.len(), 288);
        let last_ms = START_MS + 299 * BUCKET_MS;
        let report = day.buckets(last_ms);
        assert_eq!(report.len(), 288);
        assert_eq!(report[0].at_ms, START_MS + 12 * BUCKET_MS);
        for bucket in &report {
            let counts = (bucket.submitted, bucket.done, bucket.failed, bucket.canceled);
            assert_eq!(counts, (1, 1, 0, 0));
            assert_eq!((bucket.attempts_succeeded, bucket.attempts_failed), (1, 1));
            assert!(bucket.p95_ms.is_some_and(|p95_ms| p95_ms.abs_diff(1_000) < 63));
        }
        assert_eq!(day.now(last_ms), report.last().copied());
        assert_eq!(day.now(last_ms + BUCKET_MS), None);
        assert!(day.buckets(last_ms + 2 * 86_400_000).is_empty());
    }

    #[test]
    fn every_end_has_a_count_of_its_own() {
        let day = History::day();
        for what in [UsageEvent::Failed, UsageEvent::Canceled, UsageEvent::Cached] {
            day.job(START_MS, what);
        }
        let bucket = day.now(START_MS).unwrap();
        assert_eq!((bucket.done, bucket.failed, bucket.canceled), (1, 1, 1));
        assert_eq!((bucket.p50_ms, bucket.attempts_succeeded), (None, 0));
    }

    #[test]
    fn restored_history_goes_on_with_the_buckets_that_are_not_too_old() {
        let original = History::hour();
        for minute in 0..70 {
            let now_ms = START_MS + minute * MINUTE_MS;
            original.job(now_ms, UsageEvent::Canceled);
            original.ended(now_ms, 1_000, Ok(&[Array::Links]));
            original.ended(now_ms, 5, Err(Reason::Overloaded));
        }
        let last_ms = START_MS + 69 * MINUTE_MS;
        for now_ms in [last_ms, last_ms + 30 * MINUTE_MS] {
            let restored = History::hour();
            for record in original.records(3, 0) {
                restored.restore(&record, now_ms);
            }
            assert_eq!(restored.sum(now_ms), original.sum(now_ms));
            assert_eq!(restored.buckets(now_ms), original.buckets(now_ms));
        }
        let ahead = History::hour();
        ahead.restore(&original.records(3, 0)[59], START_MS);
        assert_eq!(ahead.len(), 0);
        assert_eq!(original.records(3, last_ms).len(), 1);
    }

    #[test]
    fn absent_answers_are_counted_apart_and_fill_no_array() {
        let hour = History::hour();
        let look = |filled: &[Array], present| {
            let (answered, searched, abandoned) = (Ok(filled), None, false);
            let (at_ms, number, run_ms) = (START_MS, 1, 5);
            hour.on_event(EngineEvent::Ended(&AttemptEnded {
                at_ms,
                number,
                run_ms,
                answered,
                searched,
                present,
                abandoned,
            }));
        };
        look(&[Array::Citations], Some(true));
        look(&[], Some(false));
        look(&[], Some(false));
        look(&[], Some(false));
        let report = hour.sum(START_MS);
        assert_eq!((report.succeeded, report.present_share()), (4, Some(0.25)));
        assert_eq!(report.fill_rate(Array::Citations), Some(1.0));
        assert_eq!(hour.now(START_MS).unwrap().absent, 3);
        let always = History::hour();
        always.ended(START_MS, 5, Ok(&[]));
        assert_eq!(always.sum(START_MS).present_share(), None);
        let only_absent = History::hour();
        only_absent.restore(&hour.records(3, 0)[0], START_MS);
        assert_eq!(only_absent.sum(START_MS), report, "the store keeps it");
    }

    #[test]
    fn history_begins_again_after_the_clock_was_set_back() {
        let hour = History::hour();
        hour.ended(START_MS, 1, Ok(&[]));
        hour.ended(START_MS - 1, 1, Ok(&[]));
        assert_eq!(hour.sum(START_MS).attempts, 2, "threads may be late");
        hour.ended(START_MS - 3_600_000, 1, Ok(&[]));
        assert_eq!((hour.len(), hour.sum(START_MS - 3_600_000).attempts), (1, 1));
    }
}
