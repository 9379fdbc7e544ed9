//! What `db check` found, and what walking the jobs says that the other tables must hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::UnixMs;
use crate::job::{Batch, Delivery};
use crate::store::Row;
use crate::store::accounts::{Credits, DayRecord};

/// The most problems that a report lists by name; the rest are counted.
pub(super) const PROBLEMS_LISTED_MAX: usize = 100;

/// The findings of `db check`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    pub jobs: u64,
    pub unfinished: u64,
    pub results: u64,
    /// Jobs with raw replies.
    pub raws: u64,
    pub cache_entries: u64,
    pub accounts: u64,
    /// Answers that were measured by trackers.
    pub observations: u64,
    pub alerts: u64,
    /// Of alerts, those that are kept.
    pub notices: u64,
    /// The database's file, bytes.
    pub file_bytes: u64,
    /// What its pages take that are in use; the rest of the file is free for what comes.
    pub used_bytes: u64,
    /// Sentences; at most `PROBLEMS_LISTED_MAX` of them.
    pub problems: Vec<String>,
    /// All problems, listed or not.
    pub problems_total: u64,
}

impl CheckReport {
    pub(super) fn problem(&mut self, sentence: String) {
        self.problems_total += 1;
        if self.problems.len() < PROBLEMS_LISTED_MAX {
            self.problems.push(sentence);
        }
    }
}

/// The entries that the indexes must have of a job. Small: there is one for each job in memory.
pub(super) struct Indexed {
    pub scraper: u16,
    pub interactive: bool,
    pub finished: bool,
    pub done: bool,
    pub due_ms: UnixMs,
    /// Where the expiry index has it.
    pub filed_ms: UnixMs,
    pub webhook: bool,
    pub start_deadline_ms: Option<UnixMs>,
    pub key_hash: Option<u128>,
    /// Whether its delivery has kept it beyond its expiry.
    pub outlived: bool,
    pub batch: Option<Row>,
}

/// The content that the other tables must have, by the jobs.
#[derive(Default)]
pub(super) struct Expected {
    pub jobs: BTreeMap<Row, Indexed>,
    pub batches: BTreeMap<Row, Batch>,
    pub credits: BTreeMap<(String, u32), Credits>,
    pub usage: BTreeMap<(String, u32), DayRecord>,
    pub deliveries: BTreeMap<Row, Delivery>,
    /// The rows of notices, which their deliveries share.
    pub notices: BTreeSet<Row>,
}

impl Expected {
    /// Returns where the expiry index has the batch of a row.
    pub(crate) fn batch_filed_ms(&self, row: Row) -> Option<UnixMs> {
        let held_ms = self.deliveries.get(&row).and_then(|delivery| delivery.held_until_ms);
        self.batches.get(&row).map(|batch| held_ms.unwrap_or(batch.expires_ms))
    }
}
