//! What follows from a commit of the store: jobs get to their queues, threads and callers are woken.

use std::sync::Weak;
use std::sync::atomic::Ordering;

use super::events::EngineEvent;
use super::lock::lock;
use super::queue::Offer;
use super::state::Engine;
use crate::store::{Effect, Listener, NodeNews, ScraperLoad, StoreError, WaitedFor};

impl Engine {
    fn committed(&self, effects: &[Effect]) {
        let mut wake = false;
        let now_ms = self.context.clock.now_ms();
        for effect in effects {
            match *effect {
                Effect::Ready { scraper, row, due_ms, interactive } => {
                    if let Some(queue) = self.queue(scraper) {
                        wake |= due_ms > now_ms
                            || (queue.offer(row, interactive) == Offer::Full
                                && queue.pool.wants_refill());
                    }
                    self.waiters.transition.wake(row);
                }
                Effect::Taken { scraper, row, interactive } => {
                    if let Some(queue) = self.queue(scraper) {
                        // Whatever waits outside of the channel: no other process can begin it.
                        queue.offer_from_index(row, interactive);
                    }
                }
                Effect::Deadline { at_ms }
                | Effect::Slot { due_ms: at_ms }
                | Effect::Alert { due_ms: at_ms } => {
                    wake |= at_ms < self.scheduler.next_ms();
                }
                Effect::Delivery { .. } => self.deliverer.wake(),
                Effect::Started { row } => self.waiters.transition.wake(row),
                Effect::Ended { scraper, row } => {
                    wake |= self.queue(scraper).is_some_and(|queue| queue.cancel(row));
                    self.waiters.end.wake(row);
                    self.waiters.transition.wake(row);
                }
                Effect::BatchEnded { row } => self.waiters.end.wake(row),
                Effect::Counted { scraper, what } => {
                    if let Some(queue) = self.queue(scraper) {
                        queue.stats.emit(EngineEvent::Job { at_ms: now_ms, what });
                    }
                }
                Effect::Open { scraper } => {
                    if let Some(queue) = self.queue(scraper).filter(|queue| queue.pool.size > 0) {
                        queue.note_open();
                        wake = true;
                    }
                }
                Effect::Cached { .. } => {}
            }
        }
        if wake {
            self.scheduler.wake();
        }
    }
}

impl Engine {
    /// Returns what other processes should know of this one.
    pub fn news(&self) -> NodeNews {
        let queues = self.queues.iter().filter(|queue| queue.pool.size > 0);
        let load = queues.map(|queue| ScraperLoad {
            scraper: queue.scraper,
            workers: queue.pool.size,
            running: queue.running(),
            run_ms: queue.run_ms(),
        });
        NodeNews {
            scrapers: load.collect(),
            upstreams: self.upstreams.names(),
            settings: Some(*lock(&self.agreement)),
        }
    }
}

/// Called on the writer's thread. Weak, because the engine holds the store.
impl Listener for Weak<Engine> {
    fn committed(&self, effects: &[Effect]) {
        if let Some(engine) = self.upgrade() {
            engine.committed(effects);
        }
    }

    fn failed(&self, error: &StoreError) {
        tracing::error!(%error, "the store has failed: no job is taken until it works again");
        if let Some(engine) = self.upgrade() {
            engine.scheduler.wake();
        }
    }

    fn waited_for(&self) -> WaitedFor {
        let Some(engine) = self.upgrade() else { return WaitedFor::default() };
        let running = engine
            .queues
            .iter()
            .flat_map(|queue| queue.running_rows().into_iter().map(|row| (queue.scraper, row)));
        WaitedFor {
            ends: engine.waiters.end.rows(),
            moves: engine.waiters.transition.rows(),
            running: running.collect(),
        }
    }

    fn idle_workers(&self, scraper: u16, interactive: bool) -> usize {
        let Some(engine) = self.upgrade() else { return 0 };
        let stops = engine.context.stopped.load(Ordering::Relaxed);
        let queue = engine.queue(scraper).filter(|_| !stops);
        queue.map_or(0, |queue| queue.pool.free(interactive))
    }

    fn news(&self) -> NodeNews {
        self.upgrade().map_or_else(NodeNews::default, |engine| engine.news())
    }
}
