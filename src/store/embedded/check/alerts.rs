//! The tables of alerts: every record, what they watch, the index of what is due, and the notices,
//! both ways.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTable};

use super::report::Expected;
use crate::store::alerts::NEVER_MS;
use crate::store::embedded::tables;
use crate::store::{CheckReport, StoreError, record};

/// Reads every alert and every notice.
pub(super) fn check(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(alerts) = tables::later(transaction, tables::ALERTS)? else { return Ok(()) };
    let mut watches: BTreeMap<u64, String> = BTreeMap::new();
    let mut noticed = BTreeSet::new();
    for entry in alerts.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        report.alerts += 1;
        match record::decode_alert(row, bytes.value()) {
            Ok(alert) => {
                noticed.extend(alert.progress.notices.iter().copied());
                if !alert.paused {
                    watches.insert(row, alert.watch());
                }
            }
            Err(error) => {
                report.problem(format!("alert row {row} cannot be read: {}", error.kind()));
            }
        }
    }
    check_watches(transaction, watches, report)?;
    for entry in transaction.open_table(tables::NOTICES)?.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        expected.notices.insert(row);
        report.notices += 1;
        if let Err(error) = record::decode_notice(row, bytes.value()) {
            report.problem(format!("notice row {row} cannot be read: {}", error.kind()));
        }
        if !noticed.remove(&row) {
            report.problem(format!("notice row {row} belongs to no alert"));
        }
    }
    for row in noticed {
        report.problem(format!("notice row {row} of an alert is missing"));
    }
    for entry in transaction.open_table(tables::ALERT_RUNS)?.iter()? {
        let batch = entry?.0.value().0;
        if !expected.batches.contains_key(&batch) {
            report.problem(format!("the runs of alerts name batch row {batch}, which is none"));
        }
    }
    Ok(())
}

fn check_watches(
    transaction: &ReadTransaction,
    mut watches: BTreeMap<u64, String>,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut due = BTreeSet::new();
    for entry in transaction.open_table(tables::ALERT_WATCHES)?.iter()? {
        let (key, value) = entry?;
        let (watch, row) = key.value();
        if watches.remove(&row).is_none_or(|known| known != watch) {
            report.problem(format!("alert row {row} does not watch what the index says"));
        }
        let due_ms = value.value().0;
        if due_ms != NEVER_MS {
            due.insert((due_ms, row));
        }
    }
    for row in watches.keys() {
        report.problem(format!("alert row {row} is not in the index of what is watched"));
    }
    for entry in transaction.open_table(tables::ALERTS_DUE)?.iter()? {
        let (due_ms, row) = entry?.0.value();
        if !due.remove(&(due_ms, row)) {
            report.problem(format!("alert row {row} is not due at {due_ms} as the index says"));
        }
    }
    for (due_ms, row) in due {
        report.problem(format!("alert row {row} is due at {due_ms} and not in the index"));
    }
    Ok(())
}
