//! The pools of workers: their start, and the replacement of a worker whose job has ended while it
//! asks an upstream. Such a call cannot be broken off everywhere (a look-up of a name, for instance),
//! so its thread is left with it and another one takes the worker's place.

use std::sync::{Arc, PoisonError};

use crossbeam_channel::Receiver;

use super::queue::WorkerSlot;
use super::single_flight::SingleFlight;
use super::{Engine, attempt, scheduler};
use crate::clock::UnixMs;
use crate::job::{Event, Failure, Job};
use crate::store::StoreError;

/// How long after a caller has stopped waiting its call may go on, milliseconds: most calls end by
/// themselves then.
const OVERDUE_MS: u64 = 500;

impl Engine {
    /// Starts the workers of all scrapers, and the scheduler.
    ///
    /// # Errors
    /// Returns an error if a thread cannot be started.
    pub(super) fn spawn_threads(self: &Arc<Engine>, wakes: Receiver<()>) -> std::io::Result<()> {
        // Each worker's slot has a sender; nothing is ever sent.
        let (alive, ended) = crossbeam_channel::bounded::<()>(0);
        for (at, queue) in self.queues.iter().enumerate() {
            for number in 1..=queue.workers {
                self.spawn_worker(at, WorkerSlot::new(number, alive.clone()))?;
            }
        }
        let engine = self.clone();
        let scheduler = std::thread::Builder::new()
            .name("scheduler".to_owned())
            .spawn(move || scheduler::run(&engine, &wakes))?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.workers_ended = Some(ended);
        threads.scheduler = Some(scheduler);
        Ok(())
    }

    /// Starts a worker of the queue `at`.
    fn spawn_worker(self: &Arc<Engine>, at: usize, slot: WorkerSlot) -> std::io::Result<()> {
        let queue = &self.queues[at];
        let key = (queue.scraper, slot.number);
        let engine = self.clone();
        let thread = std::thread::Builder::new()
            .name(format!("{}-{}", queue.name, slot.number))
            .spawn(move || attempt::run(&engine, &engine.queues[at], slot))?;
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.workers.insert(key, thread);
        Ok(())
    }

    /// Puts new threads in the place of workers whose jobs have ended while they ask.
    pub(super) fn replace_workers(self: &Arc<Engine>) {
        for (at, queue) in self.queues.iter().enumerate() {
            let unwanted = queue.take_unwanted().into_iter().map(|(row, slot)| {
                SingleFlight::abandon(self, queue, row);
                slot
            });
            for slot in queue.take_vacant().into_iter().chain(unwanted) {
                if let Err(error) = self.spawn_worker(at, slot.clone()) {
                    tracing::error!(scraper = queue.name, %error, "a worker could not be started");
                    queue.leave_vacant(slot);
                }
            }
        }
    }

    /// Ends the jobs that are still asked for though their callers have stopped waiting: the callers
    /// of waiting calls, which end their jobs themselves, may have gone.
    pub(super) fn end_overdue_calls(&self, now_ms: UnixMs) -> Result<(), StoreError> {
        for queue in &self.queues {
            for row in queue.overdue(now_ms.saturating_sub(OVERDUE_MS)) {
                let stop = |job: &Job| {
                    let failure = Failure::timeout(job.request.timeout_ms);
                    Event::Stop { failure }
                };
                if let Ok(job) = self.store.transition(row, now_ms, stop, None)? {
                    attempt::log_end(self, &job, self.store.id_of(&job), None);
                }
            }
        }
        Ok(())
    }

    /// Returns when [`Engine::end_overdue_calls`] has something to do next.
    pub(super) fn next_overdue_call_ms(&self) -> Option<UnixMs> {
        let next_ms = self.queues.iter().filter_map(|queue| queue.next_overdue_ms()).min();
        next_ms.map(|deadline_ms| deadline_ms.saturating_add(OVERDUE_MS))
    }
}
