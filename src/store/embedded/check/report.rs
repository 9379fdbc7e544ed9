//! What walking the jobs says that the other tables must hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::UnixMs;
use crate::job::{Batch, Delivery};
use crate::store::Row;
use crate::store::accounts::{Credits, DayRecord};

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
