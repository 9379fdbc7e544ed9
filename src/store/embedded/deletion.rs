//! Deleting finished jobs before they expire: all rows of a few jobs go in one transaction, or are
//! only counted.

use super::Embedded;
use super::transaction::Tables;
use super::{jobs, outbox, rows};
use crate::clock::UnixMs;
use crate::job::{Job, State};
use crate::store::removal::deletable;
use crate::store::{DELETION_ROWS_MAX, DeletionCounts, Row, Scrapers, StoreError};

/// Deletes a finished job with all that belongs to it but its evidence, or only counts that.
fn delete(
    tables: &mut Tables<'_>,
    job: &Job,
    counts: &mut DeletionCounts,
    dry_run: bool,
) -> Result<(), StoreError> {
    let row = job.row;
    // Its entry was made in the transaction that ended it.
    let cached = (job.completed_ms.unwrap_or_default(), row);
    *counts += DeletionCounts {
        jobs: 1,
        results: u64::from(job.state == State::Done),
        raws: u64::from(tables.raws.get(row)?.is_some()),
        cache_entries: u64::from(tables.cache.get(cached)?.is_some()),
        webhooks_pending: u64::from(outbox::is_pending(tables, row)?),
        ..DeletionCounts::default()
    };
    if dry_run {
        return Ok(());
    }
    tables.cache.remove(cached)?;
    jobs::remove_rows(tables, job)
}

fn delete_all(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    known: &[Job],
    now_ms: UnixMs,
    dry_run: bool,
) -> Result<DeletionCounts, StoreError> {
    let mut counts = DeletionCounts::default();
    let mut finished = Vec::new();
    for known in known.iter().take(DELETION_ROWS_MAX) {
        let row: Row = known.row;
        let Some((job, _)) = rows::read_job(tables, scrapers, row)? else { continue };
        match deletable(known, &job, now_ms) {
            Some(true) => finished.push(job),
            Some(false) => counts.unfinished += 1,
            None => {}
        }
    }
    for job in &finished {
        delete(tables, job, &mut counts, dry_run)?;
    }
    Ok(counts)
}

impl Embedded {
    pub(crate) async fn delete(
        &self,
        known: Vec<Job>,
        now_ms: UnixMs,
        dry_run: bool,
    ) -> Result<DeletionCounts, StoreError> {
        let scrapers = self.shared.scrapers.clone();
        let pending = self.queue(|queue| {
            queue.submit(move |tables| delete_all(tables, &scrapers, &known, now_ms, dry_run))
        });
        pending.committed().await
    }
}
