//! The order in which jobs were done. A writer numbers those that it ends, and the numbers of all
//! are given later, a run of one writer's jobs at a time, by when they were done: so they rise with
//! no counter that all writers would wait for, and what has been read up to a number is never added
//! to.

use std::sync::Arc;

use tokio_postgres::Row as PgRow;

use super::handle::SharedStore;
use super::lookups::Found;
use super::nodes::WRITERS_MAX;
use super::round::Value;
use crate::clock::UnixMs;
use crate::job::{Job, SAMPLES_MAX};
use crate::store::results::are_samples;
use crate::store::{Blocking, CompletedJob, CompletedPage, Pending, ResultFilter, Row, StoreError};

/// How often numbers are given while others give some too.
const NUMBER_TRIES: usize = 100;
/// The jobs of a page that are read in one go.
const READ_ROWS: usize = 100;
/// The most completions of each slot that one sweep removes.
const TRIM_ROWS_MAX: i64 = 1_000;

/// The slots that have completions: a step over an index for each.
const SLOTS: &str = "
    RECURSIVE slots(slot) AS (
        (SELECT slot FROM completions ORDER BY slot LIMIT 1)
        UNION ALL
        SELECT (SELECT c.slot FROM completions c WHERE c.slot > s.slot ORDER BY c.slot LIMIT 1)
        FROM slots s WHERE s.slot IS NOT NULL
    )";
/// Gives numbers to what has none, behind the last one: a run is what a writer has ended in one
/// second. Of two that do so at once one claims the first number, and the other gives none. Says
/// how many runs there were, and whether it gave them.
const GIVE: &str = "
    , fresh AS (
        SELECT c.slot, c.seq,
               max(c.completed_ms / 1000) OVER (PARTITION BY c.slot ORDER BY c.seq) AS second
        FROM slots s
        LEFT JOIN LATERAL (SELECT seq + n AS until FROM completion_runs WHERE slot = s.slot
          ORDER BY seq DESC LIMIT 1) known ON true
        JOIN completions c ON c.slot = s.slot AND c.seq >= coalesce(known.until, 0)
    ), base AS (
        SELECT coalesce((SELECT number + n FROM completion_runs ORDER BY number DESC LIMIT 1), 0)
               AS number
    ), runs AS (
        SELECT base.number + (sum(n) OVER (ORDER BY second, slot) - n)::int8 AS number, slot, seq, n
        FROM (SELECT slot, second, min(seq) AS seq, max(seq) + 1 - min(seq) AS n
              FROM fresh GROUP BY slot, second) r, base
    ), claimed AS (
        INSERT INTO completion_runs(number, slot, seq, n)
        SELECT r.number, slot, seq, n FROM runs r, base WHERE r.number = base.number
        ON CONFLICT DO NOTHING RETURNING 1
    ), others AS (
        INSERT INTO completion_runs(number, slot, seq, n)
        SELECT r.number, slot, seq, n FROM runs r, base
        WHERE r.number > base.number AND EXISTS (SELECT FROM claimed)
    )
    SELECT (SELECT count(*) FROM runs), EXISTS (SELECT FROM claimed)";
const LAST: &str = "SELECT number + n - 1 FROM completion_runs ORDER BY number DESC LIMIT 1";
/// The completions with some numbers, in their order.
const NUMBERED: &str = "
    SELECT r.number + c.seq - r.seq, c.row, c.completed_ms FROM completion_runs r
    JOIN completions c ON c.slot = r.slot AND c.seq >= r.seq AND c.seq < r.seq + r.n
      AND r.number + c.seq - r.seq BETWEEN $1 AND $2
    WHERE r.number <= $2 AND r.number >= coalesce(
        (SELECT number FROM completion_runs WHERE number <= $1 ORDER BY number DESC LIMIT 1), 0)
    ORDER BY 1 LIMIT $3";
/// Removes the completions of jobs that are gone, but for the last one of each writer there is, and
/// the runs that have none left but for the last one of all. `$3` is how many writers a node has.
const TRIM: &str = "
    , gone AS (
        SELECT s.slot, c.seq FROM slots s
        JOIN LATERAL (SELECT seq, expires_ms FROM completions WHERE slot = s.slot
          ORDER BY seq LIMIT $2) c ON c.expires_ms <= $1
        WHERE c.seq < (SELECT max(l.seq) FROM completions l WHERE l.slot = s.slot)
          OR NOT EXISTS (SELECT FROM writers w
            WHERE w.node = s.slot / $3::int4 AND w.slot = s.slot % $3::int4)
    )
    DELETE FROM completions c USING gone WHERE c.slot = gone.slot AND c.seq = gone.seq";
const TRIM_RUNS: &str = "
    DELETE FROM completion_runs r
    WHERE r.number < (SELECT max(number) FROM completion_runs) AND NOT EXISTS (
        SELECT FROM completions c WHERE c.slot = r.slot AND c.seq >= r.seq AND c.seq < r.seq + r.n
    )";

/// A completion with its number.
struct Numbered {
    number: u64,
    row: Row,
    completed_ms: UnixMs,
}

