//! The tables of the database, named once.
//!
//! Every key but one only rises over time, which is what makes writes cheap: see the design's
//! facts.

use redb::{Key, ReadOnlyTable, ReadTransaction, TableDefinition, TableError, Value};

use crate::store::StoreError;
use crate::store::row::{CountsKey, ObservationKey, ReadyKey, Row, SumsKey};

/// `format`, `id_key`: what the store knows of itself.
pub(crate) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Scraper names by the number that other tables use for them.
pub(crate) const SCRAPERS: TableDefinition<u16, &str> = TableDefinition::new("scrapers");
/// The job records: see `record`.
pub(crate) const JOBS: TableDefinition<Row, &[u8]> = TableDefinition::new("jobs");
/// Prompts that are too long to stand in the job's record.
pub(crate) const PROMPTS: TableDefinition<Row, &str> = TableDefinition::new("prompts");
/// Results as they are sent, after a version byte.
pub(crate) const RESULTS: TableDefinition<Row, &[u8]> = TableDefinition::new("results");
/// Every unfinished job by scraper number, whether somebody waits for it, and the time it is due:
/// `(scraper, interactive, due_ms, row)`. The two kinds stand apart so that a retry that somebody
/// waits for is found without a walk over a queue that it must not wait for.
pub(crate) const READY: TableDefinition<ReadyKey, ()> = TableDefinition::new("ready");
/// Every job by the time it ceases to exist: `(expires_ms, row)`.
pub(crate) const EXPIRY: TableDefinition<(u64, Row), ()> = TableDefinition::new("expiry");
/// Every job that must start before a moment and has not yet: `(start_by_ms, row)`.
pub(crate) const DEADLINES: TableDefinition<(u64, Row), ()> = TableDefinition::new("deadlines");
/// The newest job of each idempotency key, by the key's hash. The one table whose keys do not
/// rise: it costs only those who use it, and would cost everyone memory as an index there.
pub(crate) const IDEMPOTENCY: TableDefinition<u128, Row> = TableDefinition::new("idempotency");
/// The batches: see `record`. A batch has its row in [`EXPIRY`] and its key in [`IDEMPOTENCY`] as a
/// job has.
pub(crate) const BATCHES: TableDefinition<Row, &[u8]> = TableDefinition::new("batches");
/// How many of each batch's jobs are done and have failed, and when the last one ended: apart from
/// the batch's record, which may be long and does not change.
pub(crate) const BATCH_PROGRESS: TableDefinition<Row, &[u8]> = TableDefinition::new("batch_counts");
/// The same in a store of the first format: done, failed, and when the last one ended.
pub(crate) const BATCH_PROGRESS_1: TableDefinition<Row, (u32, u32, Option<u64>)> =
    TableDefinition::new("batch_ends");
/// Every delivery that is pending, by the time its next attempt is due: `(due_ms, row)` to its
/// receiver's number, so that those are passed over cheaply whose receiver has enough to do.
pub(crate) const OUTBOX: TableDefinition<(u64, Row), u64> = TableDefinition::new("outbox");
/// The deliveries of webhooks, pending or over, by the row of the job or batch that they report.
pub(crate) const DELIVERIES: TableDefinition<Row, &[u8]> = TableDefinition::new("deliveries");
/// Results that may serve other jobs, by the time they were made: `(stored_ms, row)` to the
/// request's hash.
pub(crate) const CACHE: TableDefinition<(u64, Row), u128> = TableDefinition::new("cache");
/// Credits by account and calendar month (`202605`), and in the same place, so that one page is
/// written for both, what it used on each day (`20260511`).
pub(crate) const CREDITS: TableDefinition<(&str, u32), &[u8]> = TableDefinition::new("credits");

