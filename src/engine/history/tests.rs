use super::*;
use crate::engine::events::tests::ended;
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
fn counts_of_other_processes_are_added_and_replaced() {
    let (own, others) = (History::day(), History::day());
    for at_ms in [START_MS, START_MS + BUCKET_MS] {
        own.job(at_ms, UsageEvent::Done);
        others.job(at_ms, UsageEvent::Done);
        others.ended(at_ms, 1_000, Ok(&[Array::Links]));
    }
    let (now_ms, first) = (START_MS + BUCKET_MS, START_MS / BUCKET_MS);
    let take = |from, records: &[Counts]| {
        let all: Vec<&Counts> = records.iter().chain(records).collect();
        own.replace_elsewhere(from, &all, now_ms);
    };
    // Two processes that have counted the same, and once more.
    for _ in 0..2 {
        take(first, &others.records(3, 0));
        let done: Vec<u32> = own.buckets(now_ms).iter().map(|bucket| bucket.done).collect();
        assert_eq!(done, [3, 3]);
    }
    assert_eq!((own.now(now_ms).unwrap().done, own.sum(now_ms).succeeded), (3, 4));
    assert_eq!(own.records(3, 0)[0].named("done"), 1, "the store has what is its own");
    // Of the latest alone.
    take(first + 1, &[]);
    let done: Vec<u32> = own.buckets(now_ms).iter().map(|bucket| bucket.done).collect();
    assert_eq!(done, [3, 1]);
    assert!(own.buckets(now_ms + 90_000_000).is_empty());
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
