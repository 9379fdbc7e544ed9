//! A scraper's counts by time: buckets of a minute for the last hour, and of five minutes for the last
//! day. The oldest fall away; the store keeps the rest over a restart.

use std::collections::{BTreeMap, VecDeque};
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
    /// What other processes with the same store have counted, in sum, by number.
    elsewhere: Mutex<BTreeMap<u64, Bucket>>,
}

struct Bucket {
    /// Since the Unix epoch.
    number: u64,
    counts: [u32; COUNTS],
    /// Of attempts that succeeded.
    run_times: RunTimes,
}

impl Bucket {
    fn new(number: u64) -> Bucket {
        Bucket { number, counts: [0; COUNTS], run_times: RunTimes::default() }
    }

    fn from_record(record: &Counts) -> Bucket {
        let mut bucket = Bucket::new(record.number);
        let counts = std::iter::zip(&mut bucket.counts, names());
        counts.for_each(|(count, name)| *count = record.named(name));
        bucket.run_times = RunTimes::from_places(&record.times);
        bucket
    }

    fn add(&mut self, other: &Bucket) {
        let counts = self.counts.iter_mut().zip(other.counts);
        counts.for_each(|(sum, count)| *sum = sum.saturating_add(count));
        self.run_times.merge(&other.run_times);
    }
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
        let (buckets, elsewhere) = (Mutex::default(), Mutex::default());
        History { kind, bucket_ms, buckets_max, buckets, elsewhere }
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
            buckets.push_back(Bucket::new(number));
        }
        if let Some(bucket) = buckets.back_mut() {
            change(bucket);
        }
    }

    /// Returns the hour or day before `now_ms` in sum, give or take the bucket that has begun.
    pub fn sum(&self, now_ms: UnixMs) -> HealthReport {
        let mut counts = [0_u64; COUNTS];
        let mut run_times = RunTimes::default();
        let (own, elsewhere) = (lock(&self.buckets), lock(&self.elsewhere));
        let all = own.iter().chain(elsewhere.values());
        for bucket in all.filter(|bucket| self.reports(bucket, now_ms)) {
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
        let (own, elsewhere) = (lock(&self.buckets), lock(&self.elsewhere));
        if elsewhere.is_empty() {
            let reported = own.iter().filter(|bucket| self.reports(bucket, now_ms));
            return reported.map(|bucket| self.snapshot(bucket)).collect();
        }
        let mut sums: BTreeMap<u64, Bucket> = BTreeMap::new();
        let all = own.iter().chain(elsewhere.values());
        for bucket in all.filter(|bucket| self.reports(bucket, now_ms)) {
            let sum = sums.entry(bucket.number).or_insert_with(|| Bucket::new(bucket.number));
            sum.add(bucket);
        }
        sums.values().map(|bucket| self.snapshot(bucket)).collect()
    }

    /// Returns the bucket that has begun, if something happened in it.
    pub fn now(&self, now_ms: UnixMs) -> Option<DayBucket> {
        let number = now_ms / self.bucket_ms;
        let (own, elsewhere) = (lock(&self.buckets), lock(&self.elsewhere));
        let own = own.back().filter(|latest| latest.number == number);
        match (own, elsewhere.get(&number)) {
            (Some(bucket), None) | (None, Some(bucket)) => Some(self.snapshot(bucket)),
            (Some(own), Some(others)) => {
                let mut sum = Bucket::new(number);
                [own, others].iter().for_each(|bucket| sum.add(bucket));
                Some(self.snapshot(&sum))
            }
            (None, None) => None,
        }
    }

    /// Takes over what other processes have counted from the bucket `from` on, in the place of what
    /// was known of it.
    pub(super) fn replace_elsewhere(&self, from: u64, records: &[&Counts], now_ms: UnixMs) {
        let mut elsewhere = lock(&self.elsewhere);
        let first = self.first_number(now_ms);
        elsewhere.retain(|number, _| (first..from).contains(number));
        let numbers = first.max(from)..=now_ms / self.bucket_ms;
        for record in records.iter().filter(|record| numbers.contains(&record.number)) {
            let sum = elsewhere.entry(record.number);
            sum.or_insert_with(|| Bucket::new(record.number)).add(&Bucket::from_record(record));
        }
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

    /// Returns the number of the bucket that has begun.
    pub(super) fn number(&self, now_ms: UnixMs) -> u64 {
        now_ms / self.bucket_ms
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
        lock(&self.buckets).push_back(Bucket::from_record(record));
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
mod tests;
