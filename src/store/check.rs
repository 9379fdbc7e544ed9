//! `db check`, `db compact`, `db export`: what is done to the store of a stopped service. The check
//! walks every index both ways.

mod batches;
mod locate;
mod outbox;
mod rows;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::evidence_files::EvidenceFolder;
use super::open::{self, open_existing};
use super::shared::guarded;
use super::storage::{FileStorage, Storage, directory_error};
use super::tables::{self, Row};
use super::usage::{self, DayRecord};
use super::{Credits, Store, StoreError, record};
use crate::clock::{self, UnixMs};
use crate::id::IdCipher;
use crate::job::{Batch, Delivery, Job, State};
use rows::visit_jobs;

/// The most problems that a report lists by name; the rest are counted.
const PROBLEMS_LISTED_MAX: usize = 100;

/// What `db check` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    pub jobs: u64,
    pub unfinished: u64,
    pub results: u64,
    pub cache_entries: u64,
    pub accounts: u64,
    /// The database's file, bytes.
    pub file_bytes: u64,
    /// What its pages take that are in use; the rest of the file is free for what comes.
    pub used_bytes: u64,
    /// Sentences; at most `PROBLEMS_LISTED_MAX` of them.
    pub problems: Vec<String>,
    /// All problems, listed or not.
    pub problems_total: u64,
}

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

    /// Checks a database that is open. What cannot be read is a problem, and the rest is read all the
    /// same.
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

    fn problem(&mut self, sentence: String) {
        self.problems_total += 1;
        if self.problems.len() < PROBLEMS_LISTED_MAX {
            self.problems.push(sentence);
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

/// What the indexes must say of a job. Small, since there is one for each in memory.
struct Indexed {
    scraper: u16,
    interactive: bool,
    finished: bool,
    done: bool,
    due_ms: UnixMs,
    /// Where the expiry index has it.
    filed_ms: UnixMs,
    webhook: bool,
    start_deadline_ms: Option<UnixMs>,
    key_hash: Option<u128>,
    /// Whether its delivery has kept it beyond its expiry.
    outlived: bool,
    batch: Option<Row>,
}

/// What walking the jobs says that the other tables must hold.
#[derive(Default)]
struct Expected {
    jobs: BTreeMap<Row, Indexed>,
    batches: BTreeMap<Row, Batch>,
    credits: BTreeMap<(String, u32), Credits>,
    usage: BTreeMap<(String, u32), DayRecord>,
    deliveries: BTreeMap<Row, Delivery>,
}

impl Expected {
    /// Where the expiry index has the batch of a row.
    fn batch_filed_ms(&self, row: Row) -> Option<UnixMs> {
        let held_ms = self.deliveries.get(&row).and_then(|delivery| delivery.held_until_ms);
        self.batches.get(&row).map(|batch| held_ms.unwrap_or(batch.expires_ms))
    }
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
    /// The store cannot be opened or written.
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

    /// Writes every job that can be read as a line of JSON, oldest first; `line` renders it. A job whose
    /// result cannot be read is written without it. Where the key of the ids cannot be read, jobs are
    /// written with the nil id.
    ///
    /// # Errors
    /// Returns an error if the store cannot be opened, or `out` cannot be written.
    pub fn export(
        directory: &Path,
        out: &mut dyn Write,
        line: impl Fn(&Job, uuid::Uuid, Option<&[u8]>) -> Vec<u8>,
    ) -> Result<ExportReport, StoreError> {
        let storage = FileStorage::new(directory);
        let mut database = open::open_database(&storage, open::TOOL_CACHE_BYTES, false)?;
        let mut report = ExportReport::default();
        if let Some(damage) = format_damage(&mut database)? {
            report.unreadable(format!("the store's format: {}", damage.kind()));
        }
        let intact = is_intact(&mut database);
        let transaction = guarded(|| Ok(database.begin_read()?))?;
        let cipher = match guarded(|| open::id_key(&transaction)) {
            Ok(key) => Some(IdCipher::new(key)),
            Err(error) => {
                report.unreadable(format!("the key of the ids: {}", error.kind()));
                None
            }
        };
        let results = guarded(|| Ok(transaction.open_table(tables::RESULTS)?));
        visit_jobs(&transaction, |row, job| {
            let job = match job {
                Ok((job, _)) => job,
                Err(error) => {
                    report.unreadable(format!("job row {row}: {}", error.kind()));
                    return Ok(());
                }
            };
            let id =
                cipher.as_ref().map_or(uuid::Uuid::nil(), |cipher| cipher.seal(row, job.nonce));
            let result = guarded(|| match results.as_ref().map_err(Clone::clone)?.get(row)? {
                Some(stored) => Ok(Some(record::decode_result(row, stored.value())?.to_vec())),
                None if job.state == State::Done => Err(StoreError::Damaged("a result is missing")),
                None => Ok(None),
            });
            let result = result.unwrap_or_else(|error| {
                if job.state == State::Done {
                    report.unreadable(format!("the result of job {id}: {}", error.kind()));
                }
                None
            });
            let mut json = line(&job, id, result.as_deref());
            json.push(b'\n');
            report.written += 1;
            out.write_all(&json).map_err(|error| directory_error(directory, error))
        })?;
        // The key of the ids and the scrapers' names have no checksum but the database's own.
        if !intact && report.unreadable_total == 0 {
            let doubt = "the database's own checksums do not match: ids and names may be wrong";
            report.unreadable(doubt.to_owned());
        }
        Ok(report)
    }
}

/// What `db export` has written, and what it could not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Jobs.
    pub written: u64,
    /// What could not be read, and why; at most `PROBLEMS_LISTED_MAX` of it.
    pub unreadable: Vec<String>,
    /// All that could not be read, listed or not.
    pub unreadable_total: u64,
}

impl ExportReport {
    fn unreadable(&mut self, what: String) {
        self.unreadable_total += 1;
        if self.unreadable.len() < PROBLEMS_LISTED_MAX {
            self.unreadable.push(what);
        }
    }
}

type Walk = fn(&ReadTransaction, &mut Expected, &mut CheckReport) -> Result<(), StoreError>;

/// In this order: the first say what the others must hold.
const WALKS: [(&str, Walk); 12] = [
    ("the table of deliveries", outbox::read_all),
    ("the table of jobs", check_jobs),
    ("the tables of batches", batches::check),
    ("the ready and expiry indexes", check_indexes),
    ("the deadline index", check_deadlines),
    ("the table of idempotency keys", check_idempotency),
    ("the outbox", outbox::check),
    ("the tables of results and prompts", check_results),
    ("the table of attempts", check_attempts),
    ("the table of counts", check_counts),
    ("the table of credits", check_credits),
    ("the days in the table of credits", check_usage),
];

fn check_jobs(
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
        let told_ms = delivery.and_then(|delivery| delivery.log.last());
        let told_ms = told_ms.map(|last| last.at_ms.saturating_add(last.took_ms));
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
            outlived: held_ms.is_some() || told_ms >= Some(job.expires_ms),
            batch: job.batch.map(|batch| batch.row),
        };
        expected.jobs.insert(row, indexed);
        Ok(())
    })
}

