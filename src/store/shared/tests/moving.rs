//! A store in a file with something of each kind becomes a shared one, and answers as before.

use std::fmt::Write as _;
use std::path::Path;

use uuid::Uuid;

use super::alerts::{alert_of, notice_of};
use super::check::checked;
use super::fixture::NO_LIMITS;
use super::schedules::schedule_of;
use super::trackers::{brands, observation};
use super::{HOUR_MS, Place, START_MS, block_on, number};
use crate::alert::AlertKind;
use crate::clock::Clock;
use crate::config::{SharedStoreSettings, WakeBy};
use crate::job::{
    AttemptCall, AttemptEnd, Batch, BatchProgress, CallOutcome, Event, Failure, Idempotency, Job,
    ModelSeen, RawRequest, Reason, UpstreamUsage, VendorTask,
};
use crate::store::shared::retention::{HourEnd, remove_hours};
use crate::store::shared::taking::{MovedStore, take_over};
use crate::store::{
    Blocking, Counts, CountsKind, EvidenceOwner, ListFilter, NewAttemptEnd, NewItem, NewOutcome,
    NewResult, OpenOptions, QuickRepair, ResultFilter, Row, Store, StoreError, day_of,
};

const MONTH: u32 = 202_605;
const ACCOUNT: &str = "team-a";

fn options(directory: &Path) -> OpenOptions {
    OpenOptions {
        directory: directory.to_owned(),
        cache_bytes: 1 << 20,
        quick_repair: QuickRepair::Never,
        free_mib_min: 0,
        scrapers: vec!["perplexity".to_owned(), "chatgpt".to_owned()],
        cache_entries_max: 100,
        cache_from_ms: 0,
        evidence_bytes_max: 1 << 20,
        shared: None,
    }
}

fn settings(place: &Place) -> SharedStoreSettings {
    SharedStoreSettings {
        url: place.options.url.clone(),
        password: None,
        schema: place.options.schema.clone(),
        authorities: Vec::new(),
        wake: WakeBy::Notify,
        patience_seconds: 10,
        writers: 2,
        readers: 2,
        migrate: false,
        require_standby: false,
        node: "a".to_owned(),
    }
}

fn clock(after_ms: u64) -> Clock {
    Clock::manual(START_MS + after_ms).0
}

/// What the store has, to ask for it again.
struct Known {
    jobs: Vec<Job>,
    batch: Uuid,
    schedule: Uuid,
    tracker: (u64, u32),
    /// The job that has evidence.
    evidence: EvidenceOwner,
}

fn new_job(store: &Store, prompt: &str) -> Job {
    let identity = store.new_identity(ACCOUNT).wait().unwrap();
    let raw = RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() };
    let request = raw.check("chatgpt", &[]).unwrap();
    let job = Job::fixture(identity.row, identity.nonce, request, START_MS);
    Job { account: ACCOUNT.to_owned(), ..job }
}

fn submit(store: &Store, job: Job) -> Job {
    store.submit(job, None, NO_LIMITS).wait().unwrap().unwrap()
}

fn start(store: &Store, row: Row) {
    store.transition(row, START_MS + 1, |_| Event::Start, None).unwrap().unwrap();
}

/// Ends the first attempt of a job that runs.
fn end(store: &Store, job: &Job, event: Event, outcome: NewOutcome) -> Job {
    let outcome = NewOutcome { event, ..outcome };
    store.begin_outcome(job.row, START_MS + 2, outcome).wait().unwrap().unwrap()
}

fn outcome(result: Option<&str>) -> NewOutcome {
    let call = AttemptCall {
        upstream: "openai".to_owned(),
        ended_ms: START_MS,
        outcome: CallOutcome::Answered,
        took_ms: None,
        http_status: None,
        usage: UpstreamUsage { searches: Some(2), ..UpstreamUsage::default() },
    };
    let ended = AttemptEnd {
        number: 1,
        due_ms: None,
        started_ms: START_MS,
        run_ms: 5,
        upstream: None,
        failure: None,
        calls: vec![call],
    };
    let (account, label) = (ACCOUNT.to_owned(), Some("l".to_owned()));
    NewOutcome {
        event: Event::Start,
        result: result.map(|json| NewResult { json: json.into(), cache_hash: Some(7) }),
        ended: Some(NewAttemptEnd { end: ended, account, label }),
        raw: Some(b"{}".to_vec()),
        observation: None,
    }
}

