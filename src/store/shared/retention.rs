//! Removing what has had its time: the tables of hours, and old rows of the tables that stay, in
//! passes of bounded size. One node does it at a time; that two do is no harm.

use tokio_postgres::types::ToSql;

use super::connect::PgSession;
use super::error::ErrorClass;
use super::hours::{self, HourTable};
use super::nodes::NOW_MS;
use super::row_number::Hour;
use super::things::ThingKind;
use crate::clock::{self, UnixMs};
use crate::store::outbox::HOLD_MS;
use crate::store::{DAYS_KEPT_MAX, Row, StoreError, record};

/// The most rows that one statement removes.
const ROWS_MAX: i64 = 1_000;
/// What an empty table takes with its index, bytes.
const EMPTY_BYTES_MAX: u64 = 65_536;
/// How long the fence of a writer that is gone may be asked for, milliseconds.
const GONE_MS: i64 = 86_400_000;

const KEYS: &str = "DELETE FROM idempotency WHERE key_hash IN \
    (SELECT key_hash FROM idempotency WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2 \
    FOR UPDATE SKIP LOCKED)";
/// What a delivery still needs stays.
const BATCH_ENDS: &str = "DELETE FROM batch_ends WHERE row IN \
    (SELECT row FROM batch_ends b WHERE expires_ms <= $1 \
    AND NOT EXISTS (SELECT FROM outbox o WHERE o.row = b.row) ORDER BY row LIMIT $2 \
    FOR UPDATE SKIP LOCKED)";
const USAGE: &str = "DELETE FROM usage WHERE (account, day, scraper, slot) IN \
    (SELECT account, day, scraper, slot FROM usage WHERE day < $1 LIMIT $2)";
const THINGS: &str = "DELETE FROM things WHERE kind = $1 AND key IN \
    (SELECT key FROM things WHERE kind = $1 AND key >= $2 AND key < $3 ORDER BY key LIMIT $4)";

/// Removes what is old in the tables that stay.
///
/// # Errors
/// Returns an error if the database fails: the rest is removed later.
pub(super) async fn forget(session: &PgSession, now_ms: UnixMs) -> Result<(), StoreError> {
    let now = now_ms as i64;
    for text in [KEYS, BATCH_ENDS] {
        remove(session, text, &[&now]).await?;
    }
    let day = clock::days_before(clock::calendar_day(now_ms), DAYS_KEPT_MAX);
    remove(session, USAGE, &[&(day as i32)]).await?;
    // Its keys begin with the day.
    forget_things(session, ThingKind::Spend, Vec::new(), day.to_be_bytes().to_vec()).await?;
    let gone = format!("DELETE FROM gone_writers WHERE gone_ms < {NOW_MS} - {GONE_MS}");
    session.execute(&gone, &[]).await?;
    Ok(())
}

async fn forget_things(
    session: &PgSession,
    kind: ThingKind,
    from: Vec<u8>,
    before: Vec<u8>,
) -> Result<(), StoreError> {
    remove(session, THINGS, &[&(kind as i16), &from, &before]).await
}

/// Runs a statement whose last parameter is how many rows it removes at most, until fewer are left.
async fn remove(
    session: &PgSession,
    text: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<(), StoreError> {
    let mut values = values.to_vec();
    values.push(&ROWS_MAX);
    while session.execute(text, &values).await? >= ROWS_MAX as u64 {}
    Ok(())
}

/// Removes the evidence of the oldest hours while all of it takes more than `bytes_max`.
///
/// # Errors
/// Returns an error if the database fails: the rest is removed later.
pub(super) async fn bound_evidence(session: &PgSession, bytes_max: u64) -> Result<(), StoreError> {
    let mut taken = Vec::new();
    let hours = session.query("SELECT hour FROM hours ORDER BY hour DESC", &[]).await?;
    for hour in hours.iter().filter_map(|row| Hour::of_number(row.get(0))) {
        let table = HourTable::Evidence.in_hour(hour);
        let size = "SELECT coalesce(pg_total_relation_size(to_regclass($1)), 0)";
        let row = session.query_one(size, &[&table]).await?;
        taken.push((table, row.get::<_, i64>(0) as u64));
    }
    let (mut total, mut newest) = (0_u64, true);
    for (table, bytes) in taken {
        total = total.saturating_add(bytes);
        // An empty table with its index.
        if total > bytes_max && !newest && bytes > EMPTY_BYTES_MAX {
            let empty = format!("SET LOCAL lock_timeout = '2s'; TRUNCATE {table};");
            match session.batch_execute(&empty).await {
                Err(error) if error.class() != ErrorClass::Contended => return Err(error.into()),
                Err(_) | Ok(()) => total = total.saturating_sub(bytes),
            }
        }
        newest = false;
    }
    Ok(())
}

/// The outcome for an hour that nothing needs any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HourEnd {
    Dropped,
    /// Only what this many pending deliveries report is left.
    Kept(usize),
    /// Its unfinished jobs are to be settled first, or it is read: it is tried again.
    Waits,
}

