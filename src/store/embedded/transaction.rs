//! One write transaction: its tables, the rows that it has buffered, and what follows from its
//! commit.

use std::collections::HashMap;

use redb::{Table, WriteTransaction};

use super::lazy_table::LazyTable;
use super::tables::{
    ALERT_RUNS, ALERT_WATCHES, ALERTS, ALERTS_DUE, ATTEMPTS, BATCH_PROGRESS, BATCHES, CACHE,
    COMPLETIONS, COUNTS, CREDITS, DEADLINES, DELIVERIES, EXPIRY, IDEMPOTENCY, JOBS, MODELS,
    NOTICES, OBSERVATIONS, OUTBOX, PAGE_SUMS, PROMPTS, RAWS, READY, RESULTS, SCHEDULE_BATCHES,
    SCHEDULE_RUNS, SCHEDULES, SCHEDULES_DUE, SPEND, SUMS, SpendKey, TRACKER_VERSIONS, TRACKERS,
    VENDOR_TASKS,
};
use crate::store::accounts::{BufferedCredits, BufferedDay};
use crate::store::effects::Effect;
use crate::store::row::{CountsKey, ObservationKey, SumsKey};
use crate::store::{ReadyKey, Row, StoreError};

/// All tables of one write transaction, those that every submit writes open already, and what is to
/// be done when it has been committed.
pub(crate) struct Tables<'t> {
    pub jobs: Table<'t, Row, &'static [u8]>,
    pub prompts: LazyTable<'t, Row, &'static str>,
    pub results: LazyTable<'t, Row, &'static [u8]>,
    pub ready: Table<'t, ReadyKey, ()>,
    pub expiry: Table<'t, (u64, Row), ()>,
    pub deadlines: LazyTable<'t, (u64, Row), ()>,
    pub idempotency: LazyTable<'t, u128, Row>,
    pub batches: LazyTable<'t, Row, &'static [u8]>,
    pub batch_progress: LazyTable<'t, Row, &'static [u8]>,
    pub outbox: LazyTable<'t, (u64, Row), u64>,
    pub deliveries: LazyTable<'t, Row, &'static [u8]>,
    pub cache: LazyTable<'t, (u64, Row), u128>,
    pub attempts: LazyTable<'t, Row, &'static [u8]>,
    pub vendor_tasks: LazyTable<'t, Row, &'static [u8]>,
    pub raws: LazyTable<'t, Row, &'static [u8]>,
    pub counts: LazyTable<'t, CountsKey, &'static [u8]>,
    pub spend: LazyTable<'t, SpendKey<'static>, &'static [u8]>,
    pub models: LazyTable<'t, &'static str, &'static [u8]>,
    pub completions: LazyTable<'t, u64, (Row, u64)>,
    pub schedules: LazyTable<'t, Row, &'static [u8]>,
    pub schedule_batches: LazyTable<'t, Row, &'static [u8]>,
    pub schedules_due: LazyTable<'t, (u64, Row), ()>,
    pub schedule_runs: LazyTable<'t, (Row, u64), &'static [u8]>,
    pub alerts: LazyTable<'t, Row, &'static [u8]>,
    pub alert_watches: LazyTable<'t, (&'static str, Row), (u64, u64)>,
    pub alerts_due: LazyTable<'t, (u64, Row), ()>,
    pub alert_runs: LazyTable<'t, (Row, &'static str), ()>,
    pub notices: LazyTable<'t, Row, &'static [u8]>,
    pub trackers: LazyTable<'t, (&'static str, &'static str), &'static [u8]>,
    pub tracker_versions: LazyTable<'t, (u64, u32), &'static [u8]>,
    pub observations: LazyTable<'t, ObservationKey, &'static [u8]>,
    pub sums: LazyTable<'t, SumsKey<'static>, &'static [u8]>,
    pub page_sums: LazyTable<'t, SumsKey<'static>, &'static [u8]>,
    pub credits: Table<'t, (&'static str, u32), &'static [u8]>,
    /// Accounts read in this transaction; the changed are written back once, before the commit.
    pub credits_buffered: HashMap<(String, u32), BufferedCredits>,
    /// The same for what accounts used on a day.
    pub usage_buffered: HashMap<(String, u32), BufferedDay>,
    /// How this transaction changes the number of unfinished jobs, by scraper number.
    pub depth_changes: HashMap<u16, isize>,
    pub effects: Vec<Effect>,
}

