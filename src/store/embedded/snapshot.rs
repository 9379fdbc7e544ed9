//! One committed state of the store, shared by everybody who reads while it is the latest.

use std::sync::OnceLock;

use redb::{Key, ReadOnlyTable, ReadTransaction, TableDefinition, Value};

use super::tables;
use crate::store::{Row, StoreError};

/// One committed state. The writer drops the shared one after each commit, so that it never pins
/// more than the latest state's pages.
pub(super) struct Snapshot {
    transaction: ReadTransaction,
    rows: OnceLock<RowTables>,
    attempts: OnceLock<ReadOnlyTable<Row, &'static [u8]>>,
}

/// The tables that a poll reads. Opening them costs more than the poll's own look-ups, so that they
/// are opened once for each state.
pub(super) struct RowTables {
    pub jobs: ReadOnlyTable<Row, &'static [u8]>,
    pub prompts: ReadOnlyTable<Row, &'static str>,
    pub results: ReadOnlyTable<Row, &'static [u8]>,
}

impl Snapshot {
    pub(crate) fn new(transaction: ReadTransaction) -> Snapshot {
        Snapshot { transaction, rows: OnceLock::new(), attempts: OnceLock::new() }
    }

    pub(crate) fn open_table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<ReadOnlyTable<K, V>, StoreError> {
        Ok(self.transaction.open_table(definition)?)
    }

    /// Returns the whole state, for what reads every table.
    pub(crate) fn transaction(&self) -> &ReadTransaction {
        &self.transaction
    }

    /// Returns the table of attempts, which polls of jobs that have ended read.
    pub(crate) fn attempts(&self) -> Result<&ReadOnlyTable<Row, &'static [u8]>, StoreError> {
        match self.attempts.get() {
            Some(attempts) => Ok(attempts),
            None => {
                let attempts = self.open_table(tables::ATTEMPTS)?;
                Ok(self.attempts.get_or_init(|| attempts))
            }
        }
    }

    pub(crate) fn rows(&self) -> Result<&RowTables, StoreError> {
        match self.rows.get() {
            Some(rows) => Ok(rows),
            None => {
                let rows = RowTables {
                    jobs: self.open_table(tables::JOBS)?,
                    prompts: self.open_table(tables::PROMPTS)?,
                    results: self.open_table(tables::RESULTS)?,
                };
                Ok(self.rows.get_or_init(|| rows))
            }
        }
    }
}
