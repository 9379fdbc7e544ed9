//! A refused submit leaves nothing behind, whoever shares its transaction.

use super::*;
use crate::job::{Idempotency, TransitionError};

const ONE_JOB: SubmitLimits = SubmitLimits { unfinished_max: 1, monthly_credits: None };

fn credits(monthly_credits: u64) -> SubmitLimits {
    SubmitLimits { monthly_credits: Some(monthly_credits), ..NO_LIMITS }
}

/// As [`Fixture::new_job`], with nothing random in it.
fn job(row: Row, account: &str) -> Job {
    Job { account: account.to_owned(), ..Job::fixture(row, 0, request("x"), START_MS) }
}

#[test]
fn refusals_beside_accepted_jobs_change_no_byte() {
    let (fixture, control) = (Fixture::new(), Fixture::new());
    let release = fixture.hold_writer();
    let submit = |job, limits| fixture.store.submit(job, None, limits);
    let outcomes = [
        submit(job(1, "rich"), credits(6)),
        submit(job(2, "poor"), credits(2)),
        submit(job(3, "rich"), ONE_JOB),
        submit(job(4, "rich"), credits(6)),
        submit(job(5, "rich"), credits(8)),
        submit(job(6, "other"), NO_LIMITS),
    ];
    release.send(()).unwrap();
    let outcomes = outcomes.map(|pending| pending.wait().unwrap().map(|job| job.row));
    assert_eq!(
        outcomes,
        [
            Ok(1),
            Err(SubmitError::CreditLimit),
            Err(SubmitError::QueueFull),
            Ok(4),
            Err(SubmitError::CreditLimit),
            Ok(6)
        ]
    );
    assert_eq!(fixture.store.writer_stats(), WriterStats { commits: 2, writes: 7 });

    for accepted in [job(1, "rich"), job(4, "rich"), job(6, "other")] {
        control.submit(accepted);
    }
    assert_eq!(fixture.bytes(), control.bytes());
    assert_eq!(fixture.store.unfinished(0), 3);
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn refusals_alone_change_no_byte() {
    let fixture = Fixture::new();
    fixture.submit(job(1, "rich"));
    let before = fixture.bytes();
    let refused = fixture.store.submit(job(2, "rich"), None, ONE_JOB).wait().unwrap();
    assert_eq!(refused, Err(SubmitError::QueueFull));
    let refused = fixture.store.submit(job(2, "poor"), None, credits(2)).wait().unwrap();
    assert_eq!(refused, Err(SubmitError::CreditLimit));
    let late =
        fixture.store.transition(1, START_MS, |_| Event::Succeed { lease: 1, present: None }, None);
    let not_running = TransitionError::NotRunning;
    assert_eq!(late.unwrap().unwrap_err(), not_running);
    let gone_ms = START_MS + RETENTION_MS;
    let gone = fixture.store.transition(1, gone_ms, |_| Event::Start, None).unwrap();
    assert_eq!(gone.unwrap_err(), TransitionError::Gone);
    assert_eq!(fixture.bytes(), before);
}

#[test]
fn what_costs_nothing_is_served_above_the_allowance() {
    let fixture = Fixture::new();
    fixture.submit(job(1, "rich"));
    let free = Job { price: 0, state: State::Done, cached: true, ..job(2, "rich") };
    let lowered = fixture.store.submit(free, Some(b"{}".to_vec()), credits(1)).wait().unwrap();
    assert!(lowered.is_ok());
}

#[test]
fn one_key_is_one_job_until_that_has_expired() {
    let fixture = Fixture::new();
    let keyed = |row: Row, request_hash: u128, created_ms: UnixMs| Job {
        idempotency: Some(Idempotency { key_hash: 5, request_hash }),
        created_ms,
        expires_ms: created_ms + RETENTION_MS,
        ..job(row, "rich")
    };
    // Concurrent duplicates share a transaction.
    let release = fixture.hold_writer();
    let submit = |job, limits| fixture.store.submit(job, None, limits);
    let first =
        [submit(keyed(1, 8, START_MS), NO_LIMITS), submit(keyed(2, 8, START_MS), NO_LIMITS)];
    release.send(()).unwrap();
    assert_eq!(first.map(|pending| pending.wait().unwrap().unwrap().row), [1, 1]);
    let before = fixture.bytes();
    // A repeated submit is served above every limit, and another request never.
    assert_eq!(submit(keyed(3, 8, START_MS), ONE_JOB).wait().unwrap().unwrap().row, 1);
    let reused = submit(keyed(4, 9, START_MS), NO_LIMITS).wait().unwrap();
    assert_eq!(reused, Err(SubmitError::KeyReused));
    assert_eq!(fixture.bytes(), before);

    let fixture = fixture.reopen();
    let gone_ms = START_MS + RETENTION_MS;
    let late = fixture.store.submit(keyed(5, 9, gone_ms), None, NO_LIMITS).wait().unwrap();
    assert_eq!(late.unwrap().row, 5, "the first has expired, swept or not");
    assert_eq!(fixture.store.sweep(gone_ms, gone_ms).unwrap().rows, 1);
    let again = fixture.store.submit(keyed(6, 9, gone_ms), None, NO_LIMITS).wait().unwrap();
    assert_eq!(again.unwrap().row, 5, "the sweep has left the key to its new job");
    assert_eq!(fixture.store.sweep(gone_ms + RETENTION_MS, gone_ms).unwrap().rows, 1);
    assert!(fixture.bytes()["idempotency"].is_empty());
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}
