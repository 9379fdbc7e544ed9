//! Deleting finished jobs before they expire, with all that was kept of them: those of a label, or
//! those that are named.

use std::sync::Arc;

use uuid::Uuid;

use super::{Caller, Service, ServiceError};
use crate::job::Job;
use crate::store::{DELETION_ROWS_MAX, DeletionCounts, ListFilter, ListPage};

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
            let found = move || service.list(&filter, after, DELETION_ROWS_MAX);
            let ListPage { jobs, next } =
                tokio::task::spawn_blocking(found).await.map_err(|_| ServiceError::Stopping)??;
            counts += self.delete_step(jobs, dry_run).await?;
            after = next;
            if after.is_none() {
                break;
            }
        }
        let jobs = counts.jobs;
        tracing::info!(account = caller.account, jobs, dry_run, "jobs of a label deleted");
        Ok(counts)
    }

    /// Deletes those of the caller's jobs with these ids that have ended, or only counts what would
    /// go, in steps as well.
    ///
    /// # Errors
    /// Returns an error if one is not there, in which case none is deleted; the store failed, or
    /// the service stops.
    pub async fn delete_named(
        self: &Arc<Service>,
        caller: &Caller,
        ids: Vec<Uuid>,
        dry_run: bool,
    ) -> Result<DeletionCounts, ServiceError> {
        let mut counts = DeletionCounts::default();
        let jobs = self.named(caller, ids).await?;
        for step in jobs.chunks(DELETION_ROWS_MAX) {
            counts += self.delete_step(step.to_vec(), dry_run).await?;
        }
        let jobs = counts.jobs;
        tracing::info!(account = caller.account, jobs, dry_run, "jobs that were named deleted");
        Ok(counts)
    }

    /// Deletes jobs, at most [`DELETION_ROWS_MAX`], or only counts what would go.
    async fn delete_step(
        self: &Arc<Service>,
        jobs: Vec<Job>,
        dry_run: bool,
    ) -> Result<DeletionCounts, ServiceError> {
        if jobs.is_empty() {
            return Ok(DeletionCounts::default());
        }
        let service = self.clone();
        let found = move || Ok((service.remove_evidence(&jobs, dry_run)?, jobs));
        let found: Result<_, ServiceError> =
            tokio::task::spawn_blocking(found).await.map_err(|_| ServiceError::Stopping)?;
        let (evidence, jobs) = found?;
        let mut counts = self.store.delete(jobs, self.clock.now_ms(), dry_run).await?;
        counts.evidence += evidence;
        Ok(counts)
    }

    /// Removes the evidence of jobs that have ended, or only counts its files: first, because
    /// nothing leads to it once they are gone.
    fn remove_evidence(&self, jobs: &[Job], dry_run: bool) -> Result<u64, ServiceError> {
        let mut evidence = 0;
        for job in jobs.iter().filter(|job| job.state.finished()) {
            let files = self.store.evidence(job.into())?.len();
            evidence += files as u64;
            if files > 0 && !dry_run {
                self.store.remove_evidence(job.into())?;
            }
        }
        Ok(evidence)
    }
}
