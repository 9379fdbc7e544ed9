//! The operations on jobs and batches: what each needs, and how it decides. The rules are those of
//! `store/change.rs`, which the transaction applies.

use std::sync::PoisonError;

use tokio::sync::mpsc::error::TrySendError;
use uuid::Uuid;

use super::handle::{OperationQueue, SharedStore};
use super::kept;
use super::needs::Needs;
use super::observations::TrackerThings;
use super::operation::{operation, operation_for};
use super::things::{ThingKey, ThingKind};
use super::transaction::Transaction;
use crate::clock::UnixMs;
use crate::job::{BATCH_ITEMS_MAX, Batch, Event, Failure, Job, TransitionError};
use crate::store::{
    NewItem, NewOutcome, NewResult, Pending, Row, StoreError, SubmitError, SubmitLimits, record,
    trackers,
};

impl SharedStore {
    /// Writes a new job: see [`crate::store::Store::submit`]. One that a worker of this process
    /// waits for is not open to other nodes.
    pub(crate) fn submit(
        &self,
        job: Job,
        result: Option<Vec<u8>>,
        limits: SubmitLimits,
    ) -> Pending<Result<Job, SubmitError>> {
        let mut needs = Needs::default();
        needs.add_new_job(&job, limits.allowance_for(&job).is_some());
        self.queue(job.row, needs, move |transaction| {
            transaction.insert(&job, result.as_deref(), limits)
        })
    }

    /// Writes a batch with its jobs: see [`crate::store::Store::submit_batch`].
    pub(crate) fn submit_batch(
        &self,
        batch: Batch,
        items: Vec<NewItem>,
    ) -> Pending<Result<Batch, SubmitError>> {
        let (row, mut needs) = (batch.key.row, Needs::default());
        needs.add_new_batch(&batch, &items);
        self.queue(row, needs, move |transaction| transaction.insert_batch(&batch, &items))
    }

