//! Actions on the jobs that are named, or all that match a filter: cancel what has not ended, retry
//! what has failed.

use std::sync::Arc;

use uuid::Uuid;

use super::{Caller, HOUR_MS, NewBatch, Service, ServiceError};
use crate::job::{
    BATCH_ITEMS_MAX, Batch, Failure, Handling, Idempotency, ItemError, Job, ScrapeRequest,
};
use crate::store::{Blocking, Cursor, ListFilter, ListPage};

/// The jobs that an action is about.
pub enum BulkTarget {
    /// All that match, after a cursor.
    Matching(Box<ListFilter>, Option<Cursor>),
    /// Those with these ids, at most [`BATCH_ITEMS_MAX`].
    Named(Vec<Uuid>),
}

/// The outcome of an action on jobs.
#[derive(Debug, Default)]
pub struct Bulk {
    /// Jobs that it is about: that match, and have not ended or have failed, as the action says. At
    /// most [`BATCH_ITEMS_MAX`].
    pub matched: usize,
    /// Jobs that the action has changed, or submitted again.
    pub changed: usize,
    /// The batch of the jobs that were submitted again.
    pub batch: Option<Batch>,
    /// Where to go on; `None` when no more jobs match.
    pub next: Option<Cursor>,
}

impl Service {
    /// Cancels the unfinished jobs of the caller's that are meant, or only counts them: at most
    /// [`BATCH_ITEMS_MAX`] of them, the newest first.
    ///
    /// # Errors
    /// Returns an error if one that is named is not there, the store failed, or the service stops.
    pub async fn cancel_jobs(
        self: &Arc<Service>,
        caller: &Caller,
        target: BulkTarget,
        dry_run: bool,
    ) -> Result<Bulk, ServiceError> {
        let account = caller.account.clone();
        let ListPage { jobs, next } = self.target(caller, target, "pending").await?;
        let mut bulk = Bulk { matched: jobs.len(), next, ..Bulk::default() };
        if dry_run {
            return Ok(bulk);
        }
        let now_ms = self.clock.now_ms();
        let stop = |job: &Job| {
            let (id, account) = (self.id_of(job), account.clone());
            self.store.stop_owned(id, account, now_ms, Failure::canceled())
        };
        // All at once, for the writer to take into few transactions.
        for stopped in futures_util::future::join_all(jobs.iter().map(stop)).await {
            // One that has ended meanwhile needs no more.
            bulk.changed += usize::from(stopped?.is_ok());
        }
        tracing::info!(account, jobs = bulk.changed, "jobs canceled at once");
        Ok(bulk)
    }

    /// Submits the failed jobs of the caller's that are meant again, as one batch, or only counts
    /// them: at most [`BATCH_ITEMS_MAX`] of them, the newest first. Their webhooks are left out,
    /// for they may be in production. Says too whether the batch was there before, because the
    /// call is a repeated one.
    ///
    /// # Errors
    /// Returns an error if one that is named is not there, or a submit of that batch would.
    pub async fn retry_jobs(
        self: &Arc<Service>,
        caller: &Caller,
        target: BulkTarget,
        idempotency: Option<Idempotency>,
        dry_run: bool,
    ) -> Result<(Bulk, bool), ServiceError> {
        let ListPage { mut jobs, next } = self.target(caller, target, "failed").await?;
        let mut bulk = Bulk { matched: jobs.len(), next, ..Bulk::default() };
        if dry_run || jobs.is_empty() {
            return Ok((bulk, false));
        }
        jobs.reverse();
        let label = shared_label(&jobs);
        let items = jobs.into_iter().map(|job| self.again(job)).collect();
        let asked = NewBatch { label, items, webhook_url: None, idempotency };
        let (batch, replayed) = self.submit_batch(caller, asked).await?;
        bulk.changed = batch.items as usize - batch.refused.len();
        bulk.batch = Some(batch);
        Ok((bulk, replayed))
    }

