//! The store: jobs, results, credits and their indexes in one redb file. Every method of [`Store`]
//! is one atomic step. Nothing outside of this folder knows redb.

mod attempts;
mod batches;
mod cache;
mod check;
mod counts;
mod credits;
mod envelope;
mod error;
mod evidence_files;
mod expiry;
mod idempotency;
mod jobs;
mod lazy_table;
mod list;
mod open;
mod outbox;
mod overlay;
mod reads;
mod record;
mod recovery;
mod scrapers;
mod shared;
mod sizes;
mod snapshot;
mod storage;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod usage;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use uuid::Uuid;

pub use batches::NewItem;
use cache::CACHE_AHEAD_MS_MAX;
pub use cache::{CacheEntry, Cached, request_hash};
pub use check::{CheckReport, ExportReport};
pub use counts::{Counts, CountsKind};
pub use credits::Credits;
pub use error::StoreError;
pub use evidence_files::{EvidenceFile, EvidenceFolder, EvidenceOwner};
pub use expiry::{DeadlineOutcome, SWEEP_ROWS_MAX, SweepOutcome};
pub use idempotency::{idempotency_of, idempotency_of_batch, idempotency_of_samples};
pub use jobs::{NewResult, SubmitLimits};
pub use list::{Cursor, LIST_ROWS_MAX, ListFilter, ListPage};
pub use open::{OpenOptions, QuickRepair};
pub use outbox::{OutboxKey, Reported, ResendError};
pub use record::{decode_job, encode_job};
pub use scrapers::Scrapers;
pub use shared::hide_guarded_panics;
pub use sizes::StoreSizes;
pub use tables::{Effect, ReadyKey, Row, UsageEvent};
pub use usage::{DAYS_KEPT_MAX, DailyUsage, Usage};
pub use writer::{BATCH_WRITES_MAX, Pending, WRITES_WAITING_MAX};

use crate::clock::UnixMs;
use crate::id::IdCipher;
use crate::job::{AttemptEnd, Event, Failure, Job, TransitionError};
use crate::tally::HistogramReport;
use shared::Shared;
use storage::Storage;
use writer::WriteQueue;

/// Why a job was not taken. Nothing of it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// The scraper has as many unfinished jobs as it may have.
    QueueFull,
    /// The account's allowance for the month does not cover the price.
    CreditLimit,
    /// The idempotency key came with another request before.
    KeyReused,
}

/// Told of every commit's effects, on the writer's thread: must be quick and must not write.
pub trait Listener: Send + Sync {
    /// What a commit has brought about, in order.
    fn committed(&self, effects: &[Effect]);
    /// The store refuses every write until it has recovered.
    fn failed(&self, error: &StoreError);
}

/// The identity of a job that is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewIdentity {
    pub row: Row,
    pub nonce: u128,
    pub id: Uuid,
}

/// What the writer has done since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterStats {
    /// Transactions committed, each with one fsync.
    pub commits: u64,
    /// Writes in them.
    pub writes: u64,
}

/// The store. Dropping it without [`Store::close`] leaves a repair to the next start.
pub struct Store {
    shared: Arc<Shared>,
    cipher: IdCipher,
    scrapers: Arc<Scrapers>,
    next_row: AtomicU64,
    queue: RwLock<Option<WriteQueue>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// What it was opened with and on, for when it has to be opened again.
    options: OpenOptions,
    storage: Box<dyn Storage>,
}

