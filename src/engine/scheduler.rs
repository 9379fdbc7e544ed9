//! The scheduler: one thread for what comes due. It refills the queues from the ready index,
//! makes retries come due, ends jobs that did not start in time, runs the slots of schedules,
//! has alerts evaluated, and sweeps what has expired. Everything it does can be done again: it
//! keeps no state that matters.

use std::sync::Arc;

use super::attempt;
use super::breakpoints::Point;
use super::clock_step::{self, ClockStepDetector, Step};
use super::queue::Queue;
use super::recovery::Recovery;
use super::saved_counts::{EXCHANGE_EVERY_MS, SavedCounts};
use super::state::Engine;
use crate::clock::{Stopwatch, UnixMs};
use crate::job::{Event, Failure, Job};
use crate::store::{ReadyKey, StoreError};

/// The least time between two sweeps that are not part of one, milliseconds: expiry is exact at
/// read, so removing can wait until there is a transaction's worth of it.
const SWEEP_EVERY_MS: u64 = 5_000;
/// How long the sweep rests after a full pass, in times of what that pass took: who polls meanwhile
/// should not notice it.
const SWEEP_RESTS: u64 = 4;
/// What has expired so long ago is swept without a rest, milliseconds: more expires than a sweep with
/// rests can remove.
const SWEEP_LATE_MS: u64 = 600_000;
/// The longest time between two passes, milliseconds. Every wait should end with a wake or at a
/// due time; this finds what a defect or a failed write has left lying in the ready index.
pub(super) const PASS_EVERY_MS: u64 = 10_000;
/// For how long after a step of the clock, or a start at which it may be wrong, nothing is removed,
/// milliseconds: a clock is usually put right soon, and what has expired by the wrong one is then
/// there again.
const SWEEP_HOLD_MS: u64 = 600_000;
/// How long after a caller has stopped waiting its call may go on, milliseconds: most calls end by
/// themselves then.
const OVERDUE_CALL_MS: u64 = 500;

/// The state of the scheduler from pass to pass. Its times are monotonic, since the start.
struct Scheduler {
    engine: Arc<Engine>,
    watch: Stopwatch,
    recovery: Recovery,
    clock_steps: ClockStepDetector,
    /// When the next sweep may begin.
    sweep_from_ms: u64,
    /// When all queues are looked at again: a job of one comes due; `None` before the first pass.
    ready_ms: Option<UnixMs>,
    /// What is left to do after the clock was set back.
    pull_forward: Option<PullForward>,
    /// When the counts are saved again.
    save_counts_from_ms: u64,
    /// A process before this one may have left evidence of jobs that are gone.
    leftovers: bool,
}

/// Waits that are made shorter by how much the clock was set back: those after this key are left.
#[derive(Clone, Copy)]
struct PullForward {
    by_ms: u64,
    after: Option<ReadyKey>,
}

/// Starts the scheduler's thread.
///
/// # Errors
/// Returns an error if it cannot be started.
pub(super) fn start(engine: &Arc<Engine>) -> std::io::Result<()> {
    let context = &engine.context;
    let mut scheduler = Scheduler {
        engine: engine.clone(),
        watch: context.clock.stopwatch(),
        recovery: Recovery::default(),
        clock_steps: ClockStepDetector::new(context.clock.clone()),
        sweep_from_ms: 0,
        ready_ms: None,
        pull_forward: None,
        save_counts_from_ms: SavedCounts::every_ms(&context.store),
        leftovers: true,
    };
    match clock_step::at_start(&context.store, context.clock.now_ms()) {
        Ok(step) => scheduler.handle_clock_step(step),
        Err(error) => tracing::error!(%error, "the newest job could not be read"),
    }
    scheduler.replan_slots();
    let pass = move |now_ms| scheduler.pass(now_ms);
    engine.scheduler.start(context.clock.clone(), context.breakpoints.clone(), pass)
}

impl Scheduler {
    /// Recovers the store or does what is due, whichever it is time for; returns when the next pass is
    /// due at the latest.
    fn pass(&mut self, now_ms: UnixMs) -> Result<UnixMs, StoreError> {
        let engine = &self.engine;
        engine.replace_workers();
        self.recovery.look_at_room(&engine.context.store);
        let step = self.clock_steps.look();
        self.handle_clock_step(step);
        if self.engine.context.store.failure().is_some() {
            return Ok(self.recovery.step(&self.engine, now_ms));
        }
        self.do_due(now_ms)
    }

