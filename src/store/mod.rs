//! The store: jobs, results, credits and their indexes in one redb file. Every method of [`Store`]
//! is one atomic step. Nothing outside of this folder knows redb.

mod batches;
mod cache;
mod check;
mod credits;
mod envelope;
mod error;
mod evidence;
mod expiry;
mod idempotency;
mod jobs;
mod lazy_table;
mod list;
mod medium;
mod open;
mod outbox;
mod record;
mod recovery;
mod sizes;
mod snapshot;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod usage;
mod writer;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};
use uuid::Uuid;

pub use batches::NewItem;
pub use cache::{CacheEntry, Cached, request_hash};
pub use check::CheckReport;
pub use credits::Credits;
pub use error::StoreError;
pub use evidence::{EvidenceFile, EvidenceFolder, EvidenceOwner};
pub use expiry::{Overdue, SWEEP_ROWS_MAX, Swept};
pub use idempotency::{idempotency_of, idempotency_of_batch};
pub use jobs::{NewResult, SubmitLimits};
pub use list::{Cursor, LIST_ROWS_MAX, ListFilter, ListPage};
pub use open::{OpenOptions, QuickRepair};
pub use outbox::ResendRefusal;
pub use record::{decode_job, encode_job};
pub use sizes::StoreSizes;
pub use tables::{Counted, Effect, ReadyKey, Row};
pub use usage::{DAYS_KEPT_MAX, DayUse, Use};
pub use writer::{BATCH_WRITES_MAX, Pending, WRITES_WAITING_MAX};

use crate::clock::UnixMs;
use crate::id::IdCipher;
use crate::job::{Event, Failure, Job, Refused, State};
use crate::tally::{Histogram, HistogramReport};
use cache::CacheIndex;
use medium::Medium;
use recovery::Latch;
use snapshot::Snapshot;
use writer::WriteQueue;

/// The upper bounds of the histogram of batches, writes; [`BATCH_WRITES_MAX`] is the last.
const BATCH_BOUNDS: [u64; 8] = [1, 2, 4, 8, 16, 64, 256, 1_024];

/// Why a job was not taken. Nothing of it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitRefusal {
    /// The scraper has as many unfinished jobs as it may have.
    QueueFull,
    /// The account's allowance for the month does not cover the price.
    CreditLimit,
    /// The idempotency key came with another request before.
    KeyReused,
}

/// Why a job's state did not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitionRefusal {
    /// There is no such job, or no longer, or it is another account's.
    Gone,
    Refused(Refused),
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
    medium: Box<dyn Medium>,
}

/// What the writer's thread and the readers share.
struct Shared {
    /// `None` once the store is closed, and while it recovers.
    database: RwLock<Option<Database>>,
    /// The latest committed state, once somebody has read it.
    latest: Mutex<Option<Arc<Snapshot>>>,
    quick_repair: QuickRepair,
    scrapers: Arc<Scrapers>,
    cache: Mutex<CacheIndex>,
    listener: OnceLock<Arc<dyn Listener>>,
    /// Why every write is refused, when it is.
    latched: Mutex<Option<Latch>>,
    /// The writes of each commit.
    batches: Histogram,
    /// Whether there was room when a write was queued for the transaction that the writer begins next.
    room_seen: AtomicBool,
}

/// The scrapers that the store knows: names by number, and how many unfinished jobs each has.
pub struct Scrapers {
    entries: Vec<ScraperEntry>,
}

struct ScraperEntry {
    number: u16,
    name: String,
    unfinished: AtomicUsize,
}

impl Scrapers {
    /// A scraper's name by its number.
    pub fn name(&self, number: u16) -> Option<String> {
        self.entry(number).map(|entry| entry.name.clone())
    }

    /// A scraper's number by its name.
    fn number(&self, name: &str) -> Result<u16, StoreError> {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        entry.map(|entry| entry.number).ok_or(StoreError::Damaged("a scraper was not registered"))
    }

    /// Unfinished jobs, counting what the transaction under way adds and takes.
    fn depth(&self, number: u16, changes: &HashMap<u16, isize>) -> usize {
        let committed =
            self.entry(number).map_or(0, |entry| entry.unfinished.load(Ordering::Relaxed));
        committed.saturating_add_signed(changes.get(&number).copied().unwrap_or(0))
    }

    /// The beginnings of all keys of the ready index, in its order: every scraper's number, without
    /// and with somebody who waits.
    fn lanes(&self) -> impl Iterator<Item = (u16, bool)> {
        self.entries.iter().flat_map(|entry| [(entry.number, false), (entry.number, true)])
    }

    fn entry(&self, number: u16) -> Option<&ScraperEntry> {
        self.entries.iter().find(|entry| entry.number == number)
    }
}

impl Shared {
    fn latched(&self) -> Option<StoreError> {
        let latched = self.latched.lock().unwrap_or_else(PoisonError::into_inner);
        latched.as_ref().map(|latch| latch.error.clone())
    }

    fn latch(&self, error: StoreError) {
        let first = {
            let mut latched = self.latched.lock().unwrap_or_else(PoisonError::into_inner);
            Latch::set(&mut latched, error.clone())
        };
        if first && let Some(listener) = self.listener.get() {
            listener.failed(&error);
        }
    }

