//! The check of the batches: their records, their counts, and their place in the expiry index.

use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable};

use super::report::Expected;
use crate::job::BatchProgress;
use crate::store::embedded::tables;
use crate::store::{CheckReport, StoreError, record};

/// Checks that every batch is in the expiry index, and its counts are those of its jobs. What has
/// expired is swept row by row, the batch first, so that some of its jobs may be there without it.
pub(super) fn check(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let expiry = transaction.open_table(tables::EXPIRY)?;
    let ends = transaction.open_table(tables::BATCH_PROGRESS)?;
    for entry in transaction.open_table(tables::BATCHES)?.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        let Some(ended) = ends.get(row)? else {
            report.problem(format!("batch row {row} has no counts"));
            continue;
        };
        let batch = record::decode_progress(row, ended.value())
            .and_then(|ended| record::decode_batch(row, bytes.value(), ended));
        match batch {
            Ok(batch) => drop(expected.batches.insert(row, batch)),
            Err(error) => {
                report.problem(format!("batch row {row} cannot be read: {}", error.kind()));
            }
        }
    }
    for (row, batch) in &expected.batches {
        let held_ms = expected.deliveries.get(row).and_then(|delivery| delivery.held_until_ms);
        if expiry.get((held_ms.unwrap_or(batch.expires_ms), *row))?.is_none() {
            report.problem(format!("batch row {row} is not in the expiry index"));
        }
        let rows = (Bound::Excluded(*row), Bound::Included(*row + u64::from(batch.items)));
        let (mut pending, mut done, mut failed) = (0, 0, 0);
        for (_, job) in expected.jobs.range(rows).filter(|(_, job)| job.batch == Some(*row)) {
            let count = match (job.finished, job.done) {
                (false, _) => &mut pending,
                (true, true) => &mut done,
                (true, false) => &mut failed,
            };
            *count += 1;
        }
        let BatchProgress { done: counted_done, failed: counted_failed, .. } = batch.progress;
        // Ended jobs may be gone before their batch: one that expired before it could start, and
        // all of them before a batch whose webhook was delivered late.
        let short = counted_done < done || counted_failed < failed;
        if batch.pending() != pending || short {
            report.problem(format!(
                "batch row {row} counts {} pending, {counted_done} done and {counted_failed} \
                 failed, its jobs are {pending}, {done} and {failed}",
                batch.pending()
            ));
        }
        if (batch.pending() == 0) != batch.progress.completed_ms.is_some() {
            report.problem(format!("batch row {row} does not know whether it has ended"));
        }
    }
    for entry in ends.iter()? {
        let row = entry?.0.value();
        if !expected.batches.contains_key(&row) {
            report.problem(format!("batch counts of row {row} belong to no batch"));
        }
    }
    Ok(())
}
