//! What a close and an open keep, rebuild, and refuse.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::*;
use crate::job::{Failure, Reason};

#[test]
fn every_state_survives() {
    let fixture = Fixture::new();
    fixture.submit(fixture.new_job("queued"));
    let running = fixture.submit(fixture.new_job(&"long ".repeat(200))).row;
    fixture.apply(running, 10, Event::Start);
    let waiting = fixture.submit(fixture.new_job("waiting")).row;
    fixture.apply(waiting, 10, Event::Start);
    let last = Failure::new(Reason::Overloaded, "busy");
    let event = Event::RetryLater { lease: 1, due_ms: START_MS + 900, last, spent: true };
    fixture.apply(waiting, 20, event);
    let done = fixture.done("done", Some(7));
    let failed = fixture.submit(fixture.new_job("failed")).row;
    let failure = Failure::new(Reason::Canceled, "no");
    fixture.apply(failed, 30, Event::Stop { failure });

    let ids = |fixture: &Fixture| -> Vec<(Row, Uuid)> {
        let jobs = (1..=5).map(|row| {
            let id =
                fixture.store.read_row(row, START_MS, |job, _| fixture.store.id_of(job)).wait();
            (row, id.unwrap().unwrap())
        });
        jobs.collect()
    };
    let (state, bytes, before) = (fixture.state(), fixture.bytes(), ids(&fixture));
    let fixture = fixture.reopen();
    assert_eq!(fixture.state(), state);
    assert_eq!(fixture.bytes(), bytes);
    assert_eq!(ids(&fixture), before);
    for (row, id) in before {
        let found = fixture.store.read_job(id, START_MS, |job, _| job.row).wait().unwrap();
        assert_eq!(found, Some(row));
    }
    assert_eq!(fixture.store.unfinished(0), 3);
    let cached = fixture.store.cached(7, START_MS, START_MS + 1).wait().unwrap().unwrap();
    assert_eq!((cached.stored_ms, &cached.json[..]), (START_MS + 1, &br#"{"text":"42"}"#[..]));
    assert_eq!(fixture.store.new_identity("team-a").wait().unwrap().row, 6);
    assert_eq!(done.row, 4);
}

#[test]
fn a_row_that_the_cache_still_names_is_not_given_again() {
    let fixture = Fixture::new();
    let early = Job { expires_ms: START_MS + 100, ..fixture.new_job("early") };
    let row = fixture.submit(early).row;
    fixture.apply(row, 10, Event::Start);
    let result = NewResult { json: b"\"early\"".to_vec(), cache_hash: Some(7) };
    fixture.apply_with(row, 90, Event::Succeed { lease: 1, present: None }, Some(result));
    assert_eq!(fixture.store.sweep(START_MS + 100, START_MS).unwrap().rows, 1);

    let fixture = fixture.reopen();
    let other = fixture.done("another prompt", None);
    assert_ne!(other.row, row);
    assert_eq!(fixture.store.cached(7, START_MS, START_MS + 200).wait().unwrap(), None);
}

#[test]
fn store_of_0_1_0_without_the_later_tables_is_sound_and_opens() {
    let fixture = Fixture::new();
    let done = fixture.done("x", None).row;
    fixture.store.close();
    let database = redb::Database::open(fixture.directory.path().join("answerd.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(tables::ATTEMPTS).unwrap());
    assert!(transaction.delete_table(tables::COUNTS).unwrap());
    assert!(transaction.delete_table(tables::VENDOR_TASKS).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let report = Store::check(fixture.directory.path()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    let fixture = fixture.reopen();
    let id = fixture.store.read_row(done, START_MS, |job, _| fixture.store.id_of(job)).wait();
    let read = |_: &Job, _: Option<&[u8]>, attempts: Vec<crate::job::AttemptEnd>| attempts.len();
    let attempts = fixture.store.read_attempts(id.unwrap().unwrap(), START_MS, read).wait();
    assert_eq!(attempts.unwrap(), Some(0));
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn results_from_before_the_cache_begins_stay_out_of_it() {
    let fixture = Fixture::new();
    fixture.done("x", Some(7));
    fixture.store.close();
    let later = OpenOptions { cache_from_ms: START_MS + 2, ..options(fixture.directory.path()) };
    let store = Store::open(&later).unwrap();
    assert_eq!(store.cached(7, 0, START_MS + 2).wait().unwrap(), None);
    store.close();
}

#[test]
fn scrapers_keep_their_numbers() {
    let fixture = Fixture::new();
    fixture.store.close();
    let scrapers = vec!["gemini".to_owned(), "perplexity".to_owned()];
    let changed = OpenOptions { scrapers, ..options(fixture.directory.path()) };
    let store = Store::open(&changed).unwrap();
    let numbers: Vec<_> = store.scrapers().collect();
    assert_eq!(numbers, [(0, "chatgpt"), (1, "perplexity"), (2, "gemini")]);
    store.close();
}

#[test]
fn two_cannot_share_a_store() {
    let fixture = Fixture::new();
    let second = Store::open(&options(fixture.directory.path()));
    assert!(matches!(second.err(), Some(StoreError::InUse(path)) if path.contains("answerd.redb")));
    let check = Store::check(fixture.directory.path());
    assert!(matches!(check, Err(StoreError::InUse(_))));
}

/// Makes of a store what a build before there were checksums has left.
fn into_the_first_format(fixture: &Fixture) {
    use redb::ReadableDatabase;
    let path = fixture.directory.path().join("answerd.redb");
    let database = redb::Database::open(path).unwrap();
    let snapshot = database.begin_read().unwrap();
    let transaction = database.begin_write().unwrap();
    let unsealed = |bytes: &[u8]| [&[1], &bytes[5..]].concat();
    for table in [tables::JOBS, tables::RESULTS, tables::BATCHES, tables::DELIVERIES] {
        for entry in snapshot.open_table(table).unwrap().iter().unwrap() {
            let (row, bytes) = entry.unwrap();
            let mut table = transaction.open_table(table).unwrap();
            table.insert(row.value(), unsealed(bytes.value()).as_slice()).unwrap();
        }
    }
    for entry in snapshot.open_table(tables::CREDITS).unwrap().iter().unwrap() {
        let (key, bytes) = entry.unwrap();
        let mut table = transaction.open_table(tables::CREDITS).unwrap();
        table.insert(key.value(), unsealed(bytes.value()).as_slice()).unwrap();
    }
    for entry in snapshot.open_table(tables::BATCH_PROGRESS).unwrap().iter().unwrap() {
        let (row, bytes) = entry.unwrap();
        let ended = record::decode_progress(row.value(), bytes.value()).unwrap();
        let old = (ended.done, ended.failed, ended.completed_ms);
        transaction.open_table(tables::BATCH_PROGRESS_1).unwrap().insert(row.value(), old).unwrap();
    }
    transaction.delete_table(tables::BATCH_PROGRESS).unwrap();
    let format = 1_u32.to_be_bytes();
    transaction.open_table(tables::META).unwrap().insert("format", format.as_slice()).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_store_of_the_first_format_is_read_and_made_the_second() {
    for checked in [false, true] {
        let fixture = Fixture::new();
        let (batch, _) = flips::submit_batch(&fixture);
        let webhook_url = Some("https://a.example/hook".to_owned());
        let told_of = fixture.submit(Job { webhook_url, ..fixture.new_job("told of") }).row;
        let failure = Failure::new(Reason::Canceled, "no");
        fixture.apply(told_of, 10, Event::Stop { failure });
        fixture.done("done", Some(7));
        let state = fixture.state();
        let delivery = fixture.store.delivery(told_of).wait().unwrap().unwrap();
        fixture.store.close();
        into_the_first_format(&fixture);
        if checked {
            let report = Store::check(fixture.directory.path()).unwrap();
            assert_eq!(report.problems, Vec::<String>::new());
        }
        let fixture = fixture.reopen();
        assert_eq!(fixture.state(), state);
        assert_eq!(fixture.store.batch(batch.key.id, START_MS).wait().unwrap(), Some(batch));
        assert_eq!(fixture.store.delivery(told_of).wait().unwrap(), Some(delivery));
        assert_eq!(fixture.check().problems, Vec::<String>::new());
    }
}

#[test]
fn a_newer_format_is_refused() {
    let fixture = Fixture::new();
    fixture.store.close();
    let path = fixture.directory.path().join("answerd.redb");
    let database = redb::Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let newer = 3_u32.to_be_bytes();
    transaction.open_table(tables::META).unwrap().insert("format", newer.as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let opened = Store::open(&options(fixture.directory.path()));
    assert!(matches!(opened.err(), Some(StoreError::Version(3))));
    let checked = Store::check(fixture.directory.path());
    assert!(matches!(checked, Err(StoreError::Version(3))));
}

#[test]
fn an_error_names_the_path_that_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a-file");
    std::fs::write(&file, "x").unwrap();
    let below = file.join("below");
    let Some(error) = Store::open(&options(&below)).err() else { panic!("it was opened") };
    assert!(error.to_string().contains(below.to_str().unwrap()), "{error}");

    let missing = directory.path().join("missing");
    let error = Store::check(&missing).unwrap_err();
    assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");
    assert!(!missing.exists(), "a check makes nothing");

    let taken = directory.path().join("taken");
    std::fs::create_dir_all(taken.join("answerd.redb")).unwrap();
    let Some(error) = Store::open(&options(&taken)).err() else { panic!("it was opened") };
    assert!(error.to_string().contains("answerd.redb"), "{error}");
}

#[test]
fn only_the_owner_may_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("data");
    let store = Store::open(&options(&made)).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&made), 0o700);
    assert_eq!(mode(&made.join("answerd.redb")), 0o600);
    // The name under which it was laid out is gone.
    assert_eq!(std::fs::read_dir(&made).unwrap().count(), 1);
    store.close();
}

#[test]
fn a_store_at_rest_needs_no_repair_after_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let rests = |rest| OpenOptions { quick_repair: rest, ..options(directory.path()) };
    // What a killed process would leave now.
    let repaired = || {
        let image = directory.path().join("image");
        std::fs::copy(directory.path().join("answerd.redb"), &image).unwrap();
        let repaired = Arc::new(AtomicBool::new(false));
        let noted = repaired.clone();
        let mut builder = redb::Database::builder();
        builder.set_repair_callback(move |_| noted.store(true, Ordering::Relaxed));
        // One that was copied in the middle of a commit may be torn.
        builder.open(image).is_err() || repaired.load(Ordering::Relaxed)
    };

    let store = Store::open(&rests(QuickRepair::Never)).unwrap();
    let fixture = Fixture { directory: tempfile::tempdir().unwrap(), store };
    fixture.submit(fixture.new_job("one"));
    assert!(repaired());
    fixture.store.close();

    let store = Store::open(&rests(QuickRepair::AfterRest(Duration::from_millis(1)))).unwrap();
    let fixture = Fixture { directory: fixture.directory, store };
    fixture.submit(fixture.new_job("two"));
    let mut asked = 0;
    while repaired() {
        asked += 1;
        assert!(asked < 10_000, "it never rested");
    }
}
