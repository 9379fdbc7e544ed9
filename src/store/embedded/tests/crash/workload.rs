//! A random life of a store on a disk that notes everything, and the ledger of what was
//! acknowledged when.

mod webhooks;

use super::super::{NO_LIMITS, START_MS, hold_writer, options, request};
use super::disk::{Disk, Entry};
use super::ledger::{Ledger, Span, Stored};
use crate::job::{
    Batch, BatchKey, BatchProgress, Delivery, Event, Failure, Idempotency, Job, Reason, State,
    TransitionError,
};
use crate::store::embedded::{Embedded, database, jobs};
use crate::store::facade::Backend;
use crate::store::{
    Blocking, NewIdentity, NewItem, NewResult, OpenOptions, Pending, QuickRepair, Row, Store,
    SubmitError, SubmitLimits,
};
use crate::tests::fuzz::Dice;

/// How long jobs and cache entries exist.
const LIFE_MS: u64 = 10_000;
const CACHE_MS: u64 = 4_000;
const CACHE_BYTES: usize = 256 << 10;
/// The newest jobs, to which events happen.
const LIVELY_JOBS_MAX: usize = 12;

/// What may be wrong with the service, for the proof that it would be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    /// The disk says that it has synced, and has not.
    NoSync,
    /// Writes are acknowledged when they are asked for.
    EarlyAnswer,
    /// A job's entry in the ready index is written in a transaction of its own.
    IndexApart,
}

pub(crate) struct Run {
    /// The disk at the beginning: an empty database, which the store renames when it is whole.
    pub born: Vec<u8>,
    pub log: Vec<Entry>,
    pub ledger: Ledger,
}

/// Opens the store on a disk.
pub(crate) fn open(
    disk: Disk,
    quick_repair: QuickRepair,
) -> Result<Store, crate::store::StoreError> {
    let small = options(std::path::Path::new(""));
    let options = OpenOptions { quick_repair, cache_bytes: CACHE_BYTES, ..small };
    Ok(Store::keeping(Backend::Embedded(Embedded::open_on(Box::new(disk), &options)?)))
}

fn born() -> Vec<u8> {
    let disk = Disk::default();
    drop(database::create(|| Ok(disk.clone()), CACHE_BYTES).unwrap());
    disk.take().0
}

/// Lives `steps` steps.
pub(crate) fn run(seed: u64, steps: usize, quick_repair: QuickRepair, defect: Defect) -> Run {
    let born = born();
    let disk = match defect {
        Defect::NoSync => Disk::lying(born.clone()),
        Defect::None | Defect::EarlyAnswer | Defect::IndexApart => Disk::new(born.clone()),
    };
    let mut life = Life {
        store: open(disk.clone(), quick_repair).unwrap(),
        disk,
        quick_repair,
        defect,
        dice: Dice::new(seed),
        now_ms: START_MS,
        newest: Vec::new(),
        ledger: Ledger::default(),
    };
    for _ in 0..steps {
        life.step();
    }
    life.store.close();
    Run { born, log: life.disk.take().1, ledger: life.ledger }
}

struct Life {
    store: Store,
    disk: Disk,
    quick_repair: QuickRepair,
    defect: Defect,
    dice: Dice,
    now_ms: u64,
    /// As far as the answers say; the oldest are forgotten.
    newest: Vec<Job>,
    ledger: Ledger,
}

/// A write that has been queued.
enum Asked {
    Submit(Row, Option<Vec<u8>>, Pending<Result<Job, SubmitError>>),
    Batch(BatchKey, Vec<Job>, Pending<Result<Batch, SubmitError>>),
    Event(Option<Vec<u8>>, Pending<Result<Job, TransitionError>>),
    /// Whatever was asked for, its answer is the delivery of the row as it is then.
    Delivery(Row, Pending<Option<Delivery>>),
}

impl Life {
    fn step(&mut self) {
        self.now_ms += 1 + self.dice.below(400) as u64;
        match self.dice.below(100) {
            0..60 => self.writes(1),
            // A transaction that is held could not be waited for in parts.
            60..86 if self.defect != Defect::IndexApart => {
                let count = 2 + self.dice.below(5);
                self.writes(count);
            }
            60..86 => self.writes(1),
            86..91 => self.sweep(),
            91..96 => self.end_overdue(),
            96..98 => self.now_ms += LIFE_MS / 2,
            _ => self.reopen(),
        }
    }

    /// Queues so many writes, which share a transaction, and notes their answers.
    fn writes(&mut self, count: usize) {
        let asked = self.disk.position();
        let release = (count > 1).then(|| hold_writer(&self.store));
        let writes: Vec<Asked> = (0..count).map(|_| self.ask()).collect();
        if let Some(release) = release {
            release.send(()).unwrap();
        }
        for write in writes {
            self.settle(asked, write);
        }
    }

