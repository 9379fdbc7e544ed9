//! The walk over the jobs of a store that may be damaged: it finds what lies after a page that
//! cannot be read.

use std::collections::{BTreeSet, HashMap};

use redb::{ReadTransaction, ReadableTable};

use crate::job::Job;
use crate::store::embedded::database::guarded;
use crate::store::embedded::tables;
use crate::store::{Row, StoreError, record};

/// The most rows that are looked for after a damaged page.
const ROWS_UNSEEN_MAX: u64 = 10_000_000;

/// Calls `visit` with every job's row and its record, or why that cannot be read. One that cannot
/// be reached hides no other.
pub(super) fn visit_jobs(
    transaction: &ReadTransaction,
    mut visit: impl FnMut(Row, Result<(Job, u16), StoreError>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut names: HashMap<u16, String> = HashMap::new();
    let named = guarded(|| {
        for entry in transaction.open_table(tables::SCRAPERS)?.iter()? {
            let (number, name) = entry?;
            names.insert(number.value(), name.value().to_owned());
        }
        Ok(())
    });
    // Jobs are worth more than the names of their scrapers.
    let name = |number: u16| match (names.get(&number), &named) {
        (Some(name), _) => Some(name.clone()),
        (None, Ok(())) => None,
        (None, Err(_)) => Some(format!("scraper {number}")),
    };
    let jobs = guarded(|| Ok(transaction.open_table(tables::JOBS)?))?;
    let prompts = guarded(|| Ok(transaction.open_table(tables::PROMPTS)?));
    for row in guarded(|| rows(transaction))? {
        let job = guarded(|| {
            let Some(bytes) = jobs.get(row)? else { return Ok(None) };
            record::decode_job(row, bytes.value(), name, || {
                let prompts = prompts.as_ref().map_err(Clone::clone)?;
                Ok(prompts.get(row)?.map(|prompt| prompt.value().to_owned()))
            })
            .map(Some)
        });
        if let Some(job) = job.transpose() {
            visit(row, job)?;
        }
    }
    Ok(())
}

/// The rows of all jobs, lowest first. Where the table cannot be walked through, all that may lie
/// after the damage are among them.
fn rows(transaction: &ReadTransaction) -> Result<Vec<Row>, StoreError> {
    let jobs = transaction.open_table(tables::JOBS)?;
    let mut rows = Vec::new();
    let walked = guarded(|| {
        for entry in jobs.iter()? {
            rows.push(entry?.0.value());
        }
        Ok(())
    });
    if walked.is_ok() {
        return Ok(rows);
    }
    let mut behind: BTreeSet<Row> = BTreeSet::new();
    // Whatever stops these walks, what they have found is found.
    let _ = guarded(|| {
        for entry in jobs.iter()?.rev() {
            behind.insert(entry?.0.value());
        }
        Ok(())
    });
    for backward in [false, true] {
        let _ = guarded(|| {
            let expiry = transaction.open_table(tables::EXPIRY)?;
            let mut entries = expiry.iter()?;
            while let Some(entry) = if backward { entries.next_back() } else { entries.next() } {
                behind.insert(entry?.0.value().1);
            }
            Ok(())
        });
    }
    let first = rows.last().map_or(0, |last| last + 1);
    let last = behind.last().copied().unwrap_or(first);
    rows.extend(first..=last.min(first.saturating_add(ROWS_UNSEEN_MAX)));
    Ok(rows)
}
