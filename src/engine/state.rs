//! The engine's parts, and what the service may ask of them. Its threads are in `lifecycle.rs`.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, Weak};

use crossbeam_channel::Receiver;
use uuid::Uuid;

use super::alerts::{AlertEvaluator, Alerts};
use super::context::Context;
use super::history::HealthReport;
use super::ledger::Ledger;
use super::lock::lock;
use super::pass_loop::PassLoop;
use super::queue::Queue;
use super::saved_counts::SavedCounts;
use super::single_flight::SingleFlight;
use super::slots::{SlotRunner, Slots};
use super::stats::Stats;
use super::waiters::{Wait, Waiters};
use super::webhook::{Deliverer, DeliveryCounts};
use crate::answer::{self, CachedResult};
use crate::clock::{Clock, UnixMs};
use crate::config::{Agreement, Key, Settings, file::Retry};
use crate::job::{Job, ScrapeRequest, State};
use crate::net::Lookup;
use crate::rate::SharedBudgets;
use crate::store::{Row, ScraperLoad, Store, request_hash};
use crate::upstream::Registry;

/// The engine: what its threads work with.
pub struct Engine {
    pub(super) context: Arc<Context>,
    pub(super) upstreams: Registry,
    pub(super) ledger: Ledger,
    /// The hashes of the settings in force, which processes that share the store compare.
    pub(super) agreement: Mutex<Agreement>,
    pub(super) settings: AttemptSettings,
    /// Directory of browser evidence (screenshots, HTML).
    /// By the store's number of the scraper.
    pub(super) queues: Vec<Queue>,
    pub(super) saved_counts: SavedCounts,
    pub(super) single_flight: SingleFlight,
    pub(super) waiters: JobWaiters,
    pub(super) deliverer: Arc<Deliverer>,
    pub(super) scheduler: Arc<PassLoop>,
    pub(super) slots: Slots,
    pub(super) alerts: Alerts,
}

/// The settings that attempts follow.
pub(super) struct AttemptSettings {
    pub retry: Retry,
    pub cache_ttl_ms: u64,
    /// How long it is kept what trackers have measured.
    pub report_ms: u64,
    /// Whether results have more than the fields of the contract.
    pub extra_arrays: bool,
    /// The start of `markdown_url`, without a slash at its end.
    pub public_url: String,
}

/// Callers that wait for a job.
#[derive(Default)]
pub(super) struct JobWaiters {
    pub end: Waiters,
    pub transition: Waiters,
}

/// Queue depth and recent health of a scraper.
pub struct QueueStatus {
    /// Jobs that wait for their first attempt or for another.
    pub waiting: usize,
    /// Jobs whose attempt runs, in any process.
    pub running: usize,
    /// Those of this process.
    pub running_here: usize,
    /// The workers of other processes.
    pub workers_elsewhere: usize,
    pub health: HealthReport,
}

/// Returns how many workers a scraper gets. One that the settings do not configure, or whose
/// upstreams all lack something, gets a single worker if it has unfinished jobs, so that these end
/// with a reason. No other rule fails them: without a worker nothing is reserved. In a store that
/// other processes have too, those may be able to run what this one cannot: it leaves them alone.
fn workers(settings: &Settings, scraper: &str, store: &Store, number: u16) -> usize {
    let configured = settings.scrapers.get(scraper);
    match configured.filter(|scraper| settings.missing(scraper).is_none()) {
        Some(scraper) => scraper.workers,
        None => usize::from(!store.is_shared() && store.unfinished(number) > 0),
    }
}

