//! Reading the job or the batch of a row.

use redb::ReadableTable;

use super::snapshot::Snapshot;
use super::tables;
use super::transaction::Tables;
use crate::job::{Batch, Job};
use crate::store::scrapers::Scrapers;
use crate::store::{Row, StoreError, record};

pub(super) const COUNTS_MISSING: StoreError = StoreError::Damaged("a batch's counts are missing");

/// Reads the job of a row and its scraper's number.
pub(super) fn read_job(
    tables: &Tables<'_>,
    scrapers: &Scrapers,
    row: Row,
) -> Result<Option<(Job, u16)>, StoreError> {
    let Some(bytes) = tables.jobs.get(row)? else { return Ok(None) };
    let long_prompt = || Ok(tables.prompts.get(row)?.map(|prompt| prompt.value().to_owned()));
    record::decode_job(row, bytes.value(), |number| scrapers.name(number), long_prompt).map(Some)
}

/// Reads the batch of a row.
pub(super) fn read_batch(tables: &Tables<'_>, row: Row) -> Result<Option<Batch>, StoreError> {
    let Some(bytes) = tables.batches.get(row)? else { return Ok(None) };
    let ended = tables.batch_progress.get(row)?.ok_or(COUNTS_MISSING)?;
    record::decode_batch(row, bytes.value(), record::decode_progress(row, ended.value())?).map(Some)
}

/// Reads the batch of a row, whether it has expired or not.
pub(super) fn batch_of_row(snapshot: &Snapshot, row: Row) -> Result<Option<Batch>, StoreError> {
    let batches = snapshot.open_table(tables::BATCHES)?;
    let Some(bytes) = batches.get(row)? else { return Ok(None) };
    let ends = snapshot.open_table(tables::BATCH_PROGRESS)?;
    let ended = ends.get(row)?.ok_or(COUNTS_MISSING)?;
    record::decode_batch(row, bytes.value(), record::decode_progress(row, ended.value())?).map(Some)
}
