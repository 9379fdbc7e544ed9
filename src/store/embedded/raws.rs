//! The raw replies of jobs, kept as long as their jobs: written with the end of the attempt, read
//! as one JSON document, replaced by nothing but a later attempt's.

use redb::ReadableTable;

use super::Embedded;
use super::tables;
use super::transaction::Tables;
use crate::store::{Row, StoreError, record};

/// Writes encoded raw replies over those of an earlier attempt.
pub(super) fn put(tables: &mut Tables<'_>, row: Row, encoded: &[u8]) -> Result<(), StoreError> {
    tables.raws.insert(row, encoded)
}

/// Removes those of a job that is removed.
pub(super) fn forget(tables: &mut Tables<'_>, row: Row) -> Result<(), StoreError> {
    tables.raws.remove(row)
}

impl Embedded {
    pub(crate) fn raw(&self, row: Row) -> Result<Option<Vec<u8>>, StoreError> {
        // Decompressed outside of the read, which others share.
        let stored = self.read(|snapshot| {
            let stored = snapshot.open_table(tables::RAWS)?.get(row)?;
            Ok(stored.map(|stored| stored.value().to_vec()))
        })?;
        stored.map(|stored| record::decode_raw(row, &stored)).transpose()
    }

    pub(crate) fn raw_rows(&self) -> Result<Vec<Row>, StoreError> {
        self.read(|snapshot| {
            let mut rows = Vec::new();
            for entry in snapshot.open_table(tables::RAWS)?.iter()? {
                rows.push(entry?.0.value());
            }
            Ok(rows)
        })
    }

    pub(crate) fn replace_result(&self, row: Row, json: Vec<u8>) -> Result<(), StoreError> {
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                let known = tables.results.get(row)?.is_some();
                if known {
                    tables.results.insert(row, record::encode_result(row, &json).as_slice())?;
                }
                Ok(())
            })
        })
        .wait()
    }
}
