//! The check of what is not hot: that every record of it can be read, and that what is due is in
//! its index.

use std::collections::BTreeSet;

use super::found::CheckFindings;
use super::measured::MeasuredTotals;
use super::snapshot::CheckSnapshot;
use crate::store::shared::alert_marks;
use crate::store::shared::counts;
use crate::store::shared::kept;
use crate::store::shared::things::{KeyReader, ThingKind};
use crate::store::{Row, StoreError, record};

/// The most things that are in memory at once.
const ROWS_MAX: i64 = 1_000;
const THINGS: &str = "
    SELECT kind, key, value FROM things WHERE (kind, key) > ($1, $2) AND value <> ''
    ORDER BY kind, key LIMIT $3";

const KEYLESS: StoreError = StoreError::Damaged("its key cannot be read");

/// The rows that belong together, by what was read.
#[derive(Default)]
struct Indexes {
    /// When schedules are due and their rows, by their records, and by the index.
    schedules_due: BTreeSet<(u64, Row)>,
    schedules_filed: BTreeSet<(u64, Row)>,
    /// The same of alerts.
    alerts_due: BTreeSet<(u64, Row)>,
    alerts_filed: BTreeSet<(u64, Row)>,
    measured: MeasuredTotals,
}

/// Checks every thing.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn check(
    snapshot: &CheckSnapshot,
    found: &mut CheckFindings,
) -> Result<(), StoreError> {
    let (mut kind, mut key) = (0_i16, Vec::<u8>::new());
    let mut indexes = Indexes::default();
    loop {
        let page = snapshot.tables().query(THINGS, &[&kind, &key, &ROWS_MAX]).await?;
        let Some(last) = page.last() else { break };
        (kind, key) = (last.get(0), last.get::<_, Vec<u8>>(1));
        for thing in &page {
            // One of a later version is that version's to check.
            let Some(kind) = ThingKind::from_number(thing.get(0)) else { continue };
            let key: &[u8] = thing.get(1);
            if let Err(error) = read(kind, key, thing.get(2), &mut indexes, found) {
                let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                found.problem(format!("{} {key} cannot be read: {}", noun(kind), error.kind()));
            }
        }
    }
    let Indexes { schedules_due, schedules_filed, alerts_due, alerts_filed, measured } = indexes;
    measured.compare(found);
    for (what, due, filed) in
        [("schedule", schedules_due, schedules_filed), ("alert", alerts_due, alerts_filed)]
    {
        for (due_ms, row) in filed.difference(&due) {
            found.problem(format!("{what} row {row} is not due at {due_ms} as the index says"));
        }
        for (due_ms, row) in due.difference(&filed) {
            found.problem(format!("{what} row {row} is due at {due_ms} and not in the index"));
        }
    }
    Ok(())
}

/// Reads a thing.
fn read(
    kind: ThingKind,
    key: &[u8],
    value: &[u8],
    indexes: &mut Indexes,
    found: &mut CheckFindings,
) -> Result<(), StoreError> {
    let mut parts = KeyReader(key);
    let mut number = || parts.u64().ok_or(KEYLESS);
    match kind {
        ThingKind::Attempts => record::decode_attempts(number()?, value).map(drop),
        ThingKind::Raw => {
            found.report.raws += 1;
            record::decode_raw(number()?, value).map(drop)
        }
        ThingKind::VendorTask => record::decode_vendor_task(number()?, value).map(drop),
        ThingKind::Spend => {
            record::decode_spend(kept::day_of_spend(key).ok_or(KEYLESS)?, value).map(drop)
        }
        ThingKind::Schedule => {
            let row = number()?;
            let schedule = record::decode_schedule(row, value)?;
            indexes.schedules_due.extend(schedule.progress.next.map(|next| (next.due_ms, row)));
            Ok(())
        }
        ThingKind::ScheduleBatch => record::decode_schedule_batch(number()?, value).map(drop),
        ThingKind::ScheduleDue => {
            indexes.schedules_filed.insert((number()?, number()?));
            Ok(())
        }
        ThingKind::ScheduleRun => record::decode_run(number()?, number()?, value).map(drop),
        ThingKind::Tracker => {
            let name = parts.text().and_then(|_| parts.text()).ok_or(KEYLESS)?;
            record::decode_tracker(&name, value).map(drop)
        }
        ThingKind::TrackerVersion => {
            let id = number()?;
            let version = parts.u32().ok_or(KEYLESS)?;
            indexes.measured.add_version(id, version);
            record::decode_tracker_version(id, version, value).map(drop)
        }
        ThingKind::Observation => {
            found.report.observations += 1;
            indexes.measured.add_observation(key)?;
            let row = key.last_chunk().ok_or(KEYLESS)?;
            record::decode_observation(Row::from_be_bytes(*row), value).map(drop)
        }
        ThingKind::Sums => indexes.measured.add_sums(key, value),
        ThingKind::PageSums => indexes.measured.add_pages(key, value),
        ThingKind::Alert => {
            found.report.alerts += 1;
            record::decode_alert(number()?, value).map(drop)
        }
        ThingKind::AlertWatch => {
            let row = parts.text().and_then(|_| parts.u64()).ok_or(KEYLESS)?;
            let mark = alert_marks::decode(value).ok_or(KEYLESS)?;
            indexes.alerts_due.extend(mark.due_ms().map(|due_ms| (due_ms, row)));
            Ok(())
        }
        ThingKind::AlertDue => {
            indexes.alerts_filed.insert((number()?, number()?));
            Ok(())
        }
        ThingKind::Notice => {
            found.report.notices += 1;
            record::decode_notice(number()?, value).map(drop)
        }
        ThingKind::NoticeDelivery => record::decode_delivery(number()?, value).map(drop),
        ThingKind::Models => record::decode_models(value).map(drop),
        ThingKind::Counts => {
            let (_, _, number) = counts::read_key(key).ok_or(KEYLESS)?.0;
            record::check_counts(number, value)
        }
        // They have no record.
        ThingKind::AccountLock | ThingKind::AlertRun => Ok(()),
    }
}

/// Returns what a thing is called in a sentence, before its key in hexadecimal digits.
fn noun(kind: ThingKind) -> &'static str {
    match kind {
        ThingKind::Attempts => "attempts of job row",
        ThingKind::Raw => "raw replies of job row",
        ThingKind::VendorTask => "vendor task of job row",
        ThingKind::Spend => "sum of spend",
        ThingKind::AccountLock => "lock of an account",
        ThingKind::Schedule => "schedule row",
        ThingKind::ScheduleBatch => "batch of schedule row",
        ThingKind::ScheduleDue => "index entry of a schedule",
        ThingKind::ScheduleRun => "run of a schedule",
        ThingKind::Tracker => "tracker",
        ThingKind::TrackerVersion => "version of a tracker",
        ThingKind::Observation => "observation",
        ThingKind::Sums => "sums of a tracker",
        ThingKind::PageSums => "pages of a tracker",
        ThingKind::Alert => "alert row",
        ThingKind::AlertWatch => "mark of an alert",
        ThingKind::AlertDue => "index entry of an alert",
        ThingKind::AlertRun => "run of an alert",
        ThingKind::Notice => "notice row",
        ThingKind::NoticeDelivery => "delivery of notice row",
        ThingKind::Models => "models of an upstream",
        ThingKind::Counts => "counts",
    }
}
