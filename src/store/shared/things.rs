//! What is not hot, in one plain table of keys and values: a row of it is locked, read and written
//! whole, in the transaction that changes the job.
//!
//! `Spend`, the sums of a day, must become slots of their own for each writer before many nodes
//! write them at once: all of them change the same row.

use crate::store::Row;

/// The kind of a thing. Its number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub(super) enum ThingKind {
    /// The ended attempts of a job, by its row.
    Attempts = 1,
    /// The raw replies of a job, by its row.
    Raw = 2,
    /// The task that a vendor works on for a job, by its row.
    VendorTask = 3,
    /// What was spent, by day, account, upstream and label.
    Spend = 4,
    /// The number of labels with sums of their own, by day, account and upstream.
    SpendLabels = 5,
}

/// The key of a thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ThingKey {
    pub kind: ThingKind,
    pub key: Vec<u8>,
}

impl ThingKey {
    /// Returns the key of what belongs to a row.
    pub(super) fn of_row(kind: ThingKind, row: Row) -> ThingKey {
        ThingKey { kind, key: row.to_be_bytes().to_vec() }
    }
}

/// A thing that a transaction has locked and read. One without a value does not exist.
#[derive(Debug, Default)]
pub(super) struct Thing {
    pub value: Option<Vec<u8>>,
    pub changed: bool,
}
