//! The stop: no attempt starts any more, those that run may end in their time, and the rest go back.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::Engine;
use super::clock_step::ClockStepDetector;
use crate::job::{Event, Job};

impl Engine {
    /// Stops: no attempt starts any more, running ones may finish for `grace_ms`, the rest go back
    /// without an attempt spent. Returns when nothing of the engine writes any more.
    pub fn stop(&self, grace_ms: u64) {
        if self.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        drop(self.stopping.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.wakes.lock().unwrap_or_else(PoisonError::into_inner).take());
        let delivering = self.deliverer.begin_stop();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(scheduler) = threads.scheduler {
            // A panic of the scheduler is in the log; there is nothing left for it to do.
            let _ = scheduler.join();
        }
        // Those that the scheduler would have started.
        for queue in &self.queues {
            drop(queue.take_vacant());
        }
        let wall = ClockStepDetector::new(&self.clock);
        let until_ms = wall.monotonic_ms(&self.clock).saturating_add(grace_ms);
        if self.ended_by(threads.workers_ended.as_ref(), &wall, until_ms) {
            for worker in threads.workers.into_values() {
                let _ = worker.join();
            }
        } else {
            self.give_back();
        }
        // A delivery that is cut off is made again: nothing of it is written.
        self.ended_by(delivering.as_ref(), &wall, until_ms);
        self.save_counts();
        self.upstreams.close();
        self.waiters.wake_all();
        self.watchers.wake_all();
    }

    /// Whether all threads of a pool ended before the time was up, by the monotonic clock: who sets
    /// the clock back must not hold up a stop.
    fn ended_by(
        &self,
        ended: Option<&Receiver<()>>,
        wall: &ClockStepDetector,
        until_ms: u64,
    ) -> bool {
        let Some(ended) = ended else { return true };
        loop {
            let left_ms = until_ms.saturating_sub(wall.monotonic_ms(&self.clock));
            let wake_ms = self.clock.now_ms().saturating_add(left_ms);
            match self.clock.recv_until(ended, Some(wake_ms)) {
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) if left_ms == 0 => return false,
                // One long wait may be cut into several.
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Gives back, unspent, every attempt that runs or is about to. Its thread is left to end with
    /// the process; the lease that it holds is worth nothing any more.
    pub(super) fn give_back(&self) {
        // Starts are decided where they are written, and from here on none is: one that was written
        // before is seen by the release behind it, whether or not its worker has gone on yet.
        self.giving_back.store(true, Ordering::SeqCst);
        let now_ms = self.clock.now_ms();
        let mut released = Vec::new();
        for queue in &self.queues {
            for row in queue.all_taken() {
                let release = |job: &Job| Event::Release { lease: job.lease };
                released.push((queue, self.store.begin_transition(row, now_ms, release, None)));
                // Last, so that what a call makes of it is written too late.
                queue.cancel(row);
            }
        }
        for (queue, written) in released {
            match written.wait() {
                Ok(Ok(job)) => tracing::info!(
                    job = %self.store.id_of(&job), scraper = queue.name,
                    "attempt given back at the stop"
                ),
                // It waits in the channel, or ended on its own in this moment.
                Ok(Err(_)) => {}
                Err(error) => tracing::error!(%error, "an attempt could not be given back"),
            }
        }
    }
}