    fn committed(&self, writes: usize, effects: &[Effect], depth_changes: &HashMap<u16, isize>) {
        self.batches.observe(writes as u64);
        for (number, change) in depth_changes {
            if let Some(entry) = self.scrapers.entry(*number) {
                // Only the writer's thread changes the count, so load and store cannot race.
                let unfinished = entry.unfinished.load(Ordering::Relaxed);
                entry
                    .unfinished
                    .store(unfinished.saturating_add_signed(*change), Ordering::Relaxed);
            }
        }
        for effect in effects {
            match effect {
                Effect::Cached { hash, stored_ms, row } => {
                    let entry = CacheEntry { row: *row, stored_ms: *stored_ms };
                    self.cache_index().insert(*hash, entry);
                }
                Effect::Ready { .. }
                | Effect::Started { .. }
                | Effect::Deadline { .. }
                | Effect::BatchEnded { .. }
                | Effect::Delivery { .. }
                | Effect::Counted { .. }
                | Effect::Ended { .. } => {}
            }
        }
        if let Some(listener) = self.listener.get() {
            // What is committed stays so, and its writers must hear that. What a panicking
            // listener has missed stands in the ready index.
            let told = catch_unwind(AssertUnwindSafe(|| listener.committed(effects)));
            if told.is_err() {
                tracing::error!("the listener to the store's commits panicked");
            }
        }
    }

