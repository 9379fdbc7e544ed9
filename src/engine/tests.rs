//! The engine with a store of its own, a manual clock, and an upstream that asks the test.

mod one_state;
mod planned;
pub(crate) mod receiver;
pub(crate) mod script;
pub(crate) mod steps;
mod world;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::pool::Slot;
use super::queue::{QUEUE_ENTRIES_MAX, Queue};
use super::state::Engine;
use super::{attempt, recovery, scheduler};
use crate::answer::{Answer, Kind};
use crate::clock::{Clock, ManualClock, UnixMs};
use crate::config::Settings;
use crate::job::{Event, Job, RawRequest, Reason, ScrapeRequest, State};
use crate::store::tests::failing::{Fault, Faulty};
use crate::store::{Blocking, OpenOptions, QuickRepair, Row, Store, SubmitLimits};
use crate::upstream::{Call, Registry, Upstream, UpstreamError};

const START_MS: UnixMs = 1_778_500_800_000;
/// How long a test waits for another thread before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An upstream that sends each prompt to the test, and waits for its decision.
struct Gated {
    asked: Sender<String>,
    decided: Receiver<Result<(), Reason>>,
}

impl Upstream for Gated {
    fn name(&self) -> &str {
        "gated"
    }

    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn ask(&self, request: &ScrapeRequest, _: &Call) -> Result<Answer, UpstreamError> {
        let _ = self.asked.send(request.prompt.clone());
        match self.decided.recv().unwrap_or(Err(Reason::Unreachable)) {
            Ok(()) => Ok(Answer { markdown: "42".to_owned(), ..Answer::default() }),
            Err(reason) => Err(UpstreamError::new(reason, "The test says no.")),
        }
    }
}

/// One worker on one scraper.
struct Fixture {
    engine: Arc<Engine>,
    store: Arc<Store>,
    clock: Arc<ManualClock>,
    asked: Receiver<String>,
    decide: Option<Sender<Result<(), Reason>>>,
    storage: Faulty,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.toml");
        let config = "[upstreams.gated]\nkind = \"practice\"\n\
                      [scrapers.chatgpt]\nupstreams = [\"gated\"]\nworkers = 1\n";
        std::fs::write(&file, config).unwrap();
        let settings = Settings::load_from(Some(&file), &BTreeMap::new()).unwrap();
        let options = options(directory.path());
        let storage = Faulty::new();
        let store = Arc::new(storage.open(&options));
        let (clock, manual) = Clock::manual(START_MS);
        let (ask, asked) = crossbeam_channel::unbounded();
        let (decide, decided) = crossbeam_channel::unbounded();
        let gated: Arc<dyn Upstream> = Arc::new(Gated { asked: ask, decided });
        let injected = HashMap::from([("gated".to_owned(), gated)]);
        let upstreams = crate::upstream::connect(
            &settings,
            &crate::upstream::Local::new("http://127.0.0.1:9", "", &settings),
            injected,
            &clock,
        )
        .unwrap();
        let engine =
            Engine::start(store.clone(), upstreams, &settings, String::new(), None, clock).unwrap();
        let decide = Some(decide);
        Fixture { engine, store, clock: manual, asked, decide, storage, _directory: directory }
    }

    fn new_job(&self, prompt: &str, interactive: bool) -> Job {
        Job { interactive, ..new_job(&self.store, prompt) }
    }

    fn submit(&self, job: Job) {
        let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
        self.store.submit(job, None, limits).wait().unwrap().unwrap();
    }

    fn queue(&self) -> &Queue {
        &self.engine.queues[0]
    }

    #[track_caller]
    fn asked(&self) -> String {
        self.asked.recv_timeout(PATIENCE).expect("no attempt began")
    }

    fn decide(&self, outcome: Result<(), Reason>) {
        self.decide.as_ref().unwrap().send(outcome).unwrap();
    }

    /// Moves the clock, in small steps that let no job expire, until the store works again.
    #[track_caller]
    fn recovered(&self) {
        until("the store does not recover", || {
            self.clock.advance_ms(1);
            self.store.failure().is_none()
        });
    }

    fn state(&self, row: Row) -> (State, u32) {
        let read =
            self.store.read_row(row, START_MS, |job, _| (job.state.clone(), job.attempts)).wait();
        read.unwrap().unwrap()
    }
}

fn options(directory: &Path) -> OpenOptions {
    OpenOptions {
        directory: directory.join("data"),
        cache_bytes: 1 << 20,
        quick_repair: QuickRepair::Never,
        free_mib_min: 0,
        scrapers: vec!["chatgpt".to_owned()],
        cache_entries_max: 10,
        cache_from_ms: 0,
        evidence_bytes_max: 0,
        shared: None,
    }
}

