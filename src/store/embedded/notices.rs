//! Reading the notices of alerts.

use super::snapshot::Snapshot;
use super::tables;
use super::transaction::Tables;
use crate::alert::Notice;
use crate::store::{Row, StoreError, record};

/// Reads the notice of a row.
pub(super) fn notice_in(snapshot: &Snapshot, row: Row) -> Result<Option<Notice>, StoreError> {
    let bytes = snapshot.open_table(tables::NOTICES)?.get(row)?;
    bytes.map(|bytes| record::decode_notice(row, bytes.value())).transpose()
}

/// Does what [`notice_in`] does, inside a transaction.
pub(super) fn read_notice(tables: &Tables<'_>, row: Row) -> Result<Option<Notice>, StoreError> {
    let Some(bytes) = tables.notices.get(row)? else { return Ok(None) };
    record::decode_notice(row, bytes.value()).map(Some)
}
