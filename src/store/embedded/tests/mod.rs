//! The store under test: a directory that lasts, jobs to put into it, and a way to hold the writer.

mod backup;
mod broken;
mod completions;
pub(crate) mod crash;
pub(crate) mod failing;
mod flips;
mod group_commit;
mod life;
mod list;
mod measures;
pub(crate) mod model;
mod one_state;
mod outbox;
pub(crate) mod print;
mod refusals;
mod reopen;
mod vendor_tasks;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crossbeam_channel::Sender;
use redb::{ReadTransaction, ReadableTable};
use tempfile::TempDir;
use uuid::Uuid;

use super::transaction::Tables;
use super::*;
use crate::clock::UnixMs;
use crate::job::{Event, Job, RawRequest, ScrapeRequest, State, TransitionError};
use crate::store::*;

/// 2026-05-11T12:00:00Z.
const START_MS: UnixMs = 1_778_500_800_000;
const MONTH: u32 = 202_605;
const RETENTION_MS: u64 = 86_400_000;
const NO_LIMITS: SubmitLimits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };

fn options(directory: &Path) -> OpenOptions {
    OpenOptions {
        directory: directory.to_owned(),
        cache_bytes: 1 << 20,
        quick_repair: QuickRepair::Never,
        free_mib_min: 0,
        scrapers: vec!["chatgpt".to_owned(), "perplexity".to_owned()],
        cache_entries_max: 100,
        cache_from_ms: 0,
        evidence_bytes_max: 0,
        shared: None,
    }
}

impl Store {
    /// Makes the writer call `hook` between each commit and the change of what readers see.
    pub(crate) fn after_commit(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.embedded().unwrap().shared.after_commit.lock().unwrap() = Some(Arc::new(hook));
    }

    pub(crate) fn forget_after_commit(&self) {
        *self.embedded().unwrap().shared.after_commit.lock().unwrap() = None;
    }
}

/// A store that can be closed, broken and opened again.
struct Fixture {
    directory: TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&options(directory.path())).unwrap();
        Fixture { directory, store }
    }

    fn reopen(self) -> Fixture {
        self.store.close();
        let store = Store::open(&options(self.directory.path())).unwrap();
        Fixture { store, ..self }
    }

    /// Closes the store and gives what its check finds.
    fn check(self) -> CheckReport {
        self.store.close();
        Store::check(self.directory.path()).unwrap()
    }

    fn new_job(&self, prompt: &str) -> Job {
        let identity = self.store.new_identity("team-a").wait().unwrap();
        let job = Job::fixture(identity.row, identity.nonce, request(prompt), START_MS);
        Job { account: "team-a".to_owned(), ..job }
    }

    fn submit(&self, job: Job) -> Job {
        self.store.submit(job, None, NO_LIMITS).wait().unwrap().unwrap()
    }

    /// Applies an event `after_ms` after the start of the test.
    fn apply(&self, row: Row, after_ms: u64, event: Event) -> Job {
        self.apply_with(row, after_ms, event, None)
    }

    fn apply_with(&self, row: Row, after_ms: u64, event: Event, result: Option<NewResult>) -> Job {
        self.store
            .transition(row, START_MS + after_ms, move |_| event.clone(), result)
            .unwrap()
            .unwrap()
    }

    /// A job that is done, with a result that serves requests of this hash.
    fn done(&self, prompt: &str, cache_hash: Option<u128>) -> Job {
        let job = self.submit(self.new_job(prompt));
        self.apply(job.row, 0, Event::Start);
        let result = NewResult { json: br#"{"text":"42"}"#.to_vec(), cache_hash };
        self.apply_with(job.row, 1, Event::Succeed { lease: 1, present: None }, Some(result))
    }

    /// Runs something inside a transaction of the writer.
    fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        self.store.embedded().unwrap().queue(|queue| queue.submit(run))
    }

    /// Occupies the writer until something is sent: what is queued meanwhile is one batch.
    fn hold_writer(&self) -> Sender<()> {
        hold_writer(&self.store)
    }

    fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> T) -> T {
        self.store
            .embedded()
            .unwrap()
            .shared
            .read(|snapshot| Ok(read(snapshot.transaction())))
            .unwrap()
    }

    /// Every byte of every table that jobs change.
    fn bytes(&self) -> BTreeMap<&'static str, Vec<String>> {
        macro_rules! rows {
            ($transaction:expr, $table:expr) => {{
                let table = $transaction.open_table($table).unwrap();
                let rows = table.iter().unwrap().map(|entry| {
                    let (key, value) = entry.unwrap();
                    format!("{:?} {:?}", key.value(), value.value())
                });
                rows.collect()
            }};
        }
        self.read(|transaction| {
            BTreeMap::from([
                ("jobs", rows!(transaction, tables::JOBS)),
                ("prompts", rows!(transaction, tables::PROMPTS)),
                ("results", rows!(transaction, tables::RESULTS)),
                ("ready", rows!(transaction, tables::READY)),
                ("expiry", rows!(transaction, tables::EXPIRY)),
                ("deadlines", rows!(transaction, tables::DEADLINES)),
                ("idempotency", rows!(transaction, tables::IDEMPOTENCY)),
                ("cache", rows!(transaction, tables::CACHE)),
                ("outbox", rows!(transaction, tables::OUTBOX)),
                ("deliveries", rows!(transaction, tables::DELIVERIES)),
                ("credits", rows!(transaction, tables::CREDITS)),
            ])
        })
    }

    /// The whole state, a line for a row, without what is random.
    fn state(&self) -> String {
        print::state(&self.store)
    }
}

/// As [`Fixture::hold_writer`].
fn hold_writer(store: &Store) -> Sender<()> {
    let (entered, inside) = crossbeam_channel::bounded(1);
    let (release, released) = crossbeam_channel::bounded::<()>(1);
    let hold = move |_: &mut Tables<'_>| {
        entered.send(()).unwrap();
        released.recv().unwrap();
        Ok(())
    };
    let held = store.embedded().unwrap().queue(|queue| queue.submit(hold));
    inside.recv().unwrap();
    drop(held);
    release
}

fn request(prompt: &str) -> ScrapeRequest {
    let raw = RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() };
    raw.check("chatgpt", &[]).unwrap()
}