/// Makes the tables that are not there yet.
pub(crate) fn make_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    drop(Tables::open(transaction)?);
    transaction.open_table(PROMPTS)?;
    transaction.open_table(RESULTS)?;
    transaction.open_table(DEADLINES)?;
    transaction.open_table(IDEMPOTENCY)?;
    transaction.open_table(BATCHES)?;
    transaction.open_table(BATCH_PROGRESS)?;
    transaction.open_table(OUTBOX)?;
    transaction.open_table(DELIVERIES)?;
    transaction.open_table(CACHE)?;
    transaction.open_table(ATTEMPTS)?;
    transaction.open_table(VENDOR_TASKS)?;
    transaction.open_table(RAWS)?;
    transaction.open_table(COUNTS)?;
    transaction.open_table(SPEND)?;
    transaction.open_table(MODELS)?;
    transaction.open_table(COMPLETIONS)?;
    transaction.open_table(SCHEDULES)?;
    transaction.open_table(SCHEDULE_BATCHES)?;
    transaction.open_table(SCHEDULES_DUE)?;
    transaction.open_table(SCHEDULE_RUNS)?;
    transaction.open_table(ALERTS)?;
    transaction.open_table(ALERT_WATCHES)?;
    transaction.open_table(ALERTS_DUE)?;
    transaction.open_table(ALERT_RUNS)?;
    transaction.open_table(NOTICES)?;
    transaction.open_table(TRACKERS)?;
    transaction.open_table(TRACKER_VERSIONS)?;
    transaction.open_table(OBSERVATIONS)?;
    transaction.open_table(SUMS)?;
    transaction.open_table(PAGE_SUMS)?;
    Ok(())
}

impl<'t> Tables<'t> {
    /// Returns whether a row is that of a job.
    pub(crate) fn has_job(&self, row: Row) -> Result<bool, StoreError> {
        Ok(redb::ReadableTable::get(&self.jobs, row)?.is_some())
    }

    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Tables<'t>, StoreError> {
        Ok(Tables {
            jobs: transaction.open_table(JOBS)?,
            prompts: LazyTable::new(transaction, PROMPTS),
            results: LazyTable::new(transaction, RESULTS),
            ready: transaction.open_table(READY)?,
            expiry: transaction.open_table(EXPIRY)?,
            deadlines: LazyTable::new(transaction, DEADLINES),
            idempotency: LazyTable::new(transaction, IDEMPOTENCY),
            batches: LazyTable::new(transaction, BATCHES),
            batch_progress: LazyTable::new(transaction, BATCH_PROGRESS),
            outbox: LazyTable::new(transaction, OUTBOX),
            deliveries: LazyTable::new(transaction, DELIVERIES),
            cache: LazyTable::new(transaction, CACHE),
            attempts: LazyTable::new(transaction, ATTEMPTS),
            vendor_tasks: LazyTable::new(transaction, VENDOR_TASKS),
            raws: LazyTable::new(transaction, RAWS),
            counts: LazyTable::new(transaction, COUNTS),
            spend: LazyTable::new(transaction, SPEND),
            models: LazyTable::new(transaction, MODELS),
            completions: LazyTable::new(transaction, COMPLETIONS),
            schedules: LazyTable::new(transaction, SCHEDULES),
            schedule_batches: LazyTable::new(transaction, SCHEDULE_BATCHES),
            schedules_due: LazyTable::new(transaction, SCHEDULES_DUE),
            schedule_runs: LazyTable::new(transaction, SCHEDULE_RUNS),
            alerts: LazyTable::new(transaction, ALERTS),
            alert_watches: LazyTable::new(transaction, ALERT_WATCHES),
            alerts_due: LazyTable::new(transaction, ALERTS_DUE),
            alert_runs: LazyTable::new(transaction, ALERT_RUNS),
            notices: LazyTable::new(transaction, NOTICES),
            trackers: LazyTable::new(transaction, TRACKERS),
            tracker_versions: LazyTable::new(transaction, TRACKER_VERSIONS),
            observations: LazyTable::new(transaction, OBSERVATIONS),
            sums: LazyTable::new(transaction, SUMS),
            page_sums: LazyTable::new(transaction, PAGE_SUMS),
            credits: transaction.open_table(CREDITS)?,
            credits_buffered: HashMap::new(),
            usage_buffered: HashMap::new(),
            depth_changes: HashMap::new(),
            effects: Vec::new(),
        })
    }
}
