//! What is read of the counts that the engine keeps in memory: a scraper's day, a job's attempts, what
//! was done since the start.

use super::{AttemptEnd, DayBucket, DeliveryCounts, Engine, TotalsReport};
use crate::clock::UnixMs;
use crate::store::Row;
use crate::upstream::CallCounts;

impl Engine {
    /// When the counts in memory began: those of [`Engine::standing`], [`Engine::day`] and
    /// [`Engine::attempts`].
    pub fn since_ms(&self) -> UnixMs {
        self.since_ms
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

    /// How the attempts of a job have ended, oldest first, as far as they are remembered.
    pub fn attempts(&self, row: Row) -> Vec<AttemptEnd> {
        self.attempts.of(row)
    }
}
