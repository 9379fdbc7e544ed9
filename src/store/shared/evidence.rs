//! Evidence of attempts as rows: those of an hour go with its tables.

use std::sync::Arc;

use super::handle::SharedStore;
use super::hours::HourTable;
use super::round::Value;
use super::row_number::RowParts;
use crate::store::evidence_files::{EVIDENCE_FILE_BYTES_MAX, EVIDENCE_FILES_MAX};
use crate::store::{EvidenceFile, EvidenceOwner, Row, StoreError};

impl SharedStore {
    /// Keeps files of a job: see [`crate::store::Store::put_evidence`]. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn put_evidence(
        &self,
        job: EvidenceOwner,
        files: &[(String, &[u8])],
    ) -> Result<(), StoreError> {
        let kept = self.evidence(job)?.len();
        // A write that is tried again after its answer was lost writes the same.
        let text = format!(
            "INSERT INTO {}(row, name, content) VALUES ($1, $2, $3) \
             ON CONFLICT (row, name) DO UPDATE SET content = excluded.content",
            table(job.row)
        );
        let fits = |file: &&(String, &[u8])| file.1.len() <= EVIDENCE_FILE_BYTES_MAX;
        let room = EVIDENCE_FILES_MAX.saturating_sub(kept);
        for (name, content) in files.iter().filter(fits).take(room) {
            let values: Vec<Value> =
                vec![Arc::new(job.row as i64), Arc::new(name.clone()), Arc::new(content.to_vec())];
            self.ask_text(&text, values).wait()?;
        }
        Ok(())
    }

    /// Returns the files of a job, by name. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn evidence(&self, job: EvidenceOwner) -> Result<Vec<EvidenceFile>, StoreError> {
        let text = format!(
            "SELECT name, octet_length(content)::int8 FROM {} WHERE row = $1 ORDER BY name",
            table(job.row)
        );
        let found = self.ask_text(&text, vec![Arc::new(job.row as i64)]).wait()?;
        let file = |row: &tokio_postgres::Row| {
            EvidenceFile::of_row(row.get(0), row.get::<_, i64>(1) as u64)
        };
        Ok(found.iter().map(file).collect())
    }

    /// Returns a file of a job; `None` when it has none of that name. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn read_evidence(
        &self,
        job: EvidenceOwner,
        name: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let text = format!("SELECT content FROM {} WHERE row = $1 AND name = $2", table(job.row));
        let values: Vec<Value> = vec![Arc::new(job.row as i64), Arc::new(name.to_owned())];
        let found = self.ask_text(&text, values).wait()?;
        Ok(found.first().map(|row| row.get(0)))
    }

    /// Removes the files of a job. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn remove_evidence(&self, job: EvidenceOwner) -> Result<(), StoreError> {
        let text = format!("DELETE FROM {} WHERE row = $1", table(job.row));
        self.ask_text(&text, vec![Arc::new(job.row as i64)]).wait().map(drop)
    }
}

/// Returns the table that has the evidence of a row.
fn table(row: Row) -> String {
    HourTable::Evidence.in_hour(RowParts::of(row).hour)
}
