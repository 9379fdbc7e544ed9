//! The engine: fixed pools of worker threads, one per scraper, and the scheduler. It hears of every
//! commit from the store, and what it forgets or misses the ready index still has.

mod attempt;
#[cfg(test)]
pub(crate) mod breakpoints;
mod clock_step;
mod counts;
mod day;
mod evidence;
mod health;
mod queue;
mod recovery;
mod retry;
mod saved_counts;
mod scheduler;
mod single_flight;
mod stop;
#[cfg(test)]
pub(crate) mod tests;
mod totals;
mod waiters;
mod webhook;
mod workers;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use tokio::sync::oneshot;
use uuid::Uuid;

pub use day::{BUCKET_SECONDS, DayBucket};
pub use health::{HealthReport, WINDOW_MINUTES};
pub use queue::QUEUE_ENTRIES_MAX;
pub use totals::TotalsReport;
pub use webhook::DeliveryCounts;

use crate::answer;
use crate::clock::{Clock, UnixMs};
use crate::config::{Settings, file::Retry};
use crate::job::{Job, ScrapeRequest, State};
use crate::store::{Effect, EvidenceFolder, Listener, Row, Store, StoreError, request_hash};
use crate::upstream::browser::recipe::Problem;
use crate::upstream::http::Lookup;
use crate::upstream::{Registry, Served, UpstreamStatus};
use queue::{Offer, Queue};
use saved_counts::SavedCounts;
use single_flight::SingleFlight;
use waiters::Waiters;
use webhook::Deliverer;

/// The most jobs that are counted to say how far behind in the queue one is.
const AHEAD_COUNTED_MAX: usize = 256;

/// What the engine works with.
pub struct Engine {
    store: Arc<Store>,
    clock: Clock,
    upstreams: Registry,
    retry: Retry,
    cache_ttl_ms: u64,
    /// The start of `markdown_url`, without a slash at its end.
    public_url: String,
    /// What attempts at pages have left.
    evidence: EvidenceFolder,
    /// By the store's number of the scraper.
    queues: Vec<Queue>,
    /// The counts of the last day, on disk.
    saved_counts: SavedCounts,
    /// What is being asked for.
    flights: SingleFlight,
    /// Those who wait for a job's end.
    waiters: Waiters,
    /// Those who wait for a job's next transition.
    watchers: Waiters,
    deliverer: Deliverer,
    wakes: Mutex<Option<Sender<()>>>,
    /// When the scheduler's next pass is due, so that not every deadline has to wake it. The end of
    /// time while a pass runs: it may have looked at the deadlines already.
    scheduler_wakes_ms: AtomicU64,
    /// Passes that the scheduler has begun.
    scheduler_passes: AtomicU64,
    /// Workers end when the sender is gone.
    stopping: (Mutex<Option<Sender<()>>>, Receiver<()>),
    /// Set when the store is damaged, so that opening it again does not help.
    store_failed: (Sender<()>, Receiver<()>),
    threads: Mutex<Threads>,
    stopped: AtomicBool,
    /// Set before the running attempts are given back: one that starts later goes back by itself.
    giving_back: Arc<AtomicBool>,
    #[cfg(test)]
    breakpoints: Arc<breakpoints::Breakpoints>,
}

/// How busy a scraper is, and how it has fared.
pub struct QueueStatus {
    /// Jobs that wait for their first attempt or for another.
    pub waiting: usize,
    pub running: usize,
    pub health: HealthReport,
}

