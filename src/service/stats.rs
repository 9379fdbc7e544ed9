//! What the dashboard shows of the service as a whole.

use std::sync::atomic::Ordering;

use super::{ScraperStatus, Service};
use crate::clock::UnixMs;
use crate::engine::DayBucket;

/// A scraper's status, and the five minutes that have begun.
pub struct LiveStatus<'a> {
    pub status: ScraperStatus<'a>,
    /// `None` when nothing has happened in them.
    pub bucket: Option<DayBucket>,
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
