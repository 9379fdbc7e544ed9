//! How far a batch has come: counted with each end of its jobs, and removed with the batch.

use super::transaction::Tables;
use super::{alert_marks, idempotency, outbox, rows};
use crate::clock::UnixMs;
use crate::job::Batch;
use crate::store::alert_marks as marks;
use crate::store::change::{self, BatchEnd};
use crate::store::effects::Effect;
use crate::store::{Row, StoreError, record};

/// Counts the end of one of a batch's jobs. A batch that is no longer there, or cannot be read,
/// does not keep its jobs from ending.
pub(super) fn count_end(
    tables: &mut Tables<'_>,
    end: BatchEnd,
    now_ms: UnixMs,
) -> Result<(), StoreError> {
    let row = end.key.row;
    let mut batch = match rows::read_batch(tables, row) {
        Ok(Some(batch)) if batch.key == end.key => batch,
        Err(error) if error.voids_transaction() => return Err(error),
        Ok(_) | Err(_) => return Ok(()),
    };
    let change = change::batch_end(&mut batch, end.done, now_ms);
    if change.ends {
        tables.effects.push(Effect::BatchEnded { row });
        outbox::file(tables, outbox::seal(change.delivery)?)?;
        marks::end_batch(tables, row, now_ms)?;
    }
    write_progress(tables, &batch)
}

pub(super) fn write_progress(tables: &mut Tables<'_>, batch: &Batch) -> Result<(), StoreError> {
    let row = batch.key.row;
    tables.batch_progress.insert(row, record::encode_progress(row, batch.progress)?.as_slice())?;
    Ok(())
}

/// Removes a batch that has expired, where the row is one's. Its jobs expire by themselves.
pub(super) fn remove(tables: &mut Tables<'_>, row: Row, now_ms: UnixMs) -> Result<(), StoreError> {
    let Some(batch) = rows::read_batch(tables, row)?.filter(|batch| batch.expires_ms <= now_ms)
    else {
        return Ok(());
    };
    if outbox::hold_if_pending(tables, row, batch.expires_ms, now_ms)? {
        return Ok(());
    }
    tables.expiry.remove((batch.expires_ms, row))?;
    outbox::forget(tables, row)?;
    drop(alert_marks::take_runs(tables, row)?);
    tables.batches.remove(row)?;
    tables.batch_progress.remove(row)?;
    idempotency::forget(tables, batch.idempotency, row)
}
