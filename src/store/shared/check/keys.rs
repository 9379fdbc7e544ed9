//! The check of the idempotency keys: each that has not expired names a job or a batch that came
//! with it.

use std::collections::HashMap;

use tokio_postgres::Row as PgRow;
use uuid::Uuid;

use super::found::CheckFindings;
use super::snapshot::{CheckSnapshot, rows_of_hour};
use crate::job::{BatchProgress, Idempotency};
use crate::store::shared::row_number::{Hour, RowParts};
use crate::store::{Row, StoreError, record};

/// The most keys that are looked at in one go.
const ROWS_MAX: i64 = 1_000;
const KEYS: &str = "
    SELECT key_hash, request_hash, row FROM idempotency
    WHERE key_hash > $1 AND expires_ms > $2 ORDER BY key_hash LIMIT $3";
const HOLDERS: &str = "
    SELECT u.row, j.asked, b.record FROM unnest($1::int8[]) u(row)
    LEFT JOIN jobs_{hour} j ON j.row = u.row LEFT JOIN batches_{hour} b ON b.row = u.row";

/// Checks the keys.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn check(
    snapshot: &CheckSnapshot,
    found: &mut CheckFindings,
) -> Result<(), StoreError> {
    let mut after = Uuid::nil();
    loop {
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&after, &(found.now_ms as i64), &ROWS_MAX];
        let page = snapshot.tables().query(KEYS, &values).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.get(0);
        let mut hours: HashMap<Hour, HashMap<Row, Idempotency>> = HashMap::new();
        for row in &page {
            let (key, request): (Uuid, Uuid) = (row.get(0), row.get(1));
            let known = Idempotency { key_hash: key.as_u128(), request_hash: request.as_u128() };
            let holder = row.get::<_, i64>(2) as Row;
            hours.entry(RowParts::of(holder).hour).or_default().insert(holder, known);
        }
        for (hour, keys) in hours {
            check_hour(snapshot, hour, &keys, found).await?;
        }
    }
}

async fn check_hour(
    snapshot: &CheckSnapshot,
    hour: Hour,
    keys: &HashMap<Row, Idempotency>,
    found: &mut CheckFindings,
) -> Result<(), StoreError> {
    if found.skipped.contains(&hour) {
        return Ok(());
    }
    let rows: Vec<i64> = keys.keys().map(|row| *row as i64).collect();
    let session = snapshot.begin().await?;
    let holders = if snapshot.keeps(hour).await? {
        rows_of_hour(session, hour, HOLDERS, &[&rows]).await?
    } else if snapshot.hours().await?.contains(&hour) {
        // It was removed meanwhile.
        return snapshot.end().await;
    } else {
        Vec::new()
    };
    snapshot.end().await?;
    let mut known: HashMap<Row, Option<Idempotency>> = HashMap::new();
    for holder in &holders {
        known.insert(holder.get::<_, i64>(0) as Row, key_of(holder, found));
    }
    for (row, key) in keys {
        if known.get(row).copied().flatten() != Some(*key) {
            let differs = "which is no job or batch that came with it";
            found.problem(format!("an idempotency key names row {row}, {differs}"));
        }
    }
    Ok(())
}

/// Returns the key that a job or a batch came with.
fn key_of(holder: &PgRow, found: &CheckFindings) -> Option<Idempotency> {
    let row = holder.get::<_, i64>(0) as Row;
    if let Some(asked) = holder.get::<_, Option<&[u8]>>(1) {
        let name = |number: u16| found.scrapers.get(&number).cloned();
        return record::decode_job(row, asked, name, || Ok(None)).ok()?.0.idempotency;
    }
    let batch = holder.get::<_, Option<&[u8]>>(2)?;
    record::decode_batch(row, batch, BatchProgress::default()).ok()?.idempotency
}