    fn cache_index(&self) -> std::sync::MutexGuard<'_, CacheIndex> {
        // An index that a panic has left half-changed can at worst miss an entry.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| self.absent())?;
        self.noted(guarded(|| read(&database.begin_read()?)))
    }

    /// Latches on what makes everything later fail as well.
    fn noted<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &outcome
            && error.latches()
        {
            self.latch(error.clone());
        }
        outcome
    }

    /// Why there is no database.
    fn absent(&self) -> StoreError {
        self.latched().unwrap_or(StoreError::Closed)
    }

    /// Reads the latest committed state, through tables that are opened once for each.
    fn read_latest<T>(
        &self,
        read: impl FnOnce(&Snapshot) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Held while reading: the database is not closed under a reader.
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| self.absent())?;
        self.noted(guarded(|| {
            let snapshot = {
                // Opened under the lock: the writer drops what is here after its commit, so that a
                // state which is older than the latest commit cannot be put back behind it.
                let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
                match &*latest {
                    Some(snapshot) => snapshot.clone(),
                    None => {
                        let snapshot = Arc::new(Snapshot::open(&database.begin_read()?)?);
                        latest.insert(snapshot).clone()
                    }
                }
            };
            read(&snapshot)
        }))
    }

    /// Forgets the state that a commit has replaced.
    fn forget_latest(&self) {
        drop(self.latest.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Runs what reads the database. Bytes that are not what redb has written can make it panic: that
/// is damage, and the end of this reading only.
fn guarded<T>(read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or(Err(StoreError::Damaged("a page of the database cannot be read")))
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
    ) -> Pending<Result<Job, SubmitRefusal>> {
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
    ) -> Result<Result<Job, TransitionRefusal>, StoreError> {
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
    ) -> Pending<Result<Job, TransitionRefusal>> {
        let scrapers = self.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                jobs::transition(tables, &scrapers, row, now_ms, decide, result.as_ref())
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
    ) -> Result<Result<Job, TransitionRefusal>, StoreError> {
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
    ) -> Result<Result<Job, TransitionRefusal>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(Err(TransitionRefusal::Gone)) };
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
    /// `cache_from_ms`. Blocks until it is committed.
    ///
    /// # Errors
    /// The store failed; nothing was removed.
    pub fn sweep(&self, now_ms: UnixMs, cache_from_ms: UnixMs) -> Result<Swept, StoreError> {
        self.shared.cache_index().forget_before(cache_from_ms);
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
    pub fn end_overdue(&self, now_ms: UnixMs) -> Result<Overdue, StoreError> {
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
    pub fn hasten(
        &self,
        now_ms: UnixMs,
        by_ms: u64,
        after: Option<ReadyKey>,
    ) -> Result<Option<ReadyKey>, StoreError> {
        let scrapers = self.scrapers.clone();
        self.queue(|queue| {
            queue.submit_blocking(move |tables| {
                expiry::hasten(tables, &scrapers, now_ms, by_ms, after)
            })
        })
        .wait()
    }

    /// Reads the job of an id with the JSON of its result, if it exists at `now_ms`. The bytes are
    /// the database's own: `read` copies what it needs.
    ///
    /// # Errors
    /// The store failed or is damaged.
    pub fn read_job<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(None) };
        self.read_row(plain.row, now_ms, |job, result| {
            plain.has_nonce(job.nonce).then(|| read(job, result))
        })
        .map(Option::flatten)
    }

    /// As [`Store::read_job`], by row number.
    ///
    /// # Errors
    /// The store failed or is damaged.
    pub fn read_row<T>(
        &self,
        row: Row,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        self.shared.read_latest(|snapshot| {
            let Some(bytes) = snapshot.jobs.get(row)? else { return Ok(None) };
            let (job, _) = record::decode_job(
                row,
                bytes.value(),
                |number| self.scrapers.name(number),
                || Ok(snapshot.prompts.get(row)?.map(|prompt| prompt.value().to_owned())),
            )?;
            if job.expires_ms <= now_ms {
                return Ok(None);
            }
            if job.state != State::Done {
                return Ok(Some(read(&job, None)));
            }
            let stored =
                snapshot.results.get(row)?.ok_or(StoreError::Damaged("a result is missing"))?;
            Ok(Some(read(&job, Some(record::decode_result(row, stored.value())?))))
        })
    }

    /// The cached result for a request's hash that was stored at `from_ms` or later and whose job
    /// still exists at `now_ms`.
    ///
    /// # Errors
    /// The store failed or is damaged.
    pub fn cached(
        &self,
        hash: u128,
        from_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Option<Cached>, StoreError> {
        let Some(entry) = self.shared.cache_index().get(hash, from_ms) else { return Ok(None) };
        let found = self.read_row(entry.row, now_ms, |job, result| {
            let json = result?.to_vec();
            Some(Cached { stored_ms: entry.stored_ms, request: job.request.clone(), json })
        });
        Ok(found?.flatten())
    }

    /// Walks a scraper's unfinished jobs that are due at `now_ms` and that somebody waits for
    /// (`interactive`) or nobody does, in the order in which they came due, until `visit` breaks.
    ///
    /// # Errors
    /// The store failed.
    pub fn visit_ready(
        &self,
        scraper: u16,
        interactive: bool,
        now_ms: UnixMs,
        mut visit: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.shared.read(|transaction| {
            let ready = transaction.open_table(tables::READY)?;
            let due = (scraper, interactive, 0, 0)..=(scraper, interactive, now_ms, Row::MAX);
            for entry in ready.range(due)? {
                if visit(entry?.0.value().3).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// When the next of a scraper's unfinished jobs comes due after `now_ms`.
    ///
    /// # Errors
    /// The store failed.
    pub fn next_ready_ms(
        &self,
        scraper: u16,
        now_ms: UnixMs,
    ) -> Result<Option<UnixMs>, StoreError> {
        self.shared.read(|transaction| {
            let ready = transaction.open_table(tables::READY)?;
            let mut earliest_ms = None;
            for interactive in [true, false] {
                let after = (scraper, interactive, now_ms.saturating_add(1), 0);
                let mut later = ready.range(after..=(scraper, interactive, u64::MAX, Row::MAX))?;
                let due_ms = later.next().transpose()?.map(|(key, _)| key.value().2);
                earliest_ms = earliest_ms.into_iter().chain(due_ms).min();
            }
            Ok(earliest_ms)
        })
    }

    /// When the oldest job ceases to exist.
    ///
    /// # Errors
    /// The store failed.
    pub fn next_expiry_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.shared.read(|transaction| {
            let expiry = transaction.open_table(tables::EXPIRY)?;
            Ok(expiry.first()?.map(|(key, _)| key.value().0))
        })
    }

    /// When the last job ceases to exist.
    ///
    /// # Errors
    /// The store failed.
    pub fn last_expiry_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.shared.read(|transaction| {
            let expiry = transaction.open_table(tables::EXPIRY)?;
            Ok(expiry.last()?.map(|(key, _)| key.value().0))
        })
    }

    /// When the newest job was submitted, by the clock of that time.
    ///
    /// # Errors
    /// The store failed or is damaged.
    pub fn newest_created_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        let newest = self.shared.read(|transaction| {
            let jobs = transaction.open_table(tables::JOBS)?;
            Ok(jobs.last()?.map(|(row, _)| row.value()))
        })?;
        // At the beginning of time nothing has expired.
        newest.map_or(Ok(None), |row| self.read_row(row, 0, |job, _| job.created_ms))
    }

    /// When the first of the jobs that must start by a moment, and have not, ends for that.
    ///
    /// # Errors
    /// The store failed.
    pub fn next_deadline_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.shared.read(|transaction| {
            let deadlines = transaction.open_table(tables::DEADLINES)?;
            Ok(deadlines.first()?.map(|(key, _)| key.value().0))
        })
    }

    /// When the oldest result was stored that the cache's table still has.
    ///
    /// # Errors
    /// The store failed.
    pub fn oldest_cached_ms(&self) -> Result<Option<UnixMs>, StoreError> {
        self.shared.read(|transaction| {
            let cache = transaction.open_table(tables::CACHE)?;
            Ok(cache.first()?.map(|(key, _)| key.value().0))
        })
    }

    /// What an account has reserved and used in a calendar month.
    ///
    /// # Errors
    /// The store failed.
    pub fn credits(&self, account: &str, month: u32) -> Result<Credits, StoreError> {
        self.shared.read(|transaction| {
            let credits = transaction.open_table(tables::CREDITS)?;
            let stored = credits.get((account, month))?;
            stored.map_or(Ok(Credits::default()), |bytes| {
                record::decode_credits(month, bytes.value())
            })
        })
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
        self.shared.latched()
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
