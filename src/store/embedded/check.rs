//! `db check`, `db compact`, `db export`: what is done to the store of a stopped service. The check
//! walks every index both ways.

mod accounts;
mod alerts;
mod batches;
mod export;
mod jobs;
mod locate;
mod outbox;
mod report;
mod rows;
mod schedules;
mod trackers;

use std::collections::BTreeSet;
use std::path::Path;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::database::guarded;
use super::open::{self, open_existing};
use super::storage::{FileStorage, Storage};
use super::tables;
use crate::store::evidence_files::EvidenceFolder;
use crate::store::{CheckReport, Store, StoreError, record};
use report::Expected;

impl CheckReport {
    /// Opens the database; what says its format is the first that may be damaged.
    fn open(&mut self, storage: &dyn Storage) -> Result<Database, StoreError> {
        let mut database = open::open_database(storage, open::TOOL_CACHE_BYTES, false)?;
        if let Some(damage) = format_damage(&mut database)? {
            let place = "table meta, key \"format\": the store's format cannot be read";
            self.problem(format!("{place}: {}", damage.kind()));
        }
        Ok(database)
    }

    /// Checks a database that is open. What cannot be read is a problem, and the rest is read all
    /// the same.
    pub(super) fn check_database(&mut self, mut database: Database) {
        let mut broken = false;
        let damaged = match guarded(|| Ok(database.check_integrity()?)) {
            Ok(true) => false,
            Ok(false) => {
                let repaired = "the database's pages were inconsistent and have been repaired";
                self.problem(repaired.to_owned());
                true
            }
            Err(error) => {
                self.problem(format!("the database's pages are inconsistent: {}", error.kind()));
                broken = true;
                true
            }
        };
        let named = self.problems_total;
        match guarded(|| Ok(database.begin_read()?)) {
            Ok(transaction) => self.check_tables(&transaction, damaged),
            Err(error) => self.problem(format!("no table can be read: {}", error.kind())),
        }
        if broken {
            if self.problems_total == named {
                self.problem(
                    "every table and every record can be read: what has changed are bytes that hold \
                     nothing, or a name or a key that only the database's own checksums cover"
                        .to_owned(),
                );
            }
            // It cannot be closed in order any more, nor its pages be counted.
            let _ = guarded(|| Ok(database.close()?));
            return;
        }
        match guarded(|| open::used_bytes(&database)) {
            Ok(used_bytes) => self.used_bytes = used_bytes,
            Err(error) => {
                self.problem(format!("the pages in use cannot be counted: {}", error.kind()));
            }
        }
        if let Err(error) = guarded(|| Ok(database.close()?)) {
            self.problem(format!("the database cannot be closed in order: {}", error.kind()));
        }
    }

    fn check_tables(&mut self, transaction: &ReadTransaction, damaged: bool) {
        let mut expected = Expected::default();
        let mut unread = Vec::new();
        for (what, walk) in WALKS {
            if let Err(error) = guarded(|| walk(transaction, &mut expected, self)) {
                unread.push(format!("{what} cannot be checked: {}", error.kind()));
            }
        }
        if let Err(error) = guarded(|| open::id_key(transaction)) {
            self.problem(format!("table meta, key \"id_key\": {}", error.kind()));
        }
        if damaged || !unread.is_empty() {
            let located = locate::unreadable_tables(transaction, self);
            if !located {
                unread.into_iter().for_each(|sentence| self.problem(sentence));
            }
        }
    }
}

/// Brings a database up to date; returns why its format cannot be read where that is damage.
///
/// # Errors
/// Returns [`StoreError::Version`] if the database is intact and of another version.
fn format_damage(database: &mut Database) -> Result<Option<StoreError>, StoreError> {
    match open::bring_up_to_date(database) {
        Ok(()) => Ok(None),
        Err(error @ StoreError::Version(_)) if is_intact(database) => Err(error),
        Err(StoreError::Version(_)) => Ok(Some(StoreError::Damaged("it has changed"))),
        Err(error) => Ok(Some(error)),
    }
}

/// Whether every checksum of the database matches.
fn is_intact(database: &mut Database) -> bool {
    guarded(|| Ok(database.check_integrity()?)).is_ok_and(|intact| intact)
}

impl Store {
    /// Reads the whole store of a stopped service: the database's own checksums, every record,
    /// every index in both directions, and the evidence beside it.
    ///
    /// # Errors
    /// Returns an error if it cannot be opened and is not damaged; all damage is in the report.
    pub fn check(directory: &Path) -> Result<CheckReport, StoreError> {
        let file = FileStorage::new(directory);
        let mut report = CheckReport::default();
        match report.open(&file) {
            Ok(database) => report.check_database(database),
            Err(error @ StoreError::Version(_)) => return Err(error),
            Err(error) if error.is_damage() => {
                report.problem(format!(
                    "the database {} cannot be opened, it is damaged: {}",
                    file.path().display(),
                    error.kind()
                ));
            }
            Err(error) => return Err(error),
        }
        report.file_bytes = file.bytes()?;
        let evidence = EvidenceFolder::new(directory, u64::MAX).problems();
        match evidence {
            Ok(problems) => problems.into_iter().for_each(|problem| report.problem(problem)),
            Err(error) => report.problem(format!("the evidence cannot be read: {error}")),
        }
        Ok(report)
    }

