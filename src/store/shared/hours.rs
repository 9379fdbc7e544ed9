//! The tables of the hours: their names, making them ahead, and dropping those whose jobs have all
//! expired. An hour's tables are dropped whole: that takes a thousandth of what deleting rows does.

use std::collections::BTreeMap;
use std::fmt;

use super::connect::PgSession;
use super::error::PgError;
use super::row_number::Hour;
use crate::clock::UnixMs;
use crate::store::StoreError;

/// The version of the shape of an hour's tables, which is part of their names: those of the shape
/// before live beside them until they are dropped.
const SHAPE: u32 = 1;
const HOUR_SQL: &str = include_str!("sql/hour.sql");
/// The tables of each hour, as `hour.sql` makes them.
const KINDS: [HourTable; 6] = [
    HourTable::Jobs,
    HourTable::Ends,
    HourTable::Batches,
    HourTable::Deliveries,
    HourTable::Cache,
    HourTable::Evidence,
];

/// How many hours after the present one have their tables already.
const HOURS_AHEAD: u32 = 3;
/// How long an hour's tables stay after its last job has expired, milliseconds.
const DROP_AFTER_MS: u64 = 300_000;
/// The step in which the expiry of an hour's last job is written, milliseconds: each job expires
/// later than the one before, and all of them would write one row otherwise.
const EXPIRY_STEP_MS: u64 = 900_000;

/// A table that each hour has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HourTable {
    Jobs,
    Ends,
    Batches,
    Deliveries,
    Cache,
    Evidence,
}

impl HourTable {
    /// Returns the table's name in an hour.
    pub(super) fn in_hour(self, hour: Hour) -> String {
        format!("{self}_{}", suffix(hour))
    }
}

impl fmt::Display for HourTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            HourTable::Jobs => "jobs",
            HourTable::Ends => "ends",
            HourTable::Batches => "batches",
            HourTable::Deliveries => "deliveries",
            HourTable::Cache => "cache",
            HourTable::Evidence => "evidence",
        })
    }
}

/// Returns what follows the kind in the names of an hour's tables.
pub(super) fn suffix(hour: Hour) -> String {
    format!("{SHAPE}_{:06}", hour.number())
}

/// Makes the tables of an hour. That another node has made them is no error.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn make(session: &PgSession, hour: Hour) -> Result<(), PgError> {
    let tables = HOUR_SQL.replace("{hour}", &suffix(hour));
    let tables = tables.replace("{number}", &hour.number().to_string());
    // Several statements in one message are one transaction.
    match session.batch_execute(&tables).await {
        Err(error) if error.is_duplicate() => Ok(()),
        made => made,
    }
}

/// Makes the tables of the present hour and of those that follow, and returns the hours that had
/// none.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn make_ahead(
    session: &PgSession,
    now_ms: UnixMs,
) -> Result<Vec<Hour>, StoreError> {
    let present = Hour::of_ms(now_ms);
    let made =
        session.query("SELECT hour FROM hours WHERE hour >= $1", &[&present.number()]).await?;
    let made: Vec<i32> = made.iter().map(|row| row.get(0)).collect();
    let ahead = (0..=HOURS_AHEAD).map(|hours| present.plus(hours));
    let missing: Vec<Hour> = ahead.filter(|hour| !made.contains(&hour.number())).collect();
    for hour in &missing {
        make(session, *hour).await?;
    }
    Ok(missing)
}

/// Returns the hours that have tables, the oldest first.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn all(session: &PgSession) -> Result<Vec<Hour>, StoreError> {
    let hours = session.query("SELECT hour FROM hours ORDER BY hour", &[]).await?;
    Ok(hours.iter().filter_map(|row| Hour::of_number(row.get(0))).collect())
}

/// Returns the hours whose tables nothing needs any longer, the oldest first.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn due(session: &PgSession, now_ms: UnixMs) -> Result<Vec<Hour>, StoreError> {
    let before_ms = now_ms.saturating_sub(DROP_AFTER_MS);
    let hours = session
        .query(
            "SELECT hour FROM hours WHERE last_expires_ms <= $1 ORDER BY hour",
            &[&(before_ms as i64)],
        )
        .await?;
    let hours = hours.iter().filter_map(|row| Hour::of_number(row.get(0)));
    Ok(hours.filter(|hour| hour.end_ms() <= before_ms).collect())
}

