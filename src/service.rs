//! The use cases: all that http and cli may ask of a running service. Rules live here and below;
//! the edges parse, call and answer.

mod batches;
mod failed_keys;
mod keyring;
mod metrics;
mod pulse;
mod stats;
mod usage;
mod webhooks;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use failed_keys::FailedKeys;
use keyring::Keyring;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::catalog;
use crate::clock::{Clock, UnixMs, next_month_ms};
use crate::config::{Scraper, Settings};
use crate::engine::{Engine, Standing, WINDOW_MINUTES};
use crate::job::{Event, Failure, Handling, Job, Refused, ScrapeRequest, State};
use crate::rate::{self, RateLimit};
use crate::store::{
    Cursor, EvidenceFile, ListFilter, ListPage, NewIdentity, Store, StoreError, SubmitLimits,
    SubmitRefusal, TransitionRefusal, idempotency_of,
};
use crate::upstream::UpstreamStatus;
use crate::upstream::browser::recipe::Problem;

pub use batches::NewBatch;

pub use crate::engine::{
    ATTEMPT_JOBS_MAX, AttemptEnd, BUCKET_SECONDS, DayBucket, DeliveryCounts, HealthReport,
    TotalsReport,
};
pub use crate::store::DAYS_KEPT_MAX;
pub use crate::store::WriterStats;
pub use stats::LiveStatus;
pub use usage::{AccountCredits, Usage};
pub use webhooks::WebhookStatus;

/// What an interactive call leaves of the client's own budget, milliseconds: published clients
/// give up at exactly their time-out (contract 1.4).
pub const CLIENT_MARGIN_MS: u64 = 250;
/// The least and the most that a `Retry-After` of ours says, seconds.
const RETRY_AFTER_SECONDS_MIN: u64 = 1;
const RETRY_AFTER_SECONDS_MAX: u64 = 60;
/// Further than this nobody has to look, milliseconds.
const POLL_HORIZON_MS: u64 = RETRY_AFTER_SECONDS_MAX * 1000;

const DAY_MS: u64 = 86_400_000;
/// How far back a scraper's health looks, seconds.
pub const HEALTH_SECONDS: u64 = WINDOW_MINUTES * 60;
/// The least that a poll of a pending job says, seconds, as the 202 of its submit does.
const POLL_AFTER_SECONDS_MIN: u64 = 2;

/// The length of a job's id in a path, bytes.
pub const JOB_ID_BYTES: usize = 36;

/// Who calls, and what they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub monthly_credits: Option<u64>,
    /// Whether it sees the credits of all keys.
    pub operator: bool,
}

/// Why a use case could not be done.
#[derive(Clone, Debug)]
pub enum ServiceError {
    KeyMissing,
    KeyInvalid,
    /// Too many wrong keys came from the same address.
    KeyGuessing {
        retry_after_seconds: u64,
    },
    /// Names the scrapers that exist.
    ScraperUnknown {
        given: String,
        names: Vec<String>,
    },
    /// What is missing, as a sentence.
    NotConfigured {
        scraper: String,
        missing: String,
    },
    JobNotFound,
    BatchNotFound,
    /// Every job of the batch has ended, so it cannot be canceled.
    BatchFinished,
    /// Nothing can sign webhooks. What is missing, as a sentence.
    WebhooksNotConfigured {
        missing: String,
    },
    /// The job or the batch was submitted without a webhook.
    WebhookNotFound {
        job_id: Option<Uuid>,
    },
    /// The job or the batch has not ended, so there is nothing to send again.
    WebhookWaits {
        job_id: Option<Uuid>,
    },
    /// The idempotency key came with another request before.
    IdempotencyKeyReused,
    /// The job has ended, so it cannot be canceled.
    JobFinished {
        id: Uuid,
    },
    CreditLimit {
        retry_after_seconds: u64,
    },
    RateLimit {
        retry_after_seconds: u64,
    },
    QueueFull {
        retry_after_seconds: u64,
    },
    /// The job of an interactive call failed.
    Failed {
        id: Uuid,
        failure: Failure,
    },
    Stopping,
    /// The service stops while the job of an interactive call waits or runs; it goes on after the
    /// next start and can be polled.
    Interrupted {
        id: Uuid,
    },
    Store(StoreError),
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> ServiceError {
        ServiceError::Store(error)
    }
}

