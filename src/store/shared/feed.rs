//! What other nodes have done, as far as this one keeps it in memory: how many jobs of each scraper
//! are unfinished, and which results may serve others. It is some moments old.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use uuid::Uuid;

use super::handle::SharedStore;
use super::hours::HourTable;
use super::round::Value;
use super::row_number::Hour;
use crate::clock::UnixMs;
use crate::store::{CacheEntry, StoreError};

impl SharedStore {
    /// Reads the counts of unfinished jobs, and the results that were stored from `cache_from_ms`
    /// on. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn refresh(&self, cache_from_ms: UnixMs) -> Result<(), StoreError> {
        let depth = "SELECT scraper, sum(n)::int8 FROM depth GROUP BY scraper";
        for row in self.ask_text(depth, Vec::new()).wait()? {
            let (scraper, unfinished): (i16, i64) = (row.get(0), row.get(1));
            if let Some(entry) = self.process.scrapers.entry(scraper as u16) {
                // What this process commits at this moment is counted by the next refresh.
                let unfinished = usize::try_from(unfinished).unwrap_or(0);
                entry.unfinished.store(unfinished, Ordering::Relaxed);
            }
        }
        self.feed_cache(cache_from_ms)
    }

    fn feed_cache(&self, from_ms: UnixMs) -> Result<(), StoreError> {
        let hours = self.ask_text("SELECT hour FROM hours ORDER BY hour", Vec::new()).wait()?;
        let hours = hours.iter().filter_map(|row| Hour::of_number(row.get(0)));
        let mut text = String::new();
        for hour in hours {
            let union = if text.is_empty() { "" } else { " UNION ALL " };
            let table = HourTable::Cache.in_hour(hour);
            let _ = write!(text, "{union}SELECT stored_ms, row, hash FROM {table} ");
            text.push_str("WHERE stored_ms >= $1");
        }
        if text.is_empty() {
            return Ok(());
        }
        text.push_str(" ORDER BY 1, 2");
        let from: Vec<Value> = vec![Arc::new(from_ms as i64)];
        let found = self.ask_text(&text, from).wait()?;
        let mut cache = self.process.cache_index();
        for row in found {
            let (stored_ms, of, hash): (i64, i64, Uuid) = (row.get(0), row.get(1), row.get(2));
            let entry = CacheEntry { row: of as u64, stored_ms: stored_ms as u64 };
            let known = cache.get(hash.as_u128(), 0, UnixMs::MAX);
            if known.is_none_or(|known| known.stored_ms < entry.stored_ms) {
                cache.insert(hash.as_u128(), entry);
            }
        }
        Ok(())
    }
}
