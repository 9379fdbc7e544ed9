//! The things that records of a store in a file are here. Their values are the same.

use super::counts;
use super::kept;
use super::nodes::SLOT_OF_ALL;
use super::observations::{group_key, observation_key, tracker_key, version_key};
use super::schedules;
use super::things::{KeyBytes, PRESENT, ThingKey, ThingKind};
use crate::store::moved::MovedKey;

/// Returns the thing of a record, with its value. Counts become those of the node `node`.
pub(super) fn thing_of(key: MovedKey<'_>, bytes: &[u8], node: &str) -> (ThingKey, Vec<u8>) {
    let of_row = ThingKey::of_row;
    let key = match key {
        MovedKey::Attempts(row) => of_row(ThingKind::Attempts, row),
        MovedKey::Raw(row) => of_row(ThingKind::Raw, row),
        MovedKey::VendorTask(row) => of_row(ThingKind::VendorTask, row),
        MovedKey::Spend(day, account, upstream, label) => {
            kept::spend_key(day, account, upstream, label, SLOT_OF_ALL)
        }
        MovedKey::Models(upstream) => KeyBytes::default().text(upstream).of(ThingKind::Models),
        MovedKey::Counts(key) => counts::key_of(key).text(node).of(ThingKind::Counts),
        MovedKey::Schedule(row) => of_row(ThingKind::Schedule, row),
        MovedKey::ScheduleBatch(row) => of_row(ThingKind::ScheduleBatch, row),
        MovedKey::ScheduleDue(due_ms, row) => schedules::due_key(due_ms, row),
        MovedKey::ScheduleRun(row, number) => schedules::run_key(row, number),
        MovedKey::Tracker(account, name) => tracker_key(account, name),
        MovedKey::TrackerVersion(id, version) => version_key(id, version),
        MovedKey::Observation(key) => observation_key(key),
        MovedKey::Sums(key) => group_key(key).slot(SLOT_OF_ALL).of(ThingKind::Sums),
        MovedKey::PageSums(key) => group_key(key).slot(SLOT_OF_ALL).of(ThingKind::PageSums),
        MovedKey::Alert(row) => of_row(ThingKind::Alert, row),
        MovedKey::AlertRun(row, watch) => {
            KeyBytes::default().u64(row).text(watch).of(ThingKind::AlertRun)
        }
        MovedKey::Notice(row) => of_row(ThingKind::Notice, row),
    };
    // An entry of an index has a value here, and none in a file.
    let value = if bytes.is_empty() { PRESENT } else { bytes };
    (key, value.to_vec())
}
