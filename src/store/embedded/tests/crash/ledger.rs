//! What the store has acknowledged, and when; and whether a store that was opened after a cut
//! still has it.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::super::NO_LIMITS;
use super::deliveries::{Deliveries, Sweep};
use crate::job::{Batch, BatchProgress, Delivery, Job, Subject};
use crate::store::{Blocking, Row, Store, StoreError};

/// A job with its result.
pub(crate) type Stored = (Job, Option<Vec<u8>>);

/// One write, between two positions of the disk's log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub asked: usize,
    pub acknowledged: usize,
}

/// What something was after each write, oldest first; `None` once it has been removed.
#[derive(Debug)]
pub(crate) struct Versions<T>(Vec<(Span, Option<T>)>);

impl<T> Default for Versions<T> {
    fn default() -> Versions<T> {
        Versions(Vec::new())
    }
}

/// Whether what a store has can be what a cut has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Possible,
    /// It is not what was acknowledged, nor anything later.
    Lost,
    /// Nothing was acknowledged, and it is nothing that was asked for.
    Inconsistent,
}

impl<T: PartialEq> Versions<T> {
    pub(crate) fn push(&mut self, span: Span, is: Option<T>) {
        self.0.push((span, is));
    }

    pub(crate) fn newest(&self) -> Option<&T> {
        self.0.last().and_then(|(_, is)| is.as_ref())
    }

    /// Judges what is stored after the cut at `point` of the log.
    pub(crate) fn judge(&self, stored: &Option<T>, point: usize) -> Judgement {
        let least = self.0.iter().rposition(|(span, _)| span.acknowledged <= point);
        let mut possible =
            self.0[least.unwrap_or(0)..].iter().take_while(|(span, _)| span.asked <= point);
        let unborn = least.is_none() && stored.is_none();
        match least {
            _ if unborn || possible.any(|(_, is)| is == stored) => Judgement::Possible,
            Some(_) => Judgement::Lost,
            None => Judgement::Inconsistent,
        }
    }
}

#[derive(Debug)]
struct KnownBatch {
    batch: Batch,
    items: Vec<Uuid>,
    unfinished: HashSet<Uuid>,
    stored: Span,
    removed: Option<Span>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By the job's id.
    jobs: BTreeMap<Uuid, Versions<Stored>>,
    batches: Vec<KnownBatch>,
    pub deliveries: Deliveries,
    /// When the first sweep was asked for that found a row expired: from there on a pending
    /// delivery may keep it, but its parts and its key are not looked for any more.
    expired: HashMap<Row, usize>,
}

/// What a store has that it must not have, or has not and must.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub lost: Vec<String>,
    pub inconsistent: Vec<String>,
    pub jobs: u64,
}

impl Ledger {
    /// Notes what a write has made of a job. Its end, and that of its batch, are due to be told.
    pub(crate) fn note(&mut self, id: Uuid, span: Span, stored: Stored) {
        let job = &stored.0;
        if let Some(at_ms) = job.completed_ms {
            if let Some(url) = job.webhook_url.clone() {
                let delivery = Delivery::new(Subject::Job, url, at_ms);
                self.deliveries.file(job.row, id, &job.account, span, delivery);
            }
            let batch = self.batches.iter_mut().find(|known| Some(known.batch.key) == job.batch);
            if let Some(known) = batch
                && known.unfinished.remove(&id)
                && known.unfinished.is_empty()
            {
                file_batch(&mut self.deliveries, &known.batch, span, at_ms);
            }
        }
        self.jobs.entry(id).or_default().push(span, Some(stored));
    }

    /// Notes a batch of jobs that have not ended.
    pub(crate) fn note_batch(&mut self, batch: Batch, items: Vec<Uuid>, stored: Span) {
        let unfinished: HashSet<Uuid> = items.iter().copied().collect();
        if unfinished.is_empty() {
            file_batch(&mut self.deliveries, &batch, stored, batch.created_ms);
        }
        self.batches.push(KnownBatch { batch, items, unfinished, stored, removed: None });
    }

    /// Notes that what had expired at `now_ms` has been removed, but what waits to be told.
    pub(crate) fn note_sweep(&mut self, now_ms: u64, span: Span) {
        let mut removes = |row: Row, expires_ms: u64| {
            let expired = expires_ms <= now_ms;
            if expired {
                self.expired.entry(row).or_insert(span.asked);
            }
            expired && self.deliveries.note_sweep(row, expires_ms, now_ms, span) == Sweep::Removes
        };
        for versions in self.jobs.values_mut() {
            if let Some((job, _)) = versions.newest()
                && removes(job.row, job.expires_ms)
            {
                versions.push(span, None);
            }
        }
        for known in &mut self.batches {
            if known.removed.is_none() && removes(known.batch.key.row, known.batch.expires_ms) {
                known.removed = Some(span);
            }
        }
    }

    fn expired(&self, row: Row, point: usize) -> bool {
        self.expired.get(&row).is_some_and(|asked| *asked <= point)
    }