    /// Returns the jobs with a status that an action is about, the newest first.
    async fn target(
        self: &Arc<Service>,
        caller: &Caller,
        target: BulkTarget,
        status: &'static str,
    ) -> Result<ListPage, ServiceError> {
        match target {
            BulkTarget::Matching(filter, after) => {
                let filter = ListFilter { status: Some(status), ..*filter };
                self.matching(filter, after).await
            }
            BulkTarget::Named(ids) => {
                let mut jobs = self.named(caller, ids).await?;
                jobs.retain(|job| job.state.status() == status);
                Ok(ListPage { jobs, next: None })
            }
        }
    }

    /// Returns the caller's jobs with these ids, each once and the newest first.
    ///
    /// # Errors
    /// Returns an error if one is not there, or the store failed.
    pub(super) async fn named(
        self: &Arc<Service>,
        caller: &Caller,
        ids: Vec<Uuid>,
    ) -> Result<Vec<Job>, ServiceError> {
        let (service, account) = (self.clone(), caller.account.clone());
        let read = move || {
            let now_ms = service.clock.now_ms();
            let job = |id: Uuid| {
                let found = service.store.read_job(id, now_ms, |job, _| job.clone()).wait()?;
                let own = found.filter(|job| job.account == account);
                own.ok_or(ServiceError::NamedJobNotFound { id })
            };
            let mut jobs = ids.into_iter().map(job).collect::<Result<Vec<_>, _>>()?;
            jobs.sort_by_key(|job| std::cmp::Reverse(job.row));
            jobs.dedup_by_key(|job| job.row);
            Ok(jobs)
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| ServiceError::Stopping)?
    }

    /// Returns the newest jobs that match, at most [`BATCH_ITEMS_MAX`], and where the others begin.
    async fn matching(
        self: &Arc<Service>,
        filter: ListFilter,
        mut after: Option<Cursor>,
    ) -> Result<ListPage, ServiceError> {
        let mut found = ListPage::default();
        loop {
            let (service, filter) = (self.clone(), filter.clone());
            let jobs_max = BATCH_ITEMS_MAX - found.jobs.len();
            let read = move || service.list(&filter, after, jobs_max);
            let page =
                tokio::task::spawn_blocking(read).await.map_err(|_| ServiceError::Stopping)??;
            found.jobs.extend(page.jobs);
            (found.next, after) = (page.next, page.next);
            if after.is_none() || found.jobs.len() >= BATCH_ITEMS_MAX {
                return Ok(found);
            }
        }
    }

    /// Returns what asks for a job again.
    ///
    /// # Errors
    /// Returns an error if its scraper is not configured any more.
    fn again(&self, job: Job) -> Result<(ScrapeRequest, Handling), ItemError> {
        let scraper = &job.request.scraper;
        if self.scraper(scraper).is_err() {
            return Err(ItemError::Invalid {
                code: "scraper_not_configured".to_owned(),
                detail: format!("The scraper `{scraper}` is not configured any more."),
            });
        }
        let kept_hours = job.expires_ms.saturating_sub(job.created_ms).div_ceil(HOUR_MS);
        let handling = Handling {
            label: job.label,
            start_within_ms: job
                .start_by_ms
                .and_then(|by_ms| u32::try_from(by_ms.saturating_sub(job.created_ms)).ok()),
            keep_raw: job.keep_raw,
            // Not longer than it was to be kept.
            retain_hours: (kept_hours < self.retention_hours())
                .then(|| u32::try_from(kept_hours).unwrap_or(u32::MAX)),
            track: job.track,
            ..Handling::default()
        };
        Ok((job.request, handling))
    }
}

/// The label that all jobs have.
fn shared_label(jobs: &[Job]) -> Option<String> {
    let label = jobs.first()?.label.as_ref()?;
    jobs.iter().all(|job| job.label.as_ref() == Some(label)).then(|| label.clone())
}
