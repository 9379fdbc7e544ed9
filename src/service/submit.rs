//! Taking a job, and the interactive call that waits for its own.

use uuid::Uuid;

use super::{Caller, Readiness, Service, ServiceError, bounded_wait};
use crate::clock::{UnixMs, next_month_ms};
use crate::config::Scraper;
use crate::job::{Event, Failure, Handling, Job, ScrapeRequest, State, TransitionError};
use crate::store::{NewIdentity, Store, SubmitError, SubmitLimits, idempotency_of};

/// What an interactive call leaves of the client's own budget, milliseconds: published clients
/// give up at exactly their time-out (contract 1.4).
const CLIENT_MARGIN_MS: u64 = 250;

/// A job that was taken.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub job: Job,
    pub id: Uuid,
    /// It was there before, because its submit is a repeated one.
    pub replayed: bool,
}

impl Service {
    /// Queues a job. When this returns, the job is on disk.
    ///
    /// # Errors
    /// Returns an error if the job was refused; nothing of it is stored.
    pub async fn submit(
        &self,
        caller: &Caller,
        request: ScrapeRequest,
        handling: Handling,
    ) -> Result<Accepted, ServiceError> {
        self.submit_job(caller, request, handling, None).await
    }

    /// Runs a scrape and waits for its end. Returns the JSON of the result, and whether the scrape
    /// is an earlier one, because the call is a repeated one.
    ///
    /// # Errors
    /// Returns an error as [`Service::submit`] does, or if no upstream can be asked inside the
    /// `timeout`, or if the job failed, its `timeout` included.
    pub async fn scrape(
        &self,
        caller: &Caller,
        request: ScrapeRequest,
        handling: Handling,
    ) -> Result<(Vec<u8>, bool), ServiceError> {
        let timeout_ms = request.timeout_ms;
        let budget_ms = u64::from(timeout_ms).saturating_sub(CLIENT_MARGIN_MS);
        let deadline_ms = self.clock.now_ms().saturating_add(budget_ms);
        let Accepted { job, id, replayed } =
            self.submit_job(caller, request, handling, Some(deadline_ms)).await?;
        let ended = self.engine.wait_for(job.row);
        let mut late = false;
        if !self.finished(&job).await? {
            tokio::select! {
                () = ended => {}
                () = self.clock.sleep_until(deadline_ms) => late = true,
            }
        }
        if late && replayed && !self.finished(&job).await? {
            // The job may be one that was queued: this call did not start it, and does not end it.
            return Err(ServiceError::Failed { id, failure: Failure::timeout(timeout_ms) });
        }
        if late {
            self.time_out(&job).await?;
        }
        Ok((self.outcome(&job).await?, replayed))
    }

    async fn submit_job(
        &self,
        caller: &Caller,
        request: ScrapeRequest,
        handling: Handling,
        deadline_ms: Option<UnixMs>,
    ) -> Result<Accepted, ServiceError> {
        self.accepting()?;
        if handling.webhook_url.is_some() {
            self.webhooks_ready()?;
        }
        self.within_rate(caller).await?;
        self.check_tracks(caller, handling.track.as_deref()).await?;
        let scraper = self.scraper(&request.scraper)?;
        let identity = self.store.new_identity(&caller.account).await?;
        let now_ms = self.clock.now_ms();
        let (job, result) =
            self.new_job(caller, scraper, identity, now_ms, request, handling, deadline_ms).await;
        let mut limits = self.submit_limits(caller, scraper);
        let paused_ms = deadline_ms.and_then(|deadline_ms| {
            let paused_ms = self.engine.upstreams().paused_ms(&job.request);
            (now_ms.saturating_add(paused_ms) >= deadline_ms).then_some(paused_ms)
        });
        let spent = if job.cached { None } else { self.within_spend(caller).err() };
        if paused_ms.is_some() || spent.is_some() {
            // An earlier job of the same key, and one that the cache answers, take no place.
            limits.unfinished_max = 0;
        }
        let NewIdentity { row, id, .. } = identity;
        match self.store.submit(job, result, limits).committed().await? {
            Ok(job) if job.row != row => Ok(Accepted { id: self.id_of(&job), job, replayed: true }),
            Ok(job) => {
                tracing::info!(
                    job = %id, scraper = job.request.scraper,
                    account = job.account, cached = job.cached, "job accepted"
                );
                Ok(Accepted { job, id, replayed: false })
            }
            Err(SubmitError::KeyReused) => Err(ServiceError::IdempotencyKeyReused),
            Err(SubmitError::CreditLimit) => Err(self.credit_limit()),
            Err(SubmitError::QueueFull) => Err(match (spent, paused_ms) {
                (Some(spent), _) => spent,
                (None, Some(paused_ms)) => ServiceError::UpstreamsPaused {
                    scraper: scraper.name.clone(),
                    retry_after_seconds: paused_ms.div_ceil(1000),
                },
                (None, None) => self.queue_full(&scraper.name),
            }),
        }
    }

