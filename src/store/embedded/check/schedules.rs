//! The tables of schedules: every record, and the index of what is due both ways.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTable};

use super::report::Expected;
use crate::store::embedded::tables;
use crate::store::{CheckReport, StoreError, record};

pub(super) fn check(
    transaction: &ReadTransaction,
    _: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(schedules) = tables::later(transaction, tables::SCHEDULES)? else { return Ok(()) };
    let batches = transaction.open_table(tables::SCHEDULE_BATCHES)?;
    let (mut known, mut due) = (BTreeSet::new(), BTreeSet::new());
    for entry in schedules.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        known.insert(row);
        match record::decode_schedule(row, bytes.value()) {
            Ok(schedule) => due.extend(schedule.progress.next.map(|next| (next.due_ms, row))),
            Err(error) => {
                report.problem(format!("schedule row {row} cannot be read: {}", error.kind()));
            }
        }
        let batch = batches.get(row)?;
        let batch = batch.map(|bytes| record::decode_schedule_batch(row, bytes.value()));
        if batch.is_none_or(|batch| batch.is_err()) {
            report.problem(format!("schedule row {row} has no batch that can be read"));
        }
    }
    for entry in transaction.open_table(tables::SCHEDULES_DUE)?.iter()? {
        let (due_ms, row) = entry?.0.value();
        if !due.remove(&(due_ms, row)) {
            report.problem(format!("schedule row {row} is not due at {due_ms} as the index says"));
        }
    }
    for (due_ms, row) in due {
        report.problem(format!("schedule row {row} is due at {due_ms} and not in the index"));
    }
    for entry in batches.iter()? {
        let row = entry?.0.value();
        if !known.contains(&row) {
            report.problem(format!("schedule batch row {row} belongs to no schedule"));
        }
    }
    for entry in transaction.open_table(tables::SCHEDULE_RUNS)?.iter()? {
        let (key, bytes) = entry?;
        let (row, number) = key.value();
        if let Err(error) = record::decode_run(row, number, bytes.value()) {
            let what = format!("run {number} of schedule row {row}");
            report.problem(format!("{what} cannot be read: {}", error.kind()));
        }
        if !known.contains(&row) {
            report.problem(format!("run {number} of row {row} belongs to no schedule"));
        }
    }
    Ok(())
}