    fn handle_clock_step(&mut self, step: Option<Step>) {
        match step {
            Some(Step::Forward) => {
                let until_ms = self.watch.elapsed_ms() + SWEEP_HOLD_MS;
                self.sweep_from_ms = self.sweep_from_ms.max(until_ms);
            }
            Some(Step::Back { by_ms }) => {
                let before_ms = self.pull_forward.map_or(0, |left| left.by_ms);
                let by_ms = before_ms.saturating_add(by_ms);
                self.pull_forward = Some(PullForward { by_ms, after: None });
                self.replan_slots();
            }
            None => {}
        }
    }

    /// Does what is due by now; returns when the next pass is due at the latest.
    fn do_due(&mut self, now_ms: UnixMs) -> Result<UnixMs, StoreError> {
        end_overdue_calls(&self.engine, now_ms)?;
        if self.end_not_started(now_ms)? || self.pull_forward(now_ms)? {
            // More is left.
            return Ok(now_ms);
        }
        let slot_ms = self.engine.slots.run_due(&self.engine.context.store, now_ms)?;
        // A read of a database that others have too is not made for nothing: what they open is heard.
        let is_all_looked_at =
            !self.engine.context.store.is_shared() || self.ready_ms.is_none_or(|it| it <= now_ms);
        for queue in &self.engine.queues {
            refill(&self.engine, queue, now_ms, is_all_looked_at)?;
        }
        let alert_ms = self.engine.alerts.evaluate_due(&self.engine.context.store, now_ms)?;
        let elapsed_ms = self.watch.elapsed_ms();
        if elapsed_ms >= self.save_counts_from_ms {
            let every_ms = SavedCounts::every_ms(&self.engine.context.store);
            self.save_counts_from_ms = elapsed_ms.saturating_add(every_ms);
            self.engine.save_counts();
            self.engine.read_spend();
        }
        if elapsed_ms >= self.sweep_from_ms {
            match next_sweep_ms(&self.engine)?.filter(|due_ms| *due_ms <= now_ms) {
                Some(due_ms) => self.sweep(now_ms, due_ms)?,
                None if self.leftovers => self.sweep_evidence(now_ms),
                None => {}
            }
        }
        let sweep_in_ms = self.sweep_from_ms.saturating_sub(self.watch.elapsed_ms());
        let sweep_from_ms = now_ms.saturating_add(sweep_in_ms);
        let next_ms = self.next_pass_ms(now_ms, sweep_from_ms)?;
        Ok([slot_ms, alert_ms].into_iter().flatten().fold(next_ms, UnixMs::min))
    }

    /// Plans schedules again whose slots a wrong clock has put far ahead.
    fn replan_slots(&self) {
        let context = &self.engine.context;
        match context.store.replan_after_clock_step(context.clock.now_ms()) {
            Ok(0) => {}
            Ok(replanned) => {
                tracing::warn!(
                    replanned,
                    "schedules were ahead of the clock and are planned again"
                );
            }
            Err(error) => tracing::error!(%error, "schedules could not be planned again"),
        }
    }

    /// Ends jobs that have not started in time; returns whether there may be more.
    fn end_not_started(&self, now_ms: UnixMs) -> Result<bool, StoreError> {
        let context = &self.engine.context;
        if context.store.next_deadline_ms()?.is_none_or(|at_ms| at_ms > now_ms) {
            return Ok(false);
        }
        context.breakpoints.reach(Point::OverdueFound);
        let overdue = context.store.end_overdue(now_ms)?;
        context.breakpoints.reach(Point::OverdueEnded);
        for job in &overdue.ended {
            attempt::log_end(&self.engine, job, None);
        }
        Ok(overdue.full)
    }

    /// Makes waits shorter after the clock was set back; returns whether there are more.
    fn pull_forward(&mut self, now_ms: UnixMs) -> Result<bool, StoreError> {
        let Some(PullForward { by_ms, after }) = self.pull_forward else { return Ok(false) };
        let after =
            self.engine.context.store.pull_forward_after_clock_step(now_ms, by_ms, after)?;
        self.pull_forward = after.map(|_| PullForward { by_ms, after });
        Ok(self.pull_forward.is_some())
    }

    /// Removes what has expired, the first of it at `due_ms`, and decides when to go on with it.
    fn sweep(&mut self, now_ms: UnixMs, due_ms: UnixMs) -> Result<(), StoreError> {
        let context = &self.engine.context;
        context.breakpoints.reach(Point::ExpiredFound);
        let began_ms = self.watch.elapsed_ms();
        let swept = context.store.sweep(now_ms, self.engine.cache_from_ms(now_ms))?;
        context.store.sweep_observations(now_ms.saturating_sub(self.engine.settings.report_ms))?;
        context.breakpoints.reach(Point::ExpiredRemoved);
        self.sweep_evidence(now_ms);
        let ended_ms = self.watch.elapsed_ms();
        let rest_ms = match swept.full() {
            // More is left, but queues come first.
            true if now_ms - due_ms > SWEEP_LATE_MS => 0,
            true => (ended_ms - began_ms).saturating_mul(SWEEP_RESTS),
            false => SWEEP_EVERY_MS,
        };
        self.sweep_from_ms = ended_ms.saturating_add(rest_ms);
        Ok(())
    }

