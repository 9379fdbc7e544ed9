//! An engine that is stepped, on a disk that fails and survives a kill, with an upstream and a
//! receiver of webhooks that do as they are told; and the story of what has happened to its state.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::breakpoints::Point;
use super::receiver::{Receiver, Told};
use super::script::{Act, Script};
use super::steps::{Order, Steps};
use super::*;
use crate::config::SigningKey;
use crate::store::tests::print;

/// How often the clock is moved to what comes due next before a test gives up.
const DUE_MAX: usize = 100;

/// One process, from its start to its end.
struct Life {
    steps: Steps,
    store: Arc<Store>,
    storage: Faulty,
}

pub(super) struct World {
    life: Option<Life>,
    clock: (Clock, Arc<ManualClock>),
    settings: Settings,
    script: Arc<Script>,
    receiver: Receiver,
    story: String,
    /// The state that the story has told last.
    told: BTreeSet<String>,
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> World {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.toml");
        let config = "[upstreams.scripted]\nkind = \"practice\"\n\
                      [scrapers.chatgpt]\nupstreams = [\"scripted\"]\nworkers = 1\n";
        std::fs::write(&file, config).unwrap();
        let mut settings = Settings::load_from(Some(&file), &BTreeMap::new()).unwrap();
        settings.store.path = directory.path().join("data");
        settings.webhooks.keys =
            SigningKey::parse(&SigningKey::text_of(&[7; 32])).into_iter().collect();
        settings.webhooks.allow_hosts = vec!["127.0.0.1".to_owned()];
        settings.webhooks.workers = 1;
        let script = Arc::new(Script::of(acts));
        let mut world = World {
            life: None,
            clock: Clock::manual(START_MS),
            settings,
            script,
            receiver: Receiver::start(),
            story: String::new(),
            told: BTreeSet::new(),
            directory,
        };
        world.begin(Faulty::new());
        world
    }

    /// Starts a process on what the last one has left.
    fn begin(&mut self, storage: Faulty) {
        let store = Arc::new(storage.open(&options(self.directory.path())));
        let script: Arc<dyn Upstream> = self.script.clone();
        let injected = HashMap::from([("scripted".to_owned(), script)]);
        let clock = &self.clock.0;
        let upstreams = crate::upstream::connect(
            &self.settings,
            &crate::upstream::Local::new("http://127.0.0.1:9", "", &self.settings),
            injected,
            clock,
        )
        .unwrap();
        let steps = Steps::start(store.clone(), upstreams, &self.settings, clock.clone());
        self.life = Some(Life { steps, store, storage });
    }

    fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.life().store
    }

    pub(crate) fn steps(&self) -> &Steps {
        &self.life().steps
    }

    /// Waits until the upstream has been asked by a thread that stands at [`Point::Asking`], and
    /// cancels the job before there is an answer.
    pub(crate) fn cancel_while_asked(&mut self, row: Row) {
        let name = self.run_to(Point::Asking);
        let before = self.asked();
        std::thread::scope(|scope| {
            let steps = self.steps();
            scope.spawn(move || steps.step(&name, Order::GoOn));
            until("the upstream is not asked", || self.asked() > before);
            let stop = |_: &Job| Event::Stop { failure: crate::job::Failure::canceled() };
            self.life().store.transition(row, START_MS, stop, None).unwrap().unwrap();
        });
        self.tell("canceled while the upstream was asked");
    }

    /// The process dies here, and another one starts on what it has left.
    pub(crate) fn kill(&mut self) {
        let life = self.life.take().unwrap();
        let storage = life.storage.after_kill();
        life.steps.kill();
        life.store.close();
        self.begin(storage);
        self.tell("a new process");
    }

    /// The process stops in order, with no time left for what runs, and another one starts.
    pub(crate) fn stop(&mut self) {
        let life = self.life.take().unwrap();
        life.steps.stop_where_they_stand();
        life.store.close();
        self.begin(life.storage.after_kill());
        self.tell("a new process");
    }

    pub(crate) fn refuse(&self, fault: Fault) {
        self.life().storage.refuse(fault);
    }

    /// Submits a job that `change` has changed, with a webhook to the receiver.
    pub(crate) fn submit(&mut self, change: impl FnOnce(&mut Job)) -> Row {
        let store = &self.life().store;
        let mut job = new_job(store, "What?");
        job.webhook_url = Some(self.receiver.url());
        change(&mut job);
        let row = job.row;
        let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
        store.submit(job, None, limits).wait().unwrap().unwrap();
        self.tell("submitted");
        row
    }

    /// Its owner cancels a job; whether it had not ended.
    pub(crate) fn cancel(&mut self, row: Row) -> bool {
        let stop = |_: &Job| Event::Stop { failure: crate::job::Failure::canceled() };
        let canceled = self.life().store.transition(row, self.clock.0.now_ms(), stop, None);
        self.tell("canceled");
        canceled.unwrap().is_ok()
    }

    /// Lets a thread make its next step.
    #[track_caller]
    pub(crate) fn step(&mut self, name: &str, order: Order) -> Point {
        let point = self.steps().step(name, order);
        self.tell(&format!("{name} at {point:?}"));
        point
    }

    /// Lets every thread go on, one after the other, until one stands at `point`; gives its name.
    #[track_caller]
    pub(crate) fn run_to(&mut self, point: Point) -> String {
        loop {
            let ready = self.steps().ready();
            if let Some((name, _)) = ready.iter().find(|(_, at)| *at == point) {
                return name.clone();
            }
            match ready.into_iter().next() {
                Some((name, _)) => drop(self.step(&name, Order::GoOn)),
                None => self.wait(),
            }
        }
    }

    /// Lets every thread go on, one after the other, until none has anything to do.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        while let Some((name, _)) = self.steps().ready().into_iter().next() {
            self.step(&name, Order::GoOn);
        }
    }

    /// Moves the clock to what comes due next.
    #[track_caller]
    fn wait(&mut self) {
        let due_ms = self.steps().next_due_ms();
        assert!(due_ms > self.clock.0.now_ms(), "what is due is not done:\n{}", self.story);
        self.advance_to(due_ms);
    }

    /// Lets everything go on and time pass until `holds`.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&World) -> bool) {
        for _ in 0..DUE_MAX {
            self.settle();
            if holds(self) {
                return;
            }
            self.wait();
        }
        panic!("{what}:\n{}", self.story);
    }

    pub(crate) fn works(&self) -> bool {
        self.life().store.failure().is_none()
    }

    /// Whether the job has ended and its webhook is not pending any more.
    pub(crate) fn over(&self, row: Row) -> bool {
        let Life { store, .. } = self.life();
        let ended =
            store.read_row(row, 0, |job, _| job.state.finished()).wait().unwrap() != Some(false);
        let delivery = store.delivery(row).wait().unwrap();
        ended && delivery.is_none_or(|delivery| delivery.due_ms().is_none())
    }

    pub(crate) fn id(&self, row: Row) -> String {
        let id = |job: &Job, _: Option<&[u8]>| self.life().store.id_of(job).to_string();
        self.life().store.read_row(row, 0, id).wait().unwrap().unwrap()
    }

    pub(crate) fn webhooks(&self) -> Vec<Told> {
        self.receiver.told()
    }

    pub(crate) fn asked(&self) -> u64 {
        self.script.asked()
    }

    pub(crate) fn advance_to(&mut self, at_ms: UnixMs) {
        self.clock.1.advance_ms(at_ms - self.clock.0.now_ms());
    }

    /// The whole state, a line for a row.
    pub(crate) fn state(&self) -> Vec<String> {
        let Life { steps, store, .. } = self.life();
        let state = print::state(store) + steps.taken().as_str();
        state.lines().map(without_chance).collect()
    }

    /// Adds to the story what has changed since the last time.
    fn tell(&mut self, what: &str) {
        if !self.works() {
            // Nothing can change, and not everything can be read.
            return;
        }
        let state: BTreeSet<String> = self.state().into_iter().collect();
        if state != self.told {
            let at_ms = self.clock.0.now_ms() - START_MS;
            writeln!(self.story, "+{at_ms} {what}").unwrap();
            for gone in self.told.difference(&state) {
                writeln!(self.story, "  - {gone}").unwrap();
            }
            for new in state.difference(&self.told) {
                writeln!(self.story, "  + {new}").unwrap();
            }
            self.told = state;
        }
    }

    /// The story from here on.
    pub(crate) fn forget_story(&mut self) {
        self.story.clear();
    }

    pub(crate) fn story(&self) -> &str {
        &self.story
    }

    /// Ends the process in order; what the check finds then.
    pub(crate) fn end(mut self) -> Vec<String> {
        let Life { steps, store, storage } = self.life.take().unwrap();
        steps.stop();
        store.close();
        storage.check_closed()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(Life { steps, store, .. }) = self.life.take() {
            steps.kill();
            store.close();
        }
    }
}

/// A line of the state without ids and run times.
fn without_chance(line: &str) -> String {
    let Some((row, json)) = line.strip_prefix("result ").and_then(|rest| rest.split_once(": "))
    else {
        return line.to_owned();
    };
    let result: serde_json::Value = serde_json::from_str(json).unwrap();
    format!("result {row}: {}", result["result"])
}
