//! The table of idempotency keys. An entry lives as long as its job or batch.

use super::rows;
use super::transaction::Tables;
use crate::clock::UnixMs;
use crate::job::Idempotency;
use crate::store::idempotency::Existing;
use crate::store::{Row, Scrapers, StoreError};

/// Returns what was submitted with this key before, if it exists at `now_ms`.
pub(super) fn find(
    tables: &Tables<'_>,
    scrapers: &Scrapers,
    known: Idempotency,
    now_ms: UnixMs,
) -> Result<Option<Existing>, StoreError> {
    let Some(row) = tables.idempotency.get(known.key_hash)?.map(|row| row.value()) else {
        return Ok(None);
    };
    if let Some((job, _)) = rows::read_job(tables, scrapers, row)? {
        return Ok(Existing::job(job, known, now_ms));
    }
    let batch = rows::read_batch(tables, row)?;
    Ok(batch.and_then(|batch| Existing::batch(batch, known, now_ms)))
}

/// Forgets the key of a row that is removed. A later one may have taken the key over in the time
/// between this one's expiry and its removal.
pub(super) fn forget(
    tables: &mut Tables<'_>,
    idempotency: Option<Idempotency>,
    row: Row,
) -> Result<(), StoreError> {
    let Some(known) = idempotency else { return Ok(()) };
    if tables.idempotency.get(known.key_hash)?.map(|row: redb::AccessGuard<'_, Row>| row.value())
        == Some(row)
    {
        tables.idempotency.remove(known.key_hash)?;
    }
    Ok(())
}
