//! What the dashboard shows of the service as a whole, and of a job attempt by attempt.

use std::sync::atomic::Ordering;

use super::{Caller, ScraperStatus, Service, ServiceError};
use crate::clock::UnixMs;
use crate::engine::{AttemptEnd, DayBucket};
use crate::job::Job;

/// A scraper, how it stands now, and the five minutes that have begun.
pub struct LiveStatus<'a> {
    pub status: ScraperStatus<'a>,
    /// `None` when nothing has happened in them.
    pub bucket: Option<DayBucket>,
}

impl Service {
    /// When the counts in memory began: at the start of the process.
    pub fn since_ms(&self) -> UnixMs {
        self.engine.since_ms()
    }

    /// Every scraper with its last day, in the order of [`Service::scrapers`].
    pub fn days(&self) -> Vec<(ScraperStatus<'_>, Vec<DayBucket>)> {
        let scrapers = self.scrapers().into_iter();
        let with_day = scrapers.map(|status| {
            let day = self.engine.day(&status.scraper.name);
            (status, day)
        });
        with_day.collect()
    }

    /// Every scraper as it stands now, in the order of [`Service::scrapers`].
    pub fn live(&self) -> Vec<LiveStatus<'_>> {
        let scrapers = self.scrapers().into_iter();
        let live = scrapers.map(|status| {
            let bucket = self.engine.day_now(&status.scraper.name);
            LiveStatus { status, bucket }
        });
        live.collect()
    }

    /// A job of the caller's, and how its attempts have ended, oldest first, as far as they are
    /// remembered since the start.
    ///
    /// # Errors
    /// The caller has no such job, or the store failed.
    pub fn attempts(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(Job, Vec<AttemptEnd>), ServiceError> {
        let job = self.own_job(caller, id)?;
        let attempts = self.engine.attempts(job.row);
        Ok((job, attempts))
    }

    /// Waits until `until_ms`; gives false, at once, when the service stops.
    pub async fn pause(&self, until_ms: UnixMs) -> bool {
        let told = self.stop_told.notified();
        if self.stopping.load(Ordering::SeqCst) {
            return false;
        }
        tokio::select! {
            () = told => false,
            () = self.clock.sleep_until(until_ms) => true,
        }
    }
}
