//! Opening and closing a shared store: the schema, this process's number, the numbers of scrapers,
//! and the tasks that write and read.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tokio::sync::{mpsc, watch};

use super::connect::{PgConnector, PgOptions, PgSession, Purpose};
use super::error::PgError;
use super::handle::SharedStore;
use super::nodes::{self, NodeNumber, NodeProfile};
use super::process::{Accounts, BATCH_BOUNDS, Process, UnknownOutcomes};
use super::reads::StoreReader;
use super::reserve::LaneHeads;
use super::rows::{self, RowNumbers};
use super::schema;
use super::writer::StoreWriter;
use crate::clock::{Clock, UnixMs};
use crate::id::IdCipher;
use crate::store::cache::CacheIndex;
use crate::store::scrapers::ScraperEntry;
use crate::store::{Scrapers, StoreError, WRITES_WAITING_MAX};
use crate::tally::Histogram;

/// The threads that all connections of a process share.
const THREADS: usize = 2;
/// The most reads that may wait for a connection.
const READS_WAITING_MAX: usize = 8_192;
/// How often a scraper's number is taken while other processes take numbers.
const NUMBER_TRIES: usize = 100;

/// The options of opening a shared store.
#[derive(Clone)]
pub(crate) struct SharedOptions {
    pub pg: PgOptions,
    /// Connections that write.
    pub writers: u16,
    /// Connections that read.
    pub readers: u16,
    /// Every configured scraper.
    pub scrapers: Vec<String>,
    /// The most results that the cache remembers.
    pub cache_entries_max: usize,
    /// Results stored earlier are not taken into the cache.
    pub cache_from_ms: UnixMs,
    pub clock: Clock,
}

impl SharedStore {
    /// Connects to the store, makes it when it is not there, registers this process and starts what
    /// writes and reads. Blocks until that is done.
    ///
    /// # Errors
    /// Returns an error if the database cannot be reached or cannot have the store.
    pub(crate) fn open(options: &SharedOptions) -> Result<SharedStore, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("store")
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| PgError::of_machine(&error))?;
        let (process, session) = runtime.block_on(prepare(options))?;
        let numbers = Arc::new(RowNumbers::new());
        runtime.block_on(rows::fetch(&session, &numbers, options.clock.now_ms()))?;
        let (closing, closed) = watch::channel(false);
        let (mut senders, mut writing) = (Vec::new(), Vec::new());
        for number in 0..options.writers {
            let (sender, receiver) = mpsc::channel(WRITES_WAITING_MAX);
            let writer = StoreWriter::new(process.clone(), number, receiver, closed.clone());
            writing.push(runtime.spawn(writer.run()));
            senders.push(sender);
        }
        let readers = (0..options.readers).map(|number| {
            let (sender, receiver) = mpsc::channel(READS_WAITING_MAX);
            let reader = StoreReader::new(process.connector.clone(), number, receiver);
            runtime.spawn(reader.run());
            sender
        });
        let readers = readers.collect();
        runtime.spawn(refill(session, numbers.clone(), process.clone(), options.clock.clone()));
        let store = SharedStore {
            process,
            numbers,
            clock: options.clock.clone(),
            writers: RwLock::new(senders),
            readers,
            next_reader: AtomicUsize::new(0),
            heads: LaneHeads::default(),
            writing: Mutex::new(writing),
            closing,
            runtime: Mutex::new(Some(runtime)),
        };
        store.refresh(options.cache_from_ms)?;
        Ok(store)
    }

    /// Writes what is queued, gives back the jobs that this process has, and ends its connections.
    /// Later calls find the store closed. Blocks until that is done.
    pub(crate) fn close(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(runtime) = runtime else { return };
        self.closing.send_replace(true);
        // With its last sender gone a writer finishes and ends.
        self.writers.write().unwrap_or_else(PoisonError::into_inner).clear();
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let writing = std::mem::take(&mut *writing);
        runtime.block_on(async {
            for writer in writing {
                // The writer catches panics, so it ends in order.
                let _ = writer.await;
            }
            let Process { connector, node, .. } = &*self.process;
            let left = async {
                let session = connector.connect(Purpose::Setup).await?;
                nodes::declare_dead(&session, *node, None).await
            };
            if let Err(error) = left.await {
                tracing::warn!(%error, "what this process had is given back by the others");
            }
        });
        runtime.shutdown_background();
    }
}

/// Fetches row numbers before those that are left are used up.
async fn refill(
    mut session: PgSession,
    numbers: Arc<RowNumbers>,
    process: Arc<Process>,
    clock: Clock,
) {
    loop {
        numbers.until_wanted().await;
        while rows::fetch(&session, &numbers, clock.now_ms()).await.is_err() {
            session = process.connector.connect_until_done(Purpose::Setup).await;
        }
    }
}

async fn prepare(options: &SharedOptions) -> Result<(Arc<Process>, PgSession), StoreError> {
    let connector = PgConnector::new(&options.pg)?;
    let session = connector.connect(Purpose::Setup).await?;
    let key = schema::prepare(&session, connector.schema(), None).await?;
    let scrapers = number_scrapers(&session, &options.scrapers).await?;
    let node = register(&session, options, options.clock.now_ms()).await?;
    let process = Process {
        connector,
        node,
        cipher: IdCipher::new(key),
        scrapers: Arc::new(scrapers),
        accounts: Accounts::default(),
        cache: Mutex::new(CacheIndex::new(options.cache_entries_max)),
        listener: OnceLock::new(),
        batches: Histogram::new(&BATCH_BOUNDS),
        unknown_outcomes: UnknownOutcomes::default(),
    };
    Ok((Arc::new(process), session))
}

async fn register(
    session: &PgSession,
    options: &SharedOptions,
    now_ms: UnixMs,
) -> Result<NodeNumber, StoreError> {
    let profile = NodeProfile {
        name: options.pg.node.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        record_max: 1,
        workers: Vec::new(),
        settings: Vec::new(),
        started_ms: now_ms as i64,
        writers: options.writers,
    };
    nodes::register(session, &profile).await
}

/// Gives every configured scraper a number, and returns all that the store knows with the numbers
/// of their unfinished jobs.
async fn number_scrapers(
    session: &PgSession,
    configured: &[String],
) -> Result<Scrapers, StoreError> {
    for _ in 0..NUMBER_TRIES {
        let known = "SELECT s.number, s.name, coalesce(sum(d.n), 0)::int8 FROM scrapers s \
                     LEFT JOIN depth d ON d.scraper = s.number GROUP BY 1, 2 ORDER BY 1";
        let entries = session.query(known, &[]).await?.into_iter().map(|row| {
            let (number, unfinished): (i16, i64) = (row.get(0), row.get(2));
            let unfinished = AtomicUsize::new(usize::try_from(unfinished).unwrap_or(0));
            ScraperEntry { number: number as u16, name: row.get(1), unfinished }
        });
        let entries: Vec<ScraperEntry> = entries.collect();
        let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let Some(missing) = configured.iter().find(|name| !names.contains(name.as_str())) else {
            return Ok(Scrapers { entries });
        };
        let number = entries.last().map_or(0, |entry| entry.number + 1) as i16;
        let insert = "INSERT INTO scrapers(number, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        session.execute(insert, &[&number, missing]).await?;
    }
    Err(StoreError::Busy)
}