    fn ask(&mut self) -> Asked {
        match self.dice.below(100) {
            0..30 => self.submit(),
            30..36 => self.submit_batch(),
            36..54 => self.attempt().unwrap_or_else(|| self.submit()),
            54..58 => self.send_again().unwrap_or_else(|| self.submit()),
            _ if self.newest.is_empty() => self.submit(),
            _ => self.event(),
        }
    }

    fn job(&mut self, identity: NewIdentity) -> Job {
        let length = if self.dice.percent(20) { 600 + self.dice.below(3_000) } else { 20 };
        Job {
            account: ["team-a", "team-b"][self.dice.below(2)].to_owned(),
            expires_ms: self.now_ms + LIFE_MS,
            price: self.dice.below(4) as u32,
            interactive: self.dice.percent(50),
            label: self.dice.percent(30).then(|| format!("label {}", identity.row)),
            webhook_url: self.webhook_url(),
            ..Job::fixture(identity.row, identity.nonce, request(&"w".repeat(length)), self.now_ms)
        }
    }

    fn idempotency(&mut self, of: u128) -> Option<Idempotency> {
        let key_hash = 2 * self.dice.below(40) as u128 + of;
        let request_hash = self.dice.below(5) as u128 / 4;
        self.dice.percent(40).then_some(Idempotency { key_hash, request_hash })
    }

    fn submit(&mut self) -> Asked {
        let identity = self.store.new_identity("team-a").wait().unwrap();
        let mut job = self.job(identity);
        job.idempotency = self.idempotency(0);
        let mut result = None;
        if self.dice.percent(15) {
            (job.state, job.price, job.cached) = (State::Done, 0, true);
            job.completed_ms = Some(self.now_ms);
            result = Some(self.result(job.row));
        } else if self.dice.percent(40) {
            job.start_by_ms = Some(self.now_ms + 1 + self.dice.below(4_000) as u64);
        }
        let limits = SubmitLimits { unfinished_max: 30, monthly_credits: Some(5_000) };
        let pending = if self.defect == Defect::IndexApart && !job.state.finished() {
            self.submit_apart(job.clone())
        } else {
            self.store.submit(job.clone(), result.clone(), limits)
        };
        Asked::Submit(job.row, result, pending)
    }

    /// As a defective store would: the index comes in the next transaction.
    fn submit_apart(&mut self, job: Job) -> Pending<Result<Job, SubmitError>> {
        let (scrapers, key) =
            (self.store.scrapers.clone(), (0, job.interactive, job.due_ms, job.row));
        let pending = self.store.embedded().unwrap().queue(|queue| {
            queue.submit(move |tables| {
                let submitted = jobs::insert(tables, &scrapers, job, None, NO_LIMITS)?;
                let there = tables.ready.remove(key)?.is_some();
                Ok((submitted, there))
            })
        });
        let (submitted, there) = match pending.wait() {
            Ok(answer) => answer,
            Err(error) => return Pending::refused(error),
        };
        self.store.embedded().unwrap().queue(|queue| {
            queue.submit(move |tables| {
                if there {
                    tables.ready.insert(key, ())?;
                }
                Ok(submitted)
            })
        })
    }

    fn submit_batch(&mut self) -> Asked {
        let items = self.dice.below(5);
        let (key, identities) = self.store.new_batch_identity("team-a", items).wait().unwrap();
        let account = "team-a".to_owned();
        let mut all: Vec<Job> = Vec::new();
        for identity in identities {
            let job = self.job(identity);
            all.push(Job { account: account.clone(), batch: Some(key), ..job });
        }
        let limits = SubmitLimits { unfinished_max: 30, monthly_credits: Some(5_000) };
        let new = |job: &Job| NewItem { job: job.clone(), result: None, limits };
        let batch = Batch {
            key,
            account,
            label: self.dice.percent(30).then(|| "batch".to_owned()),
            items: items as u32,
            refused: Vec::new(),
            created_ms: self.now_ms,
            expires_ms: self.now_ms + LIFE_MS,
            idempotency: self.idempotency(1),
            webhook_url: self.webhook_url(),
            progress: BatchProgress::default(),
        };
        let pending = self.store.submit_batch(batch, all.iter().map(new).collect());
        Asked::Batch(key, all, pending)
    }

