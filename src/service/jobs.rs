//! Jobs that were taken: reading, waiting, canceling, listing, and the evidence of their attempts.

use serde::Deserialize;
use uuid::Uuid;

use super::{Caller, Service, ServiceError, bounded_wait};
use crate::answer::SearchObject;
use crate::clock::UnixMs;
use crate::job::{Failure, Job, State, TransitionError, UpstreamUsage};
use crate::store::{Blocking, Cursor, EvidenceFile, ListFilter, ListPage, SealedResult};

/// The least that a poll of a pending job says, seconds, as the 202 of its submit does.
const POLL_AFTER_SECONDS_MIN: u64 = 2;

/// What names all accounts where a list asks for those of one.
pub const ALL_ACCOUNTS: &str = "*";

/// The length of a job's id in a path, bytes.
pub const JOB_ID_BYTES: usize = 36;

impl Service {
    /// Reads a job with the JSON of its result, as clients get it.
    ///
    /// # Errors
    /// Returns an error if there is no such job, or no longer; or the store failed.
    pub async fn job<T>(
        &self,
        id: &str,
        read: impl FnOnce(&Job, Uuid, Option<&[u8]>) -> T,
    ) -> Result<T, ServiceError> {
        let uuid = parse_id(id)?;
        let now_ms = self.clock.now_ms();
        self.store
            .read_job(uuid, now_ms, |job, result| {
                let shown = result.map(|json| self.engine.shown(json));
                read(job, uuid, shown.as_deref())
            })
            .await?
            .ok_or(ServiceError::JobNotFound)
    }

    /// Reads a job as [`Service::job`] does, with what its attempts have used.
    ///
    /// # Errors
    /// Returns an error if [`Service::job`] would.
    pub async fn job_with_usage<T>(
        &self,
        id: &str,
        read: impl FnOnce(&Job, Uuid, Option<SealedResult<'_>>, Option<&UpstreamUsage>) -> T,
    ) -> Result<T, ServiceError> {
        let uuid = parse_id(id)?;
        let now_ms = self.clock.now_ms();
        self.store
            .read_job_with_usage(uuid, now_ms, |job, result, usage| {
                let Some(SealedResult { json, checksum }) = result else {
                    return read(job, uuid, None, usage);
                };
                let shown = self.engine.shown(json);
                read(job, uuid, Some(SealedResult { json: &shown, checksum }), usage)
            })
            .await?
            .ok_or(ServiceError::JobNotFound)
    }

    /// Returns the searches behind the answer of a job; `None` if it has no answer. Blocks its
    /// thread.
    pub fn searches_of(&self, job: &Job) -> Option<SearchObject> {
        #[derive(Deserialize)]
        struct Searched {
            search: Option<SearchObject>,
        }
        if job.state != State::Done {
            return None;
        }
        let read = |_: &Job, result: Option<&[u8]>| {
            serde_json::from_slice::<Searched>(result?).ok()?.search
        };
        // A result that cannot be read is an error of its poll.
        let found = self.store.read_row(job.row, self.clock.now_ms(), read).wait();
        found.ok().flatten().flatten()
    }

    /// Waits until the job has ended or `wait_ms` have passed, whichever comes first.
    ///
    /// # Errors
    /// Returns an error if there is no such job, or the store failed.
    pub async fn wait_for_end(&self, id: &str, wait_ms: u64) -> Result<(), ServiceError> {
        let until_ms = self.clock.now_ms().saturating_add(wait_ms);
        let row = self.job(id, |job, _, _| job.row).await?;
        let ended = self.engine.wait_for(row);
        if !self.job(id, |job, _, _| job.state.finished()).await? {
            tokio::select! {
                () = ended => {}
                () = self.clock.sleep_until(until_ms) => {}
            }
        }
        Ok(())
    }

    /// Reads a job as soon as its revision is above `seen`; `None` when it is not by `until_ms`.
    /// Nothing of the store is held while it waits.
    ///
    /// # Errors
    /// Returns an error if there is no such job, or no longer; the service stops; or the store
    /// failed.
    pub async fn next_change<T>(
        &self,
        id: &str,
        seen: Option<u64>,
        until_ms: UnixMs,
        read: impl Fn(&Job, Uuid) -> T,
    ) -> Result<Option<T>, ServiceError> {
        let row = self.job(id, |job, _, _| job.row).await?;
        // One wait, whatever wakes it meanwhile: a step of the clock must not make it longer.
        let mut time_is_up = std::pin::pin!(self.clock.sleep_until(until_ms));
        loop {
            let changed = self.engine.watch(row);
            let found = self.job(id, |job, uuid, _| {
                seen.is_none_or(|seen| job.revision() > seen).then(|| read(job, uuid))
            });
            match (found.await, changed) {
                (Ok(None), Some(changed)) => tokio::select! {
                    () = changed => {}
                    () = &mut time_is_up => return Ok(None),
                },
                (Ok(None), None) => return Err(ServiceError::Stopping),
                (found, _) => return found,
            }
        }
    }

    /// Returns when a pending job is worth looking at again, seconds: when it is likely to have
    /// ended.
    pub fn poll_after_seconds(&self, job: &Job) -> u64 {
        let estimate_ms = self.engine.end_estimate_ms(job);
        bounded_wait(estimate_ms.div_ceil(1000)).max(POLL_AFTER_SECONDS_MIN)
    }

    /// Ends a job of the caller's because it is not wanted any more: its credits come back, and a
    /// running attempt is told to stop. Gives the job as it is then.
    ///
    /// # Errors
    /// Returns an error if the caller has no such job, it has ended already, or the store failed.
    pub async fn cancel(&self, caller: &Caller, id: &str) -> Result<Job, ServiceError> {
        let id = parse_id(id)?;
        let now_ms = self.clock.now_ms();
        let account = caller.account.clone();
        match self.store.stop_owned(id, account, now_ms, Failure::canceled()).await? {
            Ok(job) => {
                tracing::info!(
                    job = %id, scraper = job.request.scraper, account = job.account,
                    attempt = job.attempts, "job canceled"
                );
                Ok(job)
            }
            Err(TransitionError::Gone) => Err(ServiceError::JobNotFound),
            // A stop needs neither a lease nor a running attempt: it is refused only by an end.
            Err(
                TransitionError::Finished
                | TransitionError::StaleLease
                | TransitionError::NotRunning,
            ) => Err(ServiceError::JobFinished { id }),
        }
    }

    /// Returns a page of the jobs that match, newest first. Blocks its thread for as long as it
    /// takes to look at [`crate::store::LIST_ROWS_MAX`] rows.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn list(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
        jobs_max: usize,
    ) -> Result<ListPage, ServiceError> {
        Ok(self.store.list(filter, after, jobs_max, self.clock.now_ms())?)
    }

