//! The scheduler: one thread that refills the queues from the ready index, makes retries come due, ends
//! jobs that did not start in time, and sweeps what has expired. Everything it does can be done again: it keeps no state that matters.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, RecvTimeoutError};

#[cfg(test)]
use super::breakpoints::Point;
use super::clock_step::{self, ClockStepDetector, Step};
use super::queue::{Offer, Queue};
use super::recovery::Recovery;
use super::saved_counts::SAVE_EVERY_MS;
use super::{Engine, attempt};
use crate::clock::UnixMs;
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
/// How long the scheduler waits after an error of the store before it tries again, milliseconds.
const AFTER_ERROR_MS: u64 = 1_000;

/// For how long after a step of the clock, or a start at which it may be wrong, nothing is removed,
/// milliseconds: a clock is usually put right soon, and what has expired by the wrong one is then
/// there again.
const SWEEP_HOLD_MS: u64 = 600_000;

/// What the scheduler keeps from pass to pass.
struct Scheduler<'a> {
    engine: &'a Arc<Engine>,
    recovery: Recovery,
    wall: ClockStepDetector,
    /// When the next sweep may begin, by the monotonic clock.
    sweep_from_ms: u64,
    /// What is left to do after the clock was set back.
    hasten: Option<Hasten>,
    /// When the counts are written again, by the monotonic clock.
    save_counts_from_ms: u64,
    /// A process before this one may have left evidence of jobs that are gone.
    leftovers: bool,
}

/// Waits by a clock that was set back so much are made shorter by it, behind this key.
#[derive(Clone, Copy)]
struct Hasten {
    by_ms: u64,
    after: Option<ReadyKey>,
}

