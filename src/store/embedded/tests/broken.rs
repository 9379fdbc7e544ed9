//! Broken stores: the check finds what is wrong, and the service goes on around it.

use redb::WriteTransaction;

use super::*;
use crate::job::{Batch, BatchProgress, Idempotency};

/// Breaks a sound store of three jobs (1 queued, 2 running, 3 done) and gives what the check says.
fn problems(damage: impl FnOnce(&WriteTransaction)) -> String {
    let fixture = Fixture::new();
    fixture.submit(fixture.new_job("queued"));
    let running = fixture.submit(fixture.new_job(&"long ".repeat(200))).row;
    fixture.apply(running, 10, Event::Start);
    fixture.done("done", Some(7));
    fixture.store.close();
    let database = redb::Database::open(fixture.directory.path().join("answerd.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    damage(&transaction);
    transaction.commit().unwrap();
    drop(database);
    let report = Store::check(fixture.directory.path()).unwrap();
    assert_eq!(report.problems_total, report.problems.len() as u64);
    report.problems.join("\n")
}

#[test]
fn a_sound_store_has_no_problems() {
    assert_eq!(problems(|_| ()), "");
}

#[test]
fn indexes_that_do_not_match_are_found() {
    let missing = problems(|transaction| {
        let mut ready = transaction.open_table(tables::READY).unwrap();
        ready.remove((0, false, START_MS, 1)).unwrap().unwrap();
    });
    assert_eq!(missing, "job row 1 is unfinished but not ready in the index");
    let stray = problems(|transaction| {
        let mut ready = transaction.open_table(tables::READY).unwrap();
        ready.insert((0, false, START_MS + 5, 77), ()).unwrap();
    });
    assert_eq!(stray, "the ready index names row 77, whose job does not match");
    let wrong_kind = problems(|transaction| {
        let mut ready = transaction.open_table(tables::READY).unwrap();
        ready.insert((0, true, START_MS, 1), ()).unwrap();
    });
    assert_eq!(wrong_kind, "the ready index names row 1, whose job does not match");
    let finished = problems(|transaction| {
        let mut ready = transaction.open_table(tables::READY).unwrap();
        ready.insert((0, false, START_MS, 3), ()).unwrap();
    });
    assert_eq!(
        finished,
        "job row 3 is finished but ready in the index\n\
         the ready index names row 3, whose job does not match"
    );
    let expiry = problems(|transaction| {
        let mut expiry = transaction.open_table(tables::EXPIRY).unwrap();
        expiry.remove((START_MS + RETENTION_MS, 2)).unwrap().unwrap();
        expiry.insert((START_MS, 78), ()).unwrap();
    });
    assert_eq!(
        expiry,
        "job row 2 is not in the expiry index\n\
         the expiry index names row 78, whose job does not match"
    );
}

#[test]
fn deadlines_that_do_not_match_are_found() {
    let fixture = Fixture::new();
    let bound = || Job { start_by_ms: Some(START_MS + 5_000), ..fixture.new_job("bound") };
    let (first, second) = (fixture.submit(bound()).row, fixture.submit(bound()).row);
    fixture.apply(second, 10, Event::Start);
    let move_it = fixture.write(move |tables| {
        tables.deadlines.remove((START_MS + 5_000, first))?;
        tables.deadlines.insert((START_MS + 6_000, first), ())?;
        tables.deadlines.insert((START_MS + 5_000, second), ())?;
        Ok(())
    });
    move_it.wait().unwrap();
    assert_eq!(
        fixture.check().problems.join("\n"),
        "job row 1 is not in the deadline index\n\
         the deadline index names row 2, whose job does not match\n\
         the deadline index names row 1, whose job does not match"
    );
}

#[test]
fn damage_does_not_stop_the_deadlines() {
    let fixture = Fixture::new();
    let bound = || Job { start_by_ms: Some(START_MS + 5_000), ..fixture.new_job("bound") };
    let (damaged, sound) = (fixture.submit(bound()).row, fixture.submit(bound()).row);
    let garble = fixture.write(move |tables| {
        tables.jobs.insert(damaged, [1, 255].as_slice())?;
        tables.deadlines.insert((START_MS, 99), ())?;
        Ok(())
    });
    garble.wait().unwrap();
    let overdue = fixture.store.end_overdue(START_MS + 5_000).unwrap();
    assert_eq!(overdue.ended.iter().map(|job| job.row).collect::<Vec<_>>(), [sound]);
    assert_eq!(fixture.store.next_deadline_ms().unwrap(), None);
}

#[test]
fn keys_that_do_not_match_are_found() {
    let fixture = Fixture::new();
    let known = |key_hash| Some(Idempotency { key_hash, request_hash: 1 });
    for key_hash in [5, 6] {
        fixture.submit(Job { idempotency: known(key_hash), ..fixture.new_job("keyed") });
    }
    let swap = fixture.write(move |tables| {
        tables.idempotency.remove(5)?;
        tables.idempotency.insert(7, 2)?;
        Ok(())
    });
    swap.wait().unwrap();
    assert_eq!(
        fixture.check().problems.join("\n"),
        "job row 1 is not found by its idempotency key\n\
         an idempotency key names row 2, whose job does not match"
    );
}

#[test]
fn credits_that_do_not_add_up_are_found() {
    let wrong = problems(|transaction| {
        let mut credits = transaction.open_table(tables::CREDITS).unwrap();
        let bytes = record::encode_credits(MONTH, Credits { reserved: 7, used: 1 }).unwrap();
        credits.insert(("team-a", MONTH), bytes.as_slice()).unwrap();
    });
    assert_eq!(
        wrong,
        "team-a has 7 credits reserved in 202605, its unfinished jobs 6\n\
         team-a has used 1 credits in 202605, its finished jobs 3"
    );
}

#[test]
fn records_that_cannot_be_read_are_found() {
    let garbage = problems(|transaction| {
        let mut jobs = transaction.open_table(tables::JOBS).unwrap();
        jobs.insert(3, [1, 255, 255].as_slice()).unwrap();
    });
    let first = garbage.lines().next().unwrap();
    assert_eq!(first, "job row 3 cannot be read: a record cannot be decoded", "{garbage}");
    let newer = problems(|transaction| {
        let mut credits = transaction.open_table(tables::CREDITS).unwrap();
        credits.insert(("team-a", MONTH), [9].as_slice()).unwrap();
    });
    assert!(newer.starts_with("the credits of team-a cannot be read:"), "{newer}");
    let prompt = problems(|transaction| {
        drop(transaction.open_table(tables::PROMPTS).unwrap().remove(2).unwrap().unwrap());
    });
    assert!(prompt.contains("job row 2 cannot be read"), "{prompt}");
}

#[test]
fn results_and_prompts_that_belong_to_nothing_are_found() {
    let stray = problems(|transaction| {
        let mut results = transaction.open_table(tables::RESULTS).unwrap();
        results.insert(1, record::encode_result(1, b"{}").as_slice()).unwrap();
        results.insert(3, record::encode_result(3, b"{not json").as_slice()).unwrap();
        transaction.open_table(tables::PROMPTS).unwrap().insert(99, "long").unwrap();
    });
    assert_eq!(
        stray,
        "result row 1 belongs to no finished job\n\
         result row 3 is not a result\n\
         prompt row 99 belongs to no job"
    );
    let missing = problems(|transaction| {
        drop(transaction.open_table(tables::RESULTS).unwrap().remove(3).unwrap().unwrap());
    });
    assert_eq!(missing, "job row 3 is done and has no result");
}

#[test]
fn a_damaged_record_fails_its_own_operation_only() {
    let fixture = Fixture::new();
    let damaged = fixture.submit(fixture.new_job("damaged")).row;
    let sound = fixture.submit(fixture.new_job("sound")).row;
    let garble = fixture.write(move |tables| {
        tables.jobs.insert(damaged, [1, 255].as_slice())?;
        Ok(())
    });
    garble.wait().unwrap();

    let release = fixture.hold_writer();
    let scrapers = fixture.store.scrapers.clone();
    let start = |row: Row| {
        let scrapers = scrapers.clone();
        fixture.write(move |tables| {
            jobs::transition(tables, &scrapers, row, START_MS, |_| Event::Start, None)
        })
    };
    let (first, second, third) = (start(sound), start(damaged), start(sound));
    release.send(()).unwrap();
    assert_eq!(first.wait().unwrap().unwrap().attempts, 1);
    assert!(matches!(second.wait(), Err(StoreError::Damaged(_))));
    assert_eq!(third.wait().unwrap().unwrap().attempts, 2);
    assert!(fixture.store.failure().is_none());
    let read = fixture.store.read_row(damaged, START_MS, |_, _| ()).wait();
    assert!(matches!(read, Err(StoreError::Damaged(_))));
}

#[test]
fn damage_does_not_stop_the_sweep() {
    let fixture = Fixture::new();
    let rows: Vec<Row> =
        (0..3).map(|n| fixture.submit(fixture.new_job(&format!("{n}"))).row).collect();
    let lasting = Job { expires_ms: START_MS + 2 * RETENTION_MS, ..fixture.new_job("lasting") };
    let lasting = fixture.submit(lasting).row;
    let damaged = rows[1];
    let garble = fixture.write(move |tables| {
        tables.jobs.insert(damaged, [1, 255].as_slice())?;
        // An entry without a job, and one that is too early for its job.
        tables.expiry.insert((START_MS, 99), ())?;
        tables.expiry.insert((START_MS, lasting), ())?;
        Ok(())
    });
    garble.wait().unwrap();

    let now_ms = START_MS + RETENTION_MS;
    assert_eq!(fixture.store.sweep(now_ms, now_ms).unwrap().rows, 5);
    assert_eq!(fixture.store.sweep(now_ms, now_ms).unwrap(), SweepOutcome::default());
    for row in [rows[0], rows[2]] {
        assert!(fixture.store.read_row(row, START_MS, |_, _| ()).wait().unwrap().is_none());
    }
    assert!(fixture.store.read_row(lasting, now_ms, |_, _| ()).wait().unwrap().is_some());
    assert_eq!(fixture.store.next_expiry_ms().unwrap(), Some(START_MS + 2 * RETENTION_MS));
}

#[test]
fn a_batch_of_no_items_is_checked_as_any() {
    let fixture = Fixture::new();
    let (key, _) = fixture.store.new_batch_identity("team-a", 0).wait().unwrap();
    let batch = Batch {
        key,
        account: "team-a".to_owned(),
        label: None,
        items: 0,
        refused: Vec::new(),
        created_ms: START_MS,
        expires_ms: START_MS + RETENTION_MS,
        idempotency: None,
        webhook_url: None,
        progress: BatchProgress::default(),
    };
    fixture.store.submit_batch(batch, Vec::new()).wait().unwrap().unwrap();
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}
