//! The list of an account's jobs, newest first, in bounded pages. Each page is a read transaction
//! of its own: one that is held for long keeps the writer's old pages and makes the file grow.

use std::ops::Bound;

use super::Embedded;
use super::{rows, tables};
use crate::clock::UnixMs;
use crate::job::BATCH_ITEMS_MAX;
use crate::store::{
    BatchFilter, BatchPage, Cursor, LIST_ROWS_MAX, ListFilter, ListPage, Row, StoreError, record,
};

impl Embedded {
    pub(crate) fn list(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
        jobs_max: usize,
        now_ms: UnixMs,
    ) -> Result<ListPage, StoreError> {
        self.read(|snapshot| {
            let jobs = snapshot.open_table(tables::JOBS)?;
            let prompts = snapshot.open_table(tables::PROMPTS)?;
            let mut page = ListPage::default();
            let Some(range) = self.listed_rows(filter, after) else { return Ok(page) };
            let rows = jobs.range(range)?.rev();
            for (looked_at, entry) in rows.enumerate() {
                if page.jobs.len() >= jobs_max || looked_at >= LIST_ROWS_MAX {
                    return Ok(page);
                }
                let (row, bytes) = entry?;
                let row = row.value();
                page.next = Some(Cursor::of_row(row));
                let long_prompt = || Ok(prompts.get(row)?.map(|prompt| prompt.value().to_owned()));
                let name = |number| self.shared.scrapers.name(number);
                match record::decode_job(row, bytes.value(), name, long_prompt) {
                    Ok((job, _)) if job.expires_ms > now_ms && filter.matches(&job) => {
                        page.jobs.push(job);
                    }
                    Ok(_) => {}
                    Err(error) if error.voids_transaction() => return Err(error),
                    // One damaged record does not hide the others; `db check` names it.
                    Err(error) => tracing::error!(row, %error, "a job could not be listed"),
                }
            }
            page.next = None;
            Ok(page)
        })
    }

    /// Returns the rows that a page may be about: a batch's jobs have those after its own. `None`
    /// where there are none.
    fn listed_rows(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
    ) -> Option<(Bound<Row>, Bound<Row>)> {
        let end = after.map_or(Bound::Unbounded, |Cursor { row, .. }| Bound::Excluded(row));
        let Some(id) = filter.batch else { return Some((Bound::Unbounded, end)) };
        let batch = self.cipher.open(id)?.row;
        let last = batch.checked_add(BATCH_ITEMS_MAX as u64)?;
        let end = match after {
            Some(Cursor { row, .. }) if row <= last => Bound::Excluded(row),
            Some(_) | None => Bound::Included(last),
        };
        // A range that ends before it begins is an error of the database's.
        let is_empty = after.is_some_and(|Cursor { row, .. }| row <= batch + 1);
        (!is_empty).then_some((Bound::Included(batch + 1), end))
    }

    pub(crate) fn list_batches(
        &self,
        filter: &BatchFilter,
        after: Option<Cursor>,
        batches_max: usize,
        now_ms: UnixMs,
    ) -> Result<BatchPage, StoreError> {
        self.read(|snapshot| {
            let batches = snapshot.open_table(tables::BATCHES)?;
            let progress = snapshot.open_table(tables::BATCH_PROGRESS)?;
            let end = after.map_or(Bound::Unbounded, |Cursor { row, .. }| Bound::Excluded(row));
            let mut page = BatchPage::default();
            let rows = batches.range((Bound::<Row>::Unbounded, end))?.rev();
            for (looked_at, entry) in rows.enumerate() {
                if page.batches.len() >= batches_max || looked_at >= LIST_ROWS_MAX {
                    return Ok(page);
                }
                let (row, bytes) = entry?;
                let row = row.value();
                page.next = Some(Cursor::of_row(row));
                let ended = progress.get(row)?.ok_or(rows::COUNTS_MISSING)?;
                let ended = record::decode_progress(row, ended.value());
                match ended.and_then(|ended| record::decode_batch(row, bytes.value(), ended)) {
                    Ok(batch) if batch.expires_ms > now_ms && filter.matches(&batch) => {
                        page.batches.push(batch);
                    }
                    Ok(_) => {}
                    Err(error) if error.voids_transaction() => return Err(error),
                    Err(error) => tracing::error!(row, %error, "a batch could not be listed"),
                }
            }
            page.next = None;
            Ok(page)
        })
    }
}