    /// Returns whether jobs are taken.
    pub(super) fn accepting(&self) -> Result<(), ServiceError> {
        match self.readiness_with(Store::room_for_write) {
            Readiness::Ready => Ok(()),
            Readiness::Stopping => Err(ServiceError::Stopping),
            Readiness::StoreFailed(error) => Err(error.into()),
        }
    }

    pub(super) fn submit_limits(&self, caller: &Caller, scraper: &Scraper) -> SubmitLimits {
        SubmitLimits {
            // Running jobs do not wait, so they come on top, whichever process runs them.
            unfinished_max: self
                .settings
                .queue
                .jobs_max
                .saturating_add(self.engine.workers_of_all(&scraper.name, scraper.workers)),
            monthly_credits: caller.monthly_credits,
        }
    }

    pub(super) fn credit_limit(&self) -> ServiceError {
        let now_ms = self.clock.now_ms();
        let wait_ms = next_month_ms(now_ms).saturating_sub(now_ms);
        ServiceError::CreditLimit { retry_after_seconds: wait_ms.div_ceil(1000) }
    }

    /// Returns the job as it will be written; one that the cache can answer is born `done`.
    #[expect(clippy::too_many_arguments, reason = "what a job is made of")]
    pub(super) async fn new_job(
        &self,
        caller: &Caller,
        scraper: &Scraper,
        identity: NewIdentity,
        now_ms: UnixMs,
        request: ScrapeRequest,
        handling: Handling,
        deadline_ms: Option<UnixMs>,
    ) -> (Job, Option<Vec<u8>>) {
        let idempotency = handling
            .idempotency_key
            .as_deref()
            .map(|key| idempotency_of(&caller.account, key, &request, &handling));
        // An answer from the cache has no raw replies of its own, and is no new answer to measure.
        let asks_anew = handling.keep_raw || handling.track.is_some();
        let bypass_cache = request.bypass_cache || asks_anew;
        let request = ScrapeRequest { bypass_cache, ..request };
        let result = self.engine.cached_result(&request, identity.id).await;
        let cached = result.is_some();
        let present = result.as_ref().and_then(|result| result.present);
        let job = Job {
            row: identity.row,
            nonce: identity.nonce,
            request,
            account: caller.account.clone(),
            state: if cached { State::Done } else { State::Queued },
            attempts: 0,
            lease: 0,
            created_ms: now_ms,
            due_ms: now_ms,
            expires_ms: self.expires_ms(now_ms, handling.retain_hours),
            started_ms: None,
            completed_ms: cached.then_some(now_ms),
            price: if cached { 0 } else { scraper.credits },
            interactive: deadline_ms.is_some() || handling.interactive,
            deadline_ms,
            cached,
            label: handling.label,
            start_by_ms: handling.start_within_ms.map(|within_ms| now_ms + u64::from(within_ms)),
            idempotency,
            batch: None,
            webhook_url: handling.webhook_url,
            keep_raw: handling.keep_raw,
            present,
            track: handling.track,
        };
        (job, result.map(|result| result.json))
    }