/// Drops the tables of an hour. What is unfinished or undelivered there has been settled before.
///
/// # Errors
/// Returns an error if the database fails, or somebody reads one of the tables for so long that it
/// is to be tried again later: until then nothing is dropped.
pub(super) async fn drop_tables(session: &PgSession, hour: Hour) -> Result<(), PgError> {
    let tables = KINDS.map(|kind| kind.in_hour(hour)).join(", ");
    // A drop that waits makes all that come after it wait too.
    let statements = format!(
        "SET LOCAL lock_timeout = '2s'; DROP TABLE IF EXISTS {tables}; \
         DELETE FROM hours WHERE hour = {};",
        hour.number()
    );
    session.batch_execute(&statements).await
}

/// Leaves only some rows in the tables of an hour, which is due again at `until_ms`. Their storage
/// is given back as by a drop.
///
/// # Errors
/// Returns an error if [`drop_tables`] would.
pub(super) async fn shrink(
    session: &PgSession,
    hour: Hour,
    rows: &[i64],
    until_ms: UnixMs,
) -> Result<(), PgError> {
    let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    let rows = rows.join(",");
    let tables = KINDS.map(|kind| kind.in_hour(hour)).join(", ");
    let mut statements =
        format!("SET LOCAL lock_timeout = '2s'; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;");
    let kept = [HourTable::Jobs, HourTable::Ends, HourTable::Batches, HourTable::Deliveries];
    for kind in kept {
        let table = kind.in_hour(hour);
        statements.push_str(&format!(
            "CREATE TEMPORARY TABLE kept_{kind} ON COMMIT DROP AS \
             SELECT * FROM {table} WHERE row = ANY('{{{rows}}}');"
        ));
    }
    statements.push_str(&format!("TRUNCATE {tables};"));
    for kind in kept {
        let table = kind.in_hour(hour);
        statements.push_str(&format!("INSERT INTO {table} SELECT * FROM kept_{kind};"));
    }
    let hour = hour.number();
    statements
        .push_str(&format!("UPDATE hours SET last_expires_ms = {until_ms} WHERE hour = {hour};"));
    session.batch_execute(&statements).await
}

/// The expiries that this node has written into `hours`.
#[derive(Default)]
pub(super) struct WrittenExpiries(BTreeMap<Hour, UnixMs>);

impl WrittenExpiries {
    /// Returns what is to be written for a job that expires at `expires_ms`, together with it;
    /// `None` if that is there already. It is counted as written by [`WrittenExpiries::written`].
    pub(super) fn missing(&self, hour: Hour, expires_ms: UnixMs) -> Option<UnixMs> {
        let written_ms = self.0.get(&hour).copied().unwrap_or(0);
        (written_ms < expires_ms)
            .then(|| expires_ms.div_ceil(EXPIRY_STEP_MS).saturating_mul(EXPIRY_STEP_MS))
    }

    /// Notes that an expiry was committed.
    pub(super) fn written(&mut self, hour: Hour, expires_ms: UnixMs) {
        let written_ms = self.0.entry(hour).or_default();
        *written_ms = expires_ms.max(*written_ms);
    }

    /// Forgets the hours before one: no row is given out there any longer.
    pub(super) fn forget_before(&mut self, hour: Hour) {
        self.0 = self.0.split_off(&hour);
    }
}

/// The statement that writes the expiry of an hour's last job: its number and the expiry.
pub(super) const WRITE_EXPIRY: &str =
    "UPDATE hours SET last_expires_ms = $2 WHERE hour = $1 AND last_expires_ms < $2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_by_shape_and_hour() {
        let hour = Hour::of_ms(1_778_500_800_000);
        assert_eq!(HourTable::Jobs.in_hour(hour), "jobs_1_003132");
        for kind in KINDS {
            assert!(HOUR_SQL.contains(&format!("CREATE TABLE {kind}_{{hour}}(")), "{kind}");
        }
        assert_eq!(HOUR_SQL.matches("CREATE TABLE ").count(), KINDS.len());
    }

    #[test]
    fn expiries_are_written_when_they_rise_by_a_step() {
        let (hour, next) = (Hour::of_ms(0), Hour::of_ms(0).plus(1));
        let mut written = WrittenExpiries::default();
        assert_eq!(written.missing(hour, 1), Some(EXPIRY_STEP_MS));
        // What was not committed is still missing.
        assert_eq!(written.missing(hour, 1), Some(EXPIRY_STEP_MS));
        written.written(hour, EXPIRY_STEP_MS);
        assert_eq!(written.missing(hour, EXPIRY_STEP_MS), None);
        assert_eq!(written.missing(hour, EXPIRY_STEP_MS + 1), Some(2 * EXPIRY_STEP_MS));
        assert_eq!(written.missing(next, 1), Some(EXPIRY_STEP_MS));
        written.written(hour, 0);
        assert_eq!(written.missing(hour, EXPIRY_STEP_MS), None);
        written.forget_before(next);
        assert_eq!(written.missing(hour, 1), Some(EXPIRY_STEP_MS));
    }
}
