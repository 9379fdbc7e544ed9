//! What a batch of operations has decided, and what follows from its commit.

use std::collections::{BTreeSet, HashMap};

use super::ended_jobs::{Forgets, WrittenJob};
use crate::store::Row;
use crate::store::effects::Effect;

/// The outcome of one try to commit a batch, beside the answers.
#[derive(Debug)]
pub(super) struct Decided {
    /// To what the try raises the fence. No other try ever does.
    pub fence: i64,
    pub effects: Vec<Effect>,
    /// By how much the numbers of unfinished jobs change, by scraper.
    pub depth: HashMap<u16, isize>,
    /// Scrapers that have new open jobs which are due.
    pub opened: BTreeSet<u16>,
    /// Jobs that are gone before they expire.
    pub deleted: Vec<Row>,
    /// Jobs that have ended, and what was forgotten of such before the commit.
    pub ended: Vec<WrittenJob>,
    pub forgets: Forgets,
}
