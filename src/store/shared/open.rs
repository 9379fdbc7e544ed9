//! Opening and closing a shared store: the schema, this process's number, the numbers of scrapers,
//! and the tasks that write and read.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::beat::BeatLoop;
use super::clock_offset;
use super::connect::{PgConnector, PgSession, Purpose};
use super::ended_jobs::EndedJobs;
use super::error::PgError;
use super::feed::Feed;
use super::handle::{SharedStore, Tasks};
use super::hours;
use super::migrate;
use super::nodes::{self, NodeProfile};
use super::options::SharedOptions;
use super::process::Process;
use super::readers::ReadQueues;
use super::reads::StoreReader;
use super::rows::{self, RowNumbers};
use super::schema;
use super::standby;
use super::status::NodeStatus;
use super::upkeep::UpkeepLoop;
use super::versions::{MIGRATIONS, RECORD_MAX};
use super::wake::{self, WakeLoop};
use super::writer::StoreWriter;
use crate::config::WakeBy;
use crate::id::IdCipher;
use crate::store::cache::CacheIndex;
use crate::store::pending::Patience;
use crate::store::scrapers::ScraperEntry;
use crate::store::{Scrapers, StoreError, WRITES_WAITING_MAX};

/// The threads that all connections of a process share.
const THREADS: usize = 2;
/// The most reads that may wait for a connection.
const READS_WAITING_MAX: usize = 8_192;
/// How often a scraper's number is taken while other processes take numbers.
const NUMBER_TRIES: usize = 100;

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
        let (queues, reads): (Vec<_>, Vec<_>) =
            (0..options.readers).map(|_| mpsc::channel(READS_WAITING_MAX)).unzip();
        let opened = runtime.block_on(prepare(options, ReadQueues::new(queues)));
        let (process, profile, session) = opened?;
        for (number, receiver) in (0..).zip(reads) {
            let (connector, rows) = (process.connector.clone(), process.figures.read_rows.clone());
            let reader = StoreReader::new(connector, rows, number, receiver);
            runtime.spawn(reader.run());
        }
        let numbers = Arc::new(RowNumbers::new());
        let mut feed = Feed::new(options.cache_from_ms);
        let mut beat = BeatLoop::new(process.clone(), options.clock.clone(), profile);
        runtime.block_on(async {
            let now_ms = options.clock.now_ms();
            rows::fetch(&session, &numbers, now_ms).await?;
            hours::make_ahead(&session, now_ms).await?;
            standby::check_as(&session, options.require_standby).await?;
            feed.read(&process).await?;
            beat.pass().await
        })?;
        let (closing, closed) = watch::channel(false);
        let (stopping, stopped) = watch::channel(false);
        let (mut senders, mut tasks) = (Vec::new(), Tasks::default());
        for number in 0..options.writers {
            let (sender, receiver) = mpsc::channel(WRITES_WAITING_MAX);
            let writer = StoreWriter::new(process.clone(), number, receiver, closed.clone());
            let writer = writer.with_patience(options.patience);
            tasks.writers.push(runtime.spawn(writer.run()));
            senders.push(sender);
        }
        let clock = options.clock.clone();
        let upkeep = UpkeepLoop::new(process.clone(), numbers.clone(), feed, options);
        tasks.loops.push(runtime.spawn(upkeep.run(stopped.clone())));
        let wake = WakeLoop::new(process.clone(), clock.clone(), options.wake);
        tasks.loops.push(runtime.spawn(wake.run(stopped.clone())));
        if options.wake == WakeBy::Notify {
            tasks.loops.push(runtime.spawn(wake::notify(process.clone(), stopped.clone())));
        }
        tasks.loops.push(runtime.spawn(beat.run(stopped)));
        Ok(SharedStore {
            process,
            numbers,
            clock: options.clock.clone(),
            patience: Patience {
                time: options.patience,
                timers: runtime.handle().clone(),
                late: |time| PgError::silent(time.as_secs()).into(),
            },
            writers: RwLock::new(senders),
            tasks: Mutex::new(tasks),
            lane_heads: Mutex::default(),
            closing,
            stopping,
            runtime: Mutex::new(Some(runtime)),
        })
    }

    /// Makes writes be given up that are not answered within the patience of the store.
    pub(crate) fn begin_close(&self) {
        self.closing.send_replace(true);
    }

    /// Writes what is queued, gives back the jobs that this process has, and ends its connections.
    /// Later calls find the store closed. Blocks until that is done.
    pub(crate) fn close(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(runtime) = runtime else { return };
        self.begin_close();
        // With its last sender gone a writer finishes and ends.
        self.writers.write().unwrap_or_else(PoisonError::into_inner).clear();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        runtime.block_on(async {
            for writer in tasks.writers {
                // The writer catches panics, so it ends in order.
                let _ = writer.await;
            }
            // The node beats until its last write.
            self.stopping.send_replace(true);
            for ended in tasks.loops {
                let _ = ended.await;
            }
        });
        runtime.shutdown_background();
    }
}

async fn prepare(
    options: &SharedOptions,
    reads: ReadQueues,
) -> Result<(Arc<Process>, NodeProfile, PgSession), StoreError> {
    let connector = PgConnector::new(&options.pg)?;
    let session = connect_patiently(&connector, options.patience).await?;
    clock_offset::follow(&session, &options.clock, true).await?;
    if options.migrate {
        migrate::migrate(&session, connector.schema(), MIGRATIONS).await?;
    }
    let key = schema::prepare(&session, connector.schema(), None).await?;
    let scrapers = number_scrapers(&session, &options.scrapers).await?;
    let profile = profile(options);
    let node = nodes::register(&session, &profile).await?;
    // Another store was moved here since.
    if schema::find(&session, connector.schema()).await? != key {
        nodes::declare_dead(&session, node, None).await?;
        return Err(StoreError::Busy);
    }
    let process = Process::new(
        connector,
        NodeStatus::new(options.clock.clone(), node),
        reads,
        IdCipher::new(key),
        Arc::new(scrapers),
        CacheIndex::new(options.cache_entries_max),
        EndedJobs::new(options.cache_bytes),
    );
    Ok((Arc::new(process), profile, session))
}

/// Connects, for as long as a database that is away is waited for.
async fn connect_patiently(
    connector: &PgConnector,
    patience: Duration,
) -> Result<PgSession, StoreError> {
    let known = match connector.connect(Purpose::Setup).await.map_err(StoreError::from) {
        // It may come.
        Err(error @ StoreError::Unavailable(_)) => error,
        known => return known,
    };
    let connecting = connector.connect_until_done(Purpose::Setup);
    tokio::time::timeout(patience, connecting).await.map_err(|_| known)
}

fn profile(options: &SharedOptions) -> NodeProfile {
    NodeProfile {
        name: options.pg.node.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        record_max: RECORD_MAX,
        workers: Vec::new(),
        settings: Vec::new(),
        started_ms: options.clock.now_ms() as i64,
        writers: options.writers,
    }
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
            return Ok(Scrapers::new(entries));
        };
        let number = entries.last().map_or(0, |entry| entry.number + 1) as i16;
        let insert = "INSERT INTO scrapers(number, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        session.execute(insert, &[&number, missing]).await?;
    }
    Err(StoreError::Busy)
}