/// The failed attempts of jobs, by the job's row.
pub(crate) const ATTEMPTS: TableDefinition<Row, &[u8]> = TableDefinition::new("attempts");
/// The tasks that vendors work on for jobs, by the job's row.
pub(crate) const VENDOR_TASKS: TableDefinition<Row, &[u8]> = TableDefinition::new("vendor_tasks");
/// The raw replies of jobs' latest attempts of which they are kept, compressed, by the job's row.
pub(crate) const RAWS: TableDefinition<Row, &[u8]> = TableDefinition::new("raws");
/// A key of what was spent: the day (`20260511`), the account, the upstream and the label.
pub(crate) type SpendKey<'a> = (u32, &'a str, &'a str, &'a str);
/// What was spent, by day, account, upstream and label.
pub(crate) const SPEND: TableDefinition<SpendKey<'static>, &[u8]> = TableDefinition::new("spend");
/// The models that each upstream has answered with.
pub(crate) const MODELS: TableDefinition<&str, &[u8]> = TableDefinition::new("models");
/// The jobs that are done, by a number that rises with the commits: to a job's row and when it was
/// done. What is left of a job that is gone is removed once all before it is gone.
pub(crate) const COMPLETIONS: TableDefinition<u64, (Row, u64)> =
    TableDefinition::new("completions");
/// The schedules: see `record`.
pub(crate) const SCHEDULES: TableDefinition<Row, &[u8]> = TableDefinition::new("schedules");
/// The batches that schedules submit, as JSON, by the schedule's row.
pub(crate) const SCHEDULE_BATCHES: TableDefinition<Row, &[u8]> =
    TableDefinition::new("schedule_batches");
/// Every schedule that has a next slot, by the time that is due: `(due_ms, row)`.
pub(crate) const SCHEDULES_DUE: TableDefinition<(u64, Row), ()> =
    TableDefinition::new("schedules_due");
/// The runs of schedules, by the schedule's row and the number of the run.
pub(crate) const SCHEDULE_RUNS: TableDefinition<(Row, u64), &[u8]> =
    TableDefinition::new("schedule_runs");
/// The alerts: see `record`.
pub(crate) const ALERTS: TableDefinition<Row, &[u8]> = TableDefinition::new("alerts");
/// Every alert that is not paused, by what it watches: when it is evaluated, and how often it was
/// marked.
pub(crate) const ALERT_WATCHES: TableDefinition<(&str, Row), (u64, u64)> =
    TableDefinition::new("alert_watches");
/// Every alert that is to be evaluated, by the time that it is due: `(due_ms, row)`.
pub(crate) const ALERTS_DUE: TableDefinition<(u64, Row), ()> = TableDefinition::new("alerts_due");
/// What is watched and has measured answers of a batch that has not ended, by the batch's row.
pub(crate) const ALERT_RUNS: TableDefinition<(Row, &str), ()> = TableDefinition::new("alert_runs");
/// The notices of alerts, by rows of their own, which their deliveries share.
pub(crate) const NOTICES: TableDefinition<Row, &[u8]> = TableDefinition::new("notices");
/// What was counted by the minute and by five minutes.
pub(crate) const COUNTS: TableDefinition<CountsKey, &[u8]> = TableDefinition::new("counts");

/// The trackers, by account and name, each with its latest version.
pub(crate) const TRACKERS: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("trackers");
/// Every version of every tracker, by the tracker's id.
pub(crate) const TRACKER_VERSIONS: TableDefinition<(u64, u32), &[u8]> =
    TableDefinition::new("tracker_versions");
/// What was measured in answers. It outlives the jobs.
pub(crate) const OBSERVATIONS: TableDefinition<ObservationKey, &[u8]> =
    TableDefinition::new("observations");
/// Sums over what was measured, by day and group.
pub(crate) const SUMS: TableDefinition<SumsKey<'static>, &[u8]> =
    TableDefinition::new("observation_sums");

/// Sums over the pages that answers used, by day and group.
pub(super) const PAGE_SUMS: TableDefinition<SumsKey<'static>, &[u8]> =
    TableDefinition::new("observation_pages");

/// Opens a table that stores of answerd 0.1.0 lack until they are opened by a later version.
pub(crate) fn later<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'_, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, StoreError> {
    match transaction.open_table(definition) {
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}
