//! The service against a model in memory: random calls, workers that stop in the middle of their
//! attempts, restarts, kills and steps of the clock. After each of them both say the same.

mod calls;
mod compare;
mod engine;
mod expected;

use std::collections::VecDeque;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::clock::calendar_month;
use crate::job::{Handling, Job, RawRequest, Reason, ScrapeRequest};
use crate::store::tests::crash::setting;
use expected::{Expected, Phase};

/// What a run of the tests does. `ANSWERD_MODEL_CASES` asks for more.
const CASES: u32 = 16;
/// Of a scraper, its running one included.
const UNFINISHED_MAX: usize = 6;
const ALLOWANCE: u64 = 40;
const PRICE: u64 = 3;
const RETENTION_MS: u64 = 3_600_000;
const CACHE_MS: u64 = 600_000;
const RETRIES: u32 = 2;
const BACKOFF_MS: u64 = 1_000;
const ACCOUNTS: [&str; 2] = ["team-a", "team-b"];
const LABELS: [&str; 2] = ["red", "blue"];

#[derive(Clone, Debug)]
enum Operation {
    Submit(Submit),
    Batch {
        account: usize,
        prompts: Vec<usize>,
        webhook: bool,
    },
    Cancel {
        at: usize,
        account: usize,
    },
    CancelBatch {
        at: usize,
        account: usize,
    },
    /// Lets the attempts of a scraper end from now on, or holds them.
    Gate {
        scraper: usize,
        open: bool,
    },
    /// What the upstream does from now on.
    Act(Act),
    /// Time passes, milliseconds.
    Advance(u64),
    /// The wall clock is set, by so many milliseconds.
    Step(i64),
    Restart,
    Kill,
}

#[derive(Clone, Debug)]
struct Submit {
    scraper: usize,
    account: usize,
    prompt: usize,
    bypass: bool,
    key: Option<usize>,
    label: Option<usize>,
    start_within_ms: Option<u32>,
    webhook: bool,
}

const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

fn operation() -> impl Strategy<Value = Operation> {
    let submit = (
        (0..2_usize, 0..2_usize, 0..4_usize, prop::bool::weighted(0.3)),
        prop::option::weighted(0.3, 0..3_usize),
        prop::option::of(0..2_usize),
        prop::option::weighted(0.2, 1_000..5_000_u32),
        any::<bool>(),
    );
    let acts =
        [Act::Answer, Act::Fail(Reason::Empty), Act::Fail(Reason::Refused), Act::Limit(5_000)];
    let steps = [2, 1_200, 7_200].map(|seconds| seconds * 1_000);
    let steps = steps.into_iter().chain([YEAR_MS]).flat_map(|step| [step, -step]);
    prop_oneof![
        12 => submit.prop_map(|(what, key, label, start_within_ms, webhook)| {
            let (scraper, account, prompt, bypass) = what;
            Operation::Submit(Submit {
                scraper, account, prompt, bypass, key, label, start_within_ms, webhook,
            })
        }),
        1 => (0..2_usize, prop::collection::vec(0..4_usize, 1..4), any::<bool>())
            .prop_map(|(account, prompts, webhook)| Operation::Batch { account, prompts, webhook }),
        3 => (0..8_usize, 0..2_usize).prop_map(|(at, account)| Operation::Cancel { at, account }),
        1 => (0..3_usize, 0..2_usize)
            .prop_map(|(at, account)| Operation::CancelBatch { at, account }),
        5 => (0..2_usize, any::<bool>())
            .prop_map(|(scraper, open)| Operation::Gate { scraper, open }),
        4 => prop::sample::select(acts.to_vec()).prop_map(Operation::Act),
        6 => (0..3_000_u64).prop_map(Operation::Advance),
        2 => (60_000..900_000_u64).prop_map(Operation::Advance),
        1 => (RETENTION_MS..2 * RETENTION_MS).prop_map(Operation::Advance),
        2 => prop::sample::select(steps.collect::<Vec<_>>()).prop_map(Operation::Step),
        1 => Just(Operation::Restart),
        1 => Just(Operation::Kill),
    ]
}

struct ExpectedBatch {
    id: String,
    row: u64,
    account: usize,
    expires_ms: UnixMs,
    /// It was swept.
    gone: bool,
    webhook: bool,
    /// How many of its jobs there are, and how many of them have ended well and have not.
    jobs: u32,
    done: u32,
    failed: u32,
}