    /// Gives unused pages of a stopped service's store back to the file system: the file's size in
    /// bytes before and after.
    ///
    /// # Errors
    /// Returns an error if the store cannot be opened or written.
    pub fn compact(directory: &Path) -> Result<(u64, u64), StoreError> {
        let file = FileStorage::new(directory);
        let mut database = open_existing(&file)?;
        let before = file.bytes()?;
        guarded(|| {
            // Each call moves what it can; it says whether another one may move more.
            while database.compact()? {}
            Ok(database.close()?)
        })?;
        Ok((before, file.bytes()?))
    }
}

type Walk = fn(&ReadTransaction, &mut Expected, &mut CheckReport) -> Result<(), StoreError>;

/// In this order: the first say what the others must hold.
const WALKS: [(&str, Walk); 21] = [
    ("the table of deliveries", outbox::read_all),
    ("the table of jobs", jobs::read_all),
    ("the tables of batches", batches::check),
    ("the ready and expiry indexes", jobs::indexes),
    ("the deadline index", jobs::deadlines),
    ("the table of idempotency keys", jobs::idempotency),
    ("the tables of schedules", schedules::check),
    ("the tables of alerts", alerts::check),
    ("the outbox", outbox::check),
    ("the tables of results and prompts", check_results),
    ("the order of completion", check_completions),
    ("the table of attempts", check_attempts),
    ("the table of vendors' tasks", check_vendor_tasks),
    ("the table of raw replies", check_raws),
    ("the table of counts", check_counts),
    ("the table of what was spent", accounts::spend),
    ("the table of models", check_models),
    ("the tables of trackers", trackers::trackers),
    ("the tables of what was measured", trackers::observations),
    ("the table of credits", accounts::credits),
    ("the days in the table of credits", accounts::usage),
];

fn check_results(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let results = transaction.open_table(tables::RESULTS)?;
    report.results = results.len()?;
    report.cache_entries = transaction.open_table(tables::CACHE)?.len()?;
    for entry in results.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        match expected.jobs.get(&row) {
            Some(job) if job.done => {}
            _ => report.problem(format!("result row {row} belongs to no finished job")),
        }
        let sound = record::decode_result(row, bytes.value())
            .is_ok_and(|json| serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok());
        if !sound {
            report.problem(format!("result row {row} is not a result"));
        }
    }
    for (row, job) in &expected.jobs {
        if job.done && results.get(*row)?.is_none() {
            report.problem(format!("job row {row} is done and has no result"));
        }
    }
    for entry in transaction.open_table(tables::PROMPTS)?.iter()? {
        let row = entry?.0.value();
        if !expected.jobs.contains_key(&row) {
            report.problem(format!("prompt row {row} belongs to no job"));
        }
    }
    Ok(())
}

/// Every job that is done stands once in the order of completion; what is gone may stand there
/// still.
fn check_completions(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(completions) = tables::later(transaction, tables::COMPLETIONS)? else { return Ok(()) };
    let mut numbered = BTreeSet::new();
    for entry in completions.iter()? {
        let (number, completed) = entry?;
        let row = completed.value().0;
        let done = expected.jobs.get(&row).is_some_and(|job| job.done);
        if done && !numbered.insert(row) {
            let number = number.value();
            report.problem(format!("job row {row} is done twice, the second time as {number}"));
        }
    }
    for (row, job) in &expected.jobs {
        if job.done && !numbered.contains(row) {
            report.problem(format!("job row {row} is done and not in the order of completion"));
        }
    }
    Ok(())
}

fn check_attempts(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(attempts) = tables::later(transaction, tables::ATTEMPTS)? else { return Ok(()) };
    for entry in attempts.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        if let Err(error) = record::decode_attempts(row, bytes.value()) {
            report.problem(format!("attempts row {row} cannot be read: {}", error.kind()));
        }
        if !expected.jobs.contains_key(&row) {
            report.problem(format!("attempts row {row} belongs to no job"));
        }
    }
    Ok(())
}

fn check_vendor_tasks(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(tasks) = tables::later(transaction, tables::VENDOR_TASKS)? else { return Ok(()) };
    for entry in tasks.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        if let Err(error) = record::decode_vendor_task(row, bytes.value()) {
            report.problem(format!("vendor task row {row} cannot be read: {}", error.kind()));
        }
        if !expected.jobs.contains_key(&row) {
            report.problem(format!("vendor task row {row} belongs to no job"));
        }
    }
    Ok(())
}

fn check_raws(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(raws) = tables::later(transaction, tables::RAWS)? else { return Ok(()) };
    report.raws = raws.len()?;
    for entry in raws.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        let sound = record::decode_raw(row, bytes.value())
            .is_ok_and(|json| serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok());
        if !sound {
            report.problem(format!("raw row {row} holds no raw replies"));
        }
        if !expected.jobs.contains_key(&row) {
            report.problem(format!("raw row {row} belongs to no job"));
        }
    }
    Ok(())
}

fn check_models(
    transaction: &ReadTransaction,
    _: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(models) = tables::later(transaction, tables::MODELS)? else { return Ok(()) };
    for entry in models.iter()? {
        let (upstream, bytes) = entry?;
        if let Err(error) = record::decode_models(bytes.value()) {
            let upstream = upstream.value();
            report.problem(format!("the models of {upstream} cannot be read: {}", error.kind()));
        }
    }
    Ok(())
}

fn check_counts(
    transaction: &ReadTransaction,
    _: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(counts) = tables::later(transaction, tables::COUNTS)? else { return Ok(()) };
    for entry in counts.iter()? {
        let (key, bytes) = entry?;
        let key = key.value();
        if let Err(error) = record::check_counts(key.2, bytes.value()) {
            report.problem(format!("counts {key:?} cannot be read: {}", error.kind()));
        }
    }
    Ok(())
}