    /// Checks that the caller's rate limit has one left, and takes none: what costs to read is not
    /// read for somebody who is over it.
    ///
    /// # Errors
    /// Returns an error if the limit is used up.
    pub fn check_rate(&self, caller: &Caller) -> Result<(), ServiceError> {
        let ring = self.keyring();
        let Some(limit) = ring.limit(&caller.account) else { return Ok(()) };
        limit.check().map_err(rate_limit)
    }

    pub(super) async fn within_rate(&self, caller: &Caller) -> Result<(), ServiceError> {
        let ring = self.keyring();
        let Some(limit) = ring.limit(&caller.account) else { return Ok(()) };
        limit.acquire().await.map_err(rate_limit)
    }

    /// Checks that the caller's key may cost more today.
    ///
    /// # Errors
    /// Returns an error if it has spent its cap.
    pub(super) fn within_spend(&self, caller: &Caller) -> Result<(), ServiceError> {
        let checked = self.engine.ledger().check(&caller.account, self.clock.now_ms());
        checked.map_err(|reached| ServiceError::SpendLimit {
            cap_nanos: reached.cap_nanos,
            retry_after_seconds: reached.wait_ms.div_ceil(1000),
        })
    }

    /// Returns the error of a full queue: a hundredth of it is likely to be done in that many
    /// seconds.
    pub(super) fn queue_full(&self, scraper: &str) -> ServiceError {
        let wait_ms = self.engine.wait_estimate_ms(scraper);
        let retry_after_seconds = bounded_wait(wait_ms.div_ceil(100 * 1000));
        ServiceError::QueueFull { retry_after_seconds }
    }

    async fn finished(&self, job: &Job) -> Result<bool, ServiceError> {
        let now_ms = self.clock.now_ms();
        let state = self.store.read_row(job.row, now_ms, |job, _| job.state.finished());
        Ok(state.await?.unwrap_or(true))
    }

    /// Ends the job because its time is up; nothing when it has just ended by itself.
    async fn time_out(&self, job: &Job) -> Result<(), ServiceError> {
        let stop = |job: &Job| Event::Stop { failure: Failure::timeout(job.request.timeout_ms) };
        let stopped = self.store.transition_async(job.row, self.clock.now_ms(), stop).await?;
        match stopped {
            Ok(job) => {
                tracing::warn!(
                    job = %self.id_of(&job), scraper = job.request.scraper,
                    attempt = job.attempts, code = "timeout", "job failed"
                );
                Ok(())
            }
            Err(TransitionError::Finished) => Ok(()),
            Err(TransitionError::Gone) => Err(ServiceError::JobNotFound),
            // A stop needs neither a lease nor a running attempt.
            Err(TransitionError::StaleLease | TransitionError::NotRunning) => Ok(()),
        }
    }

    async fn outcome(&self, job: &Job) -> Result<Vec<u8>, ServiceError> {
        let now_ms = self.clock.now_ms();
        let read = self.store.read_row(job.row, now_ms, |job, result| match &job.state {
            State::Done => Ok(self.engine.shown(result.unwrap_or_default()).into_owned()),
            State::Failed(failure) => {
                Err(ServiceError::Failed { id: self.id_of(job), failure: failure.clone() })
            }
            State::Queued | State::Running | State::WaitingRetry { .. } => {
                Err(ServiceError::Interrupted { id: self.id_of(job) })
            }
        });
        read.await?.unwrap_or(Err(ServiceError::JobNotFound))
    }
}

fn rate_limit(wait_ms: u64) -> ServiceError {
    ServiceError::RateLimit { retry_after_seconds: bounded_wait(wait_ms.div_ceil(1000)) }
}