    /// Compares a store with what was acknowledged before the cut at `point` of the log.
    pub(crate) fn compare(&self, store: &Store, point: usize) -> Result<Verdict, StoreError> {
        let mut verdict = Verdict::default();
        let mut found: HashMap<Uuid, Job> = HashMap::new();
        for (id, versions) in &self.jobs {
            let read = |job: &Job, result: Option<&[u8]>| (job.clone(), result.map(<[u8]>::to_vec));
            // At the beginning of time nothing has expired.
            let stored = store.read_job(*id, 0, read).wait()?;
            let sentence = || format!("{:?} was noted, {stored:?} is stored", versions.newest());
            match versions.judge(&stored, point) {
                Judgement::Possible => {}
                Judgement::Lost => verdict.lost.push(sentence()),
                Judgement::Inconsistent => verdict.inconsistent.push(sentence()),
            }
            found.extend(stored.map(|(job, _)| (*id, job)));
        }
        verdict.jobs = found.len() as u64;
        self.deliveries.compare(store, point, &mut verdict)?;
        let batches = self.compare_batches(store, point, &found, &mut verdict)?;
        found.retain(|_, job| !self.expired(job.row, point));
        compare_keys(store, &found, &mut verdict)?;
        compare_batch_keys(store, batches, &mut verdict)?;
        Ok(verdict)
    }

    /// A batch is there with all its jobs, or none of it is. Gives those that are there.
    fn compare_batches(
        &self,
        store: &Store,
        point: usize,
        found: &HashMap<Uuid, Job>,
        verdict: &mut Verdict,
    ) -> Result<Vec<Batch>, StoreError> {
        let mut batches = Vec::new();
        for known in &self.batches {
            if known.stored.asked > point || known.removed.is_some_and(|span| span.asked <= point) {
                continue;
            }
            let key = known.batch.key;
            let stored = store.batch(key.id, 0).wait()?;
            if stored.is_none() && known.stored.acknowledged <= point {
                verdict.lost.push(format!("the batch of row {} is gone", key.row));
            }
            let there = known.items.iter().filter(|id| found.contains_key(id)).count();
            let expected = if stored.is_some() { known.items.len() } else { 0 };
            let whole = there == expected || self.expired(key.row, point);
            let stored = stored.map(|batch| Batch { progress: BatchProgress::default(), ..batch });
            let same = stored.as_ref().is_none_or(|batch| *batch == known.batch);
            if !same || !whole {
                verdict.inconsistent.push(format!(
                    "the batch of row {} has {there} of {expected} jobs, and is the same: {same}",
                    key.row
                ));
            }
            batches.extend(stored.filter(|_| !self.expired(key.row, point)));
        }
        Ok(batches)
    }
}

/// The end of a batch's last job is due to be told.
fn file_batch(deliveries: &mut Deliveries, batch: &Batch, span: Span, at_ms: u64) {
    if let Some(url) = batch.webhook_url.clone() {
        let delivery = Delivery::new(Subject::Batch, url, at_ms);
        deliveries.file(batch.key.row, batch.key.id, &batch.account, span, delivery);
    }
}

/// A repeated submit with a key gets the newest job that came with it.
fn compare_keys(
    store: &Store,
    found: &HashMap<Uuid, Job>,
    verdict: &mut Verdict,
) -> Result<(), StoreError> {
    let mut newest: HashMap<u128, (Row, &Job)> = HashMap::new();
    for job in found.values() {
        let Some(known) = job.idempotency else { continue };
        let holder = newest.entry(known.key_hash).or_insert((job.row, job));
        if holder.0 < job.row {
            *holder = (job.row, job);
        }
    }
    let mut answers = Vec::new();
    for (row, job) in newest.into_values() {
        let identity = store.new_identity("team-a").wait()?;
        let again = Job { row: identity.row, nonce: identity.nonce, ..job.clone() };
        answers.push((row, store.submit(again, None, NO_LIMITS)));
    }
    for (row, answer) in answers {
        let answer = answer.wait()?.map(|job| job.row);
        if answer != Ok(row) {
            verdict.inconsistent.push(format!("the key of row {row} gives {answer:?}"));
        }
    }
    Ok(())
}

/// A repeated batch with a key gets the newest one that came with it.
fn compare_batch_keys(
    store: &Store,
    batches: Vec<Batch>,
    verdict: &mut Verdict,
) -> Result<(), StoreError> {
    let mut newest: HashMap<u128, Batch> = HashMap::new();
    for batch in batches {
        let Some(known) = batch.idempotency else { continue };
        let holder = newest.entry(known.key_hash).or_insert_with(|| batch.clone());
        if holder.key.row < batch.key.row {
            *holder = batch;
        }
    }
    for batch in newest.into_values() {
        let row = batch.key.row;
        let (key, _) = store.new_batch_identity("team-a", 0).wait()?;
        let answer = store.submit_batch(Batch { key, ..batch }, Vec::new()).wait()?;
        let answer = answer.map(|batch| batch.key.row);
        if answer != Ok(row) {
            verdict.inconsistent.push(format!("the key of batch {row} gives {answer:?}"));
        }
    }
    Ok(())
}
