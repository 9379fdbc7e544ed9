//! The check of the jobs of one hour: each is in the queue or has ended, and all that belongs to it
//! is as its record says.

use std::collections::{BTreeMap, HashMap};

use tokio_postgres::Row as PgRow;
use uuid::Uuid;

use super::delivery::{self, StoredDelivery};
use super::found::CheckFindings;
use super::snapshot::{CheckSnapshot, rows_of_hour};
use crate::clock;
use crate::job::{Job, State};
use crate::store::shared::connect::PgSession;
use crate::store::shared::row_number::Hour;
use crate::store::{Row, StoreError, record};

/// The most jobs that are in memory at once, with their results.
const ROWS_MAX: i64 = 250;
const JOBS: &str = "
    SELECT j.row, j.account, j.created_ms, j.asked, q.standing, e.standing, e.result, q.scraper,
           q.interactive, q.due_ms, q.start_by_ms, q.expires_ms, d.record, o.due_ms, o.receiver,
           a.name
    FROM jobs_{hour} j LEFT JOIN queue q ON q.row = j.row LEFT JOIN ends_{hour} e ON e.row = j.row
    LEFT JOIN deliveries_{hour} d ON d.row = j.row LEFT JOIN outbox o ON o.row = j.row
    LEFT JOIN accounts a ON a.number = j.account
    WHERE j.row > $1 ORDER BY j.row LIMIT $2";
const KEYS: &str = "SELECT key_hash, row FROM idempotency WHERE key_hash = ANY($1)";

/// The numbers of a batch's jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BatchJobs {
    pub pending: u32,
    pub done: u32,
    pub failed: u32,
}

/// Checks the jobs of an hour, and returns the numbers of those of each batch. `seen` is called
/// with how many were looked at.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn check(
    snapshot: &CheckSnapshot,
    session: &PgSession,
    hour: Hour,
    found: &mut CheckFindings,
    seen: &mut impl FnMut(u64),
) -> Result<BTreeMap<Row, BatchJobs>, StoreError> {
    let (mut batches, mut after) = (BTreeMap::new(), -1_i64);
    loop {
        let page = rows_of_hour(session, hour, JOBS, &[&after, &ROWS_MAX]).await?;
        let Some(last) = page.last() else { return Ok(batches) };
        after = last.get(0);
        let mut keys = HashMap::new();
        for row in &page {
            found.report.jobs += 1;
            let Some(job) = check_job(row, found) else { continue };
            if let Some(key) = job.batch {
                count_in(batches.entry(key.row).or_default(), &job.state);
            }
            // Of one that has expired another job may have the key.
            if let Some(known) = job.idempotency.filter(|_| job.expires_ms > found.now_ms) {
                keys.insert(known.key_hash, (job.row, job.nonce));
            }
        }
        check_keys(snapshot.tables(), &keys, found).await?;
        seen(found.report.jobs);
    }
}

fn count_in(jobs: &mut BatchJobs, state: &State) {
    let count = match state {
        State::Done => &mut jobs.done,
        State::Failed(_) => &mut jobs.failed,
        State::Queued | State::Running | State::WaitingRetry { .. } => &mut jobs.pending,
    };
    *count += 1;
}