impl SharedStore {
    /// Returns the number of the job that was done last; `None` if none was. What was committed
    /// before the call has a number then.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) async fn last_completion(&self) -> Result<Option<u64>, StoreError> {
        self.number_completions().await?;
        let last = self.ask_text(LAST, Vec::new()).committed().await?;
        Ok(last.first().map(|row| row.get::<_, i64>(0) as u64))
    }

    /// Numbers the completions that have no number yet. Done often it has little to do.
    async fn number_completions(&self) -> Result<(), StoreError> {
        let give = format!("WITH {SLOTS} {GIVE}");
        for _ in 0..NUMBER_TRIES {
            let given = self.ask_text(&give, Vec::new()).committed().await?;
            // Another that was faster may not have seen all that this one has.
            let is_done = |row: &PgRow| row.get::<_, i64>(0) == 0 || row.get(1);
            if given.first().is_none_or(is_done) {
                return Ok(());
            }
        }
        Err(StoreError::Busy)
    }

    /// Returns the jobs of an account that are done, that match and that exist at `now_ms`, with
    /// the numbers from `from` to `until`: see [`crate::store::Store::completed`]. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn completed(
        &self,
        filter: &ResultFilter,
        from: u64,
        until: u64,
        now_ms: UnixMs,
    ) -> Result<CompletedPage, StoreError> {
        let (mut page, mut looked_at, mut next) = (CompletedPage::default(), 0, Some(from));
        while let Some(from) = next.filter(|from| *from <= until) {
            let found = self.numbered(from, until)?;
            next = found.last().filter(|_| found.len() == READ_ROWS).map(|it| it.number + 1);
            let within = |it: &Numbered| filter.is_within(it.completed_ms);
            let reads: Vec<Option<Pending<Found>>> =
                found.iter().map(|it| within(it).then(|| self.begin_read(it.row))).collect();
            for (done, read) in found.iter().zip(reads) {
                if page.is_full(looked_at) {
                    page.next = Some(done.number);
                    return Ok(page);
                }
                looked_at += 1;
                let Some(read) = read else { continue };
                page.jobs.extend(self.completed_job(filter, done, &read.wait()?, now_ms)?);
            }
        }
        Ok(page)
    }

    fn numbered(&self, from: u64, until: u64) -> Result<Vec<Numbered>, StoreError> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let values: Vec<Value> =
            vec![Arc::new(number(from)), Arc::new(number(until)), Arc::new(READ_ROWS as i64)];
        let found = self.ask_text(NUMBERED, values).wait()?;
        let found = found.iter().map(|row| {
            let [number, job, completed_ms] = [0, 1, 2].map(|column| row.get::<_, i64>(column));
            Numbered {
                number: number as u64,
                row: job as Row,
                completed_ms: completed_ms as UnixMs,
            }
        });
        Ok(found.collect())
    }

    /// Returns the job of a completion with its result, if it matches. One that is damaged is
    /// passed over.
    fn completed_job(
        &self,
        filter: &ResultFilter,
        done: &Numbered,
        found: &Found,
        now_ms: UnixMs,
    ) -> Result<Option<CompletedJob>, StoreError> {
        let read = self.take_job(found, now_ms, |job, result| {
            let matches = filter.matches(job, done.completed_ms, now_ms);
            result.filter(|_| matches).map(|json| (job.clone(), json.to_vec()))
        });
        let unreadable = |error: StoreError| {
            tracing::error!(row = done.row, %error, "a result could not be exported");
        };
        let Some((job, result)) = read.map_err(unreadable).ok().flatten().flatten() else {
            return Ok(None);
        };
        let sample = self.sample_of(&job)?;
        Ok(Some(CompletedJob { number: done.number, job, result, sample }))
    }

    /// Counts the same scrapes before a job in its batch, itself included.
    fn sample_of(&self, job: &Job) -> Result<usize, StoreError> {
        let Some(batch) = job.batch else { return Ok(1) };
        let before = (batch.row + 1..job.row).rev().take(SAMPLES_MAX - 1);
        let reads: Vec<Pending<Found>> = before.map(|row| self.begin_read(row)).collect();
        let mut sample = 1;
        for read in reads {
            // Whether it has expired does not matter.
            let same = self.take_job(&read.wait()?, 0, |before, _| are_samples(before, job));
            if !matches!(same, Ok(Some(true))) {
                break;
            }
            sample += 1;
        }
        Ok(sample)
    }

    /// Numbers completions before there are many without a number, and removes those of jobs that
    /// have expired at `now_ms`. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) fn sweep_completions(&self, now_ms: UnixMs) -> Result<(), StoreError> {
        self.number_completions().wait()?;
        let writers = i32::from(WRITERS_MAX);
        let values: Vec<Value> =
            vec![Arc::new(now_ms as i64), Arc::new(TRIM_ROWS_MAX), Arc::new(writers)];
        self.ask_text(&format!("WITH {SLOTS} {TRIM}"), values).wait()?;
        self.ask_text(TRIM_RUNS, Vec::new()).wait().map(drop)
    }
}
