//! The store against a model that is a map, and against a second store that knows the rules of
//! `store/change.rs` alone: random operations with a manual time, and after each of them all three
//! say the same.

mod job;
mod memory;
mod operation;
mod outbox;
mod redb_store;
mod tested;

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::job::{
    Batch, BatchKey, BatchProgress, Delivery, DeliveryAttempt, Failure, Idempotency, ItemError,
    Reason, Recipient, RejectedItem,
};
use job::{Expected, Phase};
pub(crate) use memory::Content;
use memory::Memory;
pub(crate) use operation::{Operation, operation};
use outbox::{Told, URL};
pub(crate) use tested::Tested;

const LIFE_MS: u64 = 10_000;
/// How many of the newest jobs are read after each operation.
const READ_JOBS_MAX: usize = 12;
const CACHE_MS: u64 = 4_000;
const UNFINISHED_MAX: usize = 6;
const ALLOWANCE: u64 = 25;
const SCRAPERS: [&str; 2] = ["chatgpt", "perplexity"];
const ACCOUNTS: [&str; 2] = ["team-a", "team-b"];

pub(crate) struct Model<S> {
    store: Option<S>,
    now_ms: UnixMs,
    jobs: HashMap<Row, Expected>,
    /// When each batch expires.
    batches: Vec<UnixMs>,
    /// Every row that was ever accepted, and its id.
    accepted: Vec<(Row, Uuid)>,
    used: [u64; 2],
    /// The newest entry of each hash.
    cache: HashMap<u128, (Row, UnixMs)>,
    memory: Memory,
    heard: Arc<Heard>,
}

/// The effects that the store has reported since they were taken.
#[derive(Default)]
struct Heard(Mutex<Vec<Effect>>);

impl Listener for Heard {
    fn committed(&self, effects: &[Effect]) {
        self.0.lock().unwrap().extend_from_slice(effects);
    }

    fn failed(&self, error: &StoreError) {
        panic!("{error}");
    }
}

impl<S: Tested> Model<S> {
    pub(crate) fn new(store: S) -> Model<S> {
        let heard = Arc::new(Heard::default());
        store.listen(heard.clone());
        Model {
            store: Some(store),
            now_ms: START_MS,
            jobs: HashMap::new(),
            batches: Vec::new(),
            accepted: Vec::new(),
            used: [0; 2],
            cache: HashMap::new(),
            memory: Memory { drops_hours: S::DROPS_HOURS, ..Memory::default() },
            heard,
        }
    }

    fn store(&self) -> &S {
        self.store.as_ref().unwrap()
    }

    fn new_job(&self, prompt: &str) -> Job {
        let identity = self.store().new_identity();
        let job = Job::fixture(identity.row, identity.nonce, request(prompt), START_MS);
        Job { account: ACCOUNTS[0].to_owned(), ..job }
    }

    /// Ends the run with the store's own check.
    pub(crate) fn finish(mut self) {
        self.store.take().unwrap().finish(self.jobs.len());
    }

    fn reserved(&self, account: usize) -> u64 {
        let unfinished = self.jobs.values().filter(|job| !job.phase.finished());
        unfinished.filter(|job| job.account == account).map(|job| job.price).sum()
    }

    fn unfinished(&self, scraper: usize) -> usize {
        let jobs = self.jobs.values();
        jobs.filter(|job| job.scraper == scraper && !job.phase.finished()).count()
    }

