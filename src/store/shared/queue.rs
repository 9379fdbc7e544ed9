//! What time does to unfinished jobs: the start deadlines that pass, expiry, and waits that a clock
//! that was set back would make too long. One node at a time does it: the others find nothing due.

use std::sync::Arc;

use super::handle::SharedStore;
use super::needs::Needs;
use super::round::Value;
use crate::clock::UnixMs;
use crate::job::{Job, TransitionError};
use crate::store::cache::CACHE_AHEAD_MS_MAX;
use crate::store::change;
use crate::store::{DeadlineOutcome, ReadyKey, Row, SWEEP_ROWS_MAX, StoreError, SweepOutcome};

impl SharedStore {
    /// Ends at most [`SWEEP_ROWS_MAX`] jobs that should have started by `now_ms` and have not.
    /// Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the database fails; no job was ended.
    pub(crate) fn end_overdue(&self, now_ms: UnixMs) -> Result<DeadlineOutcome, StoreError> {
        if !self.process.status.leads() {
            return Ok(DeadlineOutcome::default());
        }
        let text = "SELECT row, start_by_ms FROM queue WHERE start_by_ms <= $1 \
                    ORDER BY start_by_ms, row LIMIT $2";
        let filed = self.ask_text(text, due_by(now_ms)).wait()?;
        let filed = filed.iter().map(|row| (row.get::<_, i64>(0), row.get::<_, i64>(1)));
        let filed: Vec<(Row, UnixMs)> =
            filed.map(|(row, at_ms)| (row as Row, at_ms as UnixMs)).collect();
        let full = filed.len() == SWEEP_ROWS_MAX;
        let Some((first, _)) = filed.first().copied() else {
            return Ok(DeadlineOutcome::default());
        };
        let needs = Needs { jobs: filed.iter().map(|it| it.0).collect(), ..Needs::default() };
        let ended = self.queue(first, needs, move |transaction| {
            let mut ended = Vec::new();
            for (row, filed_ms) in &filed {
                let decide = |job: &Job| change::overdue(job, *filed_ms);
                // A damaged job is for `db check` to report.
                match transaction.transition(*row, now_ms, decide, None) {
                    Ok(Ok(job)) => ended.push(job),
                    Ok(Err(TransitionError::Gone)) => {
                        let _ = transaction.expire(*row, now_ms);
                    }
                    Err(_)
                    | Ok(Err(
                        TransitionError::Finished
                        | TransitionError::StaleLease
                        | TransitionError::NotRunning,
                    )) => {}
                }
            }
            Ok(ended)
        });
        Ok(DeadlineOutcome { ended: ended.wait()?, full })
    }

    /// Makes at most [`SWEEP_ROWS_MAX`] unfinished jobs that are due after `now_ms` due so much
    /// earlier: see [`crate::store::Store::pull_forward_after_clock_step`]. Blocks until it is
    /// committed.
    ///
    /// # Errors
    /// Returns an error if the database fails; no job was changed.
    pub(crate) fn pull_forward_after_clock_step(
        &self,
        now_ms: UnixMs,
        by_ms: u64,
        after: Option<ReadyKey>,
    ) -> Result<Option<ReadyKey>, StoreError> {
        if !self.process.status.leads() {
            return Ok(None);
        }
        let text = "SELECT scraper, interactive, due_ms, row FROM queue WHERE due_ms > $1 \
                    AND (scraper, interactive, due_ms, row) > ($2, $3, $4, $5) \
                    ORDER BY 1, 2, 3, 4 LIMIT $6";
        let (scraper, interactive, due_ms, row) = after.unwrap_or((0, false, 0, 0));
        let values: Vec<Value> = vec![
            Arc::new(now_ms as i64),
            Arc::new(scraper as i16),
            Arc::new(interactive),
            Arc::new(due_ms as i64),
            Arc::new(row as i64),
            Arc::new(SWEEP_ROWS_MAX as i64),
        ];
        let later = self.ask_text(text, values).wait()?;
        let later = later.iter().map(|found| {
            let (scraper, due_ms, row): (i16, i64, i64) =
                (found.get(0), found.get(2), found.get(3));
            (scraper as u16, found.get(1), due_ms as UnixMs, row as Row)
        });
        let later: Vec<ReadyKey> = later.collect();
        let last = later.last().copied();
        let Some((.., first)) = last else { return Ok(None) };
        let is_full = later.len() == SWEEP_ROWS_MAX;
        let needs = Needs { jobs: later.iter().map(|key| key.3).collect(), ..Needs::default() };
        let pulled = self.queue(first, needs, move |transaction| {
            for (_, _, before_ms, row) in &later {
                // A damaged job is for `db check` to report.
                let _ = transaction.pull_forward(*row, *before_ms, by_ms, now_ms);
            }
            Ok(())
        });
        pulled.wait()?;
        Ok(last.filter(|_| is_full))
    }

    /// Settles at most [`SWEEP_ROWS_MAX`] unfinished jobs that have expired. What has ended goes
    /// with the tables of its hour. Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn sweep(
        &self,
        now_ms: UnixMs,
        cache_from_ms: UnixMs,
    ) -> Result<SweepOutcome, StoreError> {
        {
            let mut cache = self.process.cache_index();
            cache.forget_after(now_ms.saturating_add(CACHE_AHEAD_MS_MAX));
            cache.forget_before(cache_from_ms);
        }
        if !self.process.status.leads() {
            return Ok(SweepOutcome::default());
        }
        let text = "SELECT row FROM queue WHERE expires_ms <= $1 ORDER BY expires_ms, row LIMIT $2";
        let expired = self.ask_text(text, due_by(now_ms)).wait()?;
        let expired: Vec<Row> = expired.iter().map(|row| row.get::<_, i64>(0) as Row).collect();
        let mut rows = 0;
        if let Some(first) = expired.first().copied() {
            let needs = Needs { jobs: expired.iter().copied().collect(), ..Needs::default() };
            let settled = self.queue(first, needs, move |transaction| {
                let expired = expired.iter();
                Ok(expired
                    .filter(|row| matches!(transaction.expire(**row, now_ms), Ok(true)))
                    .count())
            });
            rows = settled.wait()?;
        }
        self.sweep_completions(now_ms)?;
        Ok(SweepOutcome { rows, cache_entries: 0 })
    }
}

fn due_by(now_ms: UnixMs) -> Vec<Value> {
    vec![Arc::new(now_ms as i64), Arc::new(SWEEP_ROWS_MAX as i64)]
}