/// Returns a job that has not been submitted.
fn new_job(store: &Store, prompt: &str) -> Job {
    let identity = store.new_identity("team-a").wait().unwrap();
    let raw = RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() };
    let request = raw.check("chatgpt", &[]).unwrap();
    Job::fixture(identity.row, identity.nonce, request, START_MS)
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // An attempt that still asks gets no answer.
        drop(self.decide.take());
        self.engine.stop(60_000);
        self.store.close();
    }
}

#[test]
fn interactive_retry_does_not_queue_after_the_backlog() {
    let fixture = Fixture::new();
    fixture.submit(fixture.new_job("first", false));
    assert_eq!(fixture.asked(), "first");
    let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
    let backlog: Vec<_> = (0..QUEUE_ENTRIES_MAX + 100)
        .map(|_| fixture.store.submit(fixture.new_job("backlog", false), None, limits))
        .collect();
    for pending in backlog {
        pending.wait().unwrap().unwrap();
    }
    fixture.submit(fixture.new_job("waited for", true));

    fixture.decide(Ok(()));
    assert_eq!(fixture.asked(), "waited for");
    fixture.decide(Err(Reason::Overloaded));
    assert_eq!(fixture.asked(), "backlog");
    // The wait before the second attempt is at most a second.
    fixture.clock.advance_ms(1_000);
    let offered = (0..10_000_000).any(|_| {
        std::thread::yield_now();
        fixture.queue().pool.len(true) == 1
    });
    assert!(offered, "the scheduler has not offered the retry");
    fixture.decide(Ok(()));
    assert_eq!(fixture.asked(), "waited for");
}

#[test]
fn backlog_larger_than_the_channel_is_worked_off_in_order() {
    let fixture = Fixture::new();
    let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
    let count = 2 * QUEUE_ENTRIES_MAX + 100;
    let backlog: Vec<_> = (0..count)
        .map(|n| fixture.store.submit(fixture.new_job(&n.to_string(), false), None, limits))
        .collect();
    for pending in backlog {
        pending.wait().unwrap().unwrap();
    }
    for n in 0..count {
        assert_eq!(fixture.asked(), n.to_string(), "in the order of the submits, each once");
        fixture.decide(Err(Reason::Refused));
    }
}

#[test]
fn scheduler_offers_a_lost_row_again() {
    let fixture = Fixture::new();
    let job = fixture.new_job("lost", false);
    let row = job.row;
    // As when the write of a start has failed: the row is released without a wake.
    fixture.queue().set_lease(row, 1);
    fixture.submit(job);
    fixture.queue().release(row);
    assert!(fixture.asked.try_recv().is_err());
    fixture.clock.advance_ms(scheduler::PASS_EVERY_MS);
    assert_eq!(fixture.asked(), "lost");
}

#[test]
fn attempt_that_starts_during_the_give_back_goes_back_too() {
    let fixture = Fixture::new();
    let job = fixture.new_job("late", false);
    let row = job.row;
    fixture.queue().set_lease(row, 0);
    fixture.submit(job);
    fixture.engine.give_back();
    let starting = attempt::claim(&fixture.engine, fixture.queue(), row);
    let mut slot = Some(Slot::of_no_pool());
    let ran = attempt::run(&fixture.engine, fixture.queue(), row, starting, &mut slot);
    assert_eq!(ran.err(), Some(attempt::WorkOutcome::Over));
    assert_eq!(fixture.state(row), (State::Queued, 0));
    assert!(fixture.asked.try_recv().is_err());
}

#[test]
fn attempt_whose_start_is_written_goes_back_though_its_worker_never_goes_on() {
    let fixture = Fixture::new();
    let job = fixture.new_job("cut off", false);
    let row = job.row;
    fixture.queue().set_lease(row, 0);
    fixture.submit(job);
    let starting = attempt::claim(&fixture.engine, fixture.queue(), row);
    fixture.engine.give_back();
    assert_eq!(fixture.state(row), (State::Queued, 0));
    let mut slot = Some(Slot::of_no_pool());
    let ran = attempt::run(&fixture.engine, fixture.queue(), row, starting, &mut slot);
    assert_eq!(ran.err(), Some(attempt::WorkOutcome::Over));
    assert!(fixture.asked.try_recv().is_err());
}

