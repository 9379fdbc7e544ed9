//! `db export`: every job that can be read, as a line.

use std::io::Write;
use std::path::Path;

use redb::ReadableDatabase;

use super::rows::visit_jobs;
use super::{format_damage, is_intact};
use crate::id::IdCipher;
use crate::job::{Job, State};
use crate::store::embedded::database::guarded;
use crate::store::embedded::storage::{FileStorage, directory_error};
use crate::store::embedded::{open, tables};
use crate::store::{ExportReport, Store, StoreError, record};

impl Store {
    /// Writes every job that can be read as a line of JSON, oldest first; `line` renders it. A job
    /// whose result cannot be read is written without it. Where the key of the ids cannot be read,
    /// jobs are written with the nil id.
    ///
    /// # Errors
    /// Returns an error if the store cannot be opened, or `out` cannot be written.
    pub fn export(
        directory: &Path,
        out: &mut dyn Write,
        line: impl Fn(&Job, uuid::Uuid, Option<&[u8]>) -> Vec<u8>,
    ) -> Result<ExportReport, StoreError> {
        let storage = FileStorage::new(directory);
        let mut database = open::open_database(&storage, open::TOOL_CACHE_BYTES, false)?;
        let mut report = ExportReport::default();
        if let Some(damage) = format_damage(&mut database)? {
            report.unreadable(format!("the store's format: {}", damage.kind()));
        }
        let intact = is_intact(&mut database);
        let transaction = guarded(|| Ok(database.begin_read()?))?;
        let cipher = match guarded(|| open::id_key(&transaction)) {
            Ok(key) => Some(IdCipher::new(key)),
            Err(error) => {
                report.unreadable(format!("the key of the ids: {}", error.kind()));
                None
            }
        };
        let results = guarded(|| Ok(transaction.open_table(tables::RESULTS)?));
        visit_jobs(&transaction, |row, job| {
            let job = match job {
                Ok((job, _)) => job,
                Err(error) => {
                    report.unreadable(format!("job row {row}: {}", error.kind()));
                    return Ok(());
                }
            };
            let id =
                cipher.as_ref().map_or(uuid::Uuid::nil(), |cipher| cipher.seal(row, job.nonce));
            let result = guarded(|| match results.as_ref().map_err(Clone::clone)?.get(row)? {
                Some(stored) => Ok(Some(record::decode_result(row, stored.value())?.to_vec())),
                None if job.state == State::Done => Err(StoreError::Damaged("a result is missing")),
                None => Ok(None),
            });
            let result = result.unwrap_or_else(|error| {
                if job.state == State::Done {
                    report.unreadable(format!("the result of job {id}: {}", error.kind()));
                }
                None
            });
            let mut json = line(&job, id, result.as_deref());
            json.push(b'\n');
            report.written += 1;
            out.write_all(&json).map_err(|error| directory_error(directory, error))
        })?;
        // The key of the ids and the scrapers' names have no checksum but the database's own.
        if !intact && report.unreadable_total == 0 {
            let doubt = "the database's own checksums do not match: ids and names may be wrong";
            report.unreadable(doubt.to_owned());
        }
        Ok(report)
    }
}
