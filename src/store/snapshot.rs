//! The tables that a poll reads, opened once for each committed state of the store and shared by
//! everybody who reads that state. Opening them costs more than the poll's own look-ups.

use redb::{ReadOnlyTable, ReadTransaction};

use super::StoreError;
use super::tables::{self, Row};

/// One committed state. The writer drops the shared one after each commit, so that it never pins
/// more than the latest state's pages.
pub(super) struct Snapshot {
    pub jobs: ReadOnlyTable<Row, &'static [u8]>,
    pub prompts: ReadOnlyTable<Row, &'static str>,
    pub results: ReadOnlyTable<Row, &'static [u8]>,
}

impl Snapshot {
    pub fn open(transaction: &ReadTransaction) -> Result<Snapshot, StoreError> {
        Ok(Snapshot {
            jobs: transaction.open_table(tables::JOBS)?,
            prompts: transaction.open_table(tables::PROMPTS)?,
            results: transaction.open_table(tables::RESULTS)?,
        })
    }
}
