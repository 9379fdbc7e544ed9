//! One transaction for all that is queued, and what a write that panics means for the others.

use super::*;
use crate::job::{BATCH_ITEMS_MAX, Batch, BatchProgress};

#[test]
fn what_is_queued_meanwhile_is_one_commit() {
    let fixture = Fixture::new();
    let release = fixture.hold_writer();
    let before = fixture.store.writer_stats();
    let pending: Vec<_> = (0..50)
        .map(|n| fixture.store.submit(fixture.new_job(&format!("{n}")), None, NO_LIMITS))
        .collect();
    release.send(()).unwrap();
    for pending in pending {
        pending.wait().unwrap().unwrap();
    }
    let stats = fixture.store.writer_stats();
    // The writer's own operation is committed in the meantime.
    assert_eq!((before.commits, before.writes), (0, 0));
    assert_eq!((stats.commits, stats.writes), (2, 51));
    assert_eq!(fixture.store.unfinished(0), 50);
}

#[test]
fn a_batch_is_one_commit() {
    let fixture = Fixture::new();
    let (key, identities) =
        fixture.store.new_batch_identity("team-a", BATCH_ITEMS_MAX).wait().unwrap();
    let items = identities.iter().map(|identity| NewItem {
        job: Job {
            row: identity.row,
            nonce: identity.nonce,
            batch: Some(key),
            ..fixture.new_job("one of many")
        },
        result: None,
        limits: NO_LIMITS,
    });
    let batch = Batch {
        key,
        account: "team-a".to_owned(),
        label: None,
        items: BATCH_ITEMS_MAX as u32,
        refused: Vec::new(),
        created_ms: START_MS,
        expires_ms: START_MS + RETENTION_MS,
        idempotency: None,
        webhook_url: None,
        progress: BatchProgress::default(),
    };
    let before = fixture.store.writer_stats().commits;
    let submitted = fixture.store.submit_batch(batch, items.collect()).wait().unwrap().unwrap();
    assert_eq!(fixture.store.writer_stats().commits, before + 1);
    assert_eq!((submitted.pending(), fixture.store.unfinished(0)), (1_000, 1_000));
    let report = fixture.check();
    assert_eq!((report.jobs, report.problems), (1_000, Vec::new()));
}

#[test]
fn a_full_queue_refuses_at_once() {
    let fixture = Fixture::new();
    let release = fixture.hold_writer();
    let pending: Vec<_> = (0..WRITES_WAITING_MAX).map(|_| fixture.write(|_| Ok(()))).collect();
    assert!(matches!(fixture.write(|_| Ok(())).wait(), Err(StoreError::Busy)));
    release.send(()).unwrap();
    for pending in pending {
        pending.wait().unwrap();
    }
    let batches = WRITES_WAITING_MAX.div_ceil(BATCH_WRITES_MAX) as u64;
    assert_eq!(fixture.store.writer_stats().commits, 1 + batches);
}

#[test]
fn a_panic_voids_its_transaction_and_nothing_else() {
    let fixture = Fixture::new();
    let kept = fixture.submit(fixture.new_job("kept"));
    let before = fixture.bytes();

    let release = fixture.hold_writer();
    let first = fixture.store.submit(fixture.new_job("first"), None, NO_LIMITS);
    let panics = fixture.write(|tables| -> Result<(), StoreError> {
        tables.jobs.insert(99, b"half a change".as_slice())?;
        panic!("on purpose")
    });
    let last = fixture.store.submit(fixture.new_job("last"), None, NO_LIMITS);
    release.send(()).unwrap();
    assert!(matches!(first.wait(), Err(StoreError::Panicked)));
    assert!(matches!(panics.wait(), Err(StoreError::Panicked)));
    assert!(matches!(last.wait(), Err(StoreError::Panicked)));

    assert_eq!(fixture.bytes(), before);
    assert_eq!(fixture.store.unfinished(0), 1);
    assert!(fixture.store.failure().is_none());
    fixture.apply(kept.row, 10, Event::Start);
    let later = fixture.submit(fixture.new_job("later"));
    let fixture = fixture.reopen();
    let read = fixture.store.read_row(later.row, START_MS, |job, _| job.clone()).wait().unwrap();
    assert_eq!(read, Some(later));
    let report = fixture.check();
    assert_eq!((report.jobs, report.problems), (2, Vec::new()));
}

#[test]
fn a_panic_between_writes_leaves_no_repair() {
    let fixture = Fixture::new();
    let panics = fixture.write(|tables| -> Result<(), StoreError> {
        let page = vec![0; 100_000];
        tables.jobs.insert(99, page.as_slice())?;
        panic!("on purpose")
    });
    assert!(panics.wait().is_err());
    fixture.store.close();
    let path = fixture.directory.path().join("answerd.redb");
    let repaired = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = repaired.clone();
    let mut builder = redb::Builder::new();
    builder.set_repair_callback(move |_| seen.store(true, Ordering::Relaxed));
    drop(builder.open(path).unwrap());
    assert!(!repaired.load(Ordering::Relaxed), "the transaction was not aborted in order");
    let report = fixture.check();
    let CheckReport { file_bytes, used_bytes, .. } = report;
    assert_eq!(report, CheckReport { file_bytes, used_bytes, ..CheckReport::default() });
}

#[test]
fn a_listener_that_panics_does_not_deny_what_is_committed() {
    struct Panics;
    impl Listener for Panics {
        fn committed(&self, _: &[Effect]) {
            panic!("on purpose")
        }
        fn failed(&self, _: &StoreError) {}
    }
    let fixture = Fixture::new();
    fixture.store.listen(Arc::new(Panics));
    let job = fixture.submit(fixture.new_job("x"));
    assert_eq!(fixture.apply(job.row, 10, Event::Start).state, State::Running);
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn a_close_writes_what_is_queued_and_refuses_what_comes_after() {
    let fixture = Fixture::new();
    let release = fixture.hold_writer();
    let queued = fixture.store.submit(fixture.new_job("queued"), None, NO_LIMITS);
    let late = fixture.new_job("late");
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| fixture.store.close());
        release.send(()).unwrap();
        closing.join().unwrap();
    });
    let queued = queued.wait().unwrap().unwrap();
    let late = fixture.store.submit(late, None, NO_LIMITS).wait();
    assert!(matches!(late, Err(StoreError::Closed)));
    let closed = fixture.store.read_row(queued.row, START_MS, |_, _| ()).wait();
    assert!(matches!(closed, Err(StoreError::Closed)));
    let fixture = fixture.reopen();
    assert!(fixture.store.read_row(queued.row, START_MS, |_, _| ()).wait().unwrap().is_some());
}
