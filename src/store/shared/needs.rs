//! What an operation needs to have locked and read before it decides. The order in which the
//! writer takes them is that of the fields, which is the one lock order of the program.

use std::collections::{BTreeMap, BTreeSet};

use super::things::{ThingKey, ThingRange};
use crate::clock::{self, UnixMs};
use crate::job::{BATCH_ITEMS_MAX, Batch, Idempotency, Job};
use crate::store::{NewItem, Row};

/// The use of an idempotency key by a new job or batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyClaim {
    pub request_hash: u128,
    pub row: Row,
    pub expires_ms: UnixMs,
    pub now_ms: UnixMs,
}

/// The needs of the operations of a transaction.
#[derive(Default, Debug)]
pub(super) struct Needs {
    /// By the hash of the key. Of several claims in one transaction, the first one.
    pub keys: BTreeMap<u128, KeyClaim>,
    /// Jobs that are changed, if they have not ended.
    pub jobs: BTreeSet<Row>,
    /// Accounts with an allowance, and the month.
    pub allowances: BTreeSet<(String, u32)>,
    /// Batches that are changed, beside those of the jobs above.
    pub batches: BTreeSet<Row>,
    /// Deliveries that are changed.
    pub deliveries: BTreeSet<Row>,
    pub things: BTreeSet<ThingKey>,
    /// Sums of which the writer changes those of its own slot, by their keys in any slot.
    pub slots: BTreeSet<ThingKey>,
    /// Jobs of which an answer was measured, and by which trackers.
    pub measured: BTreeMap<Row, String>,
    /// Things that are only read.
    pub ranges: BTreeSet<ThingRange>,
    /// Jobs and batches that are only read: nothing of them is locked.
    pub read: BTreeSet<Row>,
    /// Accounts that new jobs name.
    pub accounts: BTreeSet<String>,
    /// Rows of new jobs and batches, and when they expire.
    pub new_rows: BTreeMap<Row, UnixMs>,
}

impl Needs {
    /// Returns the needs of a transition of a job.
    pub(super) fn of_job(row: Row) -> Needs {
        Needs { jobs: BTreeSet::from([row]), ..Needs::default() }
    }

    /// Adds those of a job that is submitted.
    pub(super) fn add_new_job(&mut self, job: &Job, has_allowance: bool) {
        self.add_claim(job.idempotency, job.row, job.expires_ms, job.created_ms);
        if has_allowance {
            let month = clock::calendar_month(job.created_ms);
            self.allowances.insert((job.account.clone(), month));
        }
        self.accounts.insert(job.account.clone());
        self.new_rows.insert(job.row, job.expires_ms);
    }

    /// Adds those of a batch that is submitted with its items.
    pub(super) fn add_new_batch(&mut self, batch: &Batch, items: &[NewItem]) {
        for NewItem { job, limits, .. } in items {
            self.add_new_job(job, limits.allowance_for(job).is_some());
        }
        let (row, expires_ms) = (batch.key.row, batch.expires_ms);
        self.add_claim(batch.idempotency, row, expires_ms, batch.created_ms);
        self.accounts.insert(batch.account.clone());
        self.new_rows.insert(row, expires_ms);
    }

    fn add_claim(
        &mut self,
        known: Option<Idempotency>,
        row: Row,
        expires_ms: UnixMs,
        now_ms: UnixMs,
    ) {
        if let Some(known) = known {
            let claim = KeyClaim { request_hash: known.request_hash, row, expires_ms, now_ms };
            self.keys.entry(known.key_hash).or_insert(claim);
        }
    }

    /// Adds a batch and all rows that its items may have.
    pub(super) fn add_batch(&mut self, row: Row) {
        self.batches.insert(row);
        self.jobs.extend(row + 1..=row.saturating_add(BATCH_ITEMS_MAX as u64));
    }

    /// Adds those of another operation.
    pub(super) fn add(&mut self, other: &Needs) {
        for (key, claim) in &other.keys {
            self.keys.entry(*key).or_insert(*claim);
        }
        self.jobs.extend(&other.jobs);
        self.allowances.extend(other.allowances.iter().cloned());
        self.batches.extend(&other.batches);
        self.deliveries.extend(&other.deliveries);
        self.things.extend(other.things.iter().cloned());
        self.slots.extend(other.slots.iter().cloned());
        let measured = other.measured.iter();
        self.measured.extend(measured.map(|(row, tracker)| (*row, tracker.clone())));
        self.ranges.extend(other.ranges.iter().cloned());
        self.read.extend(&other.read);
        self.accounts.extend(other.accounts.iter().cloned());
        self.new_rows.extend(&other.new_rows);
    }

    /// Returns whether nothing has to be locked or read before the operations decide.
    pub(super) fn is_blind(&self) -> bool {
        self.keys.is_empty()
            && self.jobs.is_empty()
            && self.allowances.is_empty()
            && self.batches.is_empty()
            && self.deliveries.is_empty()
            && self.things.is_empty()
            && self.ranges.is_empty()
            && self.slots.is_empty()
            && self.read.is_empty()
    }
}
