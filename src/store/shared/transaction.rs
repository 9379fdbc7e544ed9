//! One transaction in memory: the rows that it has locked and read, what the operations change of
//! them, and what follows from its commit. The rules are those of `store/change.rs`; nothing here
//! asks the database.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::alert_marks::MarkThings;
use super::demand::Things;
use super::nodes::NodeNumber;
use super::process::{AccountNumber, Process};
use super::things::{ThingKey, ThingKind};
use crate::clock::{self, UnixMs};
use crate::job::{
    Batch, BatchKey, Delivery, Event, Idempotency, Job, Recipient, State, TransitionError,
};
use crate::store::accounts::{Credits, Usage};
use crate::store::alert_marks;
use crate::store::change::{self, JobChange};
use crate::store::effects::Effect;
use crate::store::idempotency::Existing;
use crate::store::{NewItem, NewResult, Row, StoreError, SubmitError, SubmitLimits};

/// The table that has what changes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoredIn {
    /// It is new.
    Nowhere,
    Queue,
    Ends,
}

/// The fate of a job's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Unchanged,
    Changed,
    /// It leaves the queue and has not ended: it has expired.
    Expired,
    /// All its rows go.
    Deleted,
}

/// A job as the transaction has it.
#[derive(Debug)]
pub(super) struct JobRow {
    pub job: Job,
    pub scraper: u16,
    pub account: AccountNumber,
    pub stored: StoredIn,
    pub fate: Fate,
    /// The node whose workers have it, in the queue.
    pub node: Option<i32>,
    /// The result's JSON, once it has ended.
    pub result: Option<Vec<u8>>,
}

/// A batch as the transaction has it.
#[derive(Debug)]
pub(super) struct BatchRow {
    pub batch: Batch,
    pub is_new: bool,
    pub changed: bool,
}

/// A delivery as the transaction has it.
#[derive(Debug)]
pub(super) struct DeliveryRow {
    pub delivery: Delivery,
    /// Known where it has changed.
    pub recipient: Option<Recipient>,
}

/// An idempotency key as the transaction has it.
#[derive(Debug)]
pub(super) struct KeyRow {
    /// The row of the job or batch that has it in the database.
    pub stored: Row,
    /// The holder that exists; `None` while the key is free.
    pub holder: Option<Holder>,
}

/// The job or batch that has an idempotency key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    pub row: Row,
    pub request_hash: u128,
    pub expires_ms: UnixMs,
}

/// The change of an account's credits of a month.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CreditsDelta {
    pub reserved: i64,
    pub used: i64,
}

/// A transaction.
pub(super) struct Transaction<'p> {
    pub process: &'p Process,
    node: NodeNumber,
    /// That of the counters and sums which only this writer changes.
    pub slot: i32,
    /// Those that cannot be read fail the operations that need them, and no others.
    pub jobs: BTreeMap<Row, Result<JobRow, StoreError>>,
    pub batches: BTreeMap<Row, Result<BatchRow, StoreError>>,
    /// Rows that were asked for as batches', and are not.
    pub absent_batches: BTreeSet<Row>,
    pub deliveries: BTreeMap<Row, Result<DeliveryRow, StoreError>>,
    /// Deliveries of notices that are removed.
    pub forgotten: Vec<Row>,
    pub keys: BTreeMap<u128, KeyRow>,
    pub deleted: Vec<Row>,
    /// Keys of jobs that are deleted, and these.
    pub freed_keys: Vec<(u128, Row)>,
    pub things: Things,
    /// What is taken of the allowances that were asked for.
    pub allowances: HashMap<(AccountNumber, u32), Credits>,
    /// By account and month.
    pub credits: BTreeMap<(AccountNumber, u32), CreditsDelta>,
    /// By account, day and scraper.
    pub usage: BTreeMap<(AccountNumber, u32, u16), Usage>,
    /// New entries of the cache: when, of which row, and for which hash.
    pub cache: Vec<(UnixMs, Row, u128)>,
    /// Jobs that are done: the row, when, and when it expires.
    pub completions: Vec<(Row, UnixMs, UnixMs)>,
    /// By how much the numbers of unfinished jobs change, by scraper.
    pub depth: HashMap<u16, isize>,
    pub effects: Vec<Effect>,
    /// Scrapers that have new open jobs which are due.
    pub opened: BTreeSet<u16>,
    /// How many new jobs are taken for idle workers, by scraper.
    pub taken: HashMap<u16, usize>,
}