    pub(crate) fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Submit {
                scraper,
                account,
                price,
                interactive,
                long,
                start_within_ms,
                key,
                webhook,
            } => {
                let mut job = self.new_job(if long { LONG } else { "short" });
                job.request.scraper = SCRAPERS[scraper].to_owned();
                (job.price, job.interactive) = (price, interactive);
                job.idempotency = key.map(|(key_hash, request_hash)| {
                    // An account's keys are its own.
                    Idempotency { key_hash: key_hash * 2 + account as u128, request_hash }
                });
                job.webhook_url = webhook.then(|| URL.to_owned());
                job.start_by_ms = start_within_ms.map(|within_ms| self.now_ms + within_ms);
                self.submit(job, scraper, account, None);
            }
            Operation::Batch { account, prices } => self.submit_batch(account, &prices),
            Operation::BornDone { account } => {
                let mut job = self.new_job("cached");
                (job.state, job.price, job.cached) = (State::Done, 0, true);
                job.completed_ms = Some(self.now_ms);
                job.webhook_url = Some(URL.to_owned());
                let json = result_of(job.row);
                self.submit(job, 0, account, Some(json));
            }
            Operation::Start(at) => self.apply(at, false, |_| Event::Start, None),
            Operation::Succeed { at, stale, hash } => {
                // No two results of one moment: their order would be by row after a reopen.
                self.now_ms += 1;
                self.apply(at, stale, |lease| Event::Succeed { lease, present: None }, Some(hash));
            }
            Operation::ServeCached(at) => {
                self.now_ms += 1;
                self.apply(at, false, |lease| Event::ServeCached { lease, present: None }, Some(0));
            }
            Operation::Retry { at, wait_ms } => {
                let due_ms = self.now_ms + wait_ms;
                let last = Failure::new(Reason::Overloaded, "busy");
                let event = |lease| Event::RetryLater { lease, due_ms, last, spent: true };
                self.apply(at, false, event, None);
            }
            Operation::Fail(at) => {
                let failure = Failure::new(Reason::Refused, "no");
                self.apply(at, false, |lease| Event::Fail { lease, failure }, None);
            }
            Operation::Release(at) => {
                self.apply(at, false, |lease| Event::Release { lease }, None);
            }
            Operation::Stop(at) => {
                let failure = Failure::new(Reason::Canceled, "no");
                self.apply(at, false, |_| Event::Stop { failure }, None);
            }
            Operation::Deliver { at, status } => self.deliver(at, status),
            Operation::SendAgain(at) => self.send_again(at),
            Operation::Advance(by_ms) => self.now_ms += by_ms,
            Operation::EndOverdue => self.end_overdue(),
            Operation::Sweep => self.sweep(),
            Operation::Reopen => {
                self.store = self.store.take().map(|store| store.reopen(self.now_ms));
                self.store().listen(self.heard.clone());
            }
        }
        self.compare();
        self.compare_memory();
    }

    fn submit(&mut self, mut job: Job, scraper: usize, account: usize, result: Option<Vec<u8>>) {
        job.account = ACCOUNTS[account].to_owned();
        (job.created_ms, job.due_ms) = (self.now_ms, self.now_ms);
        job.expires_ms = self.now_ms + LIFE_MS;
        let price = u64::from(job.price);
        let phase = Phase::of(&job.state);
        let earlier = job.idempotency.and_then(|known| {
            let same = self.jobs.iter().filter(|(_, job)| job.expires_ms > self.now_ms);
            let same = same.filter_map(|(row, job)| Some((*row, job.idempotency?)));
            same.filter(|(_, of)| of.key_hash == known.key_hash).max_by_key(|(row, _)| *row)
        });
        if let Some((row, of)) = earlier {
            let limits = SubmitLimits { unfinished_max: 0, monthly_credits: Some(0) };
            let known = job.idempotency;
            let second = self.memory.submit(job.clone(), result.as_deref(), limits);
            let submitted = self.store().submit(job, result, limits);
            assert_eq!(submitted, second);
            let expected = if known == Some(of) { Ok(row) } else { Err(SubmitError::KeyReused) };
            assert_eq!(submitted.map(|job| job.row), expected);
            return;
        }
        let expected = if !phase.finished() && self.unfinished(scraper) >= UNFINISHED_MAX {
            Err(SubmitError::QueueFull)
        } else if price > 0 && self.reserved(account) + self.used[account] + price > ALLOWANCE {
            Err(SubmitError::CreditLimit)
        } else {
            Ok(job.clone())
        };
        let limits =
            SubmitLimits { unfinished_max: UNFINISHED_MAX, monthly_credits: Some(ALLOWANCE) };
        let second = self.memory.submit(job.clone(), result.as_deref(), limits);
        assert_eq!(second, expected);
        let submitted = self.store().submit(job.clone(), result, limits);
        assert_eq!(submitted, expected);
        if submitted.is_ok() {
            self.accept(&job, phase, scraper, account);
        }
    }

    /// A batch of jobs for the first scraper with these prices.
    fn submit_batch(&mut self, account: usize, prices: &[u32]) {
        let (key, identities) = self.store().new_batch_identity(prices.len());
        let items = prices.iter().zip(&identities).map(|(price, identity)| {
            let template = self.new_job("one of a batch");
            let job = Job {
                row: identity.row,
                nonce: identity.nonce,
                account: ACCOUNTS[account].to_owned(),
                price: *price,
                created_ms: self.now_ms,
                due_ms: self.now_ms,
                expires_ms: self.now_ms + LIFE_MS,
                batch: Some(key),
                ..template
            };
            let limits =
                SubmitLimits { unfinished_max: UNFINISHED_MAX, monthly_credits: Some(ALLOWANCE) };
            NewItem { job, result: None, limits }
        });
        let items: Vec<NewItem> = items.collect();
        let mut expected = Vec::new();
        for (index, NewItem { job, .. }) in items.iter().enumerate() {
            let price = u64::from(job.price);
            let why = if self.unfinished(0) >= UNFINISHED_MAX {
                ItemError::QueueFull
            } else if price > 0 && self.reserved(account) + self.used[account] + price > ALLOWANCE {
                ItemError::CreditLimit
            } else {
                self.accept(job, Phase::Queued, 0, account);
                continue;
            };
            expected.push(RejectedItem { index: index as u32, why });
        }
        let batch = Batch {
            key,
            account: ACCOUNTS[account].to_owned(),
            label: None,
            items: prices.len() as u32,
            refused: Vec::new(),
            created_ms: self.now_ms,
            expires_ms: self.now_ms + LIFE_MS,
            idempotency: None,
            webhook_url: None,
            progress: BatchProgress::default(),
        };
        let again = |item: &NewItem| NewItem {
            job: item.job.clone(),
            result: item.result.clone(),
            limits: item.limits,
        };
        let again = items.iter().map(again).collect();
        self.memory.submit_batch(batch.clone(), again);
        let submitted = self.store().submit_batch(batch, items).unwrap();
        assert_eq!(submitted.refused, expected);
        self.batches.push(submitted.expires_ms);
        let read = self.store().batch(key.id, self.now_ms);
        assert_eq!(read, Some(submitted));
    }

    fn accept(&mut self, job: &Job, phase: Phase, scraper: usize, account: usize) {
        let id = self.store().id_of(job);
        self.accepted.push((job.row, id));
        let known = Expected {
            id,
            phase,
            scraper,
            account,
            price: u64::from(job.price),
            interactive: job.interactive,
            attempts: 0,
            lease: 0,
            due_ms: job.due_ms,
            expires_ms: job.expires_ms,
            start_by_ms: job.start_by_ms,
            idempotency: job.idempotency,
            webhook: job.webhook_url.is_some(),
            delivery: None,
            held_until_ms: None,
        };
        let known = known.told(self.now_ms);
        assert!(self.jobs.insert(job.row, known).is_none(), "a row was given twice");
    }

    /// Applies to one of the accepted jobs the event that `event` makes of a lease.
    fn apply(
        &mut self,
        at: usize,
        stale: bool,
        event: impl FnOnce(u32) -> Event,
        hash: Option<u128>,
    ) {
        let Some(row) = self.row_at(at) else { return };
        let now_ms = self.now_ms;
        let known = self.jobs.get_mut(&row).filter(|job| job.expires_ms > now_ms);
        let lease = known.as_ref().map_or(0, |job| job.lease).wrapping_sub(u32::from(stale));
        let event = event(lease);
        let expected = match known {
            None => Err(TransitionError::Gone),
            Some(job) => {
                let expected = job.expect(&event);
                *job = job.clone().told(now_ms);
                expected
            }
        };
        let result = hash.map(|hash| NewResult { json: result_of(row), cache_hash: Some(hash) });
        let done = hash.filter(|_| expected == Ok(Phase::Done));
        let second = self.memory.transition(row, now_ms, |_| Some(event.clone()), result.as_ref());
        assert_eq!(second.map(|job| Phase::of(&job.state)), expected);
        let applied = self.store().transition(row, now_ms, event, result);
        assert_eq!(applied.map(|job| Phase::of(&job.state)), expected);
        if let Some(hash) = done {
            let job = &self.jobs[&row];
            self.used[job.account] += job.price;
            self.cache.insert(hash, (row, now_ms));
        }
    }

    fn end_overdue(&mut self) {
        let now_ms = self.now_ms;
        let mut expected = Vec::new();
        for (row, job) in &mut self.jobs {
            if job.deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) && job.expires_ms > now_ms {
                job.phase = Phase::Failed;
                *job = job.clone().told(now_ms);
                expected.push(*row);
            }
        }
        expected.sort_unstable();
        self.memory.end_overdue(now_ms);
        let overdue = self.store().end_overdue(now_ms);
        let mut ended: Vec<Row> = overdue.iter().map(|job| job.row).collect();
        ended.sort_unstable();
        assert_eq!(ended, expected);
        // Those that have expired meanwhile go at once.
        self.jobs.retain(|_, job| {
            job.expires_ms > now_ms || job.deadline_ms().is_none_or(|at_ms| at_ms > now_ms)
        });
    }

    fn sweep(&mut self) {
        let now_ms = self.now_ms;
        let filed = |job: &Expected| job.held_until_ms.unwrap_or(job.expires_ms) <= now_ms;
        let gone = |job: &Expected| filed(job) && !(S::DROPS_HOURS && job.phase.finished());
        let expired = self.jobs.values().filter(|job| gone(job)).count();
        let batches = self.batches.len();
        if !S::DROPS_HOURS {
            self.batches.retain(|at_ms| *at_ms > now_ms);
        }
        self.memory.sweep(now_ms, now_ms - CACHE_MS);
        let swept = self.store().sweep(now_ms, now_ms - CACHE_MS);
        assert_eq!(swept, expired + batches - self.batches.len());
        self.jobs.retain(|_, job| !gone(job) || job.pending());
        for job in self.jobs.values_mut().filter(|job| gone(job)) {
            job.held_until_ms = Some(now_ms + 3_600_000);
        }
    }

    /// The row of one of the accepted jobs, counted from the newest: the oldest are mostly gone.
    fn row_at(&self, at: usize) -> Option<Row> {
        let newest = self.accepted.len().checked_sub(1 + at % self.accepted.len().max(1))?;
        Some(self.accepted[newest].0)
    }

    /// Compares all that both stores hold, and what has followed from the step.
    fn compare_memory(&mut self) {
        assert_eq!(self.memory.compared(self.now_ms), self.store().content(self.now_ms));
        let text = |effects: Vec<Effect>| {
            let mut lines: Vec<String> = effects.iter().map(|it| format!("{it:?}")).collect();
            lines.sort_unstable();
            lines
        };
        let second = std::mem::take(&mut self.memory.effects);
        let heard = std::mem::take(&mut *self.heard.0.lock().unwrap());
        assert_eq!(text(second), text(heard));
    }

    fn compare(&self) {
        self.compare_outbox();
        let store = self.store();
        for (account, name) in ACCOUNTS.into_iter().enumerate() {
            let credits = Credits { reserved: self.reserved(account), used: self.used[account] };
            assert_eq!(store.credits(name, MONTH), credits, "{name}");
        }
        for scraper in 0..SCRAPERS.len() {
            assert_eq!(store.unfinished(scraper as u16), self.unfinished(scraper));
            for interactive in [true, false] {
                self.compare_ready(scraper, interactive);
            }
        }
        for (row, id) in self.accepted.iter().rev().take(READ_JOBS_MAX) {
            let read = store.read_job(*id, self.now_ms).map(|(job, result)| {
                assert_eq!(result, (job.state == State::Done).then(|| result_of(*row)));
                (Phase::of(&job.state), job.attempts, job.lease, job.due_ms)
            });
            // A row that nothing names any more may be given again after a reopen; an id never is.
            let known = self.jobs.get(row).filter(|job| job.id == *id);
            let known = known.filter(|job| job.expires_ms > self.now_ms);
            let known = known.map(|job| (job.phase, job.attempts, job.lease, job.due_ms));
            assert_eq!(read, known, "row {row}");
        }
        let from_ms = self.now_ms - CACHE_MS;
        for (hash, (row, stored_ms)) in &self.cache {
            let exists = self.jobs.get(row).is_some_and(|job| job.expires_ms > self.now_ms);
            let serves = *stored_ms >= from_ms && exists;
            let expected = serves.then(|| (*stored_ms, result_of(*row)));
            let cached = store.cached(*hash, from_ms, self.now_ms);
            assert_eq!(cached.map(|cached| (cached.stored_ms, cached.json)), expected);
        }
    }

    fn compare_ready(&self, scraper: usize, interactive: bool) {
        let mut known: Vec<(UnixMs, Row)> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.scraper == scraper && job.interactive == interactive)
            .filter(|(_, job)| !job.phase.finished() && job.due_ms <= self.now_ms)
            .map(|(row, job)| (job.due_ms, *row))
            .collect();
        known.sort_unstable();
        let visited = self.store().ready(scraper as u16, interactive, self.now_ms);
        assert_eq!(visited, known.into_iter().map(|(_, row)| row).collect::<Vec<_>>());
    }
}

/// Too long to stand in the record.
const LONG: &str = match std::str::from_utf8(&[b'x'; 600]) {
    Ok(text) => text,
    Err(_) => "",
};

fn result_of(row: Row) -> Vec<u8> {
    format!("{{\"row\":{row}}}").into_bytes()
}

proptest! {
    // Few and long: opening costs more than writing.
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(
        operations in prop::collection::vec(operation(), 100..160),
    ) {
        let mut model = Model::new(Fixture::new());
        for operation in operations {
            model.run(operation);
        }
        model.finish();
    }
}