    fn event(&mut self) -> Asked {
        let job = &self.newest[self.dice.below(self.newest.len())];
        let (row, lease) = (job.row, job.lease);
        let no = |reason| Failure::new(reason, "no");
        let mut result = None;
        let event = match (&job.state, self.dice.below(100)) {
            (State::Running, 0..45) => {
                result = Some(self.result(row));
                Event::Succeed { lease, present: None }
            }
            (State::Running, 45..70) => {
                let due_ms = self.now_ms + self.dice.below(3_000) as u64;
                Event::RetryLater { lease, due_ms, last: no(Reason::Overloaded), spent: true }
            }
            (State::Running, 70..80) => Event::Fail { lease, failure: no(Reason::Refused) },
            (State::Running, 80..90) => Event::Release { lease },
            (_, 90..) => Event::Stop { failure: no(Reason::Canceled) },
            _ => Event::Start,
        };
        let cache_hash = self.dice.percent(50).then(|| self.dice.below(9) as u128);
        let new = result.clone().map(|json| NewResult { json, cache_hash });
        Asked::Event(result, self.transition(row, event, new))
    }

    /// [`Store::transition`] that does not wait.
    fn transition(
        &self,
        row: Row,
        event: Event,
        result: Option<NewResult>,
    ) -> Pending<Result<Job, TransitionError>> {
        let (scrapers, now_ms) = (self.store.scrapers.clone(), self.now_ms);
        self.store.embedded().unwrap().queue(|queue| {
            queue.submit_blocking(move |tables| {
                jobs::transition(tables, &scrapers, row, now_ms, |_| event, result.as_ref())
            })
        })
    }

    fn result(&mut self, row: Row) -> Vec<u8> {
        let length = if self.dice.percent(20) { self.dice.below(6_000) } else { 30 };
        format!("{{\"row\":{row},\"text\":\"{}\"}}", "r".repeat(length)).into_bytes()
    }

    /// The write's place in the log, now that it has been answered.
    fn span(&self, asked: usize) -> Span {
        let early = self.defect == Defect::EarlyAnswer;
        Span { asked, acknowledged: if early { asked } else { self.disk.position() } }
    }

    fn settle(&mut self, asked: usize, write: Asked) {
        match write {
            Asked::Submit(row, result, pending) => {
                let answer = pending.wait().unwrap();
                let span = self.span(asked);
                // Another row is that of the job which had the key before.
                if let Ok(submitted) = answer
                    && submitted.row == row
                {
                    self.note(span, (submitted, result));
                }
            }
            Asked::Batch(key, items, pending) => {
                let answer = pending.wait().unwrap();
                let span = self.span(asked);
                if let Ok(batch) = answer
                    && batch.key == key
                {
                    self.note_batch(span, batch, items);
                }
            }
            Asked::Event(result, pending) => {
                let answer = pending.wait().unwrap();
                let span = self.span(asked);
                if let Ok(job) = answer {
                    let result = result.filter(|_| job.state == State::Done);
                    self.note(span, (job, result));
                }
            }
            Asked::Delivery(row, pending) => {
                let answer = pending.wait().unwrap();
                let span = self.span(asked);
                if let Some(delivery) = answer {
                    self.ledger.deliveries.note(row, span, delivery);
                }
            }
        }
    }

    fn note(&mut self, span: Span, stored: Stored) {
        let job = &stored.0;
        self.newest.retain(|known| known.row != job.row);
        if !job.state.finished() {
            self.newest.push(job.clone());
        }
        if self.newest.len() > LIVELY_JOBS_MAX {
            self.newest.remove(0);
        }
        self.ledger.note(self.store.id_of(job), span, stored);
    }

    fn note_batch(&mut self, span: Span, batch: Batch, items: Vec<Job>) {
        let mut ids = Vec::new();
        for (index, job) in items.into_iter().enumerate() {
            if batch.refused.iter().all(|refused| refused.index != index as u32) {
                ids.push(self.store.id_of(&job));
                self.note(span, (job, None));
            }
        }
        self.ledger.note_batch(Batch { progress: BatchProgress::default(), ..batch }, ids, span);
    }

    fn sweep(&mut self) {
        let asked = self.disk.position();
        self.store.sweep(self.now_ms, self.now_ms - CACHE_MS).unwrap();
        let (now_ms, span) = (self.now_ms, self.span(asked));
        self.newest.retain(|job| job.expires_ms > now_ms);
        self.ledger.note_sweep(now_ms, span);
    }

    /// Sweeps first, since what has both expired and not started would be removed here.
    fn end_overdue(&mut self) {
        self.sweep();
        let asked = self.disk.position();
        let overdue = self.store.end_overdue(self.now_ms).unwrap();
        let span = self.span(asked);
        for job in overdue.ended {
            self.note(span, (job, None));
        }
    }

    fn reopen(&mut self) {
        self.store.close();
        self.store = open(self.disk.clone(), self.quick_repair).unwrap();
    }
}