impl<'p> Transaction<'p> {
    /// Begins a transaction of the process as the node `node`, by a writer with this slot.
    pub(super) fn new(process: &'p Process, node: NodeNumber, slot: i32) -> Transaction<'p> {
        Transaction {
            process,
            node,
            slot,
            jobs: BTreeMap::new(),
            batches: BTreeMap::new(),
            absent_batches: BTreeSet::new(),
            deliveries: BTreeMap::new(),
            forgotten: Vec::new(),
            keys: BTreeMap::new(),
            deleted: Vec::new(),
            freed_keys: Vec::new(),
            things: Things::default(),
            allowances: HashMap::new(),
            credits: BTreeMap::new(),
            usage: BTreeMap::new(),
            cache: Vec::new(),
            completions: Vec::new(),
            depth: HashMap::new(),
            effects: Vec::new(),
            opened: BTreeSet::new(),
            taken: HashMap::new(),
        }
    }

    /// Returns the number of an account that this transaction needs.
    ///
    /// # Errors
    /// Returns an error if it was not among the needs.
    pub(super) fn account(&self, name: &str) -> Result<AccountNumber, StoreError> {
        self.process.accounts.number(name)
    }

    /// Inserts a job, which is this process's where a worker of it is idle, and open to all
    /// elsewhere. Cache hits are inserted as done together with their result. Returns the job of
    /// this idempotency key, where there is one already, and changes nothing then.
    pub(super) fn insert(
        &mut self,
        job: &Job,
        result: Option<&[u8]>,
        limits: SubmitLimits,
    ) -> Result<Result<Job, SubmitError>, StoreError> {
        if let Some(known) = job.idempotency
            && let Some(existing) = self.existing(known, job.created_ms)?
        {
            // Before the limits: a repeated submit asks for nothing new.
            return Ok(existing.repeated_job(known));
        }
        let scraper = self.process.scrapers.number(&job.request.scraper)?;
        let account = self.account(&job.account)?;
        let unfinished = self.process.scrapers.depth(scraper, &self.depth);
        let month = clock::calendar_month(job.created_ms);
        let taken = || {
            let taken = self.allowances.get(&(account, month)).copied();
            taken.ok_or(StoreError::Damaged("an account's credits were not locked"))
        };
        if let Err(refused) = change::admit(job, limits, unfinished, taken)? {
            return Ok(Err(refused));
        }
        let mut change = change::submit(job, scraper, result);
        let from = self.effects.len();
        self.follow(&mut change, account, job.created_ms);
        let is_taken = !job.state.finished() && self.take_for_idle_worker(scraper, job, from);
        if !is_taken && !job.state.finished() {
            self.opened.insert(scraper);
        }
        let row = JobRow {
            job: job.clone(),
            scraper,
            account,
            stored: StoredIn::Nowhere,
            fate: Fate::Changed,
            node: is_taken.then_some(self.node.0),
            result: result.map(<[u8]>::to_vec),
        };
        self.jobs.insert(job.row, Ok(row));
        self.take_key(job.idempotency, job.row, job.expires_ms);
        Ok(Ok(job.clone()))
    }

    /// Inserts a batch with the jobs of those items that keep their limits. Returns the batch of
    /// its idempotency key, where there is one already, and changes nothing then.
    pub(super) fn insert_batch(
        &mut self,
        batch: &Batch,
        items: &[NewItem],
    ) -> Result<Result<Batch, SubmitError>, StoreError> {
        let mut batch = batch.clone();
        if let Some(known) = batch.idempotency
            && let Some(existing) = self.existing(known, batch.created_ms)?
        {
            return Ok(existing.repeated_batch(known));
        }
        // Whatever a job's insert may refuse as damaged, before the first one has changed anything.
        self.account(&batch.account)?;
        for NewItem { job, .. } in items {
            self.process.scrapers.number(&job.request.scraper)?;
            self.account(&job.account)?;
        }
        let mut done = 0;
        for NewItem { job, result, limits } in items {
            match self.insert(job, result.as_deref(), *limits)? {
                Ok(job) => done += u32::from(job.state.finished()),
                Err(why) => batch.refused.push(change::rejected_item(batch.key, job.row, why)),
            }
        }
        let delivery = change::batch_submit(&mut batch, done);
        self.file(delivery);
        let row = batch.key.row;
        self.take_key(batch.idempotency, row, batch.expires_ms);
        let inserted = BatchRow { batch: batch.clone(), is_new: true, changed: true };
        self.batches.insert(row, Ok(inserted));
        Ok(Ok(batch))
    }

    /// Applies the event that `decide` chooses for the job as it is; a success brings its result. A
    /// job for which `decide` chooses nothing is not the caller's to change, and not there for it.
    pub(super) fn transition(
        &mut self,
        row: Row,
        now_ms: UnixMs,
        decide: impl FnOnce(&Job) -> Option<Event>,
        result: Option<&NewResult>,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        let Some(mut known) = self.take_job(row)? else { return Ok(Err(TransitionError::Gone)) };
        let JobRow { job, scraper, account, .. } = &mut known;
        let outcome =
            change::transition(job, *scraper, now_ms, decide, result).map(|mut change| {
                self.follow(&mut change, *account, now_ms);
                (change.job.clone(), change.result.map(|result| result.json.to_vec()))
            });
        let outcome = outcome.map(|(job, json)| {
            known.fate = Fate::Changed;
            known.node = (job.state == State::Running).then_some(self.node.0);
            if known.node.is_none() && !job.state.finished() && job.due_ms <= now_ms {
                self.opened.insert(known.scraper);
            }
            known.result = json;
            job
        });
        self.jobs.insert(row, Ok(known));
        Ok(outcome)
    }

    /// Does what [`Transaction::transition`] does for a worker that begins an attempt. A job that
    /// another node has is not its to begin.
    pub(super) fn start(
        &mut self,
        row: Row,
        now_ms: UnixMs,
        decide: impl FnOnce(&Job) -> Option<Event>,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        let node = self.job(row)?.and_then(|known| known.node);
        if node.is_some_and(|node| node != self.node.0) {
            return Ok(Err(TransitionError::StaleLease));
        }
        self.transition(row, now_ms, decide, None)
    }

    /// Settles an unfinished job that has expired at `now_ms`; true if it was one.
    pub(super) fn expire(&mut self, row: Row, now_ms: UnixMs) -> Result<bool, StoreError> {
        let Some(mut known) = self.take_job(row)? else { return Ok(false) };
        let expires = known.stored == StoredIn::Queue
            && matches!(known.fate, Fate::Unchanged | Fate::Changed)
            && !known.job.state.finished()
            && known.job.expires_ms <= now_ms;
        if expires {
            known.fate = Fate::Expired;
            let mut change = change::expiry(&known.job, known.scraper);
            self.follow(&mut change, known.account, now_ms);
        }
        self.jobs.insert(row, Ok(known));
        Ok(expires)
    }

    /// Makes an unfinished job that the queue has at `before_ms` due so much earlier, but not
    /// before `now_ms`. A job that has moved meanwhile stays where it is.
    pub(super) fn pull_forward(
        &mut self,
        row: Row,
        before_ms: UnixMs,
        by_ms: u64,
        now_ms: UnixMs,
    ) -> Result<(), StoreError> {
        let Some(mut known) = self.take_job(row)? else { return Ok(()) };
        if known.job.due_ms == before_ms && !known.job.state.finished() {
            change::pull_forward(&mut known.job, before_ms, by_ms, now_ms);
            known.fate = Fate::Changed;
            let JobRow { job, scraper, .. } = &known;
            if job.state != State::Running {
                let (scraper, due_ms) = (*scraper, job.due_ms);
                let interactive = job.interactive;
                self.effects.push(Effect::Ready { scraper, row, due_ms, interactive });
            }
        }
        self.jobs.insert(row, Ok(known));
        Ok(())
    }

    /// Takes a job out, to be put back as it has changed; `None` if there is none.
    fn take_job(&mut self, row: Row) -> Result<Option<JobRow>, StoreError> {
        match self.jobs.remove(&row) {
            None => Ok(None),
            Some(Ok(known)) if matches!(known.fate, Fate::Expired | Fate::Deleted) => {
                self.jobs.insert(row, Ok(known));
                Ok(None)
            }
            Some(Ok(known)) => Ok(Some(known)),
            Some(Err(error)) => {
                self.jobs.insert(row, Err(error.clone()));
                Err(error)
            }
        }
    }

    /// Returns the job of a row as it is; `None` if there is none.
    pub(super) fn job(&self, row: Row) -> Result<Option<&JobRow>, StoreError> {
        match self.jobs.get(&row) {
            Some(Ok(known)) if matches!(known.fate, Fate::Expired | Fate::Deleted) => Ok(None),
            Some(Ok(known)) => Ok(Some(known)),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(None),
        }
    }

    /// Deletes a job that has ended, with all that belongs to it.
    pub(super) fn delete(&mut self, job: &Job) {
        if let Some(Ok(known)) = self.jobs.get_mut(&job.row) {
            known.fate = Fate::Deleted;
            self.deleted.push(job.row);
        }
        self.deliveries.remove(&job.row);
        self.freed_keys.extend(job.idempotency.map(|known| (known.key_hash, job.row)));
        for kind in [ThingKind::Attempts, ThingKind::Raw, ThingKind::VendorTask] {
            self.things.put(&ThingKey::of_row(kind, job.row), None);
        }
    }

    /// Returns the number of a job's scraper.
    pub(super) fn scraper(&self, job: &Job) -> Result<u16, StoreError> {
        self.process.scrapers.number(&job.request.scraper)
    }

    /// Returns the batch of a row as it is; `None` if there is none.
    pub(super) fn batch(&self, row: Row) -> Result<Option<&Batch>, StoreError> {
        match self.batches.get(&row) {
            Some(Ok(known)) => Ok(Some(&known.batch)),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(None),
        }
    }

    /// Reads the batch of a row that was not asked for before.
    pub(super) fn read_batch(&mut self, row: Row) -> Result<Option<&Batch>, StoreError> {
        if !self.batches.contains_key(&row) && !self.absent_batches.contains(&row) {
            self.things.demand.batches.insert(row);
        }
        self.batch(row)
    }

    /// Returns what was submitted with this key before, if it exists at `now_ms`.
    pub(super) fn existing(
        &self,
        known: Idempotency,
        now_ms: UnixMs,
    ) -> Result<Option<Existing>, StoreError> {
        let Some(key) = self.keys.get(&known.key_hash) else {
            return Err(StoreError::Damaged("an idempotency key was not locked"));
        };
        let Some(holder) = key.holder else { return Ok(None) };
        if let Some(held) = self.job(holder.row)? {
            return Ok(Existing::job(held.job.clone(), known, now_ms));
        }
        let batch = self.batch(holder.row)?.cloned();
        Ok(batch.and_then(|batch| Existing::batch(batch, known, now_ms)))
    }

    fn take_key(&mut self, known: Option<Idempotency>, row: Row, expires_ms: UnixMs) {
        let Some(known) = known else { return };
        if let Some(key) = self.keys.get_mut(&known.key_hash) {
            key.holder = Some(Holder { row, request_hash: known.request_hash, expires_ms });
        }
    }

    /// Returns the marks of alerts, for a job whose batch runs or does not.
    pub(super) fn marks(&mut self, is_running: bool) -> MarkThings<'_> {
        MarkThings { things: &mut self.things, effects: &mut self.effects, is_running }
    }