/// Checks a job with all that was read with it; returns it if it exists and can be read.
fn check_job(answer: &PgRow, found: &mut CheckFindings) -> Option<Job> {
    let row = answer.get::<_, i64>(0) as Row;
    let queued: Option<&[u8]> = answer.get(4);
    let ended: Option<&[u8]> = answer.get(5);
    if queued.is_some() && ended.is_some() {
        found.problem(format!("job row {row} is in the queue and has ended"));
    }
    found.report.unfinished += u64::from(queued.is_some());
    let scrapers = &found.scrapers;
    let name = |number: u16| scrapers.get(&number).cloned();
    let read = match ended.or(queued) {
        Some(standing) => record::decode_halves(row, answer.get(3), standing, name),
        None => record::decode_job(row, answer.get(3), name, || Ok(None)),
    };
    let (job, scraper) = match read {
        Ok(read) => read,
        Err(error) => {
            found.problem(format!("job row {row} cannot be read: {}", error.kind()));
            return None;
        }
    };
    let what = found.named(row, job.nonce);
    if ended.or(queued).is_none() {
        // One that has expired before it could end leaves the queue and no end.
        if job.expires_ms > found.now_ms {
            found.problem(format!("{what} is not in the queue and has not ended"));
        }
        return None;
    }
    if job.state.finished() != ended.is_some() {
        let wrong = if ended.is_some() {
            "among the ends and unfinished"
        } else {
            "finished and in the queue"
        };
        found.problem(format!("{what} is {wrong}"));
    }
    let account: Option<&str> = answer.get(15);
    if account != Some(job.account.as_str()) || answer.get::<_, i64>(2) as u64 != job.created_ms {
        found.problem(format!("{what} is listed as of another account or time"));
    }
    if queued.is_some() && !is_queued_so(answer, &job, scraper) {
        found.problem(format!("{what} is not what the queue says of it"));
    }
    check_result(answer.get(6), &job, &what, found);
    let stored = StoredDelivery {
        row,
        record: answer.get(12),
        outbox: answer.get::<_, Option<i64>>(13).zip(answer.get(14)),
    };
    delivery::check(found, &what, ended.is_some() && job.webhook_url.is_some(), &stored);
    add_up(answer.get(1), &job, scraper, found);
    Some(job)
}

fn is_queued_so(answer: &PgRow, job: &Job, scraper: u16) -> bool {
    let start_by_ms: Option<i64> = answer.get(10);
    answer.get::<_, Option<i16>>(7) == Some(scraper as i16)
        && answer.get::<_, Option<bool>>(8) == Some(job.interactive)
        && answer.get::<_, Option<i64>>(9) == Some(job.due_ms as i64)
        && start_by_ms.map(|at_ms| at_ms as u64) == job.start_deadline_ms()
        && answer.get::<_, Option<i64>>(11) == Some(job.expires_ms as i64)
}

fn check_result(result: Option<&[u8]>, job: &Job, what: &str, found: &mut CheckFindings) {
    let Some(bytes) = result else {
        if job.state == State::Done {
            found.problem(format!("{what} is done and has no result"));
        }
        return;
    };
    found.report.results += 1;
    let sound = record::decode_result(job.row, bytes)
        .is_ok_and(|json| serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok());
    if !sound || job.state != State::Done {
        found.problem(format!("{what} has a result that is none"));
    }
}

fn add_up(account: i32, job: &Job, scraper: u16, found: &mut CheckFindings) {
    let credits = found.credits.entry((account, clock::calendar_month(job.created_ms)));
    let credits = credits.or_default();
    match job.state {
        State::Done | State::Failed(_) => credits.used += u64::from(job.charge()),
        State::Queued | State::Running | State::WaitingRetry { .. } => {
            credits.reserved += u64::from(job.price);
        }
    }
    let day = clock::calendar_day(job.created_ms);
    found.usage.entry((account, day, scraper)).or_default().count(job);
}

/// Checks that each job is found by its key.
async fn check_keys(
    session: &PgSession,
    keys: &HashMap<u128, (Row, u128)>,
    found: &mut CheckFindings,
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let hashes: Vec<Uuid> = keys.keys().map(|key| Uuid::from_u128(*key)).collect();
    let stored = session.query(KEYS, &[&hashes]).await?;
    let stored = stored.iter().map(|row| (row.get::<_, Uuid>(0).as_u128(), row.get::<_, i64>(1)));
    let stored: HashMap<u128, i64> = stored.collect();
    for (key, (row, nonce)) in keys {
        if stored.get(key) != Some(&(*row as i64)) {
            let what = found.named(*row, *nonce);
            found.problem(format!("{what} is not found by its idempotency key"));
        }
    }
    Ok(())
}