/// Whether the service takes jobs.
#[derive(Clone, Debug)]
pub enum Readiness {
    Ready,
    Stopping,
    StoreFailed(StoreError),
}

/// A scraper, and how it stands now.
pub struct ScraperStatus<'a> {
    pub scraper: &'a Scraper,
    /// What has to be set before it can be used, as a sentence.
    pub missing: Option<String>,
    /// Jobs that wait for an attempt.
    pub waiting: usize,
    pub running: usize,
    /// In the order in which they are tried.
    pub upstreams: Vec<UpstreamStanding<'a>>,
    pub health: HealthReport,
}

/// An upstream of a scraper, and how it stands now.
pub struct UpstreamStanding<'a> {
    /// Its name in config.toml.
    pub name: &'a str,
    /// What it speaks: the word in config.toml.
    pub kind: &'static str,
    pub missing: Option<&'a str>,
    /// `None` while something is missing.
    pub status: Option<UpstreamStatus>,
}

/// A job that was taken.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub job: Job,
    pub id: Uuid,
    /// It was there before, because its submit is a repeated one.
    pub replayed: bool,
}

/// A running service.
pub struct Service {
    store: Arc<Store>,
    engine: Arc<Engine>,
    settings: Arc<Settings>,
    clock: Clock,
    keyring: RwLock<Arc<Keyring>>,
    failed_keys: FailedKeys,
    stopping: AtomicBool,
    /// Wakes those who would wait beyond the stop.
    stop_told: Notify,
}

impl Service {
    pub fn new(
        store: Arc<Store>,
        engine: Arc<Engine>,
        settings: Arc<Settings>,
        clock: Clock,
    ) -> Service {
        let keyring = RwLock::new(Arc::new(Keyring::new(&settings, &clock)));
        let failed_keys = FailedKeys::new(settings.http.key_failures_per_minute, &clock);
        let stopping = AtomicBool::new(false);
        let stop_told = Notify::new();
        Service { store, engine, settings, clock, keyring, failed_keys, stopping, stop_told }
    }

    /// Who holds this key. Keys are compared over their hashes, in constant time (contract 1.2).
    ///
    /// # Errors
    /// A key is needed and missing, or the given one is none of the configured, or too many from
    /// this address were not, so that this one was not looked at.
    pub fn authenticate(
        &self,
        given: Option<&str>,
        from: Option<IpAddr>,
    ) -> Result<Caller, ServiceError> {
        if given.is_some() {
            self.failed_keys.listen_to(from)?;
        }
        let holder = self.keyring().holder(given);
        if matches!(holder, Err(ServiceError::KeyInvalid)) {
            self.failed_keys.note(from);
        }
        holder
    }

    /// The proxies whose word about a client's address is taken.
    pub fn trusted_proxies(&self) -> &[IpAddr] {
        &self.settings.http.trusted_proxies
    }

    /// Puts the keys of other settings in force; gives how many they are.
    pub fn reload_keys(&self, settings: &Settings) -> usize {
        let mut ring = self.keyring.write().unwrap_or_else(PoisonError::into_inner);
        *ring = Arc::new(ring.followed_by(settings, &self.clock));
        ring.len()
    }

    fn keyring(&self) -> Arc<Keyring> {
        // It is replaced whole.
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A scraper by its name in a path, ready to be used.
    ///
    /// # Errors
    /// There is none of that name, or none of its upstreams is configured.
    pub fn scraper(&self, name: &str) -> Result<&Scraper, ServiceError> {
        let Some(scraper) = self.settings.scrapers.get(name) else {
            return Err(ServiceError::ScraperUnknown {
                given: name.to_owned(),
                names: self.settings.scrapers.keys().cloned().collect(),
            });
        };
        match self.settings.missing(scraper) {
            None => Ok(scraper),
            Some(missing) => Err(ServiceError::NotConfigured { scraper: name.to_owned(), missing }),
        }
    }

    /// Every scraper as `GET /scrapers` shows it, those that ship with answerd first.
    pub fn scrapers(&self) -> Vec<ScraperStatus<'_>> {
        let upstreams = self.engine.upstreams();
        let shipped = catalog::SCRAPERS.iter().filter_map(|e| self.settings.scrapers.get(e.name));
        let own = self.settings.scrapers.values().filter(|s| catalog::shipped(&s.name).is_none());
        shipped.chain(own).filter_map(|scraper| self.scraper_status(scraper, &upstreams)).collect()
    }

