//! The timer: one thread that refills the queues from the ready index, makes retries come due, ends
//! jobs that did not start in time, and sweeps what has expired. Everything it does can be done again: it keeps no state that matters.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, RecvTimeoutError};

#[cfg(test)]
use super::breakpoints::Point;
use super::queue::{Offer, Queue};
use super::recovery::Recovery;
use super::{Engine, worker};
use crate::clock::UnixMs;
use crate::store::StoreError;

/// The least time between two sweeps that are not part of one, milliseconds: expiry is exact at
/// read, so removing can wait until there is a transaction's worth of it.
const SWEEP_EVERY_MS: u64 = 5_000;
/// How long the sweep rests after a full pass, in times of what that pass took: who polls meanwhile
/// should not notice it.
const SWEEP_RESTS: u64 = 4;
/// What has expired so long ago is swept without a rest, milliseconds: more expires than a sweep with
/// rests can remove.
const SWEEP_LATE_MS: u64 = 600_000;
/// The longest time between two passes, milliseconds. Every wait should end with a nudge or at a
/// due time; this finds what a defect or a failed write has left lying in the ready index.
pub(super) const PASS_EVERY_MS: u64 = 10_000;
/// How long the timer waits after an error of the store before it tries again, milliseconds.
const AFTER_ERROR_MS: u64 = 1_000;

/// Runs passes until the nudges' sender is gone.
pub(super) fn run(engine: &Engine, nudges: &Receiver<()>) {
    let mut sweep_from_ms = 0;
    let mut recovery = Recovery::default();
    loop {
        #[cfg(test)]
        engine.breakpoints.reach(Point::PassBegins);
        engine.timer_wakes_ms.store(UnixMs::MAX, Ordering::SeqCst);
        engine.timer_passes.fetch_add(1, Ordering::SeqCst);
        let now_ms = engine.clock.now_ms();
        let looked = catch_unwind(AssertUnwindSafe(|| {
            look(engine, now_ms, &mut recovery, &mut sweep_from_ms)
        }));
        let wake_ms = looked.unwrap_or_else(|_| {
            tracing::error!("the timer panicked; it goes on");
            now_ms.saturating_add(AFTER_ERROR_MS)
        });
        engine.timer_wakes_ms.store(wake_ms, Ordering::SeqCst);
        #[cfg(test)]
        engine.breakpoints.reach(Point::PassEnded);
        match engine.clock.recv_until(nudges, Some(wake_ms)) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Recovers the store or makes a pass, whichever it is time for; gives when to look again.
fn look(
    engine: &Engine,
    now_ms: UnixMs,
    recovery: &mut Recovery,
    sweep_from_ms: &mut UnixMs,
) -> UnixMs {
    recovery.look_at_room(engine);
    if engine.store.failure().is_some() {
        return recovery.step(engine, now_ms);
    }
    pass(engine, now_ms, sweep_from_ms).unwrap_or_else(|error| {
        tracing::error!(%error, "the timer could not use the store");
        now_ms.saturating_add(AFTER_ERROR_MS)
    })
}

/// One pass; gives when the next one is due at the latest.
fn pass(engine: &Engine, now_ms: UnixMs, sweep_from_ms: &mut UnixMs) -> Result<UnixMs, StoreError> {
    if engine.store.next_deadline_ms()?.is_some_and(|at_ms| at_ms <= now_ms) {
        #[cfg(test)]
        engine.breakpoints.reach(Point::OverdueFound);
        let overdue = engine.store.end_overdue(now_ms)?;
        #[cfg(test)]
        engine.breakpoints.reach(Point::OverdueEnded);
        for job in &overdue.ended {
            worker::log_end(engine, job, engine.store.id_of(job));
        }
        if overdue.full {
            return Ok(now_ms);
        }
    }
    for queue in &engine.queues {
        refill(engine, queue, now_ms)?;
    }
    if now_ms >= *sweep_from_ms
        && let Some(due_ms) = next_sweep_ms(engine)?.filter(|due_ms| *due_ms <= now_ms)
    {
        #[cfg(test)]
        engine.breakpoints.reach(Point::ExpiredFound);
        let began = engine.clock.instant();
        let swept = engine.store.sweep(now_ms, engine.cache_from_ms(now_ms))?;
        #[cfg(test)]
        engine.breakpoints.reach(Point::ExpiredRemoved);
        if let Err(error) = engine.evidence.sweep(now_ms) {
            tracing::warn!(%error, "evidence of expired jobs could not be removed");
        }
        let took_ms = engine.clock.monotonic_ms(began);
        let rest_ms = match swept.full() {
            // More is left, but queues come first.
            true if now_ms - due_ms > SWEEP_LATE_MS => 0,
            true => took_ms.saturating_mul(SWEEP_RESTS),
            false => SWEEP_EVERY_MS,
        };
        *sweep_from_ms = engine.clock.now_ms().saturating_add(rest_ms);
    }
    let mut wake_ms = now_ms.saturating_add(PASS_EVERY_MS);
    if let Some(due_ms) = next_sweep_ms(engine)? {
        wake_ms = wake_ms.min(due_ms.max(*sweep_from_ms));
    }
    if let Some(at_ms) = engine.store.next_deadline_ms()? {
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
                Offer::Taken => ControlFlow::Continue(()),
                Offer::Full => ControlFlow::Break(()),
            }
        })?;
    }
    if queue.wants_refill() {
        // The workers have emptied the channel since it was full, and may have done so before
        // they could see that more is wanted.
        engine.nudge();
    }
    Ok(())
}