/// Runs passes until the wakes' sender is gone.
pub(super) fn run(engine: &Arc<Engine>, wakes: &Receiver<()>) {
    let mut scheduler = Scheduler {
        engine,
        recovery: Recovery::default(),
        wall: ClockStepDetector::new(&engine.clock),
        sweep_from_ms: 0,
        hasten: None,
        save_counts_from_ms: SAVE_EVERY_MS,
        leftovers: true,
    };
    match clock_step::at_start(engine) {
        Ok(step) => scheduler.handle_clock_step(step),
        Err(error) => tracing::error!(%error, "the newest job could not be looked at"),
    }
    loop {
        #[cfg(test)]
        engine.breakpoints.reach(Point::PassBegins);
        engine.scheduler_wakes_ms.store(UnixMs::MAX, Ordering::SeqCst);
        engine.scheduler_passes.fetch_add(1, Ordering::SeqCst);
        let now_ms = engine.clock.now_ms();
        let looked = catch_unwind(AssertUnwindSafe(|| scheduler.look(now_ms)));
        let wake_ms = looked.unwrap_or_else(|_| {
            tracing::error!("the scheduler panicked; it goes on");
            now_ms.saturating_add(AFTER_ERROR_MS)
        });
        engine.scheduler_wakes_ms.store(wake_ms, Ordering::SeqCst);
        #[cfg(test)]
        engine.breakpoints.reach(Point::PassEnded);
        match engine.clock.recv_until(wakes, Some(wake_ms)) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Scheduler<'_> {
    /// Recovers the store or makes a pass, whichever it is time for; gives when to look again.
    fn look(&mut self, now_ms: UnixMs) -> UnixMs {
        let engine = self.engine;
        engine.replace_workers();
        self.recovery.look_at_room(engine);
        let step = self.wall.look(&engine.clock);
        self.handle_clock_step(step);
        if engine.store.failure().is_some() {
            return self.recovery.step(engine, now_ms);
        }
        self.pass(now_ms).unwrap_or_else(|error| {
            tracing::error!(%error, "the scheduler could not use the store");
            now_ms.saturating_add(AFTER_ERROR_MS)
        })
    }

    /// Does what a step of the clock asks for.
    fn handle_clock_step(&mut self, step: Option<Step>) {
        match step {
            Some(Step::Forward) => {
                let until_ms = self.wall.monotonic_ms(&self.engine.clock) + SWEEP_HOLD_MS;
                self.sweep_from_ms = self.sweep_from_ms.max(until_ms);
            }
            Some(Step::Back { by_ms }) => {
                let before_ms = self.hasten.map_or(0, |hasten| hasten.by_ms);
                self.hasten = Some(Hasten { by_ms: before_ms.saturating_add(by_ms), after: None });
            }
            None => {}
        }
    }

    /// One pass; gives when the next one is due at the latest.
    fn pass(&mut self, now_ms: UnixMs) -> Result<UnixMs, StoreError> {
        let engine = self.engine;
        engine.end_overdue_calls(now_ms)?;
        if engine.store.next_deadline_ms()?.is_some_and(|at_ms| at_ms <= now_ms) {
            #[cfg(test)]
            engine.breakpoints.reach(Point::OverdueFound);
            let overdue = engine.store.end_overdue(now_ms)?;
            #[cfg(test)]
            engine.breakpoints.reach(Point::OverdueEnded);
            for job in &overdue.ended {
                attempt::log_end(engine, job, engine.store.id_of(job), None);
            }
            if overdue.full {
                return Ok(now_ms);
            }
        }
        if let Some(Hasten { by_ms, after }) = self.hasten {
            let after = engine.store.pull_forward_after_clock_step(now_ms, by_ms, after)?;
            self.hasten = after.map(|_| Hasten { by_ms, after });
            if self.hasten.is_some() {
                return Ok(now_ms);
            }
        }
        for queue in &engine.queues {
            refill(engine, queue, now_ms)?;
        }
        let monotonic_ms = self.wall.monotonic_ms(&engine.clock);
        if monotonic_ms >= self.save_counts_from_ms {
            self.save_counts_from_ms = monotonic_ms.saturating_add(SAVE_EVERY_MS);
            engine.save_counts();
        }
        if monotonic_ms >= self.sweep_from_ms {
            match next_sweep_ms(engine)?.filter(|due_ms| *due_ms <= now_ms) {
                Some(due_ms) => self.sweep(now_ms, due_ms)?,
                None if self.leftovers => self.sweep_evidence(now_ms),
                None => {}
            }
        }
        let sweep_in_ms = self.sweep_from_ms.saturating_sub(self.wall.monotonic_ms(&engine.clock));
        next_pass_ms(engine, now_ms, now_ms.saturating_add(sweep_in_ms))
    }

    /// Removes what has expired, the first of it at `due_ms`, and decides when to go on with it.
    fn sweep(&mut self, now_ms: UnixMs, due_ms: UnixMs) -> Result<(), StoreError> {
        let engine = self.engine;
        #[cfg(test)]
        engine.breakpoints.reach(Point::ExpiredFound);
        let began_ms = self.wall.monotonic_ms(&engine.clock);
        let swept = engine.store.sweep(now_ms, engine.cache_from_ms(now_ms))?;
        #[cfg(test)]
        engine.breakpoints.reach(Point::ExpiredRemoved);
        self.sweep_evidence(now_ms);
        let ended_ms = self.wall.monotonic_ms(&engine.clock);
        let rest_ms = match swept.full() {
            // More is left, but queues come first.
            true if now_ms - due_ms > SWEEP_LATE_MS => 0,
            true => (ended_ms - began_ms).saturating_mul(SWEEP_RESTS),
            false => SWEEP_EVERY_MS,
        };
        self.sweep_from_ms = ended_ms.saturating_add(rest_ms);
        Ok(())
    }

    fn sweep_evidence(&mut self, now_ms: UnixMs) {
        self.leftovers = false;
        if let Err(error) = self.engine.evidence.sweep(now_ms) {
            tracing::warn!(%error, "evidence of expired jobs could not be removed");
        }
    }
}

/// When the next pass is due at the latest, one with a sweep not before `sweep_from_ms`.
fn next_pass_ms(
    engine: &Engine,
    now_ms: UnixMs,
    sweep_from_ms: UnixMs,
) -> Result<UnixMs, StoreError> {
    let mut wake_ms = now_ms.saturating_add(PASS_EVERY_MS);
    if let Some(due_ms) = next_sweep_ms(engine)? {
        wake_ms = wake_ms.min(due_ms.max(sweep_from_ms));
    }
    if let Some(at_ms) = engine.store.next_deadline_ms()? {
        wake_ms = wake_ms.min(at_ms);
    }
    if let Some(at_ms) = engine.next_overdue_call_ms() {
        wake_ms = wake_ms.min(at_ms);
    }
    for queue in &engine.queues {
        if let Some(due_ms) = engine.store.next_ready_ms(queue.scraper, now_ms)? {
            wake_ms = wake_ms.min(due_ms);
        }
    }
    Ok(wake_ms)
}

fn next_sweep_ms(engine: &Engine) -> Result<Option<UnixMs>, StoreError> {
    let job_ms = engine.store.next_expiry_ms()?;
    let cache_ms =
        engine.store.oldest_cached_ms()?.map(|stored_ms| engine.cache_until_ms(stored_ms));
    Ok(job_ms.into_iter().chain(cache_ms).min())
}

/// Offers the queue every ready job that it has not taken, oldest first, until it is full.
fn refill(engine: &Engine, queue: &Queue, now_ms: UnixMs) -> Result<(), StoreError> {
    for interactive in [true, false] {
        queue.begin_refill(interactive);
        engine.store.visit_ready(queue.scraper, interactive, now_ms, |row| {
            match queue.offer_from_index(row, interactive) {
                Offer::Accepted => ControlFlow::Continue(()),
                Offer::Full => ControlFlow::Break(()),
            }
        })?;
    }
    if queue.wants_refill() {
        // The workers have emptied the channel since it was full, and may have done so before
        // they could see that more is wanted.
        engine.wake();
    }
    Ok(())
}