#[test]
fn attempt_that_an_earlier_process_left_is_not_given_back() {
    let fixture = Fixture::new();
    let job = fixture.new_job("left by a crash", false);
    let row = job.row;
    fixture.queue().set_lease(row, 0);
    fixture.submit(job);
    drop(attempt::claim(&fixture.engine, fixture.queue(), row));
    until("no start is written", || fixture.state(row) == (State::Running, 1));
    // To the next process the row is one that waits.
    fixture.queue().release(row);
    fixture.queue().set_lease(row, 0);
    fixture.engine.give_back();
    assert_eq!(fixture.state(row), (State::Running, 1));
    // Nor does a start that comes too late give it back.
    let starting = attempt::claim(&fixture.engine, fixture.queue(), row);
    let mut slot = Some(Slot::of_no_pool());
    let ran = attempt::run(&fixture.engine, fixture.queue(), row, starting, &mut slot);
    assert_eq!(ran.err(), Some(attempt::WorkOutcome::Over));
    assert_eq!(fixture.state(row), (State::Running, 1));
}

/// Waits for what another thread does.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = (0..10_000_000).any(|_| {
        std::thread::yield_now();
        holds()
    });
    assert!(held, "{what}");
}

#[test]
fn answer_is_kept_until_the_store_takes_it() {
    let fixture = Fixture::new();
    let job = fixture.new_job("paid for", false);
    let row = job.row;
    fixture.submit(job);
    let queued = fixture.new_job("queued", false);
    let queued_row = queued.row;
    fixture.submit(queued);
    assert_eq!(fixture.asked(), "paid for");
    let mut ended = fixture.engine.wait_for(row);

    fixture.storage.refuse(Fault::Writes);
    fixture.decide(Ok(()));
    until("the store has not failed", || fixture.store.failure().is_some());
    for _ in 0..5 {
        fixture.clock.advance_ms(recovery::PAUSE_MS_MAX);
        let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
        let refused = fixture.store.submit(fixture.new_job("refused", false), None, limits);
        assert!(refused.wait().is_err());
        assert!(!ended.is_over());
    }

    fixture.storage.refuse(Fault::Nothing);
    fixture.recovered();
    assert_eq!(fixture.asked(), "queued", "the worker goes on");
    assert_eq!(fixture.state(row), (State::Done, 1));
    assert_eq!(fixture.state(queued_row), (State::Running, 1));
    until("the caller was not woken", || ended.is_over());
    assert!(fixture.asked.try_recv().is_err(), "nothing was asked twice");
    fixture.decide(Ok(()));
}

#[test]
fn answer_that_was_written_and_reported_as_failed_is_there_once() {
    let fixture = Fixture::new();
    let job = fixture.new_job("first", false);
    let row = job.row;
    fixture.submit(job);
    assert_eq!(fixture.asked(), "first");
    fixture.submit(fixture.new_job("second", false));
    let mut ended = fixture.engine.wait_for(row);
    fixture.storage.refuse(Fault::Confirms);
    fixture.decide(Ok(()));
    until("the store has not failed", || fixture.store.failure().is_some());
    fixture.storage.refuse(Fault::Nothing);
    fixture.recovered();
    until("the caller was not woken", || ended.is_over());
    assert_eq!(fixture.state(row), (State::Done, 1));
    assert_eq!(fixture.asked(), "second");
    fixture.decide(Ok(()));
}

#[test]
fn start_that_was_written_and_reported_as_failed_is_retried() {
    let fixture = Fixture::new();
    let job = Job { due_ms: START_MS + 5_000, ..fixture.new_job("later", false) };
    let row = job.row;
    fixture.submit(job);
    fixture.storage.refuse(Fault::Confirms);
    // At once: the writer's own commit after a rest may fail before the start does, and the job is due
    // all the same.
    fixture.clock.advance_ms(5_000);
    until("the start has not failed", || fixture.store.failure().is_some());
    assert!(fixture.asked.try_recv().is_err(), "what is not written is not begun");
    fixture.storage.refuse(Fault::Nothing);
    fixture.recovered();
    assert_eq!(fixture.asked(), "later");
    let mut ended = fixture.engine.wait_for(row);
    fixture.decide(Ok(()));
    until("the caller was not woken", || ended.is_over());
    let (state, attempts) = fixture.state(row);
    assert_eq!(state, State::Done);
    assert!(attempts <= 2, "a start that stands counts, as that of a crash does");
}

#[test]
fn damage_of_the_store_is_reported() {
    let fixture = Fixture::new();
    let failures = fixture.engine.store_failures();
    fixture.storage.refuse(Fault::Writes);
    let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
    let refused = fixture.store.submit(fixture.new_job("x", false), None, limits);
    assert!(refused.wait().is_err());
    fixture.storage.ruin();
    fixture.storage.refuse(Fault::Nothing);
    until("the damage is not reported", || {
        fixture.clock.advance_ms(1);
        failures.try_recv().is_ok()
    });
    assert!(fixture.store.failure().is_some_and(|error| error.is_damage()));
}