impl Store {
    /// Makes `listener` hear of every later commit. What was committed before is in the ready
    /// index. Only the first call counts.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        let _ = self.shared.listener.set(listener);
    }

    /// A row number, a nonce and the id that carries both, for a new job.
    ///
    /// # Errors
    /// The operating system's generator failed.
    pub fn new_identity(&self) -> Result<NewIdentity, StoreError> {
        self.identity_of(self.next_rows(1))
    }

    /// The first of so many fresh row numbers.
    fn next_rows(&self, count: u64) -> Row {
        self.next_row.fetch_add(count, Ordering::Relaxed)
    }

    fn identity_of(&self, row: Row) -> Result<NewIdentity, StoreError> {
        let (nonce, id) = self.cipher.seal_fresh(row)?;
        Ok(NewIdentity { row, nonce, id })
    }

    /// The id of a job.
    pub fn id_of(&self, job: &Job) -> Uuid {
        self.cipher.seal(job.row, job.nonce)
    }

    /// Writes a new job with its identity, indexes and credits; one that is born `done` brings
    /// its result. Where the job has an idempotency key that came with the same request before,
    /// nothing is written, and the answer is that earlier job: it has another row.
    pub fn submit(
        &self,
        job: Job,
        result: Option<Vec<u8>>,
        limits: SubmitLimits,
    ) -> Pending<Result<Job, SubmitError>> {
        let scrapers = self.scrapers.clone();
        self.queue(|queue| {
            queue.submit(move |tables| {
                jobs::insert(tables, &scrapers, job, result.as_deref(), limits)
            })
        })
    }

    /// Applies the event that `decide` chooses for the job as it stands; a success brings its
    /// result. Blocks until it is committed. Gives the job as it is then.
    ///
    /// # Errors
    /// The store failed; the job is as it was.
    pub fn transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl FnOnce(&Job) -> Event + Send + 'static,
        result: Option<NewResult>,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        self.begin_transition(row, now_ms, decide, result).wait()
    }

    /// As [`Store::transition`], but blocks only while the writer has too much to do. What is begun
    /// by one thread is written in the order in which it was begun.
    pub fn begin_transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl FnOnce(&Job) -> Event + Send + 'static,
        result: Option<NewResult>,
    ) -> Pending<Result<Job, TransitionError>> {
        let scrapers = self.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                jobs::transition(tables, &scrapers, row, now_ms, decide, result.as_ref())
            })
        })
    }

    /// As [`Store::begin_transition`] with the event that ends an attempt; one that has failed is kept
    /// with its job, in the same transaction, even if the job has ended meanwhile.
    pub fn begin_outcome(
        &self,
        row: Row,
        now_ms: UnixMs,
        event: Event,
        result: Option<NewResult>,
        failed: Option<AttemptEnd>,
    ) -> Pending<Result<Job, TransitionError>> {
        let scrapers = self.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                let decide = |_: &Job| event;
                let outcome =
                    jobs::transition(tables, &scrapers, row, now_ms, decide, result.as_ref())?;
                let ended = TransitionError::Finished;
                if let Some(failed) = failed
                    && outcome.as_ref().err().is_none_or(|refusal| *refusal == ended)
                {
                    attempts::note(tables, row, failed)?;
                }
                Ok(outcome)
            })
        })
    }

    /// As [`Store::transition`] without a result, for handlers: does not block the thread.
    ///
    /// # Errors
    /// As [`Store::transition`], and when the writer has too much to do.
    pub async fn transition_async(
        &self,
        row: Row,
        now_ms: UnixMs,
        decide: impl FnOnce(&Job) -> Event + Send + 'static,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        let scrapers = self.scrapers.clone();
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                jobs::transition(tables, &scrapers, row, now_ms, decide, None)
            })
        });
        pending.committed().await
    }

    /// Ends a job with `failure` because its owner wants it to, whatever runs. Does not block the
    /// thread. Another account's job is as good as none.
    ///
    /// # Errors
    /// The store failed, or its writer has too much to do; the job is as it was.
    pub async fn stop_owned(
        &self,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
        failure: Failure,
    ) -> Result<Result<Job, TransitionError>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(Err(TransitionError::Gone)) };
        let scrapers = self.scrapers.clone();
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                let owned = |job: &Job| plain.has_nonce(job.nonce) && job.account == account;
                let decide = |job: &Job| owned(job).then_some(Event::Stop { failure });
                jobs::transition_if(tables, &scrapers, plain.row, now_ms, decide, None)
            })
        });
        pending.committed().await
    }

    /// Removes at most [`SWEEP_ROWS_MAX`] expired jobs and as many cache entries stored before
    /// `cache_from_ms`, or by a clock that was ahead. Blocks until it is committed.
    ///
    /// # Errors
    /// The store failed; nothing was removed.
    pub fn sweep(&self, now_ms: UnixMs, cache_from_ms: UnixMs) -> Result<SweepOutcome, StoreError> {
        {
            let mut cache = self.shared.cache_index();
            cache.forget_after(now_ms.saturating_add(CACHE_AHEAD_MS_MAX));
            cache.forget_before(cache_from_ms);
        }
        let scrapers = self.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                expiry::sweep(tables, &scrapers, now_ms, cache_from_ms)
            })
        })
        .wait()
    }

    /// Ends at most [`SWEEP_ROWS_MAX`] jobs that should have started by `now_ms` and have not.
    /// Blocks until it is committed.
    ///
    /// # Errors
    /// The store failed; no job was ended.
    pub fn end_overdue(&self, now_ms: UnixMs) -> Result<DeadlineOutcome, StoreError> {
        let scrapers = self.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| expiry::end_overdue(tables, &scrapers, now_ms))
        })
        .wait()
    }

    /// Makes at most [`SWEEP_ROWS_MAX`] unfinished jobs that are due after `now_ms` due so much
    /// earlier, but not before that: the clock was set back, and by it they would wait too long.
    /// Begins behind `after`, and gives what to go on behind when there may be more. Blocks until it
    /// is committed.
    ///
    /// # Errors
    /// The store failed; no job was changed.
    pub fn pull_forward_after_clock_step(
        &self,
        now_ms: UnixMs,
        by_ms: u64,
        after: Option<ReadyKey>,
    ) -> Result<Option<ReadyKey>, StoreError> {
        let scrapers = self.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                expiry::pull_forward_after_clock_step(tables, &scrapers, now_ms, by_ms, after)
            })
        })
        .wait()
    }

    /// The numbers and names of all scrapers that the store knows, configured now or not.
    pub fn scrapers(&self) -> impl Iterator<Item = (u16, &str)> {
        self.scrapers.entries.iter().map(|entry| (entry.number, entry.name.as_str()))
    }

    /// A scraper's unfinished jobs: those that wait and those that run.
    pub fn unfinished(&self, scraper: u16) -> usize {
        self.scrapers.depth(scraper, &HashMap::new())
    }

    /// Why every write is refused, when it is.
    pub fn failure(&self) -> Option<StoreError> {
        self.shared.outage_error()
    }

    /// Commits a write that changes nothing: whether the writer and the disk still answer. Blocks for
    /// as long as they take.
    ///
    /// # Errors
    /// The store takes no writes.
    pub fn probe(&self) -> Result<(), StoreError> {
        self.queue(|queue| queue.submit_blocking(|_| Ok(()))).wait()
    }

    pub fn writer_stats(&self) -> WriterStats {
        let batches = self.batches();
        WriterStats { commits: batches.count(), writes: batches.sum }
    }

    /// How many writes the commits since the start have had.
    pub fn batches(&self) -> HistogramReport {
        self.shared.batches.report()
    }

    /// Writes what is queued, ends the writer and closes the database properly. Later calls find
    /// the store closed.
    pub fn close(&self) {
        // The queue first: with its last sender gone the writer finishes and ends.
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = writer {
            // The writer catches panics, so it ends in order.
            let _ = thread.join();
        }
        // With the lock, so that nobody reads; what was read last must not outlive the database.
        let mut database = self.shared.database.write().unwrap_or_else(PoisonError::into_inner);
        self.shared.forget_latest();
        drop(database.take());
    }

    fn queue<T>(&self, submit: impl FnOnce(&WriteQueue) -> Pending<T>) -> Pending<T> {
        match self.queue.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(queue) => submit(queue),
            None => Pending::refused(StoreError::Closed),
        }
    }
}