/// Fills a store with jobs in every state.
fn fill_jobs(store: &Store) -> Vec<Job> {
    let hook = Some("https://a.example/hook".to_owned());
    let key = |key_hash| Some(Idempotency { key_hash, request_hash: 2 });
    let mut jobs = Vec::new();
    let long = "long ".repeat(300);
    for (number, prompt) in (0..).zip(["done", "again", &long]) {
        let job = new_job(store, prompt);
        let job = Job { webhook_url: hook.clone(), idempotency: key(number), ..job };
        let job = submit(store, job);
        start(store, job.row);
        let done = Event::Succeed { lease: 1, present: Some(true) };
        jobs.push(end(store, &job, done, outcome(Some(r#"{"text":"42"}"#))));
    }
    let no = Failure::new(Reason::Refused, "no");
    for event in [
        Event::Fail { lease: 1, failure: no.clone() },
        Event::RetryLater { lease: 1, due_ms: START_MS + 500, last: no, spent: true },
    ] {
        let job = submit(store, new_job(store, "x"));
        start(store, job.row);
        jobs.push(end(store, &job, event, outcome(None)));
    }
    let running = submit(store, new_job(store, "runs"));
    start(store, running.row);
    let task = VendorTask::new("vendor", "task-1").unwrap();
    assert!(store.set_vendor_task(running.row, 1, Some(task)).unwrap());
    jobs.push(running);
    let late = Job { start_by_ms: Some(START_MS + 9_000), ..new_job(store, "waits") };
    jobs.push(submit(store, Job { idempotency: key(9), interactive: true, ..late }));
    jobs
}

fn fill_batch(store: &Store) -> (Uuid, Vec<Job>) {
    let (key, identities) = store.new_batch_identity(ACCOUNT, 2).wait().unwrap();
    let items = identities.iter().map(|identity| {
        let (row, nonce) = (identity.row, identity.nonce);
        let job = Job { row, nonce, batch: Some(key), ..new_job(store, "in it") };
        NewItem { job, result: None, limits: NO_LIMITS }
    });
    let items: Vec<NewItem> = items.collect();
    let jobs = items.iter().map(|item| item.job.clone()).collect();
    let batch = Batch {
        key,
        account: ACCOUNT.to_owned(),
        label: Some("b".to_owned()),
        items: 2,
        refused: Vec::new(),
        created_ms: START_MS,
        expires_ms: START_MS + 86_400_000,
        idempotency: Some(Idempotency { key_hash: 77, request_hash: 3 }),
        webhook_url: Some("https://a.example/batch".to_owned()),
        progress: BatchProgress::default(),
    };
    let batch = store.submit_batch(batch, items).wait().unwrap().unwrap();
    start(store, batch.key.row + 1);
    let done = Event::Succeed { lease: 1, present: None };
    let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
    let decide = move |_: &Job| done.clone();
    store.transition(batch.key.row + 1, START_MS + 3, decide, Some(result)).unwrap().unwrap();
    (key.id, jobs)
}

/// Fills a store with something of each kind.
fn fill(store: &Store) -> Known {
    let mut jobs = fill_jobs(store);
    let (batch, items) = fill_batch(store);
    jobs.extend(items);
    let schedule = schedule_of(&store.new_identity(ACCOUNT).wait().unwrap(), "hourly");
    let schedule = store.insert_schedule(schedule, "{}".to_owned()).wait().unwrap().unwrap();
    let put = store.put_tracker(ACCOUNT.to_owned(), "acme".to_owned(), brands(&["Acme"]), START_MS);
    let tracker = put.wait().unwrap().unwrap();
    let measured = vec![(jobs[0].row, observation(&tracker))];
    store.add_observations(measured).wait().unwrap();
    let identity = || store.new_identity(ACCOUNT).wait().unwrap();
    let alert = alert_of(&identity(), "low", AlertKind::MentionRateBelow);
    let alert = store.insert_alert(alert, Some(START_MS + 70_000)).wait().unwrap().unwrap();
    let notice = notice_of(&identity(), &alert);
    store.add_notice(alert, notice).wait().unwrap().unwrap();
    let seen = ModelSeen { since_ms: START_MS, model: "m".to_owned() };
    store.note_model("openai".to_owned(), seen).wait().unwrap();
    let named = vec![("done".to_owned(), 3)];
    let counts =
        Counts { kind: CountsKind::Minute, scraper: 1, number: 5, named, times: vec![(3, 1)] };
    store.write_counts(vec![counts], 0, 0).unwrap();
    let evidence = EvidenceOwner::from(&jobs[0]);
    store.put_evidence(evidence, &[("1-a.png".to_owned(), b"png")]).unwrap();
    let (schedule, tracker) = (store.schedule_id(&schedule), (tracker.id, tracker.version));
    Known { jobs, batch, schedule, tracker, evidence }
}

/// All that a store answers, as text.
fn answers(store: &Store, known: &Known) -> String {
    let mut text = String::new();
    let now_ms = START_MS + 10;
    for job in &known.jobs {
        let id = store.id_of(job);
        let read = |job: &Job, json: Option<&[u8]>, kept: Vec<AttemptEnd>| {
            format!("{job:?} {:?} {kept:?}", json.map(String::from_utf8_lossy))
        };
        let read = store.read_attempts(id, now_ms, read).wait().unwrap().unwrap();
        let raw = store.raw(job.row).unwrap();
        let (task, delivery) = (store.vendor_task(job.row), store.delivery(job.row).wait());
        let _ = writeln!(text, "{id} {read} {raw:?} {task:?} {delivery:?}");
    }
    let _ = writeln!(text, "{:?}", store.batch(known.batch, now_ms).wait().unwrap().unwrap());
    let filter = ListFilter { account: ACCOUNT.to_owned(), ..ListFilter::default() };
    let list = store.list(&filter, None, 100, now_ms).unwrap();
    let listed: Vec<Row> = list.jobs.iter().map(|job| job.row).collect();
    let _ = writeln!(text, "{listed:?} {:?}", store.credits(ACCOUNT, MONTH).wait().unwrap());
    let _ = writeln!(text, "{:?}", store.usage(ACCOUNT, START_MS, now_ms).wait().unwrap());
    let _ = writeln!(text, "{:?}", store.spend(None, START_MS, now_ms).wait().unwrap());
    let _ = writeln!(text, "{:?} {:?}", store.models().unwrap(), store.counts().unwrap());
    let _ = writeln!(text, "{:?}", store.schedule(known.schedule, ACCOUNT).wait().unwrap());
    let _ = writeln!(text, "{:?}", store.next_slot_ms().unwrap());
    let _ = writeln!(text, "{:?}", store.trackers(ACCOUNT).wait().unwrap());
    let seen = store.observations(known.tracker, (0, u64::MAX >> 1), None, 10).unwrap();
    let _ = writeln!(text, "{seen:?}");
    let day = day_of(START_MS);
    let sums = |key: crate::measure::GroupKey<'_>, _, sums: &crate::measure::GroupSums| {
        let _ = writeln!(text, "{key:?} {sums:?}");
    };
    store.visit_sums(known.tracker, day, day, sums).wait().unwrap();
    for alert in store.alerts(None).wait().unwrap() {
        let _ = writeln!(text, "{alert:?} {:?}", store.notices(&alert).wait().unwrap());
    }
    let _ = writeln!(text, "{:?}", store.due_alerts(START_MS + 500_000, 9).unwrap());
    let cached = store.cached(7, 0, now_ms).wait().unwrap().unwrap();
    let _ = writeln!(text, "{} {:?}", cached.stored_ms, String::from_utf8(cached.json));
    let last = store.last_completion().wait().unwrap();
    let filter = ResultFilter { job: filter, ..ResultFilter::default() };
    let page = store.completed(&filter, 1, last.unwrap(), now_ms).unwrap();
    let page: Vec<_> = page.jobs.iter().map(|it| (it.number, it.job.row, it.sample)).collect();
    let _ = writeln!(text, "{last:?} {page:?}");
    let files = store.evidence(known.evidence).unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let content = store.read_evidence(known.evidence, "1-a.png").unwrap();
    let unfinished: usize = store.scrapers().map(|(number, _)| store.unfinished(number)).sum();
    let _ = writeln!(text, "{names:?} {content:?} {unfinished}");
    text
}

#[test]
fn moved_store_answers_as_before_and_its_hour_goes_when_all_of_it_has_expired() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&options(directory.path())).unwrap();
    let known = fill(&store);
    let before = answers(&store, &known);
    store.close();
    drop(store);
    let place = Place::empty();
    let settings = settings(&place);
    let moved = Store::move_to_shared(directory.path(), &settings, &clock(5), &mut |_| {}).unwrap();
    assert_eq!((moved.jobs, moved.unfinished, moved.batches), (9, 4, 1));
    assert_eq!((moved.evidence, moved.keys, moved.left.len()), (1, 5, 0));
    assert_eq!(checked(&place.options, START_MS + 10).problems, Vec::<String>::new());
    let shared = Some((settings.clone(), clock(10)));
    let store = Store::open(&OpenOptions { shared, ..options(directory.path()) }).unwrap();
    assert_eq!(answers(&store, &known), before);
    // What waited or ran is open to all, and new jobs are numbered behind what was done.
    let running = known.jobs[5].row;
    let again = store.begin_start(running, START_MS + 20, |_| Event::Start).wait();
    assert_eq!(again.unwrap().unwrap().attempts, 2);
    let last = store.last_completion().wait().unwrap();
    let done = Event::Succeed { lease: 2, present: None };
    let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
    let decide = move |_: &Job| done.clone();
    store.transition(running, START_MS + 21, decide, Some(result)).unwrap().unwrap();
    assert_eq!(store.last_completion().wait().unwrap(), last.map(|last| last + 1));
    assert_eq!(checked(&place.options, START_MS + 22).problems, Vec::<String>::new());

    // A second move is refused, and changes nothing.
    let again = Store::move_to_shared(directory.path(), &settings, &clock(30), &mut |_| {});
    assert!(again.unwrap_err().to_string().contains("the process a has the store"));
    // Each job expires after a day; the webhooks are given up two days later.
    for (hours, end) in [(26, HourEnd::Kept(4)), (100, HourEnd::Dropped)] {
        let now_ms = START_MS + hours * HOUR_MS;
        while store.sweep(now_ms, 0).unwrap().rows > 0 {}
        let ended = block_on(async { remove_hours(&place.connect().await, now_ms).await.unwrap() });
        let first = ended.iter().find(|(hour, _)| hour.number() == 0);
        assert_eq!(first.map(|(_, ended)| *ended), Some(end));
        assert_eq!(checked(&place.options, now_ms).problems, Vec::<String>::new());
    }
    store.close();
    let again = Store::move_to_shared(directory.path(), &settings, &clock(40), &mut |_| {});
    assert!(again.unwrap_err().to_string().contains("has or had jobs"));
}

#[test]
fn move_that_breaks_off_leaves_nothing_and_can_be_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&options(directory.path())).unwrap();
    fill(&store);
    let in_use = |place: &Place| {
        Store::move_to_shared(directory.path(), &settings(place), &clock(5), &mut |_| {})
    };
    let place = Place::empty();
    assert!(matches!(in_use(&place), Err(StoreError::InUse(_))));
    store.close();
    drop(store);
    let source = crate::store::embedded::MoveSource::open(directory.path()).unwrap();
    let moved = MovedStore { id_key: source.id_key, scrapers: source.scrapers.clone() };
    let mut rows = 0;
    let broken = take_over(
        &settings(&place),
        &clock(5),
        moved,
        |visit| {
            source.visit_all(&mut |row| {
                rows += 1;
                if rows == 12 { Err(StoreError::Closed) } else { visit(row) }
            })
        },
        &mut |_| {},
    );
    assert!(matches!(broken, Err(StoreError::Closed)), "{broken:?}");
    drop(source);
    block_on(async {
        let session = place.connect().await;
        assert_eq!(number(&session, "SELECT count(*) FROM hours").await, 0);
        assert_eq!(number(&session, "SELECT count(*) FROM queue").await, 0);
        assert_eq!(number(&session, "SELECT count(*) FROM accounts").await, 0);
    });
    assert_eq!(in_use(&place).unwrap().jobs, 9);
}
