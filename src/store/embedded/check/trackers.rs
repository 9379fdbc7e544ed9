//! The check of trackers, of what was measured by them, and of the sums over that.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTable};

use super::report::Expected;
use crate::store::embedded::tables;
use crate::store::{CheckReport, StoreError, day_of, record};

/// Checks that every tracker has its versions.
pub(super) fn trackers(
    transaction: &ReadTransaction,
    _: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(trackers) = tables::later(transaction, tables::TRACKERS)? else { return Ok(()) };
    let versions = transaction.open_table(tables::TRACKER_VERSIONS)?;
    let mut known = BTreeSet::new();
    for entry in trackers.iter()? {
        let (key, bytes) = entry?;
        let (account, name) = key.value();
        match record::decode_tracker(name, bytes.value()) {
            Ok(tracker) => {
                known.insert(tracker.id);
                if versions.get((tracker.id, tracker.version))?.is_none() {
                    report.problem(format!("tracker {name} of {account} has no latest version"));
                }
            }
            Err(error) => {
                let kind = error.kind();
                report.problem(format!("tracker {name} of {account} cannot be read: {kind}"));
            }
        }
    }
    for entry in versions.iter()? {
        let (key, bytes) = entry?;
        let (id, version) = key.value();
        if !known.contains(&id) {
            report.problem(format!("version {version} of tracker {id} belongs to no tracker"));
        }
        if let Err(error) = record::decode_tracker_version(id, version, bytes.value()) {
            let kind = error.kind();
            report.problem(format!("version {version} of tracker {id} cannot be read: {kind}"));
        }
    }
    Ok(())
}

/// Checks that every observation can be read and is in the sums of its day. A sweep removes
/// observations first, so that sums may have more.
pub(super) fn observations(
    transaction: &ReadTransaction,
    _: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(observations) = tables::later(transaction, tables::OBSERVATIONS)? else {
        return Ok(());
    };
    let versions = transaction.open_table(tables::TRACKER_VERSIONS)?;
    let mut by_day: BTreeMap<(u64, u32, u32), u64> = BTreeMap::new();
    for entry in observations.iter()? {
        let (key, bytes) = entry?;
        let (id, version, at_ms, row) = key.value();
        report.observations += 1;
        if let Err(error) = record::decode_observation(row, bytes.value()) {
            let kind = error.kind();
            report.problem(format!("the observation of job row {row} cannot be read: {kind}"));
        }
        *by_day.entry((id, version, day_of(at_ms))).or_default() += 1;
    }
    let mut summed: BTreeMap<(u64, u32, u32), u64> = BTreeMap::new();
    for entry in transaction.open_table(tables::SUMS)?.iter()? {
        let (key, bytes) = entry?;
        let (id, version, day, ..) = key.value();
        match record::decode_sums(day, bytes.value()) {
            Ok(sums) => *summed.entry((id, version, day)).or_default() += sums.answers,
            Err(error) => {
                let kind = error.kind();
                report.problem(format!("sums of tracker {id} on day {day} cannot be read: {kind}"));
            }
        }
    }
    page_sums(transaction, report)?;
    for (key, observed) in by_day {
        let (id, version, day) = key;
        if versions.get((id, version))?.is_none() {
            report.problem(format!("observations of tracker {id} have no version {version}"));
        }
        let summed = summed.get(&key).copied().unwrap_or_default();
        if summed < observed {
            report.problem(format!(
                "tracker {id} has {observed} observations on day {day}, its sums have {summed}"
            ));
        }
    }
    Ok(())
}

/// Checks that the pages of every day and group can be read, and stand beside sums.
fn page_sums(transaction: &ReadTransaction, report: &mut CheckReport) -> Result<(), StoreError> {
    let Some(pages) = tables::later(transaction, tables::PAGE_SUMS)? else { return Ok(()) };
    let sums = transaction.open_table(tables::SUMS)?;
    for entry in pages.iter()? {
        let (key, bytes) = entry?;
        let (id, _, day, ..) = key.value();
        if let Err(error) = record::decode_page_sums(day, bytes.value()) {
            let kind = error.kind();
            report.problem(format!("pages of tracker {id} on day {day} cannot be read: {kind}"));
        }
        if sums.get(key.value())?.is_none() {
            report.problem(format!("pages of tracker {id} on day {day} have no sums"));
        }
    }
    Ok(())
}
