//! What time does to jobs: the start deadlines that pass, expiry, and waits that a clock that was
//! set back would make too long. Rows whose time has passed are removed in bounded passes. Reads do
//! not rely on it: a job ceases to exist at the exact moment, whether it has been swept or not.

use redb::ReadableTable;

use super::Embedded;
use super::transaction::Tables;
use super::{completions, jobs, rows};
use crate::clock::UnixMs;
use crate::job::{Job, State, TransitionError};
use crate::store::cache::CACHE_AHEAD_MS_MAX;
use crate::store::change;
use crate::store::effects::Effect;
use crate::store::{
    DeadlineOutcome, ReadyKey, Row, SWEEP_ROWS_MAX, Scrapers, StoreError, SweepOutcome, record,
};

/// Ends at most [`SWEEP_ROWS_MAX`] jobs whose start deadline has passed at `now_ms`.
pub(super) fn end_overdue(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    now_ms: UnixMs,
) -> Result<DeadlineOutcome, StoreError> {
    let mut rows: Vec<(u64, Row)> = Vec::new();
    for entry in tables.deadlines.range(..=(now_ms, Row::MAX))?.take(SWEEP_ROWS_MAX) {
        rows.push(entry?.0.value());
    }
    let mut overdue =
        DeadlineOutcome { full: rows.len() == SWEEP_ROWS_MAX, ..DeadlineOutcome::default() };
    for key in rows {
        // Whatever becomes of the job, as in the sweep.
        tables.deadlines.remove(key)?;
        let decide = |job: &Job| change::overdue(job, key.0);
        match jobs::transition_if(tables, scrapers, key.1, now_ms, decide, None) {
            Err(error) if error.voids_transaction() => return Err(error),
            Ok(Ok(job)) => overdue.ended.push(job),
            // It has expired and waits for the sweep, which would find its entry gone.
            Ok(Err(TransitionError::Gone)) => match jobs::remove(tables, scrapers, key.1, now_ms) {
                Err(error) if error.voids_transaction() => return Err(error),
                Err(_) | Ok(()) => {}
            },
            Err(_)
            | Ok(Err(
                TransitionError::Finished
                | TransitionError::StaleLease
                | TransitionError::NotRunning,
            )) => {}
        }
    }
    Ok(overdue)
}

/// Makes at most [`SWEEP_ROWS_MAX`] unfinished jobs that are due after `now_ms` due so much
/// earlier, those after `after` in the ready index. Returns the last of them when there may be
/// more.
pub(super) fn pull_forward_after_clock_step(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    now_ms: UnixMs,
    by_ms: u64,
    after: Option<ReadyKey>,
) -> Result<Option<ReadyKey>, StoreError> {
    let mut later: Vec<ReadyKey> = Vec::new();
    for (scraper, interactive) in scrapers.lanes() {
        let from = (scraper, interactive, now_ms.saturating_add(1), 0);
        let range = tables.ready.range(from..=(scraper, interactive, u64::MAX, Row::MAX))?;
        let keys = range.map(|entry| entry.map(|(key, _)| key.value()));
        let keys = keys.filter(|key| !matches!(key, Ok(key) if Some(*key) <= after));
        for key in keys.take(SWEEP_ROWS_MAX - later.len()) {
            later.push(key?);
        }
    }
    for key in &later {
        let (scraper, interactive, before_ms, row) = *key;
        let mut job = match rows::read_job(tables, scrapers, row) {
            Ok(Some((job, _))) => job,
            Err(error) if error.voids_transaction() => return Err(error),
            // For `db check` to report.
            Ok(None) | Err(_) => continue,
        };
        change::pull_forward(&mut job, before_ms, by_ms, now_ms);
        let due_ms = job.due_ms;
        tables.jobs.insert(row, record::encode_job(&job, scraper)?.as_slice())?;
        tables.ready.remove(*key)?;
        tables.ready.insert((scraper, interactive, due_ms, row), ())?;
        if job.state != State::Running {
            tables.effects.push(Effect::Ready { scraper, row, due_ms, interactive });
        }
    }
    Ok((later.len() == SWEEP_ROWS_MAX).then(|| later.last().copied()).flatten())
}

/// Removes jobs that have expired at `now_ms`, and cache entries stored before `cache_from_ms` or
/// well after `now_ms`.
pub(super) fn sweep(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    now_ms: UnixMs,
    cache_from_ms: UnixMs,
) -> Result<SweepOutcome, StoreError> {
    let mut rows: Vec<(u64, Row)> = Vec::new();
    for entry in tables.expiry.range(..=(now_ms, Row::MAX))?.take(SWEEP_ROWS_MAX) {
        rows.push(entry?.0.value());
    }
    for (expires_ms, row) in &rows {
        // Whatever becomes of the job: an entry whose record cannot be read, or is not there,
        // must not be found by every pass until the sweep finds nothing else. What is left of
        // such a job is for `db check` to report.
        tables.expiry.remove((*expires_ms, *row))?;
        match jobs::remove(tables, scrapers, *row, now_ms) {
            Err(error) if error.voids_transaction() => return Err(error),
            Err(_) | Ok(()) => {}
        }
    }
    completions::trim(tables)?;
    let mut stale: Vec<(u64, Row)> = Vec::new();
    let early = tables.cache.range(..(cache_from_ms, 0))?;
    let future = tables.cache.range((now_ms.saturating_add(CACHE_AHEAD_MS_MAX + 1), 0)..)?;
    for entry in early.chain(future).take(SWEEP_ROWS_MAX) {
        stale.push(entry?.0.value());
    }
    for key in &stale {
        tables.cache.remove(*key)?;
    }
    Ok(SweepOutcome { rows: rows.len(), cache_entries: stale.len() })
}

impl Embedded {
    pub(crate) fn sweep(
        &self,
        now_ms: UnixMs,
        cache_from_ms: UnixMs,
    ) -> Result<SweepOutcome, StoreError> {
        {
            let mut cache = self.shared.cache_index();
            cache.forget_after(now_ms.saturating_add(CACHE_AHEAD_MS_MAX));
            cache.forget_before(cache_from_ms);
        }
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| sweep(tables, &scrapers, now_ms, cache_from_ms))
        })
        .wait()
    }

    pub(crate) fn end_overdue(&self, now_ms: UnixMs) -> Result<DeadlineOutcome, StoreError> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| end_overdue(tables, &scrapers, now_ms))
        })
        .wait()
    }

    pub(crate) fn pull_forward_after_clock_step(
        &self,
        now_ms: UnixMs,
        by_ms: u64,
        after: Option<ReadyKey>,
    ) -> Result<Option<ReadyKey>, StoreError> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                pull_forward_after_clock_step(tables, &scrapers, now_ms, by_ms, after)
            })
        })
        .wait()
    }
}