impl Engine {
    /// Creates an engine whose threads have not been started. `lookup` resolves the hosts of webhooks in
    /// the place of the system, if there is one.
    pub(super) fn new(
        store: Arc<Store>,
        upstreams: Registry,
        settings: &Settings,
        public_url: String,
        lookup: Option<Lookup>,
        clock: Clock,
    ) -> Arc<Engine> {
        let context = Context::new(store.clone(), clock.clone());
        let queue = |(number, name): (u16, &str)| {
            let workers = workers(settings, name, &store, number);
            let stop = context.stop.clone();
            let queue = Queue::new(number, name.to_owned(), workers, clock.clone(), stop);
            if store.is_shared() { queue.sharing() } else { queue }
        };
        let mut queues: Vec<Queue> = store.scrapers().map(queue).collect();
        queues.sort_by_key(|queue| queue.scraper);
        if let Some(budgets) = Store::budgets(&store) {
            upstreams.share(&budgets);
        }
        let ledger = Ledger::restored(&store, &upstreams, clock.now_ms());
        ledger.set_caps(&settings.keys);
        Arc::new(Engine {
            saved_counts: SavedCounts::restore(&store, &queues, clock.now_ms()),
            deliverer: Deliverer::new(context.clone(), settings, lookup),
            context,
            upstreams,
            ledger,
            agreement: Mutex::new(Agreement::of(settings, &settings.keys)),
            settings: AttemptSettings {
                retry: settings.retry.clone(),
                report_ms: settings.store.report_ms,
                cache_ttl_ms: settings.cache.ttl_seconds.saturating_mul(1000),
                extra_arrays: settings.results.extra_arrays,
                public_url,
            },
            queues,
            single_flight: SingleFlight::default(),
            waiters: JobWaiters::default(),
            scheduler: PassLoop::new("scheduler"),
            slots: Slots::default(),
            alerts: Alerts::default(),
        })
    }

