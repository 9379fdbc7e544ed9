//! What is read of the counts that the engine keeps: a scraper's day, and what was done since the start.

use super::{DayBucket, DeliveryCounts, Engine, TotalsReport};
use crate::clock::UnixMs;
use crate::upstream::CallCounts;

impl Engine {
    /// Returns when the counts of [`Engine::queue_status`] and [`Engine::day`] began, in this process or one
    /// before it.
    pub fn since_ms(&self) -> UnixMs {
        self.saved_counts.since_ms
    }

    /// What a scraper has done over the last day, oldest first; nothing for one that the store does
    /// not know.
    pub fn day(&self, scraper: &str) -> Vec<DayBucket> {
        let queue = self.queues.iter().find(|queue| queue.name == scraper);
        queue.map_or_else(Vec::new, |queue| queue.day.report(self.clock.now_ms()))
    }

    /// As [`Engine::day`], of the piece of the day that it is now.
    pub fn day_now(&self, scraper: &str) -> Option<DayBucket> {
        let queue = self.queues.iter().find(|queue| queue.name == scraper);
        queue.and_then(|queue| queue.day.now(self.clock.now_ms()))
    }

    /// What a scraper has done since the start; `None` for one that the store does not know.
    pub fn totals(&self, scraper: &str) -> Option<TotalsReport> {
        let queue = self.queues.iter().find(|queue| queue.name == scraper)?;
        Some(queue.totals.report())
    }

    /// What the calls of every upstream have come to since the start.
    pub fn upstream_calls(&self) -> Vec<CallCounts> {
        self.upstreams.calls()
    }

    /// What has become of the attempts to deliver webhooks since the start.
    pub fn deliveries(&self) -> DeliveryCounts {
        self.deliverer.counts()
    }
}
