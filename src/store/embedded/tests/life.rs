//! The whole state after each step of jobs' lives.

use insta::assert_snapshot;

use super::*;
use crate::job::{Failure, Reason};

#[test]
fn a_job_is_tried_twice_and_done() {
    let fixture = Fixture::new();
    let row = fixture.submit(fixture.new_job("first")).row;
    assert_snapshot!(fixture.state(), @r"
    job 1 chatgpt team-a: queued, attempts 0, lease 0, price 3, due +0, expires +86400000
    ready chatgpt queued +0: 1
    expiry +86400000: 1
    credits team-a 202605: 3 reserved, 0 used
    use team-a 20260511 scraper 0: 1 jobs, 0 done, 0 failed, 0 cached, 0 credits
    unfinished chatgpt: 1
    ");

    fixture.apply(row, 10, Event::Start);
    assert_snapshot!(fixture.state(), @r"
    job 1 chatgpt team-a: running, attempts 1, lease 1, price 3, due +0, expires +86400000, started +10
    ready chatgpt queued +0: 1
    expiry +86400000: 1
    credits team-a 202605: 3 reserved, 0 used
    use team-a 20260511 scraper 0: 1 jobs, 0 done, 0 failed, 0 cached, 0 credits
    unfinished chatgpt: 1
    ");

    let last = Failure::new(Reason::Overloaded, "busy");
    let event = Event::RetryLater { lease: 1, due_ms: START_MS + 2_500, last, spent: true };
    fixture.apply(row, 500, event);
    assert_snapshot!(fixture.state(), @r"
    job 1 chatgpt team-a: waiting after upstream_overloaded, attempts 1, lease 1, price 3, due +2500, expires +86400000, started +10
    ready chatgpt queued +2500: 1
    expiry +86400000: 1
    credits team-a 202605: 3 reserved, 0 used
    use team-a 20260511 scraper 0: 1 jobs, 0 done, 0 failed, 0 cached, 0 credits
    unfinished chatgpt: 1
    ");

    fixture.apply(row, 2_600, Event::Start);
    assert_snapshot!(fixture.state(), @r"
    job 1 chatgpt team-a: running, attempts 2, lease 2, price 3, due +2500, expires +86400000, started +10
    ready chatgpt queued +2500: 1
    expiry +86400000: 1
    credits team-a 202605: 3 reserved, 0 used
    use team-a 20260511 scraper 0: 1 jobs, 0 done, 0 failed, 0 cached, 0 credits
    unfinished chatgpt: 1
    ");

    let result = NewResult { json: br#"{"text":"42"}"#.to_vec(), cache_hash: Some(7) };
    fixture.apply_with(row, 3_000, Event::Succeed { lease: 2, present: None }, Some(result));
    assert_snapshot!(fixture.state(), @r#"
    job 1 chatgpt team-a: done, attempts 2, lease 2, price 3, due +2500, expires +86400000, started +10, completed +3000
    result 1: {"text":"42"}
    expiry +86400000: 1
    cache +3000 1: hash 7
    credits team-a 202605: 0 reserved, 3 used
    use team-a 20260511 scraper 0: 1 jobs, 1 done, 0 failed, 0 cached, 3 credits
    "#);
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn a_job_that_does_not_start_in_time_ends_and_one_that_does_goes_on() {
    let fixture = Fixture::new();
    let bound = |label: &str| Job {
        label: Some(label.to_owned()),
        start_by_ms: Some(START_MS + 5_000),
        ..fixture.new_job("bound")
    };
    let started = fixture.submit(bound("started")).row;
    fixture.submit(bound("late"));
    fixture.apply(started, 4_999, Event::Start);
    assert_snapshot!(fixture.state(), @r"
    job 1 chatgpt team-a: running, attempts 1, lease 1, price 3, due +0, expires +86400000, started +4999, label started
    job 2 chatgpt team-a: queued, attempts 0, lease 0, price 3, due +0, expires +86400000, label late
    ready chatgpt queued +0: 1
    ready chatgpt queued +0: 2
    expiry +86400000: 1
    expiry +86400000: 2
    deadline +5000: 2
    credits team-a 202605: 6 reserved, 0 used
    use team-a 20260511 scraper 0: 2 jobs, 0 done, 0 failed, 0 cached, 0 credits
    unfinished chatgpt: 2
    ");
    assert!(fixture.store.end_overdue(START_MS + 4_999).unwrap().ended.is_empty());
    assert_eq!(fixture.store.end_overdue(START_MS + 5_000).unwrap().ended.len(), 1);
    assert_snapshot!(fixture.state(), @r"
    job 1 chatgpt team-a: running, attempts 1, lease 1, price 3, due +0, expires +86400000, started +4999, label started
    job 2 chatgpt team-a: failed with not_started_in_time, attempts 0, lease 0, price 3, due +0, expires +86400000, completed +5000, label late
    ready chatgpt queued +0: 1
    expiry +86400000: 1
    expiry +86400000: 2
    credits team-a 202605: 3 reserved, 0 used
    use team-a 20260511 scraper 0: 2 jobs, 0 done, 1 failed, 0 cached, 0 credits
    unfinished chatgpt: 1
    ");
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn other_ends_and_the_sweep_of_all() {
    let fixture = Fixture::new();
    let failed = fixture.submit(fixture.new_job("second")).row;
    fixture.apply(failed, 10, Event::Start);
    let failure = Failure::new(Reason::Refused, "no");
    fixture.apply(failed, 20, Event::Fail { lease: 1, failure });
    assert_snapshot!(fixture.state(), @r"
    job 1 chatgpt team-a: failed with answer_refused, attempts 1, lease 1, price 3, due +0, expires +86400000, started +10, completed +20
    expiry +86400000: 1
    credits team-a 202605: 0 reserved, 0 used
    use team-a 20260511 scraper 0: 1 jobs, 0 done, 1 failed, 0 cached, 0 credits
    ");

    let waited_for = Job { interactive: true, ..fixture.new_job("third") };
    let released = fixture.submit(waited_for).row;
    fixture.apply(released, 30, Event::Start);
    fixture.apply(released, 40, Event::Release { lease: 1 });
    assert_snapshot!(fixture.state(), @r"
    job 1 chatgpt team-a: failed with answer_refused, attempts 1, lease 1, price 3, due +0, expires +86400000, started +10, completed +20
    job 2 chatgpt team-a: queued, attempts 0, lease 1, price 3, due +0, expires +86400000, started +30, interactive
    ready chatgpt interactive +0: 2
    expiry +86400000: 1
    expiry +86400000: 2
    credits team-a 202605: 3 reserved, 0 used
    use team-a 20260511 scraper 0: 2 jobs, 0 done, 1 failed, 0 cached, 0 credits
    unfinished chatgpt: 1
    ");

    let born_done = Job {
        state: State::Done,
        completed_ms: Some(START_MS + 50),
        price: 0,
        cached: true,
        ..fixture.new_job("fourth")
    };
    let result = Some(br#"{"cached":true}"#.to_vec());
    fixture.store.submit(born_done, result, NO_LIMITS).wait().unwrap().unwrap();
    assert_snapshot!(fixture.state(), @r#"
    job 1 chatgpt team-a: failed with answer_refused, attempts 1, lease 1, price 3, due +0, expires +86400000, started +10, completed +20
    job 2 chatgpt team-a: queued, attempts 0, lease 1, price 3, due +0, expires +86400000, started +30, interactive
    job 3 chatgpt team-a: done, attempts 0, lease 0, price 0, due +0, expires +86400000, completed +50, cached
    result 3: {"cached":true}
    ready chatgpt interactive +0: 2
    expiry +86400000: 1
    expiry +86400000: 2
    expiry +86400000: 3
    credits team-a 202605: 3 reserved, 0 used
    use team-a 20260511 scraper 0: 3 jobs, 1 done, 1 failed, 1 cached, 0 credits
    unfinished chatgpt: 1
    "#);

    fixture.submit(fixture.new_job(&"long ".repeat(120)));
    fixture.done("fifth", Some(9));
    assert_snapshot!(fixture.state(), @r#"
    job 1 chatgpt team-a: failed with answer_refused, attempts 1, lease 1, price 3, due +0, expires +86400000, started +10, completed +20
    job 2 chatgpt team-a: queued, attempts 0, lease 1, price 3, due +0, expires +86400000, started +30, interactive
    job 3 chatgpt team-a: done, attempts 0, lease 0, price 0, due +0, expires +86400000, completed +50, cached
    job 4 chatgpt team-a: queued, attempts 0, lease 0, price 3, due +0, expires +86400000
    job 5 chatgpt team-a: done, attempts 1, lease 1, price 3, due +0, expires +86400000, started +0, completed +1
    prompt 4: 600 bytes
    result 3: {"cached":true}
    result 5: {"text":"42"}
    ready chatgpt queued +0: 4
    ready chatgpt interactive +0: 2
    expiry +86400000: 1
    expiry +86400000: 2
    expiry +86400000: 3
    expiry +86400000: 4
    expiry +86400000: 5
    cache +1 5: hash 9
    credits team-a 202605: 6 reserved, 3 used
    use team-a 20260511 scraper 0: 5 jobs, 2 done, 1 failed, 1 cached, 3 credits
    unfinished chatgpt: 2
    "#);

    let all_gone_ms = START_MS + RETENTION_MS;
    let swept = fixture.store.sweep(all_gone_ms - 1, START_MS).unwrap();
    assert_eq!(swept, SweepOutcome::default());
    let swept = fixture.store.sweep(all_gone_ms, all_gone_ms).unwrap();
    assert_eq!((swept.rows, swept.cache_entries), (5, 1));
    assert_snapshot!(fixture.state(), @r"
    credits team-a 202605: 0 reserved, 3 used
    use team-a 20260511 scraper 0: 5 jobs, 2 done, 3 failed, 1 cached, 3 credits
    ");
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn sweep_removes_the_attempts_of_every_job() {
    let fixture = Fixture::new();
    let answered_at_once = fixture.done("a", None).row;
    let never_started = fixture.submit(fixture.new_job("b")).row;
    for row in [answered_at_once, never_started] {
        let end = crate::job::AttemptEnd {
            number: 1,
            due_ms: None,
            started_ms: START_MS,
            run_ms: 1,
            upstream: None,
            failure: Some(Failure::canceled()),
            calls: Vec::new(),
        };
        let ended = NewAttemptEnd { end, account: "team-a".to_owned(), label: None };
        fixture.store.note_attempt(row, ended).wait().unwrap();
    }
    let gone_ms = START_MS + RETENTION_MS;
    assert_eq!(fixture.store.sweep(gone_ms, gone_ms).unwrap().rows, 2);
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn waits_are_made_shorter_in_passes_and_each_once() {
    let fixture = Fixture::new();
    let wait_ms = 10_000;
    let rows: Vec<Row> = (0..SWEEP_ROWS_MAX as u64 + 50)
        .map(|n| {
            let due_ms = START_MS + wait_ms + n % 3;
            let interactive = n % 2 == 0;
            let job = Job { due_ms, interactive, ..fixture.new_job("waits") };
            fixture.submit(job).row
        })
        .collect();
    let ready = fixture.submit(fixture.new_job("ready")).row;
    let mut after =
        fixture.store.pull_forward_after_clock_step(START_MS, wait_ms - 1, None).unwrap();
    assert!(after.is_some());
    after = fixture.store.pull_forward_after_clock_step(START_MS, wait_ms - 1, after).unwrap();
    assert_eq!(after, None);
    let due_ms = |row| fixture.store.read_row(row, START_MS, |job, _| job.due_ms).wait().unwrap();
    for (n, row) in (0..).zip(&rows) {
        assert_eq!(due_ms(*row), Some(START_MS + 1 + n % 3));
    }
    assert_eq!(due_ms(ready), Some(START_MS));
    fixture.store.pull_forward_after_clock_step(START_MS, 60_000, None).unwrap();
    assert_eq!(due_ms(rows[1]), Some(START_MS), "never before now");
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}
