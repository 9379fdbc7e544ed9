//! The failed attempts of jobs, kept as long as their jobs. Only a failure writes here: what is known of
//! an attempt that brought an answer is in its result.

use uuid::Uuid;

use super::tables::{self, Row};
use super::transaction::Tables;
use super::{Store, StoreError, record};
use crate::clock::UnixMs;
use crate::job::{ATTEMPTS_KEPT_MAX, AttemptEnd, Job};

/// Adds a failed attempt to those of its job, in the transaction that changes the job.
pub(super) fn note(tables: &mut Tables<'_>, row: Row, end: AttemptEnd) -> Result<(), StoreError> {
    let kept = match tables.attempts.get(row)? {
        Some(bytes) => record::decode_attempts(row, bytes.value()),
        None => Ok(Vec::new()),
    };
    // Those that cannot be read are no reason to keep a job from going on.
    let mut attempts = kept.unwrap_or_default();
    let known = (end.number, end.started_ms);
    if attempts.last().is_some_and(|last| (last.number, last.started_ms) == known) {
        // It was written by a commit that was reported as failed.
        return Ok(());
    }
    attempts.push(end);
    let surplus = attempts.len().saturating_sub(ATTEMPTS_KEPT_MAX);
    attempts.drain(..surplus);
    let bytes = record::encode_attempts(row, &attempts)?;
    tables.attempts.insert(row, bytes.as_slice())
}

/// Removes what is kept of a job that is removed.
pub(super) fn forget(tables: &mut Tables<'_>, job: &Job) -> Result<(), StoreError> {
    // Whether it has any does not follow from its count: an attempt may be given back after it failed.
    tables.attempts.remove(job.row)
}

impl Store {
    /// Reads a job with the JSON of its result and its failed attempts, oldest first, if it exists at
    /// `now_ms`: all of one state.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn read_attempts<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>, Vec<AttemptEnd>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(None) };
        let row = plain.row;
        self.shared.read(|snapshot| {
            let failed = match snapshot.open_table(tables::ATTEMPTS)?.get(row)? {
                Some(bytes) => record::decode_attempts(row, bytes.value()),
                None => Ok(Vec::new()),
            };
            let found = self.row_in(snapshot, row, now_ms, |job, result| {
                plain.has_nonce(job.nonce).then(|| failed.map(|failed| read(job, result, failed)))
            })?;
            found.flatten().transpose()
        })
    }
}