fn check_indexes(
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

fn check_deadlines(
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

/// Every key leads to a job that came with it, and every job's key to it or to a later one, which
/// may have taken the key over once this one had expired. That later one may have gone before a job
/// which its delivery keeps.
fn check_idempotency(
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

/// Reservations must match exactly. Use may exceed what the jobs say, since they expire before
/// their month ends.
fn check_credits(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut stored: BTreeMap<(String, u32), Credits> = BTreeMap::new();
    for entry in transaction.open_table(tables::CREDITS)?.iter()? {
        let (key, bytes) = entry?;
        let (account, month) = key.value();
        if month >= usage::DAY_MIN {
            continue;
        }
        match record::decode_credits(month, bytes.value()) {
            Ok(credits) => drop(stored.insert((account.to_owned(), month), credits)),
            Err(error) => {
                report
                    .problem(format!("the credits of {account} cannot be read: {}", error.kind()));
            }
        }
    }
    report.accounts = stored.len() as u64;
    let keys = stored.keys().chain(expected.credits.keys()).cloned();
    for key in keys.collect::<std::collections::BTreeSet<_>>() {
        let have = stored.get(&key).copied().unwrap_or_default();
        let want = expected.credits.get(&key).copied().unwrap_or_default();
        let (account, month) = key;
        if have.reserved != want.reserved {
            report.problem(format!(
                "{account} has {} credits reserved in {month}, its unfinished jobs {}",
                have.reserved, want.reserved
            ));
        }
        if have.used < want.used {
            report.problem(format!(
                "{account} has used {} credits in {month}, its finished jobs {}",
                have.used, want.used
            ));
        }
    }
    Ok(())
}

/// What an account used on a day may exceed what the jobs say, since they expire.
fn check_usage(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let credits = transaction.open_table(tables::CREDITS)?;
    for ((account, day), want) in &expected.usage {
        let mut have = match credits.get((account.as_str(), *day))? {
            Some(bytes) => match record::decode_day(*day, bytes.value()) {
                Ok(have) => have,
                Err(error) => {
                    let kind = error.kind();
                    report.problem(format!("{account}'s use on {day} cannot be read: {kind}"));
                    continue;
                }
            },
            None => DayRecord::default(),
        };
        for (scraper, want) in &want.0 {
            let have = *have.of(*scraper);
            if !have.covers(*want) {
                report.problem(format!(
                    "{account} has used {have:?} of scraper {scraper} on {day}, its jobs {want:?}"
                ));
            }
        }
    }
    Ok(())
}
