//! Submitting jobs and changing their states: each method is one write.

use uuid::Uuid;

use super::jobs;
use super::{attempts, observations, raws};
use crate::clock::UnixMs;
use crate::job::{Event, Failure, Job, TransitionError};
use crate::store::change::{self, AttemptKept};
use crate::store::{
    NewOutcome, NewResult, Pending, Row, Store, StoreError, SubmitError, SubmitLimits, record,
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
        let scrapers = self.scrapers.clone();
        self.embedded.queue(|queue| {
            queue.submit(move |tables| {
                jobs::insert(tables, &scrapers, job, result.as_deref(), limits)
            })
        })
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
        self.begin_transition(row, now_ms, decide, result).wait()
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
        let scrapers = self.scrapers.clone();
        self.embedded.queue(|queue| {
            queue.submit_blocking(move |tables| {
                jobs::transition(tables, &scrapers, row, now_ms, decide, result.as_ref())
            })
        })
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
        let scrapers = self.scrapers.clone();
        let NewOutcome { event, result, ended, raw, observation } = outcome;
        // Here, where only this attempt waits for it.
        let raw = raw.map(|json| record::encode_raw(row, &json));
        self.embedded.queue(|queue| {
            queue.submit_blocking(move |tables| {
                let decide = |_: &Job| event;
                let outcome =
                    jobs::transition(tables, &scrapers, row, now_ms, decide, result.as_ref())?;
                if let Some(ended) = ended {
                    match change::kept_attempt(&outcome, &ended.end) {
                        AttemptKept::WithJob => {
                            let is_kept = tables.has_job(row)?;
                            attempts::note(tables, row, ended, is_kept)?;
                        }
                        AttemptKept::SpendAlone => attempts::note(tables, row, ended, false)?,
                        AttemptKept::Nothing => {}
                    }
                }
                if let (Ok(_), Some(raw)) = (&outcome, raw) {
                    raws::put(tables, row, &raw)?;
                }
                if let (Ok(job), Some(observation)) = (&outcome, observation) {
                    let scraper = scrapers.number(&job.request.scraper)?;
                    observations::add(tables, job, scraper, &observation)?;
                }
                Ok(outcome)
            })
        })
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
        let scrapers = self.scrapers.clone();
        let pending = self.embedded.queue(|queue| {
            queue.submit(move |tables| {
                jobs::transition(tables, &scrapers, row, now_ms, decide, None)
            })
        });
        pending.committed().await
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
        let Some(plain) = self.cipher.open(id) else { return Ok(Err(TransitionError::Gone)) };
        let scrapers = self.scrapers.clone();
        let pending = self.embedded.queue(|queue| {
            queue.submit(move |tables| {
                let owned = |job: &Job| plain.has_nonce(job.nonce) && job.account == account;
                let decide = |job: &Job| owned(job).then_some(Event::Stop { failure });
                jobs::transition_if(tables, &scrapers, plain.row, now_ms, decide, None)
            })
        });
        pending.committed().await
    }
}