    /// Returns a cursor as clients see it.
    pub fn cursor_text(&self, cursor: Cursor) -> String {
        self.store.cursor_id(cursor).simple().to_string()
    }

    /// Returns the cursor that a client has sent back; `None` when it is none of ours.
    pub fn cursor(&self, text: &str) -> Option<Cursor> {
        Uuid::try_parse(text).ok().and_then(|id| self.store.cursor(id))
    }

    /// Returns the id of a job.
    pub fn id_of(&self, job: &Job) -> Uuid {
        self.store.id_of(job)
    }

    /// Returns the files that the attempts of a job have left that the caller may read. Reads a
    /// directory: blocks its thread.
    ///
    /// # Errors
    /// Returns an error if the caller has no such job, or the files cannot be read.
    pub fn evidence(&self, caller: &Caller, id: &str) -> Result<Vec<EvidenceFile>, ServiceError> {
        let job = self.readable_job(caller, id)?;
        Ok(self.store.evidence((&job).into())?)
    }

    /// Returns one of these files; `None` when there is none of that name.
    ///
    /// # Errors
    /// Returns the errors of [`Service::evidence`].
    pub fn evidence_file(
        &self,
        caller: &Caller,
        id: &str,
        name: &str,
    ) -> Result<Option<Vec<u8>>, ServiceError> {
        let job = self.readable_job(caller, id)?;
        Ok(self.store.read_evidence((&job).into(), name)?)
    }

    /// Returns the raw replies of a job that the caller may read, as JSON. Decompresses them:
    /// blocks its thread.
    ///
    /// # Errors
    /// Returns an error if the caller has no such job, none are kept of it, or they cannot be read.
    pub fn raw(&self, caller: &Caller, id: &str) -> Result<Vec<u8>, ServiceError> {
        let job = self.readable_job(caller, id)?;
        self.store.raw(job.row)?.ok_or_else(|| ServiceError::RawNotKept { id: self.id_of(&job) })
    }

    /// Narrows a list to the jobs of another account, or of all accounts with `*`. That an operator
    /// looks is written to the log.
    ///
    /// # Errors
    /// Returns an error if the caller may not read them.
    pub fn list_account(
        &self,
        caller: &Caller,
        account: &str,
        filter: &mut ListFilter,
    ) -> Result<(), ServiceError> {
        if account == caller.account {
            return Ok(());
        }
        if !caller.reads_all_jobs {
            return Err(ServiceError::OperatorNeeded);
        }
        tracing::info!(operator = caller.account, account, "an operator lists jobs of other keys");
        account.clone_into(&mut filter.account);
        filter.all_accounts = account == ALL_ACCOUNTS;
        Ok(())
    }

    /// Returns whether a caller may read what belongs to an account. That an operator reads what is
    /// another key's is written to the log.
    pub(super) fn may_read(&self, caller: &Caller, account: &str, id: Uuid) -> bool {
        let own = account == caller.account;
        if !own && caller.reads_all_jobs {
            tracing::info!(
                job = %id, operator = caller.account, account,
                "an operator reads a job of another key"
            );
        }
        own || caller.reads_all_jobs
    }

    fn readable_job(&self, caller: &Caller, id: &str) -> Result<Job, ServiceError> {
        let (job, id) = self.job(id, |job, id, _| (job.clone(), id)).wait()?;
        if self.may_read(caller, &job.account, id) {
            Ok(job)
        } else {
            Err(ServiceError::JobNotFound)
        }
    }
}

/// Returns the id in a path. Only the form that we send: the parser would take braces and URNs too.
pub(super) fn parse_id(id: &str) -> Result<Uuid, ServiceError> {
    let parsed = (id.len() == JOB_ID_BYTES).then(|| Uuid::try_parse(id).ok()).flatten();
    parsed.ok_or(ServiceError::JobNotFound)
}