    fn scraper_status<'a>(
        &'a self,
        scraper: &'a Scraper,
        statuses: &[UpstreamStatus],
    ) -> Option<ScraperStatus<'a>> {
        // The store numbers every configured scraper when it is opened.
        let Standing { waiting, running, health } = self.engine.standing(&scraper.name)?;
        let configured = scraper.upstreams.iter().filter_map(|name| {
            let upstream = self.settings.upstreams.get(name)?;
            Some(UpstreamStanding {
                name,
                kind: upstream.kind.word(),
                missing: upstream.missing.as_deref(),
                status: statuses.iter().find(|status| status.name == *name).cloned(),
            })
        });
        Some(ScraperStatus {
            scraper,
            missing: self.settings.missing(scraper),
            waiting,
            running,
            upstreams: configured.collect(),
            health,
        })
    }

    /// Queues a job. When this returns, the job is on disk.
    ///
    /// # Errors
    /// The job was refused; nothing of it is stored.
    pub async fn submit(
        &self,
        caller: &Caller,
        request: ScrapeRequest,
        handling: Handling,
    ) -> Result<Accepted, ServiceError> {
        self.submit_job(caller, request, handling, None).await
    }

    /// Runs a scrape and waits for its end: the JSON of the result.
    ///
    /// # Errors
    /// As [`Service::submit`]; or the job failed, its `timeout` included.
    pub async fn scrape(
        &self,
        caller: &Caller,
        request: ScrapeRequest,
        handling: Handling,
    ) -> Result<Vec<u8>, ServiceError> {
        let budget_ms = u64::from(request.timeout_ms).saturating_sub(CLIENT_MARGIN_MS);
        let deadline_ms = self.clock.now_ms().saturating_add(budget_ms);
        let Accepted { job, .. } =
            self.submit_job(caller, request, handling, Some(deadline_ms)).await?;
        let ended = self.engine.wait_for(job.row);
        if !self.finished(&job)? {
            tokio::select! {
                // An error would mean that nobody wakes us: the deadline then does.
                Ok(()) = ended => {}
                () = self.clock.sleep_until(deadline_ms) => self.time_out(&job).await?,
            }
        }
        self.engine.tidy_waiters(job.row);
        self.outcome(&job)
    }

    /// Reads a job with the JSON of its result. `read` gets the bytes as the store has them.
    ///
    /// # Errors
    /// There is no such job, or no longer; or the store failed.
    pub fn job<T>(
        &self,
        id: &str,
        read: impl FnOnce(&Job, Uuid, Option<&[u8]>) -> T,
    ) -> Result<T, ServiceError> {
        let uuid = parse_id(id)?;
        let now_ms = self.clock.now_ms();
        self.store
            .read_job(uuid, now_ms, |job, result| read(job, uuid, result))?
            .ok_or(ServiceError::JobNotFound)
    }

    /// Waits until the job has ended or `wait_ms` have passed, whichever comes first.
    ///
    /// # Errors
    /// There is no such job, or the store failed.
    pub async fn wait_for_end(&self, id: &str, wait_ms: u64) -> Result<(), ServiceError> {
        let until_ms = self.clock.now_ms().saturating_add(wait_ms);
        let row = self.job(id, |job, _, _| job.row)?;
        let ended = self.engine.wait_for(row);
        if !self.job(id, |job, _, _| job.state.finished())? {
            tokio::select! {
                Ok(()) = ended => {}
                () = self.clock.sleep_until(until_ms) => {}
            }
        }
        self.engine.tidy_waiters(row);
        Ok(())
    }

    /// Reads a job as soon as its revision is above `seen`; `None` when it is not by `until_ms`.
    /// Nothing of the store is held while it waits.
    ///
    /// # Errors
    /// There is no such job, or no longer; the service stops; or the store failed.
    pub async fn next_change<T>(
        &self,
        id: &str,
        seen: Option<u64>,
        until_ms: UnixMs,
        read: impl Fn(&Job, Uuid) -> T,
    ) -> Result<Option<T>, ServiceError> {
        let row = self.job(id, |job, _, _| job.row)?;
        // One wait, whatever wakes it meanwhile: a step of the clock must not make it longer.
        let mut time_is_up = std::pin::pin!(self.clock.sleep_until(until_ms));
        loop {
            let changed = self.engine.watch(row);
            let found = self.job(id, |job, uuid, _| {
                seen.is_none_or(|seen| job.revision() > seen).then(|| read(job, uuid))
            });
            match (found, changed) {
                (Ok(None), Some(changed)) => tokio::select! {
                    Ok(()) = changed => continue,
                    () = &mut time_is_up => {
                        self.engine.tidy_watchers(row);
                        return Ok(None);
                    }
                },
                (Ok(None), None) => return Err(ServiceError::Stopping),
                (found, changed) => {
                    drop(changed);
                    self.engine.tidy_watchers(row);
                    return found;
                }
            }
        }
    }

    /// The time, for those who wait.
    pub fn now_ms(&self) -> UnixMs {
        self.clock.now_ms()
    }

    /// When a pending job is worth looking at again, seconds: when it is likely to have ended.
    pub fn poll_after_seconds(&self, job: &Job) -> u64 {
        let estimate_ms = self.engine.end_estimate_ms(job, POLL_HORIZON_MS);
        bounded_wait(estimate_ms.div_ceil(1000)).max(POLL_AFTER_SECONDS_MIN)
    }

    /// How a caller stands to its rate limit; `None` when it has none.
    pub fn rate_standing(&self, caller: &Caller) -> Option<rate::Standing> {
        self.keyring().limit(&caller.account).map(RateLimit::standing)
    }

    /// Ends a job of the caller's because it is not wanted any more: its credits come back, and a
    /// running attempt is told to stop. Gives the job as it is then.
    ///
    /// # Errors
    /// The caller has no such job, it has ended already, or the store failed.
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
            Err(TransitionRefusal::Gone) => Err(ServiceError::JobNotFound),
            // A stop needs neither a lease nor a running attempt: it is refused only by an end.
            Err(TransitionRefusal::Refused(
                Refused::Finished | Refused::StaleLease | Refused::NotRunning,
            )) => Err(ServiceError::JobFinished { id }),
        }
    }

    /// A page of the jobs that match, newest first. Blocks its thread for as long as it takes to
    /// look at [`crate::store::LIST_ROWS_MAX`] rows.
    ///
    /// # Errors
    /// The store failed.
    pub fn list(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
        jobs_max: usize,
    ) -> Result<ListPage, ServiceError> {
        Ok(self.store.list(filter, after, jobs_max, self.clock.now_ms())?)
    }

    /// A cursor as clients see it.
    pub fn cursor_text(&self, cursor: Cursor) -> String {
        self.store.cursor_id(cursor).simple().to_string()
    }

    /// The cursor that a client has sent back; `None` when it is none of ours.
    pub fn cursor(&self, text: &str) -> Option<Cursor> {
        Uuid::try_parse(text).ok().and_then(|id| self.store.cursor(id))
    }

    /// The id of a job.
    pub fn id_of(&self, job: &Job) -> Uuid {
        self.store.id_of(job)
    }

    /// Reads the operator's recipes again. A file that breaks a rule is passed over and logged; gives
    /// what is wrong with such files.
    pub fn reload_recipes(&self) -> Vec<Problem> {
        let Some(folder) = &self.settings.browser.recipes else {
            tracing::info!("there is no folder of recipes to read again");
            return Vec::new();
        };
        let problems = self.engine.reload_recipes(folder);
        for problem in &problems {
            tracing::error!(%problem, "a recipe was not loaded");
        }
        tracing::info!(folder = %folder.display(), "recipes read again");
        problems
    }

    /// The files that the attempts of a job of the caller's have left. Reads a directory.
    ///
    /// # Errors
    /// The caller has no such job, or the files cannot be read.
    pub fn evidence(&self, caller: &Caller, id: &str) -> Result<Vec<EvidenceFile>, ServiceError> {
        let job = self.own_job(caller, id)?;
        Ok(self.engine.evidence().list((&job).into()).map_err(unreadable)?)
    }

    /// One of these files; `None` when there is none of that name.
    ///
    /// # Errors
    /// As [`Service::evidence`].
    pub fn evidence_file(
        &self,
        caller: &Caller,
        id: &str,
        name: &str,
    ) -> Result<Option<Vec<u8>>, ServiceError> {
        let job = self.own_job(caller, id)?;
        Ok(self.engine.evidence().read((&job).into(), name).map_err(unreadable)?)
    }

    fn own_job(&self, caller: &Caller, id: &str) -> Result<Job, ServiceError> {
        let job = self.job(id, |job, _, _| job.clone())?;
        if job.account == caller.account { Ok(job) } else { Err(ServiceError::JobNotFound) }
    }

    /// Whether the service takes jobs now.
    pub fn readiness(&self) -> Readiness {
        if let Some(error) = self.store.failure() {
            return Readiness::StoreFailed(error);
        }
        if self.stopping.load(Ordering::Relaxed) {
            return Readiness::Stopping;
        }
        self.store.room().map_or_else(Readiness::StoreFailed, |()| Readiness::Ready)
    }

    /// From now on no job is taken.
    pub fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.stop_told.notify_waiters();
    }

    /// How long results are kept, hours: for the sentence of a 404.
    pub fn retention_hours(&self) -> u64 {
        self.settings.store.retention_ms / 3_600_000
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
        self.within_rate(caller)?;
        let scraper = self.scraper(&request.scraper)?;
        let identity = self.store.new_identity()?;
        let now_ms = self.clock.now_ms();
        let (job, result) =
            self.new_job(caller, scraper, identity, now_ms, request, handling, deadline_ms);
        let limits = self.submit_limits(caller, scraper);
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
            Err(SubmitRefusal::KeyReused) => Err(ServiceError::IdempotencyKeyReused),
            Err(SubmitRefusal::CreditLimit) => Err(self.credit_limit()),
            Err(SubmitRefusal::QueueFull) => Err(self.queue_full(&scraper.name)),
        }
    }

    /// Whether jobs are taken.
    fn accepting(&self) -> Result<(), ServiceError> {
        match self.readiness() {
            Readiness::Ready => Ok(()),
            Readiness::Stopping => Err(ServiceError::Stopping),
            Readiness::StoreFailed(error) => Err(error.into()),
        }
    }

    fn submit_limits(&self, caller: &Caller, scraper: &Scraper) -> SubmitLimits {
        SubmitLimits {
            // Running jobs do not wait, so they come on top.
            unfinished_max: self.settings.queue.jobs_max + scraper.workers,
            monthly_credits: caller.monthly_credits,
        }
    }

    fn credit_limit(&self) -> ServiceError {
        let now_ms = self.clock.now_ms();
        let wait_ms = next_month_ms(now_ms).saturating_sub(now_ms);
        ServiceError::CreditLimit { retry_after_seconds: wait_ms.div_ceil(1000) }
    }

    /// The job as it will be written; one that the cache can answer is born `done`.
    #[expect(clippy::too_many_arguments, reason = "what a job is made of")]
    fn new_job(
        &self,
        caller: &Caller,
        scraper: &Scraper,
        identity: NewIdentity,
        now_ms: UnixMs,
        request: ScrapeRequest,
        handling: Handling,
        deadline_ms: Option<UnixMs>,
    ) -> (Job, Option<Vec<u8>>) {
        let result = self.engine.cached_result(&request, &identity.id.to_string());
        let cached = result.is_some();
        let idempotency = handling
            .idempotency_key
            .as_deref()
            .map(|key| idempotency_of(&caller.account, key, &request, &handling));
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
            expires_ms: now_ms.saturating_add(self.settings.store.retention_ms),
            started_ms: None,
            completed_ms: cached.then_some(now_ms),
            price: if cached { 0 } else { scraper.credits },
            interactive: deadline_ms.is_some(),
            deadline_ms,
            cached,
            label: handling.label,
            start_by_ms: handling.start_within_ms.map(|within_ms| now_ms + u64::from(within_ms)),
            idempotency,
            batch: None,
            webhook_url: handling.webhook_url,
        };
        (job, result)
    }

    fn within_rate(&self, caller: &Caller) -> Result<(), ServiceError> {
        let ring = self.keyring();
        let Some(limit) = ring.limit(&caller.account) else { return Ok(()) };
        limit.take().map_err(|wait_ms| ServiceError::RateLimit {
            retry_after_seconds: bounded_wait(wait_ms.div_ceil(1000)),
        })
    }

    /// The scraper's queue is full: a hundredth of it is likely to be done in so many seconds.
    fn queue_full(&self, scraper: &str) -> ServiceError {
        let wait_ms = self.engine.wait_estimate_ms(scraper);
        let retry_after_seconds = bounded_wait(wait_ms.div_ceil(100 * 1000));
        ServiceError::QueueFull { retry_after_seconds }
    }

    fn finished(&self, job: &Job) -> Result<bool, ServiceError> {
        let now_ms = self.clock.now_ms();
        let state = self.store.read_row(job.row, now_ms, |job, _| job.state.finished())?;
        Ok(state.unwrap_or(true))
    }

    /// Ends the job because its time is up; nothing when it has just ended by itself.
    async fn time_out(&self, job: &Job) -> Result<(), ServiceError> {
        let failure = Failure::timeout(job.request.timeout_ms);
        let stopped = self
            .store
            .transition_async(job.row, self.clock.now_ms(), |_| Event::Stop { failure })
            .await?;
        match stopped {
            Ok(job) => {
                tracing::warn!(
                    job = %self.id_of(&job), scraper = job.request.scraper,
                    attempt = job.attempts, code = "timeout", "job failed"
                );
                Ok(())
            }
            Err(TransitionRefusal::Refused(Refused::Finished)) => Ok(()),
            Err(TransitionRefusal::Gone) => Err(ServiceError::JobNotFound),
            // A stop needs neither a lease nor a running attempt.
            Err(TransitionRefusal::Refused(Refused::StaleLease | Refused::NotRunning)) => Ok(()),
        }
    }

    fn outcome(&self, job: &Job) -> Result<Vec<u8>, ServiceError> {
        let now_ms = self.clock.now_ms();
        let read = self.store.read_row(job.row, now_ms, |job, result| match &job.state {
            State::Done => Ok(result.unwrap_or_default().to_vec()),
            State::Failed(failure) => {
                Err(ServiceError::Failed { id: self.id_of(job), failure: failure.clone() })
            }
            State::Queued | State::Running | State::WaitingRetry { .. } => {
                Err(ServiceError::Interrupted { id: self.id_of(job) })
            }
        })?;
        read.unwrap_or(Err(ServiceError::JobNotFound))
    }
}

/// The id in a path. Only the form that we send: the parser would take braces and URNs too.
fn parse_id(id: &str) -> Result<Uuid, ServiceError> {
    let parsed = (id.len() == JOB_ID_BYTES).then(|| Uuid::try_parse(id).ok()).flatten();
    parsed.ok_or(ServiceError::JobNotFound)
}

fn bounded_wait(seconds: u64) -> u64 {
    seconds.clamp(RETRY_AFTER_SECONDS_MIN, RETRY_AFTER_SECONDS_MAX)
}

/// Files beside the database that cannot be read.
fn unreadable(error: std::io::Error) -> StoreError {
    StoreError::Directory { path: "evidence".to_owned(), error: Arc::new(error) }
}

#[cfg(test)]
mod tests;
