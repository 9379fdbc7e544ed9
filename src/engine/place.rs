//! What a pending job does or waits for: its calls so far, and its place in the queue. Nothing of
//! it is kept; it is read where somebody asks for it.

use std::ops::ControlFlow;

use super::queue::Queue;
use super::state::Engine;
use crate::clock::UnixMs;
use crate::job::{AttemptCall, Job};
use crate::upstream::RunningCall;

/// The most jobs ahead of a job that are counted.
const AHEAD_COUNTED_MAX: usize = 1_000;

/// The place of a job whose next attempt has not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the attempt is due, if that is yet to come.
    pub due_ms: Option<UnixMs>,
    /// From 1 on; `None` before it is due, and if more than 1,000 jobs are ahead.
    pub position: Option<usize>,
    /// About how many jobs of the scraper wait.
    pub waiting: usize,
    /// When it is likely to start; `None` if unknown.
    pub starts_in_ms: Option<u64>,
}

impl Engine {
    /// Returns what the running attempt of a job has done, and the call that it makes; `None`
    /// before it comes to its first upstream.
    pub fn calls_so_far(&self, job: &Job) -> Option<(Vec<AttemptCall>, Option<RunningCall>)> {
        let (lease, log) = self.queue_of(&job.request.scraper)?.call_log(job.row)?;
        (lease == job.lease).then(|| log.so_far())
    }

    /// Returns the place of a job that waits for its next attempt.
    pub async fn place(&self, job: &Job) -> Place {
        let now_ms = self.context.clock.now_ms();
        let due_ms = Some(job.due_ms).filter(|due_ms| *due_ms > now_ms);
        let Some(queue) = self.queue_of(&job.request.scraper) else {
            return Place { due_ms, position: None, waiting: 0, starts_in_ms: None };
        };
        let elsewhere = self.load_elsewhere(queue);
        let running = queue.running().saturating_add(elsewhere.running);
        let waiting = self.unfinished(queue).saturating_sub(running);
        let ahead = match due_ms {
            Some(_) => None,
            None => self.waiting_ahead(queue, job, now_ms).await,
        };
        let is_any_idle = queue.pool.idle() > 0 || elsewhere.running < elsewhere.workers;
        let in_turn_ms = match ahead {
            Some(0) if is_any_idle => Some(0),
            // Where it is far back, the whole queue is near enough.
            _ => {
                let jobs = ahead.unwrap_or(waiting) + 1;
                Some(queue.wait_estimate_ms(jobs, &elsewhere)).filter(|ms| *ms > 0)
            }
        };
        let due_in_ms = due_ms.map(|due_ms| due_ms - now_ms);
        let paused_ms = self.upstreams.paused_ms(&job.request);
        let starts_in_ms = due_in_ms.or(in_turn_ms).map(|wait_ms| wait_ms.max(paused_ms));
        Place { due_ms, position: ahead.map(|ahead| ahead + 1), waiting, starts_in_ms }
    }

    /// Returns how many jobs wait for a worker and go before this one; `None` if too many to count.
    async fn waiting_ahead(&self, queue: &Queue, job: &Job, now_ms: UnixMs) -> Option<usize> {
        let running = queue.running_rows();
        let mut ahead = 0;
        // Those that a client waits for go before the others.
        let kinds = if job.interactive { &[true][..] } else { &[true, false] };
        for interactive in kinds {
            let count = |row| {
                if row == job.row || ahead > AHEAD_COUNTED_MAX {
                    return ControlFlow::Break(());
                }
                ahead += usize::from(!running.contains(&row));
                ControlFlow::Continue(())
            };
            let store = &self.context.store;
            store.visit_ready(queue.scraper, *interactive, now_ms, count).await.ok()?;
        }
        (ahead <= AHEAD_COUNTED_MAX).then_some(ahead)
    }
}
