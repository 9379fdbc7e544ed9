//! The use cases of batches: submit, read, wait, cancel.

use super::jobs::parse_id;
use super::{Caller, Service, ServiceError};
use crate::clock::UnixMs;
use crate::job::{
    Batch, BatchProgress, Failure, Handling, Idempotency, ItemError, Job, RejectedItem,
    ScrapeRequest, TransitionError,
};
use crate::store::{BatchFilter, BatchPage, Cursor, NewItem, StoreError, SubmitError};

/// A batch as a client asks for it.
pub struct NewBatch {
    /// The client's own word for the batch.
    pub label: Option<String>,
    /// In the client's order: what is asked, or why it cannot be.
    pub items: Vec<Result<(ScrapeRequest, Handling), ItemError>>,
    /// Where the batch's end is told.
    pub webhook_url: Option<String>,
    /// Which submits are one and the same.
    pub idempotency: Option<Idempotency>,
}

impl Service {
    /// Queues a batch. When this returns, every accepted item is a job on disk. Says too whether
    /// the batch was there before, because its submit is a repeated one.
    ///
    /// # Errors
    /// Returns an error if the whole batch was refused; nothing of it is stored. An item that is
    /// refused by itself is told in the batch.
    pub async fn submit_batch(
        &self,
        caller: &Caller,
        asked: NewBatch,
    ) -> Result<(Batch, bool), ServiceError> {
        self.accepting()?;
        self.webhooks_ready_for(&asked)?;
        self.within_rate(caller).await?;
        let (batch, items) = self.new_batch(caller, asked).await?;
        if let Err(spent) = self.batch_within_spend(caller, &items) {
            return self.earlier_batch(&batch, spent).await.map(|earlier| (earlier, true));
        }
        let key = batch.key;
        match self.store.submit_batch(batch, items).committed().await? {
            Ok(batch) => {
                let replayed = batch.key != key;
                if !replayed {
                    log_accepted(&batch);
                }
                Ok((batch, replayed))
            }
            Err(error) => Err(rejected_batch(error)),
        }
    }

    /// Checks that the caller's key may cost more today, unless the cache answers all items.
    ///
    /// # Errors
    /// Returns an error if it has spent its cap.
    pub(super) fn batch_within_spend(
        &self,
        caller: &Caller,
        items: &[NewItem],
    ) -> Result<(), ServiceError> {
        let is_paid = items.iter().any(|item| !item.job.cached);
        if is_paid { self.within_spend(caller) } else { Ok(()) }
    }

    /// Returns the earlier batch that a submit repeats, which asks for nothing new.
    ///
    /// # Errors
    /// Returns `spent` if it repeats none, an error if its key came with another request, or if the
    /// store failed.
    pub(super) async fn earlier_batch(
        &self,
        batch: &Batch,
        spent: ServiceError,
    ) -> Result<Batch, ServiceError> {
        let earlier = self.store.earlier_batch(batch.idempotency, batch.created_ms);
        earlier.await?.ok_or(spent)?.map_err(rejected_batch)
    }

    /// Checks that webhooks can be sent where the batch, or a job of it, asks for one.
    ///
    /// # Errors
    /// Returns an error if they are not configured.
    pub(super) fn webhooks_ready_for(&self, asked: &NewBatch) -> Result<(), ServiceError> {
        let jobs = asked.items.iter().flatten();
        if asked.webhook_url.is_some() || jobs.into_iter().any(|(_, h)| h.webhook_url.is_some()) {
            self.webhooks_ready()?;
        }
        Ok(())
    }

    /// Returns the batch as it will be written, with its jobs.
    ///
    /// # Errors
    /// Returns an error if there is no such scraper, the caller has no tracker that a job names, or
    /// the store failed.
    pub(super) async fn new_batch(
        &self,
        caller: &Caller,
        asked: NewBatch,
    ) -> Result<(Batch, Vec<NewItem>), ServiceError> {
        let tracks = asked.items.iter().flatten().filter_map(|(_, it)| it.track.as_deref());
        self.check_tracks(caller, tracks).await?;
        let (key, identities) =
            self.store.new_batch_identity(&caller.account, asked.items.len()).await?;
        let now_ms = self.clock.now_ms();
        let mut batch = Batch {
            key,
            account: caller.account.clone(),
            label: asked.label,
            items: u32::try_from(asked.items.len()).unwrap_or(u32::MAX),
            refused: Vec::new(),
            created_ms: now_ms,
            expires_ms: self.expires_ms(now_ms, None),
            idempotency: asked.idempotency,
            webhook_url: asked.webhook_url,
            progress: BatchProgress::default(),
        };
        let mut items = Vec::with_capacity(asked.items.len());
        for ((index, item), identity) in (0..).zip(asked.items).zip(identities) {
            match item {
                Ok((request, handling)) => {
                    let scraper = self.scraper(&request.scraper)?;
                    let limits = self.submit_limits(caller, scraper);
                    let new =
                        self.new_job(caller, scraper, identity, now_ms, request, handling, None);
                    let (job, result) = new.await;
                    let job = Job { batch: Some(key), ..job };
                    items.push(NewItem { job, result, limits });
                }
                Err(why) => batch.refused.push(RejectedItem { index, why }),
            }
        }
        // With the last of its jobs, which may ask for less than the service keeps.
        let last_ms = items.iter().map(|item| item.job.expires_ms).max();
        batch.expires_ms = last_ms.unwrap_or(batch.expires_ms);
        Ok((batch, items))
    }

