//! The start and the stop of the engine's threads, and the replacement of a worker whose job has ended
//! while it asks an upstream. Such a call cannot be broken off everywhere (a look-up of a name, for
//! instance), so its thread is left with it and another one takes over its slot.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::attempt;
use super::pool::Slot;
use super::queue::Queue;
use super::scheduler;
use super::state::Engine;
use crate::clock::Clock;
use crate::config::Settings;
use crate::job::{Event, Job};
use crate::net::Lookup;
use crate::store::Store;
use crate::upstream::Registry;

impl Engine {
    /// Starts the workers of every scraper that is configured, or that has jobs left from when it was,
    /// the deliverer of webhooks, and the scheduler, which finds what the last run has left. `lookup`
    /// resolves the hosts of webhooks in the place of the system, if there is one.
    ///
    /// # Errors
    /// Returns an error if a thread cannot be started.
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

    /// Starts its threads.
    pub(super) fn run(self: &Arc<Engine>, settings: &Settings) -> std::io::Result<()> {
        self.context.store.listen(Arc::new(Arc::downgrade(self)));
        self.deliverer.run(&settings.webhooks)?;
        for (at, queue) in self.queues.iter().enumerate() {
            queue.pool.start(self.worker(at))?;
        }
        scheduler::start(self)
    }

    /// Returns what a worker of the queue `at` runs.
    fn worker(self: &Arc<Engine>, at: usize) -> impl Fn(Slot) + Clone + Send + 'static {
        let engine = self.clone();
        move |slot| attempt::work(&engine, &engine.queues[at], slot)
    }

    /// Puts new threads in the place of workers whose jobs have ended while they ask.
    pub(super) fn replace_workers(self: &Arc<Engine>) {
        for (at, queue) in self.queues.iter().enumerate() {
            let unwanted = queue.take_unwanted().into_iter().map(|(row, slot)| {
                self.single_flight.abandon(row, queue, &self.scheduler);
                slot
            });
            queue.pool.restaff(unwanted, self.worker(at));
        }
    }

    /// Stops: no attempt starts any more, running ones may finish for `grace_ms`, the rest go back
    /// without an attempt spent. Returns when nothing of the engine writes any more.
    pub fn stop(&self, grace_ms: u64) {
        let context = &self.context;
        if context.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        context.stop.send();
        context.store.begin_close();
        self.deliverer.dispatcher.stop();
        self.scheduler.stop();
        let watch = context.clock.stopwatch();
        let ended = |queue: &Queue| queue.pool.ended_by(&context.clock, &watch, grace_ms);
        // Every pool, so that the threads of those that have ended are joined.
        if self.queues.iter().filter(|queue| !ended(queue)).count() > 0 {
            self.give_back();
        }
        // A delivery that is cut off is made again: nothing of it is written.
        self.deliverer.pool.ended_by(&context.clock, &watch, grace_ms);
        self.save_counts();
        self.upstreams.close();
        self.waiters.end.wake_all();
        self.waiters.transition.wake_all();
    }

    /// Writes the counts that have changed since the last time, and reads those of other processes.
    pub(super) fn save_counts(&self) {
        let now_ms = self.context.clock.now_ms();
        self.saved_counts.save(&self.context.store, &self.queues, now_ms);
        self.saved_counts.read_elsewhere(&self.context.store, &self.queues, now_ms);
    }

    /// Reads what all processes have spent today, where others share the store.
    pub(super) fn read_spend(&self) {
        let store = &self.context.store;
        if !store.is_shared() {
            return;
        }
        let now_ms = self.context.clock.now_ms();
        if let Err(error) = self.ledger.read(store, &self.upstreams, now_ms) {
            tracing::warn!(%error, "what other processes have spent today could not be read");
        }
    }

    /// Gives back, unspent, every attempt that a worker of this process has started and not ended. Its thread is left to end with
    /// the process; the lease that it holds is worth nothing any more.
    pub(super) fn give_back(&self) {
        let store = &self.context.store;
        // Starts are decided where they are written, and from here on none is: one that was written
        // before is seen by the release after it, whether or not its worker has gone on yet.
        self.context.giving_back.store(true, Ordering::SeqCst);
        let now_ms = self.context.clock.now_ms();
        let mut released = Vec::new();
        for queue in &self.queues {
            for (row, started) in queue.start_leases() {
                // Read where it is written: a start that is written before has noted its lease.
                let release =
                    move |_: &Job| Event::Release { lease: started.load(Ordering::SeqCst) };
                released.push((queue, store.begin_transition(row, now_ms, release, None)));
                // Last, so that what a call makes of it is written too late.
                queue.cancel(row);
            }
        }
        for (queue, written) in released {
            match written.wait() {
                Ok(Ok(job)) => tracing::info!(
                    job = %store.id_of(&job), scraper = queue.name(),
                    "attempt given back at the stop"
                ),
                // It waits in the channel, or ended on its own in this moment.
                Ok(Err(_)) => {}
                Err(error) => tracing::error!(%error, "an attempt could not be given back"),
            }
        }
    }
}
