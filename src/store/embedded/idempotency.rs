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
    let is_current = |of: Option<Idempotency>, expires_ms: UnixMs| {
        expires_ms > now_ms && of.is_some_and(|of| of.key_hash == known.key_hash)
    };
    if let Some((job, _)) = rows::read_job(tables, scrapers, row)? {
        return Ok(
            is_current(job.idempotency, job.expires_ms).then(|| Existing::Job(Box::new(job)))
        );
    }
    let batch = rows::read_batch(tables, row)?;
    let batch = batch.filter(|batch| is_current(batch.idempotency, batch.expires_ms));
    Ok(batch.map(|batch| Existing::Batch(Box::new(batch))))
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