    /// Returns when the next pass is due at the latest, one with a sweep not before `sweep_from_ms`.
    fn next_pass_ms(
        &mut self,
        now_ms: UnixMs,
        sweep_from_ms: UnixMs,
    ) -> Result<UnixMs, StoreError> {
        let store = &self.engine.context.store;
        let every_ms = if store.is_shared() { EXCHANGE_EVERY_MS } else { PASS_EVERY_MS };
        let latest_ms = now_ms.saturating_add(every_ms);
        let queues = &self.engine.queues;
        let scrapers: Vec<u16> = queues.iter().map(|queue| queue.scraper).collect();
        let ready_ms = store.next_ready_ms(&scrapers, now_ms)?;
        let overdue = queues.iter().filter_map(Queue::next_overdue_ms);
        let overdue_ms = overdue.min().map(|at_ms| at_ms.saturating_add(OVERDUE_CALL_MS));
        let sweep_ms = next_sweep_ms(&self.engine)?.map(|due_ms| due_ms.max(sweep_from_ms));
        let due = [sweep_ms, store.next_deadline_ms()?, ready_ms, overdue_ms];
        self.ready_ms = Some(ready_ms.unwrap_or(latest_ms).min(latest_ms));
        Ok(due.into_iter().flatten().fold(latest_ms, UnixMs::min))
    }

    fn sweep_evidence(&mut self, now_ms: UnixMs) {
        self.leftovers = false;
        if let Err(error) = self.engine.context.store.sweep_evidence(now_ms) {
            tracing::warn!(%error, "evidence of expired jobs could not be removed");
        }
    }
}

/// Ends the jobs that are still asked for though their callers have stopped waiting: the callers of
/// waiting calls, which end their jobs themselves, may have gone.
fn end_overdue_calls(engine: &Engine, now_ms: UnixMs) -> Result<(), StoreError> {
    for queue in &engine.queues {
        for row in queue.overdue(now_ms.saturating_sub(OVERDUE_CALL_MS)) {
            let stop =
                |job: &Job| Event::Stop { failure: Failure::timeout(job.request.timeout_ms) };
            if let Ok(job) = engine.context.store.transition(row, now_ms, stop, None)? {
                attempt::log_end(engine, &job, None);
            }
        }
    }
    Ok(())
}

fn next_sweep_ms(engine: &Engine) -> Result<Option<UnixMs>, StoreError> {
    let job_ms = engine.context.store.next_expiry_ms()?;
    let stored_ms = engine.context.store.oldest_cached_ms()?;
    // A result serves others until its time has passed, the last millisecond included.
    let until_ms = |stored_ms: UnixMs| {
        stored_ms.saturating_add(engine.settings.cache_ttl_ms).saturating_add(1)
    };
    Ok(job_ms.into_iter().chain(stored_ms.map(until_ms)).min())
}

/// Reserves as many of the ready jobs that the queue has not claimed, oldest first, as it has room
/// for: of those that are known to have some, or of each.
fn refill(
    engine: &Engine,
    queue: &Queue,
    now_ms: UnixMs,
    is_looked_at: bool,
) -> Result<(), StoreError> {
    if queue.pool.size == 0 {
        return Ok(());
    }
    let has_open = queue.take_open() || is_looked_at;
    for interactive in [true, false] {
        if !has_open && !queue.pool.wants(interactive) {
            continue;
        }
        queue.pool.begin_refill(interactive);
        let store = &engine.context.store;
        let most = queue.pool.room(interactive);
        if most == 0 {
            queue.pool.note_overflow(interactive);
            continue;
        }
        let is_held = |row| queue.has_claimed(row);
        let reserved = store.reserve(queue.scraper, interactive, now_ms, most, is_held)?;
        if reserved.len() >= most {
            // There may be more.
            queue.pool.note_overflow(interactive);
        }
        for row in reserved {
            // One that does not fit, because others came meanwhile, marks the overflow.
            queue.offer_from_index(row, interactive);
        }
    }
    if queue.pool.wants_refill() {
        // The workers have emptied the channel since it was full, and may have done so before
        // they could see that more is wanted.
        engine.scheduler.wake();
    }
    Ok(())
}
