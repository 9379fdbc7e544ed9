//! What the scheduler does while the store refuses every write: it opens the store again, less and less
//! often, and wakes those who missed something once it works.

use super::state::Engine;
use crate::clock::UnixMs;
use crate::store::{Blocking, Store};

/// The wait between the first failure to open the store again and the next try, milliseconds; it
/// doubles each time.
const PAUSE_MS: u64 = 250;
/// The longest wait between two tries, milliseconds.
pub(super) const PAUSE_MS_MAX: u64 = 30_000;

/// The time at which the scheduler reopens the store.
pub(super) struct Recovery {
    pause_ms: u64,
    next_ms: UnixMs,
    /// There was no room for new jobs when it was last looked at.
    low: bool,
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery { pause_ms: PAUSE_MS, next_ms: 0, low: false }
    }
}

impl Recovery {
    /// Logs, once, that the room for new jobs has ended, and that there is some again.
    pub(crate) fn look_at_room(&mut self, store: &Store) {
        let room = store.room();
        if room.is_err() != self.low {
            self.low = room.is_err();
            match room {
                Ok(()) => tracing::info!("there is space for new jobs again"),
                Err(error) => tracing::warn!(%error, "new jobs are refused"),
            }
        }
    }

    /// Opens the store again if it is time to; returns when there is more to do.
    pub(crate) fn step(&mut self, engine: &Engine, now_ms: UnixMs) -> UnixMs {
        // A clock that was set back must not put the next try off.
        if now_ms < self.next_ms && self.next_ms <= now_ms.saturating_add(self.pause_ms) {
            return self.next_ms;
        }
        match engine.context.store.recover(engine.cache_from_ms(now_ms)) {
            Ok(()) => {
                *self = Recovery { low: self.low, ..Recovery::default() };
                tracing::info!("the store works again");
                store_works(engine);
                now_ms
            }
            Err(error) => {
                tracing::error!(%error, "the store could not be opened again");
                if error.is_damage() {
                    // A full channel has the message already.
                    let _ = engine.context.store_damaged.0.try_send(());
                }
                self.next_ms = now_ms.saturating_add(self.pause_ms);
                let next_ms = self.next_ms;
                self.pause_ms = (self.pause_ms * 2).min(PAUSE_MS_MAX);
                next_ms
            }
        }
    }
}

/// The store works again. Callers that wait for jobs are woken for what was written without a report,
/// since a commit that was reported as failed may be on disk all the same; so may a delivery of it.
fn store_works(engine: &Engine) {
    let now_ms = engine.context.clock.now_ms();
    for row in engine.waiters.end.rows() {
        let pending = engine.context.store.read_row(row, now_ms, |job, _| !job.state.finished());
        if !matches!(pending.wait(), Ok(Some(true))) {
            engine.waiters.end.wake(row);
        }
    }
    for row in engine.waiters.transition.rows() {
        engine.waiters.transition.wake(row);
    }
    engine.deliverer.wake();
}