/// The engine's threads, and a channel that is disconnected when the last worker has ended.
#[derive(Default)]
struct Threads {
    /// By the scraper's number and the worker's. A thread whose slot was taken is not among them.
    workers: BTreeMap<(u16, usize), JoinHandle<()>>,
    workers_ended: Option<Receiver<()>>,
    scheduler: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the workers of every scraper that is configured, or that has jobs left from when it
    /// was, the deliverer of webhooks, and the scheduler, which finds what the last run has left.
    /// `lookup` resolves the hosts of webhooks in the place of the system, where there is one.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        store: Arc<Store>,
        upstreams: Registry,
        settings: &Settings,
        public_url: String,
        lookup: Option<Lookup>,
        clock: Clock,
    ) -> std::io::Result<Arc<Engine>> {
        let engine = Engine::new(store, upstreams, settings, public_url, lookup, clock);
        engine.run(settings)?;
        Ok(engine)
    }

    /// An engine whose threads have not been started.
    fn new(
        store: Arc<Store>,
        upstreams: Registry,
        settings: &Settings,
        public_url: String,
        lookup: Option<Lookup>,
        clock: Clock,
    ) -> Arc<Engine> {
        let mut queues: Vec<Queue> = store
            .scrapers()
            .map(|(number, name)| {
                let workers = match settings.scrapers.get(name) {
                    Some(scraper) if settings.missing(scraper).is_none() => scraper.workers,
                    // One worker, so that jobs from before end with a reason.
                    _ if store.unfinished(number) > 0 => 1,
                    _ => 0,
                };
                Queue::new(number, name.to_owned(), workers, clock.clone())
            })
            .collect();
        queues.sort_by_key(|queue| queue.scraper);
        let (stop, stopping) = crossbeam_channel::bounded(0);
        let saved_counts = SavedCounts::restore(&store, &queues, clock.now_ms());
        #[cfg(test)]
        let breakpoints = Arc::<breakpoints::Breakpoints>::default();
        Arc::new(Engine {
            deliverer: Deliverer::new(
                store.clone(),
                &settings.webhooks,
                lookup,
                clock.clone(),
                #[cfg(test)]
                breakpoints.clone(),
            ),
            store,
            upstreams,
            retry: settings.retry.clone(),
            cache_ttl_ms: settings.cache.ttl_seconds.saturating_mul(1000),
            public_url,
            evidence: EvidenceFolder::new(
                &settings.store.path,
                settings.browser.evidence_bytes_max,
            ),
            saved_counts,
            queues,
            flights: SingleFlight::default(),
            waiters: Waiters::default(),
            watchers: Waiters::default(),
            wakes: Mutex::default(),
            scheduler_wakes_ms: AtomicU64::new(UnixMs::MAX),
            scheduler_passes: AtomicU64::new(0),
            stopping: (Mutex::new(Some(stop)), stopping),
            store_failed: crossbeam_channel::bounded(1),
            threads: Mutex::new(Threads::default()),
            stopped: AtomicBool::new(false),
            giving_back: Arc::default(),
            #[cfg(test)]
            breakpoints,
            clock,
        })
    }

    /// Starts its threads.
    fn run(self: &Arc<Engine>, settings: &Settings) -> std::io::Result<()> {
        let (wake, wakes) = crossbeam_channel::bounded(1);
        *self.wakes.lock().unwrap_or_else(PoisonError::into_inner) = Some(wake);
        self.store.listen(Arc::new(Arc::downgrade(self)));
        self.deliverer.run(&settings.webhooks)?;
        self.spawn_threads(wakes)
    }

    /// Registers for the end of a job. Register first and look at the job second.
    pub fn wait_for(&self, row: Row) -> oneshot::Receiver<()> {
        self.waiters.register(row)
    }

    /// Forgets those who have stopped waiting for a job.
    pub fn forget_gone_waiters(&self, row: Row) {
        self.waiters.forget_gone(row);
    }

    /// Registers for the next transition of a job, as [`Engine::wait_for`] does for its end; `None`
    /// when there will be none before the process ends.
    pub fn watch(&self, row: Row) -> Option<oneshot::Receiver<()>> {
        let changed = self.watchers.register(row);
        (!self.watchers.closed()).then_some(changed)
    }

    /// Forgets those who have stopped watching a job.
    pub fn forget_gone_watchers(&self, row: Row) {
        self.watchers.forget_gone(row);
    }

    /// How long a scraper's jobs are likely to take until a new one starts, milliseconds.
    pub fn wait_estimate_ms(&self, scraper: &str) -> u64 {
        let queue = self.queues.iter().find(|queue| queue.name == scraper);
        queue.map_or(0, |queue| queue.wait_estimate_ms(self.store.unfinished(queue.scraper)))
    }

    /// How long it is likely to take until a pending job has ended, milliseconds: from how many
    /// jobs are ahead of it and how long attempts have taken of late. What lies behind
    /// `horizon_ms` is not counted out.
    pub fn end_estimate_ms(&self, job: &Job, horizon_ms: u64) -> u64 {
        let queue = self.queues.iter().find(|queue| queue.name == job.request.scraper);
        let Some(queue) = queue else { return 0 };
        let run_ms = queue.wait_estimate_ms(queue.workers);
        let now_ms = self.clock.now_ms();
        let wait_ms = match job.state {
            State::Queued => queue.wait_estimate_ms(self.ahead(queue, job, horizon_ms)),
            State::WaitingRetry { .. } => job.due_ms.saturating_sub(now_ms),
            State::Running | State::Done | State::Failed(_) => 0,
        };
        wait_ms.saturating_add(run_ms)
    }

    /// How many jobs go before a queued one, counted until they fill the horizon.
    fn ahead(&self, queue: &Queue, job: &Job, horizon_ms: u64) -> usize {
        let mut ahead = 0;
        let counted =
            self.store.visit_ready(queue.scraper, job.interactive, self.clock.now_ms(), |row| {
                let enough = ahead >= AHEAD_COUNTED_MAX
                    || queue.wait_estimate_ms(ahead) >= horizon_ms
                    || queue.wait_estimate_ms(1) == 0;
                if row == job.row || enough {
                    return ControlFlow::Break(());
                }
                ahead += 1;
                ControlFlow::Continue(())
            });
        match counted {
            Ok(()) if ahead < AHEAD_COUNTED_MAX => ahead,
            // It is far behind: the whole queue is near enough.
            Ok(()) | Err(_) => self.store.unfinished(queue.scraper),
        }
    }

    /// How busy a scraper is and how it has fared; `None` for one that the store does not know.
    pub fn queue_status(&self, scraper: &str) -> Option<QueueStatus> {
        let queue = self.queues.iter().find(|queue| queue.name == scraper)?;
        let running = queue.all_running().len();
        Some(QueueStatus {
            waiting: self.store.unfinished(queue.scraper).saturating_sub(running),
            running,
            health: queue.health.report(self.clock.now_ms()),
        })
    }

    /// What attempts at pages have left.
    pub fn evidence(&self) -> &EvidenceFolder {
        &self.evidence
    }

    /// Reads a folder of recipes again; gives what is wrong with files that were passed over.
    pub fn reload_recipes(&self, folder: &Path) -> Vec<Problem> {
        self.upstreams.reload_recipes(folder)
    }

    /// Returns how long no upstream can be asked that takes the request, milliseconds.
    pub fn paused_ms(&self, request: &ScrapeRequest) -> u64 {
        self.upstreams.paused_ms(request)
    }

    /// How every upstream fares.
    pub fn upstreams(&self) -> Vec<UpstreamStatus> {
        self.upstreams.status()
    }

    /// Returns what a scraper's upstreams take together.
    pub fn served(&self, scraper: &str) -> Served {
        self.upstreams.served(scraper)
    }

    /// Receives a message when the store is damaged.
    pub fn store_failures(&self) -> Receiver<()> {
        self.store_failed.1.clone()
    }

    /// What the cache holds for a request, rendered for the job of this id; `None` where it holds
    /// nothing, or is not to be asked.
    pub fn cached_result(&self, request: &ScrapeRequest, id: Uuid) -> Option<Vec<u8>> {
        if !self.caches(request) {
            return None;
        }
        let now_ms = self.clock.now_ms();
        let hash = request_hash(request);
        let found = self.store.cached(hash, self.cache_from_ms(now_ms), now_ms);
        let cached = found.unwrap_or_else(|error| {
            // A fresh scrape answers just as well as a result that cannot be read.
            tracing::error!(%error, "a cached result could not be read");
            None
        })?;
        if request_hash(&cached.request) != hash {
            tracing::error!("an entry of the cache leads to another request's result");
            return None;
        }
        answer::as_cached(&cached.json, &id.to_string(), &self.public_url, cached.stored_ms)
    }

    /// Whether the cache may answer a request.
    fn caches(&self, request: &ScrapeRequest) -> bool {
        !request.bypass_cache && self.cache_ttl_ms > 0
    }

    /// Results stored before this moment no longer serve others.
    pub fn cache_from_ms(&self, now_ms: UnixMs) -> UnixMs {
        now_ms.saturating_sub(self.cache_ttl_ms)
    }

    /// When a result stored at `stored_ms` ceases to serve others.
    fn cache_until_ms(&self, stored_ms: UnixMs) -> UnixMs {
        stored_ms.saturating_add(self.cache_ttl_ms).saturating_add(1)
    }

    /// Makes the deliverer look at the outbox, as it does by itself within a minute.
    #[cfg(test)]
    pub fn look_at_webhooks(&self) {
        self.deliverer.wake();
    }

    /// How many passes the scheduler has begun; asks it for another.
    pub fn scheduler_passes(&self) -> u64 {
        self.wake();
        self.scheduler_passes.load(Ordering::SeqCst)
    }

    /// Makes the scheduler look at the queues.
    fn wake(&self) {
        let wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        match wakes.as_ref().map(|wakes| wakes.try_send(())) {
            // One wake waits already: the pass it causes sees what this one is for.
            Some(Ok(()) | Err(TrySendError::Full(()))) => {}
            Some(Err(TrySendError::Disconnected(()))) | None => {}
        }
    }

    /// Hands ready jobs to their queues and wakes those who wait for ended ones.
    fn committed(&self, effects: &[Effect]) {
        let mut wake = false;
        let now_ms = self.clock.now_ms();
        for effect in effects {
            match effect {
                Effect::Ready { scraper, row, due_ms, interactive } => {
                    let queue = self.queues.iter().find(|queue| queue.scraper == *scraper);
                    match queue {
                        Some(queue) if *due_ms <= now_ms => {
                            wake |= queue.offer(*row, *interactive) == Offer::Full
                                && queue.wants_refill();
                        }
                        Some(_) => wake = true,
                        None => {}
                    }
                    self.watchers.wake(*row);
                }
                Effect::Deadline { at_ms } => {
                    wake |= *at_ms < self.scheduler_wakes_ms.load(Ordering::SeqCst);
                }
                Effect::Delivery { .. } => self.deliverer.wake(),
                Effect::Started { row } => self.watchers.wake(*row),
                Effect::Ended { scraper, row } => {
                    if let Some(queue) = self.queues.iter().find(|queue| queue.scraper == *scraper)
                    {
                        wake |= queue.cancel(*row);
                    }
                    self.waiters.wake(*row);
                    self.watchers.wake(*row);
                }
                Effect::BatchEnded { row } => self.waiters.wake(*row),
                Effect::Counted { scraper, what } => {
                    if let Some(queue) = self.queues.iter().find(|queue| queue.scraper == *scraper)
                    {
                        queue.day.count(now_ms, *what);
                        queue.totals.count(*what);
                    }
                }
                Effect::Cached { .. } => {}
            }
        }
        if wake {
            self.wake();
        }
    }
}

/// The store's commits reach the engine here, on the writer's thread. Weak, because the engine
/// holds the store.
impl Listener for Weak<Engine> {
    fn committed(&self, effects: &[Effect]) {
        if let Some(engine) = self.upgrade() {
            engine.committed(effects);
        }
    }

    fn failed(&self, error: &StoreError) {
        tracing::error!(%error, "the store has failed: no job is taken until it works again");
        if let Some(engine) = self.upgrade() {
            engine.wake();
        }
    }
}
