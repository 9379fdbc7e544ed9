//! What the dashboard shows of the service as a whole, and of a job attempt by attempt.

use std::sync::atomic::Ordering;

use serde::Deserialize;

use super::jobs::parse_id;
use super::{Caller, ScraperStatus, Service, ServiceError};
use crate::clock::UnixMs;
use crate::engine::DayBucket;
use crate::job::{AttemptEnd, Job};

/// A scraper's status, and the five minutes that have begun.
pub struct LiveStatus<'a> {
    pub status: ScraperStatus<'a>,
    /// `None` when nothing has happened in them.
    pub bucket: Option<DayBucket>,
}

/// The part of a result that describes its attempt.
#[derive(Deserialize)]
struct Answered {
    elapsed_ms: f64,
    provenance: Provenance,
}

#[derive(Deserialize)]
struct Provenance {
    upstream: String,
}

/// Returns the attempt that brought a job's result; `None` if the cache had it.
fn answered_attempt(job: &Job, json: &[u8]) -> Option<AttemptEnd> {
    if job.cached {
        return None;
    }
    let Answered { elapsed_ms, provenance } = serde_json::from_slice(json).ok()?;
    // Bounded by the timeout of a request.
    let run_ms = elapsed_ms as u64;
    Some(AttemptEnd {
        number: job.attempts,
        started_ms: job.completed_ms?.saturating_sub(run_ms),
        run_ms,
        upstream: Some(provenance.upstream),
        failure: None,
        calls: Vec::new(),
    })
}

impl Service {
    /// Returns when the counts of the last day began, in this process or one before it.
    pub fn since_ms(&self) -> UnixMs {
        self.engine.since_ms()
    }

    /// Returns every scraper with its last day, in the order of [`Service::scrapers`].
    pub fn days(&self) -> Vec<(ScraperStatus<'_>, Vec<DayBucket>)> {
        let (now_ms, scrapers) = (self.clock.now_ms(), self.scrapers().into_iter());
        let with_day = scrapers.map(|status| {
            let stats = self.engine.stats(&status.scraper.name);
            let day = stats.map_or_else(Vec::new, |stats| stats.day.buckets(now_ms));
            (status, day)
        });
        with_day.collect()
    }

    /// Returns every scraper's status now, in the order of [`Service::scrapers`].
    pub fn live(&self) -> Vec<LiveStatus<'_>> {
        let (now_ms, scrapers) = (self.clock.now_ms(), self.scrapers().into_iter());
        let live = scrapers.map(|status| {
            let stats = self.engine.stats(&status.scraper.name);
            let bucket = stats.and_then(|stats| stats.day.now(now_ms));
            LiveStatus { status, bucket }
        });
        live.collect()
    }

    /// Returns a job of the caller's, and how its attempts have ended, oldest first. Those that a
    /// crash cut off have no end.
    ///
    /// # Errors
    /// Returns an error if the caller has no such job, or the store failed.
    pub fn attempts(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(Job, Vec<AttemptEnd>), ServiceError> {
        let found =
            self.store.read_attempts(parse_id(id)?, self.clock.now_ms(), |job, json, ended| {
                // One of which it is known what it used is kept itself.
                let is_kept = ended.iter().any(|end| end.failure.is_none());
                let answered = json.filter(|_| !is_kept);
                let answered = answered.and_then(|json| answered_attempt(job, json));
                (job.clone(), ended.into_iter().chain(answered).collect())
            })?;
        let own = found.filter(|(job, _)| job.account == caller.account);
        own.ok_or(ServiceError::JobNotFound)
    }

    /// Waits until `until_ms`; returns false, at once, when the service stops.
    pub async fn pause(&self, until_ms: UnixMs) -> bool {
        let stops = self.stop_told.notified();
        if self.stopping.load(Ordering::SeqCst) {
            return false;
        }
        tokio::select! {
            () = stops => false,
            () = self.clock.sleep_until(until_ms) => true,
        }
    }
}