/// Removes the hours that are due at `now_ms`.
///
/// # Errors
/// Returns an error if the database fails: the rest is removed later.
pub(super) async fn remove_hours(
    session: &PgSession,
    now_ms: UnixMs,
) -> Result<Vec<(Hour, HourEnd)>, StoreError> {
    let mut ended = Vec::new();
    for hour in hours::due(session, now_ms).await? {
        ended.push((hour, remove_hour(session, hour, now_ms).await?));
    }
    Ok(ended)
}

async fn remove_hour(
    session: &PgSession,
    hour: Hour,
    now_ms: UnixMs,
) -> Result<HourEnd, StoreError> {
    let (first, last) = hour.rows();
    let range: [&(dyn ToSql + Sync); 2] = [&(first as i64), &(last as i64)];
    let unfinished = "SELECT 1 FROM queue WHERE row BETWEEN $1 AND $2 LIMIT 1";
    if session.query_opt(unfinished, &range).await?.is_some() {
        return Ok(HourEnd::Waits);
    }
    for kind in [ThingKind::Attempts, ThingKind::Raw, ThingKind::VendorTask] {
        let before = (last + 1).to_be_bytes().to_vec();
        forget_things(session, kind, first.to_be_bytes().to_vec(), before).await?;
    }
    let kept = pending_deliveries(session, hour, now_ms).await?;
    let removed = if kept.is_empty() {
        hours::drop_tables(session, hour).await
    } else {
        hours::shrink(session, hour, &kept, now_ms.saturating_add(HOLD_MS)).await
    };
    match removed {
        Ok(()) if kept.is_empty() => Ok(HourEnd::Dropped),
        Ok(()) => Ok(HourEnd::Kept(kept.len())),
        Err(error) if error.class() == ErrorClass::Contended => Ok(HourEnd::Waits),
        Err(error) => Err(error.into()),
    }
}

/// Returns the rows of an hour whose deliveries are still tried. Those that have been tried for too
/// long are given up.
async fn pending_deliveries(
    session: &PgSession,
    hour: Hour,
    now_ms: UnixMs,
) -> Result<Vec<i64>, StoreError> {
    let (first, last) = hour.rows();
    let deliveries = HourTable::Deliveries.in_hour(hour);
    // What reports a notice is no part of an hour.
    let notices = ThingKind::NoticeDelivery as i16;
    let text = format!(
        "SELECT o.row, d.record FROM outbox o LEFT JOIN {deliveries} d ON d.row = o.row
         WHERE o.row BETWEEN $1 AND $2 AND NOT EXISTS
         (SELECT FROM things t WHERE t.kind = {notices} AND t.key = int8send(o.row))
         ORDER BY o.row"
    );
    let (mut kept, mut given_up) = (Vec::new(), Vec::new());
    for found in session.query(&text, &[&(first as i64), &(last as i64)]).await? {
        let row: i64 = found.get(0);
        let record: Option<&[u8]> = found.get(1);
        let delivery = record.and_then(|bytes| record::decode_delivery(row as Row, bytes).ok());
        // One that cannot be read can never be made.
        let is_kept = delivery.is_some_and(|delivery| delivery.keeps_subject(now_ms));
        if is_kept { kept.push(row) } else { given_up.push(row) }
    }
    session.execute("DELETE FROM outbox WHERE row = ANY($1)", &[&given_up]).await?;
    Ok(kept)
}