    /// Waits for the end of a job or of a batch. Register first and look at it second.
    pub fn wait_for(&self, row: Row) -> Wait<'_> {
        self.waiters.end.register(row)
    }

    /// Waits for the next transition of a job, as [`Engine::wait_for`] does for its end; `None` if there
    /// will be none before the process ends.
    pub fn watch(&self, row: Row) -> Option<Wait<'_>> {
        let changed = self.waiters.transition.register(row);
        (!self.waiters.transition.closed()).then_some(changed)
    }

    /// Returns how long it is likely to take until a new job of a scraper starts, milliseconds.
    pub fn wait_estimate_ms(&self, scraper: &str) -> u64 {
        let queue = self.queue_of(scraper);
        queue.map_or(0, |queue| {
            queue.wait_estimate_ms(self.unfinished(queue), &self.load_elsewhere(queue))
        })
    }

    /// Returns the workers that all processes have for a scraper, `own` of them in this one.
    pub fn workers_of_all(&self, scraper: &str, own: usize) -> usize {
        let elsewhere = self.queue_of(scraper).map(|queue| self.load_elsewhere(queue).workers);
        own.saturating_add(elsewhere.unwrap_or(0))
    }

    pub(super) fn load_elsewhere(&self, queue: &Queue) -> ScraperLoad {
        self.context.store.load_elsewhere(queue.scraper)
    }

    /// Returns how long it is likely to take until a pending job has ended, milliseconds: from how many
    /// jobs are ahead of it and how long attempts have taken.
    pub fn end_estimate_ms(&self, job: &Job) -> u64 {
        let Some(queue) = self.queue_of(&job.request.scraper) else { return 0 };
        let elsewhere = self.load_elsewhere(queue);
        let wait_ms = match job.state {
            State::Queued => self.turn_estimate_ms(queue, job, &elsewhere),
            State::WaitingRetry { .. } => job.due_ms.saturating_sub(self.context.clock.now_ms()),
            State::Running | State::Done | State::Failed(_) => 0,
        };
        wait_ms.saturating_add(queue.run_estimate_ms(&elsewhere))
    }

    /// Returns how long the jobs are likely to take that go before a queued one, milliseconds.
    fn turn_estimate_ms(&self, queue: &Queue, job: &Job, elsewhere: &ScraperLoad) -> u64 {
        match queue.turns_before(job.row, job.interactive) {
            // The workers of this process alone take what is in its channel.
            Some(turns) => {
                let own = ScraperLoad { workers: 0, ..*elsewhere };
                queue.wait_estimate_ms(queue.running().saturating_add(turns), &own)
            }
            // It is far back: the whole queue is near enough.
            None => queue.wait_estimate_ms(self.unfinished(queue), elsewhere),
        }
    }

    pub(super) fn unfinished(&self, queue: &Queue) -> usize {
        self.context.store.unfinished(queue.scraper)
    }

    pub(super) fn queue_of(&self, scraper: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.name() == scraper)
    }

    /// Returns the queue of a scraper by the store's number.
    pub(super) fn queue(&self, scraper: u16) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.scraper == scraper)
    }

    /// Returns the queue depth and recent health of a scraper; `None` if the store does not know it.
    pub fn queue_status(&self, scraper: &str) -> Option<QueueStatus> {
        let queue = self.queue_of(scraper)?;
        let elsewhere = self.load_elsewhere(queue);
        let running_here = queue.running();
        let running = running_here.saturating_add(elsewhere.running);
        let waiting = self.unfinished(queue).saturating_sub(running);
        let workers_elsewhere = elsewhere.workers;
        let health = queue.stats.hour.sum(self.context.clock.now_ms());
        Some(QueueStatus { waiting, running, running_here, workers_elsewhere, health })
    }

    /// Returns the limits that the processes of a shared store have together; `None` where the
    /// store is a file.
    pub fn budgets(&self) -> Option<Arc<dyn SharedBudgets>> {
        Store::budgets(&self.context.store)
    }

    /// Puts the caps of other keys in force, beside the settings of the start, and lets the
    /// processes that share the store know of the keys.
    pub fn reload_keys(&self, settings: &Settings, keys: &[Key]) {
        self.ledger.set_caps(keys);
        *lock(&self.agreement) = Agreement::of(settings, keys);
    }

    /// Returns when the hour and the day of [`Engine::stats`] began to be counted, in this process or one
    /// before it.
    pub fn since_ms(&self) -> UnixMs {
        self.saved_counts.since_ms()
    }

    /// Returns the statistics of a scraper; `None` if the store does not know it.
    pub fn stats(&self, scraper: &str) -> Option<&Stats> {
        Some(&self.queue_of(scraper)?.stats)
    }

    /// Returns the counts of webhook deliveries since the start.
    pub fn deliveries(&self) -> DeliveryCounts {
        self.deliverer.counts()
    }

    /// Returns what accounts have spent today, and may.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns the upstreams of every scraper.
    pub fn upstreams(&self) -> &Registry {
        &self.upstreams
    }

    /// Returns a channel that gets a message when the store is damaged.
    pub fn store_failures(&self) -> Receiver<()> {
        self.context.store_damaged.1.clone()
    }

    /// Returns what the cache holds for a request, rendered for the job of this id; `None` if it holds
    /// nothing, or must not be asked.
    pub async fn cached_result(&self, request: &ScrapeRequest, id: Uuid) -> Option<CachedResult> {
        if !self.caches(request) {
            return None;
        }
        let now_ms = self.context.clock.now_ms();
        let hash = request_hash(request);
        let found = self.context.store.cached(hash, self.cache_from_ms(now_ms), now_ms);
        let cached = found.await.unwrap_or_else(|error| {
            // A fresh scrape answers just as well as a result that cannot be read.
            tracing::error!(%error, "a cached result could not be read");
            None
        })?;
        if request_hash(&cached.request) != hash {
            tracing::error!("an entry of the cache leads to another request's result");
            return None;
        }
        let public_url = &self.settings.public_url;
        let has_extras = self.settings.extra_arrays;
        answer::as_cached(&cached.json, &id.to_string(), public_url, cached.stored_ms, has_extras)
    }

    /// Returns a stored result as clients get it.
    pub fn shown<'a>(&self, stored: &'a [u8]) -> Cow<'a, [u8]> {
        answer::shown(stored, self.settings.extra_arrays)
    }

    /// Returns whether the cache may answer a request.
    pub(super) fn caches(&self, request: &ScrapeRequest) -> bool {
        !request.bypass_cache && self.settings.cache_ttl_ms > 0
    }

    /// Returns the moment before which stored results no longer serve others.
    pub fn cache_from_ms(&self, now_ms: UnixMs) -> UnixMs {
        now_ms.saturating_sub(self.settings.cache_ttl_ms)
    }

    /// Has alerts evaluated by `evaluator` from now on. Only the first call counts.
    pub fn evaluate_alerts_by(&self, evaluator: Weak<dyn AlertEvaluator>) {
        self.alerts.evaluate_by(evaluator);
        self.scheduler.wake();
    }

    /// Has the slots of schedules run by `runner` from now on. Only the first call counts.
    pub fn run_slots_by(&self, runner: Weak<dyn SlotRunner>) {
        self.slots.run_by(runner);
        self.scheduler.wake();
    }

    /// Returns how many passes the scheduler has begun; asks it for another.
    pub fn scheduler_passes(&self) -> u64 {
        self.scheduler.wake();
        self.scheduler.passes()
    }

    /// Makes the deliverer look at the outbox, as it does by itself within a minute.
    #[cfg(test)]
    pub fn look_at_webhooks(&self) {
        self.deliverer.wake();
    }
}
