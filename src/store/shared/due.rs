//! When something of the queue is due, and how much there is. What the leader alone acts on is due
//! for no other node.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::handle::SharedStore;
use super::round::Value;
use super::statements::Sql;
use crate::clock::UnixMs;
use crate::store::{Row, StoreError, StoreSizes, record};

/// The most open jobs of one read.
const VISIT_ROWS_MAX: i64 = 256;

/// The most jobs of processes that are looked at: they have few for each worker.
const TAKEN_ROWS_MAX: i64 = 10_000;

const TAKEN: &str = "
    SELECT row, standing FROM queue WHERE scraper = $1 AND interactive = $2
    AND node IS NOT NULL AND due_ms <= $3 ORDER BY due_ms, row LIMIT $4";
const JOBS: &str = "
    SELECT coalesce(sum(n_live_tup), 0)::int8 FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND relname LIKE 'jobs\\_%'";

impl SharedStore {
    /// Walks a scraper's jobs that are due at `now_ms` and wait: see
    /// [`crate::store::Store::visit_ready`]. Those that a process has taken and not begun go before
    /// them.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) async fn visit_ready(
        &self,
        scraper: u16,
        interactive: bool,
        now_ms: UnixMs,
        mut visit: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let values: Vec<Value> = vec![
            Arc::new(scraper as i16),
            Arc::new(interactive),
            Arc::new(now_ms as i64),
            Arc::new(TAKEN_ROWS_MAX),
        ];
        for found in self.ask_text(TAKEN, values).committed().await? {
            let row = found.get::<_, i64>(0) as Row;
            // One that cannot be read waits for nothing.
            let waits = record::is_running(row, found.get(1)).is_ok_and(|is_running| !is_running);
            if waits && visit(row).is_break() {
                return Ok(());
            }
        }
        let text = "SELECT due_ms, row FROM queue WHERE scraper = $1 AND interactive = $2 \
                    AND node IS NULL AND due_ms <= $3 AND (due_ms, row) > ($4, $5) \
                    ORDER BY due_ms, row LIMIT $6";
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let values: Vec<Value> = vec![
                Arc::new(scraper as i16),
                Arc::new(interactive),
                Arc::new(now_ms as i64),
                Arc::new(after.0),
                Arc::new(after.1),
                Arc::new(VISIT_ROWS_MAX),
            ];
            let found = self.ask_text(text, values).committed().await?;
            for row in &found {
                after = (row.get(0), row.get(1));
                if visit(after.1 as Row).is_break() {
                    return Ok(());
                }
            }
            if (found.len() as i64) < VISIT_ROWS_MAX {
                return Ok(());
            }
        }
    }

    /// Returns when the next open job of some scrapers comes due after `now_ms`. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn next_ready_ms(
        &self,
        scrapers: &[u16],
        now_ms: UnixMs,
    ) -> Result<Option<UnixMs>, StoreError> {
        let scrapers: Vec<i16> = scrapers.iter().map(|scraper| *scraper as i16).collect();
        let values: Vec<Value> = vec![Arc::new(scrapers), Arc::new(now_ms as i64)];
        let found = self.ask_statement(Sql::NextReady, values).wait()?;
        Ok(found.first().and_then(|row| row.get::<_, Option<i64>>(0)).map(|at_ms| at_ms as UnixMs))
    }

    /// Returns when the first of the unfinished jobs ceases to exist. What has ended goes with the
    /// tables of its hour. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn next_expiry_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.earliest_ms("SELECT min(expires_ms) FROM queue")
    }

    /// Returns when the last job ceases to exist, or up to some minutes later. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn last_expiry_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.earliest_ms("SELECT max(last_expires_ms) FROM hours WHERE last_expires_ms > 0")
    }

    /// Returns `None`: the clock is that of the database, and needs no job to be compared with.
    ///
    /// # Errors
    /// Returns none.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "as the embedded store's")]
    pub(crate) fn newest_created_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        Ok(None)
    }

    /// Returns when the first of the jobs that must start by a moment, and have not, ends for that.
    /// Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn next_deadline_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.earliest_ms("SELECT min(start_by_ms) FROM queue WHERE start_by_ms IS NOT NULL")
    }

    /// Returns when the oldest result was stored that this process may still serve others with.
    ///
    /// # Errors
    /// Returns none.
    #[allow(clippy::unnecessary_wraps, reason = "as the embedded store's")]
    pub(crate) fn oldest_cached_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        Ok(self.process.cache_index().oldest_ms())
    }

    /// Returns about how much the store holds, as the server counts it by the way.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) async fn sizes(&self) -> Result<StoreSizes, StoreError> {
        let (jobs, pending) =
            (self.ask_text(JOBS, vec![]), self.ask_text("SELECT count(*) FROM outbox", vec![]));
        let count = |found: &[tokio_postgres::Row]| found.first().map_or(0, |row| row.get(0));
        let (jobs, pending): (i64, i64) =
            (count(&jobs.committed().await?), count(&pending.committed().await?));
        Ok(StoreSizes { jobs: jobs as u64, deliveries_pending: pending as u64 })
    }

    /// Returns a time of what the leader acts on; `None` on other nodes.
    fn earliest_ms(&self, text: &str) -> Result<Option<UnixMs>, StoreError> {
        if !self.process.status.leads() {
            return Ok(None);
        }
        let found = self.ask_text(text, Vec::new()).wait()?;
        Ok(found.first().and_then(|row| row.get::<_, Option<i64>>(0)).map(|at_ms| at_ms as UnixMs))
    }
}
