//! The parts of an open shared store, and what any thread asks of it at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::lanes::LaneHeads;
use super::operation::Operation;
use super::process::Process;
use super::row_number::RowShard;
use super::rows::RowNumbers;
use crate::alert::{Alert, Notice};
use crate::clock::Clock;
use crate::id::{IdCipher, IdParts};
use crate::job::{BatchKey, Job, Schedule};
use crate::store::effects::Listener;
use crate::store::pending::Patience;
use crate::store::{NewIdentity, Row, Scrapers, StoreError, WriterStats};

/// The end of a writer's queue that callers hold.
pub(super) type OperationQueue = mpsc::Sender<Box<dyn Operation>>;

/// The tasks of an open store.
#[derive(Default)]
pub(super) struct Tasks {
    pub writers: Vec<JoinHandle<()>>,
    pub loops: Vec<JoinHandle<()>>,
}

/// How long a submit waits for row numbers.
const ROWS_PATIENCE: Duration = Duration::from_secs(5);

/// A store in a schema of PostgreSQL, which belongs to several processes.
pub(crate) struct SharedStore {
    pub(super) process: Arc<Process>,
    pub(super) numbers: Arc<RowNumbers>,
    pub(super) clock: Clock,
    /// How long handlers and the scheduler wait for a write.
    pub(super) patience: Patience,
    /// Empty once the store is closed.
    pub(super) writers: RwLock<Vec<OperationQueue>>,
    pub(super) tasks: Mutex<Tasks>,
    pub(super) lane_heads: Mutex<LaneHeads>,
    /// What the database does not answer is given up.
    pub(super) closing: watch::Sender<bool>,
    /// The loops end.
    pub(super) stopping: watch::Sender<bool>,
    pub(super) runtime: Mutex<Option<Runtime>>,
}

impl SharedStore {
    pub(crate) fn cipher(&self) -> &IdCipher {
        &self.process.cipher
    }

    pub(crate) fn scrapers(&self) -> &Arc<Scrapers> {
        &self.process.scrapers
    }

    /// Makes `listener` hear of every later commit of this process. Only the first call counts.
    pub(crate) fn listen(&self, listener: Arc<dyn Listener>) {
        let _ = self.process.listener.set(listener);
    }

    /// Returns a row number, a nonce and the id that carries both, for a new job of an account.
    ///
    /// # Errors
    /// Returns an error if the row numbers in memory are used up, or the operating system's
    /// generator failed.
    pub(crate) fn new_identity(&self, account: &str) -> Result<NewIdentity, StoreError> {
        self.identity_of(self.next_rows(account, 1)?)
    }

    /// Returns the identity of a batch of an account and of each of its items.
    ///
    /// # Errors
    /// Returns an error if [`SharedStore::new_identity`] would.
    pub(crate) fn new_batch_identity(
        &self,
        account: &str,
        items: usize,
    ) -> Result<(BatchKey, Vec<NewIdentity>), StoreError> {
        let row = self.next_rows(account, items as u32 + 1)?;
        let key = BatchKey { row, id: self.identity_of(row)?.id };
        let identities = (row + 1..=row + items as u64).map(|row| self.identity_of(row));
        Ok((key, identities.collect::<Result<_, _>>()?))
    }

    /// Returns the first of this many row numbers, which follow each other. Waits for those that
    /// are on their way.
    ///
    /// # Errors
    /// Returns an error if they do not come.
    pub(crate) async fn next_rows_when_there(
        &self,
        account: &str,
        rows: u32,
    ) -> Result<Row, StoreError> {
        let taken = self.next_rows(account, rows);
        if !matches!(taken, Err(StoreError::Busy)) {
            return taken;
        }
        let shard = RowShard::of_account(account);
        let (numbers, clock) = (self.numbers.clone(), self.clock.clone());
        let waiting = {
            let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(runtime) = runtime.as_ref() else { return Err(StoreError::Closed) };
            // On the store's own runtime, because the caller may have none.
            runtime.spawn(async move {
                let taken = numbers.take_when_there(shard, rows, &clock);
                tokio::time::timeout(ROWS_PATIENCE, taken).await
            })
        };
        waiting.await.ok().and_then(Result::ok).ok_or(StoreError::Busy)
    }

    fn next_rows(&self, account: &str, rows: u32) -> Result<Row, StoreError> {
        self.numbers.take(RowShard::of_account(account), rows, self.clock.now_ms())
    }

    fn identity_of(&self, row: Row) -> Result<NewIdentity, StoreError> {
        let (nonce, id) = self.process.cipher.seal_fresh(row)?;
        Ok(NewIdentity { row, nonce, id })
    }

    /// Returns the id of a job.
    pub(crate) fn id_of(&self, job: &Job) -> Uuid {
        self.process.cipher.seal(job.row, job.nonce)
    }

    /// Returns the id of an alert.
    pub(crate) fn alert_id(&self, alert: &Alert) -> Uuid {
        self.process.cipher.seal(alert.row, alert.nonce)
    }

    /// Returns the id of a notice.
    pub(crate) fn notice_id(&self, notice: &Notice) -> Uuid {
        self.process.cipher.seal(notice.row, notice.nonce)
    }

    /// Returns the id of a schedule.
    pub(crate) fn schedule_id(&self, schedule: &Schedule) -> Uuid {
        self.process.cipher.seal(schedule.row, schedule.nonce)
    }

    /// Returns what an id carries; `None` if it is no id of this store.
    pub(crate) fn parts_of(&self, id: Uuid) -> Option<IdParts> {
        self.process.cipher.open(id)
    }

    /// Returns a scraper's unfinished jobs: exact for what this process writes, as of the last
    /// count for what others do.
    pub(crate) fn unfinished(&self, scraper: u16) -> usize {
        self.process.scrapers.depth(scraper, &HashMap::new())
    }

    pub(crate) fn writer_stats(&self) -> WriterStats {
        let batches = self.process.batches.report();
        WriterStats { commits: batches.count(), writes: batches.sum }
    }
}
