//! The things of a transaction as it has changed them, and its demand for more: what was not read
//! yet is as good as not there, and the operations decide again once it has been read.

use std::collections::{BTreeMap, BTreeSet};

use super::things::{ThingKey, ThingRange};
use crate::store::Row;

/// A thing that a transaction has locked and read, or changed. One without a value does not exist.
#[derive(Debug, Default)]
pub(super) struct Thing {
    pub value: Option<Vec<u8>>,
    pub changed: bool,
    /// Whether the table may have a row of it, which was inserted empty where there was none.
    pub has_row: bool,
}

/// A key and a value of a range.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// The rows that a transaction asks for, and has not read yet.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// Things that are changed.
    pub things: BTreeSet<ThingKey>,
    /// Things that must not change until the commit.
    pub held: BTreeSet<ThingKey>,
    pub ranges: BTreeSet<ThingRange>,
    pub batches: BTreeSet<Row>,
}

impl Demand {
    pub(super) fn is_empty(&self) -> bool {
        self.things.is_empty()
            && self.held.is_empty()
            && self.ranges.is_empty()
            && self.batches.is_empty()
    }
}

/// The things of a transaction.
#[derive(Debug, Default)]
pub(super) struct Things {
    pub rows: BTreeMap<ThingKey, Thing>,
    /// As they were read.
    pub ranges: BTreeMap<ThingRange, Vec<Entry>>,
    pub demand: Demand,
}

impl Things {
    /// Returns the value of a thing that was asked for; `None` if it does not exist.
    pub(super) fn known(&self, key: &ThingKey) -> Option<&[u8]> {
        self.rows.get(key).and_then(|thing| thing.value.as_deref())
    }

    /// Returns whether a thing was read, or changed, by this try.
    pub(super) fn is_read(&self, key: &ThingKey) -> bool {
        self.rows.contains_key(key)
    }

    /// Locks and reads a thing that is to be changed.
    pub(super) fn locked(&mut self, key: &ThingKey) -> Option<&[u8]> {
        if !self.rows.contains_key(key) {
            self.demand.things.insert(key.clone());
        }
        self.known(key)
    }

    /// Reads a thing that must not change until the commit. Others may hold it too.
    pub(super) fn held(&mut self, key: &ThingKey) -> Option<&[u8]> {
        if !self.rows.contains_key(key) {
            self.demand.held.insert(key.clone());
        }
        self.known(key)
    }

    /// Reads a range with its changes by this transaction. Nothing of it is locked: of what is to
    /// be changed each is locked by itself, or by what it belongs to.
    pub(super) fn range(&mut self, range: &ThingRange) -> Vec<Entry> {
        let Some(read) = self.ranges.get(range) else {
            self.demand.ranges.insert(range.clone());
            return Vec::new();
        };
        let mut found: BTreeMap<Vec<u8>, Vec<u8>> = read.iter().cloned().collect();
        let key = |key: &[u8]| ThingKey { kind: range.kind, key: key.to_vec() };
        for (ThingKey { key, .. }, thing) in self.rows.range(key(&range.from)..key(&range.until)) {
            match &thing.value {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        found.into_iter().take(range.rows_max as usize).collect()
    }

    /// Changes the value of a thing; `None` removes it. It is locked, or belongs to what is.
    pub(super) fn put(&mut self, key: &ThingKey, value: Option<Vec<u8>>) {
        let known = self.rows.get(key).map(|thing| thing.has_row);
        let has_row = known.unwrap_or(value.is_none());
        self.rows.insert(key.clone(), Thing { value, changed: true, has_row });
    }
}
