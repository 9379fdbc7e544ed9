//! Deleting the finished jobs of a label before they expire, with all that was kept of them.

use std::sync::Arc;

use super::jobs::unreadable;
use super::{Caller, Service, ServiceError};
use crate::job::Job;
use crate::store::{Cursor, DELETION_ROWS_MAX, DeletionCounts, ListFilter};

/// The jobs of one step.
struct DeletionStep {
    jobs: Vec<Job>,
    /// Files of evidence that they had.
    evidence: u64,
    /// Where the next step begins; `None` when nothing is left.
    next: Option<Cursor>,
}

impl Service {
    /// Deletes the finished jobs of the caller's with a label, or only counts what would go. In
    /// steps: where it breaks off, those before are done, and a repeated call goes on from there.
    ///
    /// # Errors
    /// Returns an error if the store failed, or the service stops.
    pub async fn delete_labeled(
        self: &Arc<Service>,
        caller: &Caller,
        label: String,
        dry_run: bool,
    ) -> Result<DeletionCounts, ServiceError> {
        let account = caller.account.clone();
        let filter = ListFilter { account, label: Some(label), ..ListFilter::default() };
        let mut counts = DeletionCounts::default();
        let mut after = None;
        loop {
            let (service, filter) = (self.clone(), filter.clone());
            let found = move || service.deletion_step(&filter, after, dry_run);
            let DeletionStep { jobs, evidence, next } =
                tokio::task::spawn_blocking(found).await.map_err(|_| ServiceError::Stopping)??;
            if !jobs.is_empty() {
                counts += self.store.delete(jobs, self.clock.now_ms(), dry_run).await?;
                counts.evidence += evidence;
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        let jobs = counts.jobs;
        tracing::info!(account = caller.account, jobs, dry_run, "jobs of a label deleted");
        Ok(counts)
    }

    /// Finds the jobs of a step, and removes their evidence: first, because nothing leads to it
    /// once they are gone.
    fn deletion_step(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
        dry_run: bool,
    ) -> Result<DeletionStep, ServiceError> {
        let page = self.store.list(filter, after, DELETION_ROWS_MAX, self.clock.now_ms())?;
        let mut evidence = 0;
        for job in page.jobs.iter().filter(|job| job.state.finished()) {
            let folder = self.engine.evidence();
            let files = folder.list(job.into()).map_err(unreadable)?.len();
            evidence += files as u64;
            if files > 0 && !dry_run {
                folder.remove(job.into()).map_err(unreadable)?;
            }
        }
        Ok(DeletionStep { jobs: page.jobs, evidence, next: page.next })
    }
}