    /// Returns a page of the batches that match, newest first. Blocks its thread, as
    /// [`Service::list`] does.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn list_batches(
        &self,
        filter: &BatchFilter,
        after: Option<Cursor>,
        batches_max: usize,
    ) -> Result<BatchPage, ServiceError> {
        Ok(self.store.list_batches(filter, after, batches_max, self.clock.now_ms())?)
    }

    /// Returns the present state of a batch.
    ///
    /// # Errors
    /// Returns an error if there is no such batch, or no longer; or the store failed.
    pub async fn batch(&self, id: &str) -> Result<Batch, ServiceError> {
        let id = parse_id(id).map_err(|_| ServiceError::BatchNotFound)?;
        let found = self.store.batch(id, self.clock.now_ms()).await?;
        found.ok_or(ServiceError::BatchNotFound)
    }

    /// Reads a batch and calls `visit` with the place and the job of every item that became one, in
    /// their order. Blocks its thread for as long as it takes to look at them all.
    ///
    /// # Errors
    /// Returns an error if there is no such batch, or no longer; or if the store failed.
    pub fn batch_with_jobs(
        &self,
        id: &str,
        visit: impl FnMut(u32, &Job),
    ) -> Result<Batch, ServiceError> {
        let id = parse_id(id).map_err(|_| ServiceError::BatchNotFound)?;
        let found = self.store.batch_with_jobs(id, self.clock.now_ms(), visit)?;
        found.ok_or(ServiceError::BatchNotFound)
    }

    /// Waits until every job of the batch has ended or `wait_ms` have passed, whichever comes
    /// first.
    ///
    /// # Errors
    /// Returns an error if there is no such batch, or the store failed.
    pub async fn wait_for_batch(&self, id: &str, wait_ms: u64) -> Result<(), ServiceError> {
        let until_ms: UnixMs = self.clock.now_ms().saturating_add(wait_ms);
        let row = self.batch(id).await?.key.row;
        let ended = self.engine.wait_for(row);
        if self.batch(id).await?.progress.completed_ms.is_none() {
            tokio::select! {
                () = ended => {}
                () = self.clock.sleep_until(until_ms) => {}
            }
        }
        Ok(())
    }

    /// Ends every unfinished job of a batch of the caller's, as [`Service::cancel`] does for one.
    ///
    /// # Errors
    /// Returns an error if the caller has no such batch, all its jobs have ended already, or the
    /// store failed.
    pub async fn cancel_batch(&self, caller: &Caller, id: &str) -> Result<Batch, ServiceError> {
        let id = parse_id(id).map_err(|_| ServiceError::BatchNotFound)?;
        let now_ms = self.clock.now_ms();
        let account = caller.account.clone();
        match self.store.stop_batch(id, account, now_ms, Failure::canceled()).await? {
            Ok(batch) => {
                tracing::info!(batch = %id, account = batch.account, "batch canceled");
                Ok(batch)
            }
            Err(TransitionError::Gone) => Err(ServiceError::BatchNotFound),
            Err(
                TransitionError::Finished
                | TransitionError::StaleLease
                | TransitionError::NotRunning,
            ) => Err(ServiceError::BatchFinished),
        }
    }
}

/// Logs that a batch was taken.
pub(super) fn log_accepted(batch: &Batch) {
    tracing::info!(
        batch = %batch.key.id, account = batch.account,
        items = batch.items, refused = batch.refused.len(), "batch accepted"
    );
}

/// Returns why a whole batch was refused.
pub(super) fn rejected_batch(error: SubmitError) -> ServiceError {
    match error {
        SubmitError::KeyReused => ServiceError::IdempotencyKeyReused,
        // Limits refuse items, never a batch.
        SubmitError::QueueFull | SubmitError::CreditLimit => {
            StoreError::Damaged("a batch was refused as a job").into()
        }
    }
}
