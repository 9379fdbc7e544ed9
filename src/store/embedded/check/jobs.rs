//! The check of the jobs and of the indexes that lead to them.

use redb::{ReadTransaction, ReadableTable};

use super::report::{Expected, Indexed};
use super::rows::visit_jobs;
use crate::clock;
use crate::job::State;
use crate::store::embedded::tables;
use crate::store::{CheckReport, StoreError};

pub(super) fn read_all(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    visit_jobs(transaction, |row, job| {
        report.jobs += 1;
        let (job, scraper) = match job {
            Ok(read) => read,
            Err(error) => {
                report.problem(format!("job row {row} cannot be read: {}", error.kind()));
                return Ok(());
            }
        };
        if job.price > 0 {
            let key = (job.account.clone(), clock::calendar_month(job.created_ms));
            let credits = expected.credits.entry(key).or_default();
            match job.state {
                State::Done | State::Failed(_) => credits.used += u64::from(job.charge()),
                State::Queued | State::Running | State::WaitingRetry { .. } => {
                    credits.reserved += u64::from(job.price);
                }
            }
        }
        let day = (job.account.clone(), clock::calendar_day(job.created_ms));
        expected.usage.entry(day).or_default().of(scraper).count(&job);
        let delivery = expected.deliveries.get(&row);
        let held_ms = delivery.and_then(|delivery| delivery.held_until_ms);
        let last_attempt_ms = delivery.and_then(|delivery| delivery.log.last());
        let last_attempt_ms = last_attempt_ms.map(|last| last.at_ms.saturating_add(last.took_ms));
        let indexed = Indexed {
            scraper,
            interactive: job.interactive,
            finished: job.state.finished(),
            done: job.state == State::Done,
            due_ms: job.due_ms,
            filed_ms: held_ms.unwrap_or(job.expires_ms),
            webhook: job.webhook_url.is_some(),
            start_deadline_ms: job.start_deadline_ms(),
            key_hash: job.idempotency.map(|known| known.key_hash),
            outlived: held_ms.is_some() || last_attempt_ms >= Some(job.expires_ms),
            batch: job.batch.map(|batch| batch.row),
        };
        expected.jobs.insert(row, indexed);
        Ok(())
    })
}

pub(super) fn indexes(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let ready = transaction.open_table(tables::READY)?;
    let expiry = transaction.open_table(tables::EXPIRY)?;
    for (row, job) in &expected.jobs {
        let indexed = ready.get((job.scraper, job.interactive, job.due_ms, *row))?.is_some();
        let unfinished = !job.finished;
        report.unfinished += u64::from(unfinished);
        if unfinished != indexed {
            let wrong = if indexed { "finished but ready" } else { "unfinished but not ready" };
            report.problem(format!("job row {row} is {wrong} in the index"));
        }
        if expiry.get((job.filed_ms, *row))?.is_none() {
            report.problem(format!("job row {row} is not in the expiry index"));
        }
    }
    for entry in ready.iter()? {
        let (scraper, interactive, due_ms, row) = entry?.0.value();
        let matches = expected.jobs.get(&row).is_some_and(|job| {
            (job.scraper, job.interactive, job.due_ms) == (scraper, interactive, due_ms)
                && !job.finished
        });
        if !matches {
            report.problem(format!("the ready index names row {row}, whose job does not match"));
        }
    }
    for entry in expiry.iter()? {
        let (filed_ms, row) = entry?.0.value();
        let job_ms = expected.jobs.get(&row).map(|job| job.filed_ms);
        if job_ms.or_else(|| expected.batch_filed_ms(row)) != Some(filed_ms) {
            report.problem(format!("the expiry index names row {row}, whose job does not match"));
        }
    }
    Ok(())
}

pub(super) fn deadlines(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let deadlines = transaction.open_table(tables::DEADLINES)?;
    for (row, job) in &expected.jobs {
        if let Some(at_ms) = job.start_deadline_ms
            && deadlines.get((at_ms, *row))?.is_none()
        {
            report.problem(format!("job row {row} is not in the deadline index"));
        }
    }
    for entry in deadlines.iter()? {
        let (at_ms, row) = entry?.0.value();
        if expected.jobs.get(&row).is_none_or(|job| job.start_deadline_ms != Some(at_ms)) {
            report.problem(format!("the deadline index names row {row}, whose job does not match"));
        }
    }
    Ok(())
}

/// Checks that every key leads to a job that came with it, and every job's key to it or to a later
/// one, which may have taken the key over once this one had expired. That later one may have gone
/// before a job which its delivery keeps.
pub(super) fn idempotency(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let keys = transaction.open_table(tables::IDEMPOTENCY)?;
    for (row, job) in &expected.jobs {
        let Some(key_hash) = job.key_hash else { continue };
        let found = match keys.get(key_hash)? {
            Some(newest) => newest.value() >= *row,
            None => job.outlived,
        };
        if !found {
            report.problem(format!("job row {row} is not found by its idempotency key"));
        }
    }
    for entry in keys.iter()? {
        let (key_hash, row) = entry?;
        let row = row.value();
        let job_key = expected.jobs.get(&row).map(|job| job.key_hash);
        let batch_key = || expected.batches.get(&row).map(|b| b.idempotency.map(|of| of.key_hash));
        if job_key.or_else(batch_key).flatten() != Some(key_hash.value()) {
            report.problem(format!("an idempotency key names row {row}, whose job does not match"));
        }
    }
    Ok(())
}
