//! Jobs and batches: each method is one write.

use uuid::Uuid;

use super::backend::{Backend, ask};
use crate::clock::UnixMs;
use crate::job::{Batch, Event, Failure, Idempotency, Job, TransitionError, VendorTask};
use crate::store::{
    DeletionCounts, NewAttemptEnd, NewItem, NewOutcome, NewResult, Pending, Row, Store, StoreError,
    SubmitError, SubmitLimits,
};

impl Store {
    /// Writes a new job with its identity, indexes and credits; one that is inserted as `done`
    /// comes with its result. Where the job has an idempotency key that came with the same request
    /// before, nothing is written, and the answer is that earlier job: it has another row.
    pub fn submit(
        &self,
        job: Job,
        result: Option<Vec<u8>>,
        limits: SubmitLimits,
    ) -> Pending<Result<Job, SubmitError>> {
        ask!(self.backend, store => store.submit(job, result, limits))
    }

    /// Applies the event that `decide` chooses for the job as it is; a success brings its
    /// result. Blocks until it is committed. Returns the job as it is then. `decide` may be asked
    /// again by a store that does not know whether a write was committed.
    ///
    /// # Errors
    /// Returns an error if the store failed; the job is as it was.
    pub fn transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
        result: Option<NewResult>,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        ask!(self.backend, store => store.transition(row, now_ms, decide, result))
    }

    /// Does what [`Store::transition`] does, but blocks only while the writer is overloaded.
    /// What is begun by one thread is written in the order in which it was begun.
    pub fn begin_transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
        result: Option<NewResult>,
    ) -> Pending<Result<Job, TransitionError>> {
        ask!(self.backend, store => store.begin_transition(row, now_ms, decide, result))
    }

    /// Does what [`Store::begin_transition`] does with the event that begins an attempt. A job that
    /// another process has taken is not this one's to begin, and stays as it is.
    pub fn begin_start(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
    ) -> Pending<Result<Job, TransitionError>> {
        ask!(self.backend, store => store.begin_start(row, now_ms, decide))
    }

    /// Does what [`Store::begin_transition`] does with the event that ends an attempt; one that has
    /// failed or used something is kept with its job, in the same transaction, even if that has
    /// ended meanwhile.
    pub fn begin_outcome(
        &self,
        row: Row,
        now_ms: UnixMs,
        outcome: NewOutcome,
    ) -> Pending<Result<Job, TransitionError>> {
        ask!(self.backend, store => store.begin_outcome(row, now_ms, outcome))
    }

    /// Does what [`Store::transition`] does without a result, for handlers: does not block the
    /// thread.
    ///
    /// # Errors
    /// Returns an error if [`Store::transition`] would, or the writer is overloaded.
    pub async fn transition_async(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        ask!(self.backend, store => store.transition_async(row, now_ms, decide).await)
    }

    /// Ends a job with `failure` because its owner wants it to, whatever runs. Does not block the
    /// thread. Another account's job is as good as none.
    ///
    /// # Errors
    /// Returns an error if the store failed, or its writer is overloaded; the job is as it
    /// was.
    pub async fn stop_owned(
        &self,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
        failure: Failure,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        ask!(self.backend, store => store.stop_owned(id, account, now_ms, failure).await)
    }

    /// Writes a batch with the jobs of those items that keep their limits. Where its idempotency
    /// key came with the same request before, nothing is written, and the answer is that earlier
    /// batch: it has another row.
    pub fn submit_batch(
        &self,
        batch: Batch,
        items: Vec<NewItem>,
    ) -> Pending<Result<Batch, SubmitError>> {
        ask!(self.backend, store => store.submit_batch(batch, items))
    }

    /// Returns the batch that came with the same idempotency key and request before, if it exists
    /// at `now_ms`; writes nothing. For a caller who may not submit, and may repeat what was
    /// submitted.
    ///
    /// # Errors
    /// Returns an error if the store failed, or its writer is overloaded.
    pub async fn earlier_batch(
        &self,
        known: Option<Idempotency>,
        now_ms: UnixMs,
    ) -> Result<Option<Result<Batch, SubmitError>>, StoreError> {
        ask!(self.backend, store => store.earlier_batch(known, now_ms).await)
    }

    /// Ends every unfinished job of a batch with `failure`, because its owner wants it to. Does not
    /// block the thread. Another account's batch is as good as none.
    ///
    /// # Errors
    /// Returns an error if the store failed, or its writer is overloaded; every job is as it
    /// was.
    pub async fn stop_batch(
        &self,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
        failure: Failure,
    ) -> Result<Result<Batch, TransitionError>, StoreError> {
        ask!(self.backend, store => store.stop_batch(id, account, now_ms, failure).await)
    }

    /// Writes the end of an attempt whose job did not wait for it.
    pub fn note_attempt(&self, row: Row, ended: NewAttemptEnd) -> Pending<()> {
        ask!(self.backend, store => store.note_attempt(row, ended))
    }

    /// Keeps the task that a vendor works on for a job, in the place of an earlier one; `None`
    /// forgets that. Blocks until it is committed. Returns false, and changes nothing, unless the
    /// attempt with this lease is the job's latest and the job has not ended.
    ///
    /// # Errors
    /// Returns an error if the store failed; what was kept stays.
    pub fn set_vendor_task(
        &self,
        row: Row,
        lease: u32,
        task: Option<VendorTask>,
    ) -> Result<bool, StoreError> {
        ask!(self.backend, store => store.set_vendor_task(row, lease, task))
    }

    /// Reads the task that a vendor works on for a job.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn vendor_task(&self, row: Row) -> Result<Option<VendorTask>, StoreError> {
        ask!(self.backend, store => store.vendor_task(row))
    }

    /// Deletes those of some jobs, at most `DELETION_ROWS_MAX`, that have ended, or only counts
    /// what would go. Does not block the thread.
    ///
    /// # Errors
    /// Returns an error if the store failed, or its writer is overloaded; nothing was deleted.
    pub async fn delete(
        &self,
        known: Vec<Job>,
        now_ms: UnixMs,
        dry_run: bool,
    ) -> Result<DeletionCounts, StoreError> {
        ask!(self.backend, store => store.delete(known, now_ms, dry_run).await)
    }
}
