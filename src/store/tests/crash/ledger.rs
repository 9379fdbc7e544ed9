//! What the store has acknowledged, and when; and whether a store that was opened after a cut
//! still has it.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::super::NO_LIMITS;
use crate::job::{Batch, Ended, Job};
use crate::store::{Row, Store, StoreError};

/// A job with its result.
pub type Stored = (Job, Option<Vec<u8>>);

/// One write, between two positions of the disk's log.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub asked: usize,
    pub acknowledged: usize,
}

/// What a job was after a write; `None` once it has been removed.
#[derive(Debug)]
struct Version {
    span: Span,
    is: Option<Stored>,
}

#[derive(Debug)]
struct KnownBatch {
    batch: Batch,
    items: Vec<Uuid>,
    stored: Span,
    removed: Option<Span>,
}

#[derive(Debug, Default)]
pub struct Ledger {
    /// By the job's id; oldest first.
    jobs: BTreeMap<Uuid, Vec<Version>>,
    batches: Vec<KnownBatch>,
}

/// What a store has that it must not have, or has not and must.
#[derive(Debug, Default)]
pub struct Verdict {
    pub lost: Vec<String>,
    pub inconsistent: Vec<String>,
    pub jobs: u64,
}

impl Ledger {
    pub fn note(&mut self, id: Uuid, span: Span, is: Option<Stored>) {
        self.jobs.entry(id).or_default().push(Version { span, is });
    }

    pub fn note_batch(&mut self, batch: Batch, items: Vec<Uuid>, stored: Span) {
        self.batches.push(KnownBatch { batch, items, stored, removed: None });
    }

    /// Notes that what had expired at `now_ms` has been removed.
    pub fn note_sweep(&mut self, now_ms: u64, span: Span) {
        for versions in self.jobs.values_mut() {
            let newest = versions.last().and_then(|version| version.is.as_ref());
            if newest.is_some_and(|(job, _)| job.expires_ms <= now_ms) {
                versions.push(Version { span, is: None });
            }
        }
        for known in &mut self.batches {
            if known.removed.is_none() && known.batch.expires_ms <= now_ms {
                known.removed = Some(span);
            }
        }
    }

    /// Compares a store with what was acknowledged before the cut at `point` of the log.
    pub fn compare(&self, store: &Store, point: usize) -> Result<Verdict, StoreError> {
        let mut verdict = Verdict::default();
        let mut found: HashMap<Uuid, Job> = HashMap::new();
        for (id, versions) in &self.jobs {
            let read = |job: &Job, result: Option<&[u8]>| (job.clone(), result.map(<[u8]>::to_vec));
            // At the beginning of time nothing has expired.
            let stored = store.read_job(*id, 0, read)?;
            let least = versions.iter().rposition(|version| version.span.acknowledged <= point);
            let mut possible = versions[least.unwrap_or(0)..]
                .iter()
                .take_while(|version| version.span.asked <= point);
            let unborn = least.is_none() && stored.is_none();
            if !unborn && !possible.any(|version| version.is == stored) {
                let acknowledged = least.map(|at| &versions[at].is);
                let sentence = format!("{acknowledged:?} was acknowledged, {stored:?} is stored");
                let list = match least {
                    Some(_) => &mut verdict.lost,
                    None => &mut verdict.inconsistent,
                };
                list.push(sentence);
            }
            found.extend(stored.map(|(job, _)| (*id, job)));
        }
        verdict.jobs = found.len() as u64;
        self.compare_batches(store, point, &found, &mut verdict)?;
        compare_keys(store, &found, &mut verdict)?;
        Ok(verdict)
    }

    /// A batch is there with all its jobs, or none of it is.
    fn compare_batches(
        &self,
        store: &Store,
        point: usize,
        found: &HashMap<Uuid, Job>,
        verdict: &mut Verdict,
    ) -> Result<(), StoreError> {
        for known in &self.batches {
            if known.stored.asked > point || known.removed.is_some_and(|span| span.asked <= point) {
                continue;
            }
            let key = known.batch.key;
            let stored = store.batch(key.id, 0)?;
            if stored.is_none() && known.stored.acknowledged <= point {
                verdict.lost.push(format!("the batch of row {} is gone", key.row));
            }
            let there = known.items.iter().filter(|id| found.contains_key(id)).count();
            let expected = if stored.is_some() { known.items.len() } else { 0 };
            let stored = stored.map(|batch| Batch { ended: Ended::default(), ..batch });
            let same = stored.is_none_or(|batch| batch == known.batch);
            if !same || there != expected {
                verdict.inconsistent.push(format!(
                    "the batch of row {} has {there} of {expected} jobs, and is the same: {same}",
                    key.row
                ));
            }
        }
        Ok(())
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
        let identity = store.new_identity()?;
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