struct Model {
    world: World,
    /// Every job that exists, by its row, expired ones that wait for the sweep included.
    jobs: BTreeMap<u64, Expected>,
    batches: Vec<ExpectedBatch>,
    /// Credits used, by account and month.
    used: BTreeMap<(usize, u32), u64>,
    /// Rows by account and idempotency key.
    keys: BTreeMap<(usize, usize), u64>,
    /// What the cache's table holds: when it was stored, the row, the scraper and the prompt.
    stored: BTreeMap<(UnixMs, u64), (usize, usize)>,
    /// What of it is known for its scraper and prompt, in the order in which it came; the last
    /// serves.
    cache: VecDeque<((usize, usize), (UnixMs, u64))>,
    /// What each worker does and what waits in its channel.
    workers: [engine::Worker; 2],
    open: [bool; 2],
    act: Act,
    /// Failures of the upstream in a row: after a few it would be given a rest.
    ill: u32,
    /// The clock was set back by so much: what waits comes due earlier.
    hasten: Option<u64>,
    /// Ids of webhooks that are to come.
    webhooks: Vec<String>,
}

impl Model {
    fn new() -> Model {
        let retries = format!(
            "[store]\nretention_hours = 1\n[cache]\nttl_seconds = {}\n[queue]\njobs_max = {}\n\
             [retry]\nretries = {RETRIES}\nbackoff_ms = {BACKOFF_MS}\n",
            CACHE_MS / 1000,
            UNFINISHED_MAX - 1,
        );
        Model {
            world: World::new(&retries),
            jobs: BTreeMap::new(),
            batches: Vec::new(),
            used: BTreeMap::new(),
            keys: BTreeMap::new(),
            stored: BTreeMap::new(),
            cache: VecDeque::new(),
            workers: Default::default(),
            open: [true; 2],
            act: Act::Answer,
            ill: 0,
            hasten: None,
            webhooks: Vec::new(),
        }
    }

    fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Submit(submit) => self.submit(&submit),
            Operation::Batch { account, prompts, webhook } => {
                self.submit_batch(account, &prompts, webhook);
            }
            Operation::Cancel { at, account } => self.cancel(at, account),
            Operation::CancelBatch { at, account } => self.cancel_batch(at, account),
            Operation::Gate { scraper, open } => self.open[scraper] = open,
            Operation::Act(act) => self.act = act,
            Operation::Advance(by_ms) => self.world.clock.1.advance_ms(by_ms),
            Operation::Step(by_ms) => {
                let at_ms = self.world.now_ms().saturating_add_signed(by_ms);
                self.world.clock.1.set_ms(at_ms);
                self.hasten = (by_ms < 0).then_some(by_ms.unsigned_abs());
                // As within ten seconds by itself.
                let _ = self.world.life().steps.engine.scheduler_passes();
            }
            Operation::Restart => {
                self.world.restart();
                self.reborn(true);
            }
            Operation::Kill => {
                self.world.kill();
                self.reborn(false);
            }
        }
        self.settle();
        self.compare();
    }

    /// Lets every attempt end and everything expire. What is left then?
    fn finish(mut self) {
        self.run(Operation::Act(Act::Answer));
        for scraper in 0..SCRAPERS.len() {
            self.run(Operation::Gate { scraper, open: true });
        }
        // Longer than any wait before a retry, and than what was set forward is left alone.
        for _ in 0..12 {
            self.run(Operation::Advance(60_000));
        }
        let now_ms = self.world.now_ms();
        let over = |job: &Expected| job.phase.finished() || !job.exists(now_ms);
        assert!(self.jobs.values().all(over), "{:?}", self.jobs);
        let last_ms = self.jobs.values().map(|job| job.expires_ms).max().unwrap_or(0);
        self.world.clock.1.set_ms(last_ms.max(self.world.now_ms()) + CACHE_MS);
        for _ in 0..15 {
            self.run(Operation::Advance(60_000));
        }
        assert!(self.jobs.is_empty(), "{:?}", self.jobs);
        let directory = self.world.end();
        let report = Store::check(&directory).unwrap();
        assert_eq!((report.problems, report.jobs), (Vec::new(), 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: setting("ANSWERD_MODEL_CASES", CASES),
        max_shrink_iters: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_service_does_what_the_model_does(
        operations in prop::collection::vec(operation(), 1..120),
    ) {
        let mut model = Model::new();
        for operation in operations {
            model.run(operation);
        }
        model.finish();
    }
}