    /// Applies the event that `decide` chooses for the job as it is: see
    /// [`crate::store::Store::begin_transition`].
    pub(crate) fn begin_transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
        result: Option<NewResult>,
    ) -> Pending<Result<Job, TransitionError>> {
        self.queue_blocking(row, Needs::of_job(row), move |transaction| {
            transaction.transition(row, now_ms, |job| Some(decide(job)), result.as_ref())
        })
    }

    /// Does what [`SharedStore::begin_transition`] does with the event that begins an attempt: see
    /// [`crate::store::Store::begin_start`].
    pub(crate) fn begin_start(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
    ) -> Pending<Result<Job, TransitionError>> {
        self.queue_blocking(row, Needs::of_job(row), move |transaction| {
            transaction.start(row, now_ms, |job| Some(decide(job)))
        })
    }

    /// Does what [`SharedStore::begin_transition`] does, and blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the database fails; the job is as it was.
    pub(crate) fn transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
        result: Option<NewResult>,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        self.begin_transition(row, now_ms, decide, result).wait()
    }

    /// Does what [`SharedStore::begin_transition`] does without a result, for handlers.
    ///
    /// # Errors
    /// Returns an error if [`SharedStore::transition`] would, or the writer is overloaded.
    pub(crate) async fn transition_async(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        let changed = self.queue(row, Needs::of_job(row), move |transaction| {
            transaction.transition(row, now_ms, |job| Some(decide(job)), None)
        });
        changed.committed().await
    }

    /// Does what [`SharedStore::begin_transition`] does with the event that ends an attempt: see
    /// [`crate::store::Store::begin_outcome`].
    pub(crate) fn begin_outcome(
        &self,
        row: Row,
        now_ms: UnixMs,
        outcome: NewOutcome,
    ) -> Pending<Result<Job, TransitionError>> {
        let NewOutcome { event, result, ended, raw, observation } = outcome;
        // Here, where only this attempt waits for it.
        let raw = raw.map(|json| record::encode_raw(row, &json));
        let mut needs = Needs::of_job(row);
        if let Some(ended) = &ended {
            kept::need_attempt(&mut needs, row, ended);
        }
        if raw.is_some() {
            needs.things.insert(ThingKey::of_row(ThingKind::Raw, row));
        }
        if let Some(observation) = &observation {
            needs.measured.insert(row, observation.tracker.clone());
        }
        self.queue_blocking(row, needs, move |transaction| {
            let decide = |_: &Job| Some(event.clone());
            let outcome = transaction.transition(row, now_ms, decide, result.as_ref())?;
            if let Some(ended) = &ended {
                kept::keep_outcome(transaction, row, &outcome, ended)?;
            }
            if let (Ok(_), Some(raw)) = (&outcome, &raw) {
                let key = ThingKey::of_row(ThingKind::Raw, row);
                transaction.put_thing(&key, Some(raw.clone()));
            }
            if let (Ok(job), Some(observation)) = (&outcome, &observation) {
                let scraper = transaction.scraper(job)?;
                let tables = &mut TrackerThings { transaction, just_ended: true };
                trackers::observe(tables, job, scraper, observation)?;
            }
            Ok(outcome)
        })
    }

    /// Ends a job with `failure` because its owner wants it to: see
    /// [`crate::store::Store::stop_owned`].
    pub(crate) async fn stop_owned(
        &self,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
        failure: Failure,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        let Some(plain) = self.process.cipher.open(id) else {
            return Ok(Err(TransitionError::Gone));
        };
        let stopped = self.queue(plain.row, Needs::of_job(plain.row), move |transaction| {
            let owned = |job: &Job| plain.has_nonce(job.nonce) && job.account == account;
            let stop = || Event::Stop { failure: failure.clone() };
            transaction.transition(plain.row, now_ms, |job| owned(job).then(stop), None)
        });
        stopped.committed().await
    }

    /// Ends every unfinished job of a batch with `failure`: see
    /// [`crate::store::Store::stop_batch`].
    pub(crate) async fn stop_batch(
        &self,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
        failure: Failure,
    ) -> Result<Result<Batch, TransitionError>, StoreError> {
        let Some(row) = self.process.cipher.open(id).map(|plain| plain.row) else {
            return Ok(Err(TransitionError::Gone));
        };
        let mut needs = Needs::default();
        needs.add_batch(row);
        let stopped = self.queue(row, needs, move |transaction| {
            let batch = transaction.batch(row)?.filter(|batch| {
                batch.has_id(id) && batch.account == account && batch.expires_ms > now_ms
            });
            let Some(batch) = batch else { return Ok(Err(TransitionError::Gone)) };
            if batch.pending() == 0 {
                return Ok(Err(TransitionError::Finished));
            }
            let key = batch.key;
            let decide = |job: &Job| {
                let member = job.batch == Some(key);
                member.then(|| Event::Stop { failure: failure.clone() })
            };
            for row in row + 1..=row + BATCH_ITEMS_MAX as u64 {
                // A damaged job does not keep the others from being stopped.
                let _ = transaction.transition(row, now_ms, decide, None);
            }
            Ok(transaction.batch(row)?.cloned().ok_or(TransitionError::Gone))
        });
        stopped.committed().await
    }

    /// Gives an operation to the writer of its row without waiting: full is an error, so that a
    /// handler never blocks. A caller gets an error after the patience: a writer waits for a
    /// standby for as long as there is none.
    pub(super) fn queue<T: Send + 'static>(
        &self,
        row: Row,
        needs: Needs,
        decide: impl Fn(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let (operation, answer) = operation_for(self.patience.clone(), needs, decide);
        let Some(writer) = self.writer_of(row) else { return Pending::refused(StoreError::Closed) };
        match writer.try_send(operation) {
            Ok(()) => answer,
            Err(TrySendError::Full(_)) => Pending::refused(StoreError::Busy),
            Err(TrySendError::Closed(_)) => Pending::refused(StoreError::Closed),
        }
    }

    /// Gives an operation to the writer of its row and blocks while its queue is full: for the
    /// workers' and the deliverer's writes, which must not be refused.
    pub(super) fn queue_blocking<T: Send + 'static>(
        &self,
        row: Row,
        needs: Needs,
        decide: impl Fn(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let (operation, answer) = operation(needs, decide);
        let sent = self.writer_of(row).map(|writer| writer.blocking_send(operation));
        match sent {
            Some(Ok(())) => answer,
            Some(Err(_)) | None => Pending::refused(StoreError::Closed),
        }
    }

    /// Returns the queue of the writer that writes a row, always the same one: so what is begun by
    /// one thread is written in the order in which it was begun.
    fn writer_of(&self, row: Row) -> Option<OperationQueue> {
        let writers = self.writers.read().unwrap_or_else(PoisonError::into_inner);
        let place = row.checked_rem(writers.len() as u64)?;
        writers.get(place as usize).cloned()
    }
}
