//! The raw replies of jobs, kept as long as their jobs: written with the end of the attempt, read
//! as one JSON document, replaced by nothing but a later attempt's.

use redb::ReadableTable;

use super::tables;
use super::transaction::Tables;
use crate::clock::UnixMs;
use crate::store::{Blocking, KeptRaw, Row, Store, StoreError, record};

/// Writes encoded raw replies over those of an earlier attempt.
pub(super) fn put(tables: &mut Tables<'_>, row: Row, encoded: &[u8]) -> Result<(), StoreError> {
    tables.raws.insert(row, encoded)
}

/// Removes those of a job that is removed.
pub(super) fn forget(tables: &mut Tables<'_>, row: Row) -> Result<(), StoreError> {
    tables.raws.remove(row)
}

impl Store {
    /// Reads the raw replies of a job as JSON; `None` if none are kept of it.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn raw(&self, row: Row) -> Result<Option<Vec<u8>>, StoreError> {
        // Decompressed outside of the read, which others share.
        let stored = self.embedded.read(|snapshot| {
            let stored = snapshot.open_table(tables::RAWS)?.get(row)?;
            Ok(stored.map(|stored| stored.value().to_vec()))
        })?;
        stored.map(|stored| record::decode_raw(row, &stored)).transpose()
    }

    /// Returns the rows of all jobs of which raw replies are kept, lowest first.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn raw_rows(&self) -> Result<Vec<Row>, StoreError> {
        self.embedded.read(|snapshot| {
            let mut rows = Vec::new();
            for entry in snapshot.open_table(tables::RAWS)?.iter()? {
                rows.push(entry?.0.value());
            }
            Ok(rows)
        })
    }

    /// Reads a job with its raw replies; `None` if it does not exist at `now_ms`, or has none.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn kept_raw(&self, row: Row, now_ms: UnixMs) -> Result<Option<KeptRaw>, StoreError> {
        let read =
            self.read_row(row, now_ms, |job, result| (job.clone(), result.map(<[u8]>::to_vec)));
        let (Some((job, result)), Some(raw)) = (read.wait()?, self.raw(row)?) else {
            return Ok(None);
        };
        Ok(Some(KeptRaw { id: self.id_of(&job), job, raw, result }))
    }

    /// Writes another result in the place of a job's. Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn replace_result(&self, row: Row, json: Vec<u8>) -> Result<(), StoreError> {
        self.embedded
            .queue(|queue| {
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
