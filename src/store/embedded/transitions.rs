//! Submitting jobs and changing their states: each method is one write.

use uuid::Uuid;

use super::Embedded;
use super::jobs;
use super::observations::RedbTrackers;
use super::{attempts, raws};
use crate::clock::UnixMs;
use crate::job::{Event, Failure, Job, TransitionError};
use crate::store::change::{self, AttemptKept};
use crate::store::{
    NewOutcome, NewResult, Pending, Row, StoreError, SubmitError, SubmitLimits, record, trackers,
};

impl Embedded {
    pub(crate) fn submit(
        &self,
        job: Job,
        result: Option<Vec<u8>>,
        limits: SubmitLimits,
    ) -> Pending<Result<Job, SubmitError>> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit(move |tables| {
                jobs::insert(tables, &scrapers, job, result.as_deref(), limits)
            })
        })
    }

    pub(crate) fn transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
        result: Option<NewResult>,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        self.begin_transition(row, now_ms, decide, result).wait()
    }

    pub(crate) fn begin_transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
        result: Option<NewResult>,
    ) -> Pending<Result<Job, TransitionError>> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                jobs::transition(tables, &scrapers, row, now_ms, decide, result.as_ref())
            })
        })
    }

    pub(crate) fn begin_start(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
    ) -> Pending<Result<Job, TransitionError>> {
        // No other process has the store.
        self.begin_transition(row, now_ms, decide, None)
    }

    pub(crate) fn begin_outcome(
        &self,
        row: Row,
        now_ms: UnixMs,
        outcome: NewOutcome,
    ) -> Pending<Result<Job, TransitionError>> {
        let scrapers = self.shared.scrapers.clone();
        let NewOutcome { event, result, ended, raw, observation } = outcome;
        // Here, where only this attempt waits for it.
        let raw = raw.map(|json| record::encode_raw(row, &json));
        self.queue(|queue| {
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
                    let tables = &mut RedbTrackers(tables);
                    trackers::observe(tables, job, scraper, &observation)?;
                }
                Ok(outcome)
            })
        })
    }

    pub(crate) async fn transition_async(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl Fn(&Job) -> Event + Send + 'static,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        let scrapers = self.shared.scrapers.clone();
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                jobs::transition(tables, &scrapers, row, now_ms, decide, None)
            })
        });
        pending.committed().await
    }

    pub(crate) async fn stop_owned(
        &self,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
        failure: Failure,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(Err(TransitionError::Gone)) };
        let scrapers = self.shared.scrapers.clone();
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                let owned = |job: &Job| plain.has_nonce(job.nonce) && job.account == account;
                let decide = |job: &Job| owned(job).then_some(Event::Stop { failure });
                jobs::transition_if(tables, &scrapers, plain.row, now_ms, decide, None)
            })
        });
        pending.committed().await
    }
}
