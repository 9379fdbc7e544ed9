//! The attempts of jobs that failed, of which it is known what they used, or whose result does not
//! say how it came about, kept as long as their jobs. Others write nothing here: what is known of a
//! job's first attempt whose first upstream answered is in its result.

use uuid::Uuid;

use super::Embedded;
use super::snapshot::Snapshot;
use super::spend;
use super::transaction::Tables;
use crate::clock::UnixMs;
use crate::job::{AttemptEnd, Job, UpstreamUsage};
use crate::store::change;
use crate::store::record::SealedResult;
use crate::store::{NewAttemptEnd, Pending, Row, StoreError, record};

/// Adds an attempt to those of its job, if that is there to keep it, and its calls to what was
/// spent, in the transaction that changes the job.
pub(super) fn note(
    tables: &mut Tables<'_>,
    row: Row,
    NewAttemptEnd { end, account, label }: NewAttemptEnd,
    is_kept: bool,
) -> Result<(), StoreError> {
    if !is_kept {
        return spend::add(tables, &account, label.as_deref(), &end);
    }
    let kept = match tables.attempts.get(row)? {
        Some(bytes) => record::decode_attempts(row, bytes.value()),
        None => Ok(Vec::new()),
    };
    // Those that cannot be read are no reason to keep a job from going on.
    let mut attempts = kept.unwrap_or_default();
    if !change::keep_attempt(&mut attempts, end.clone()) {
        return Ok(());
    }
    spend::add(tables, &account, label.as_deref(), &end)?;
    let bytes = record::encode_attempts(row, &attempts)?;
    tables.attempts.insert(row, bytes.as_slice())
}

/// Removes what is kept of a job that is removed.
pub(super) fn forget(tables: &mut Tables<'_>, job: &Job) -> Result<(), StoreError> {
    // Whether it has any does not follow from its count: an attempt may be given back after it
    // failed.
    tables.attempts.remove(job.row)
}

fn read(snapshot: &Snapshot, row: Row) -> Result<Vec<AttemptEnd>, StoreError> {
    match snapshot.attempts()?.get(row)? {
        Some(bytes) => record::decode_attempts(row, bytes.value()),
        None => Ok(Vec::new()),
    }
}

/// Returns what the attempts of a job have used that have ended; `None` if nothing of it is known.
pub(super) fn usage(snapshot: &Snapshot, job: &Job) -> Option<UpstreamUsage> {
    if !change::may_have_usage(job) {
        return None;
    }
    // What cannot be read is for `db check` to report.
    let attempts = read(snapshot, job.row).unwrap_or_default();
    attempts.iter().filter_map(AttemptEnd::usage).reduce(UpstreamUsage::and)
}

impl Embedded {
    pub(crate) async fn read_attempts<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read_job: impl FnOnce(&Job, Option<&[u8]>, Vec<AttemptEnd>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(None) };
        let row = plain.row;
        self.read(|snapshot| {
            let ended = read(snapshot, row);
            let found = self.row_in(snapshot, row, now_ms, |job, result| {
                plain.has_nonce(job.nonce).then(|| ended.map(|ended| read_job(job, result, ended)))
            })?;
            found.flatten().transpose()
        })
    }

    pub(crate) async fn read_job_with_usage<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read_job: impl FnOnce(&Job, Option<SealedResult<'_>>, Option<&UpstreamUsage>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(None) };
        let found = self.read(|snapshot| {
            self.sealed_row_in(snapshot, plain.row, now_ms, |job, result| {
                plain.has_nonce(job.nonce).then(|| {
                    let usage = usage(snapshot, job);
                    read_job(job, result, usage.as_ref())
                })
            })
        })?;
        Ok(found.flatten())
    }

    pub(crate) fn note_attempt(&self, row: Row, ended: NewAttemptEnd) -> Pending<()> {
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                let is_kept = tables.has_job(row)?;
                note(tables, row, ended, is_kept)
            })
        })
    }
}