    /// Changes what changes together with a job: account, batch, delivery, cache.
    fn follow(&mut self, change: &mut JobChange<'_>, account: AccountNumber, now_ms: UnixMs) {
        let job = change.job;
        self.file(change.delivery.take());
        if change.result.is_some() {
            let completed_ms = job.completed_ms.unwrap_or_default();
            self.completions.push((job.row, completed_ms, job.expires_ms));
        }
        let hash = change.result.and_then(|result| result.cache_hash);
        if let (Some(hash), Some(stored_ms)) = (hash, job.completed_ms) {
            self.cache.push((stored_ms, job.row, hash));
        }
        if !change.credits.is_none() {
            let month = clock::calendar_month(job.created_ms);
            let delta = self.credits.entry((account, month)).or_default();
            delta.reserved += change.credits.reserved as i64 - change.credits.released as i64;
            delta.used += change.credits.used as i64;
            if let Some(taken) = self.allowances.get_mut(&(account, month)) {
                taken.apply(change.credits);
            }
        }
        if !change.usage.is_none() {
            let day = clock::calendar_day(job.created_ms);
            let usage = self.usage.entry((account, day, change.scraper)).or_default();
            *usage = usage.and(change.usage);
        }
        if let Some(end) = change.batch {
            self.end_in_batch(end.key, end.done, now_ms);
        }
        match change.unfinished_change() {
            0 => {}
            by => *self.depth.entry(change.scraper).or_default() += by,
        }
        change.add_effects(&mut self.effects);
        if change.ends_attempt() {
            let scraper = &job.request.scraper;
            let Ok(()) = alert_marks::note_attempt(&mut self.marks(false), scraper, now_ms);
        }
    }

    /// Counts the end of one of a batch's jobs. A batch that is no longer there, or cannot be read,
    /// does not keep its jobs from ending.
    fn end_in_batch(&mut self, key: BatchKey, done: bool, now_ms: UnixMs) {
        let Some(Ok(known)) = self.batches.get_mut(&key.row) else { return };
        if known.batch.key != key {
            return;
        }
        known.changed = true;
        let ended = change::batch_end(&mut known.batch, done, now_ms);
        if ended.ends {
            self.effects.push(Effect::BatchEnded { row: key.row });
            self.file(ended.delivery);
            let Ok(()) = alert_marks::end_batch(&mut self.marks(false), key.row, now_ms);
        }
    }

    /// Returns the value of a thing that was asked for; `None` if it does not exist.
    pub(super) fn thing(&self, key: &ThingKey) -> Option<&[u8]> {
        self.things.known(key)
    }

    /// Changes the value of a thing that was asked for; `None` removes it.
    pub(super) fn put_thing(&mut self, key: &ThingKey, value: Option<Vec<u8>>) {
        self.things.put(key, value);
    }
}
