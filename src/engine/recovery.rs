//! While the store refuses every write: who waits for it, how often it is opened again, and what is
//! made good when it works.

use super::Engine;
#[cfg(test)]
use super::breakpoints::Point;
use crate::clock::UnixMs;

/// The wait between the first failure to open the store again and the next try, milliseconds; it
/// doubles each time.
const PAUSE_MS: u64 = 250;
/// The longest wait between two tries, milliseconds.
pub(super) const PAUSE_MS_MAX: u64 = 30_000;

/// When the scheduler opens the store again.
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
    /// Says once in the log when the room for new jobs ends, and when there is some again.
    pub fn look_at_room(&mut self, engine: &Engine) {
        let room = engine.store.room();
        if room.is_err() != self.low {
            self.low = room.is_err();
            match room {
                Ok(()) => tracing::info!("there is space for new jobs again"),
                Err(error) => tracing::warn!(%error, "new jobs are refused"),
            }
        }
    }

    /// Opens the store again if it is time to; gives when there is more to do.
    pub fn step(&mut self, engine: &Engine, now_ms: UnixMs) -> UnixMs {
        // A clock that was set back must not put the next try off.
        if now_ms < self.next_ms && self.next_ms <= now_ms.saturating_add(self.pause_ms) {
            return self.next_ms;
        }
        match engine.store.recover(engine.cache_from_ms(now_ms)) {
            Ok(()) => {
                *self = Recovery { low: self.low, ..Recovery::default() };
                tracing::info!("the store works again");
                engine.store_works();
                now_ms
            }
            Err(error) => {
                tracing::error!(%error, "the store could not be opened again");
                if error.is_damage() {
                    // A full channel has the message already.
                    let _ = engine.store_failed.0.try_send(());
                }
                self.next_ms = now_ms.saturating_add(self.pause_ms);
                let next_ms = self.next_ms;
                self.pause_ms = (self.pause_ms * 2).min(PAUSE_MS_MAX);
                next_ms
            }
        }
    }
}

impl Engine {
    /// The store works again. Those who wait for jobs hear of what was written without a word, since
    /// a commit that was reported as failed may stand all the same; so may a delivery of it.
    fn store_works(&self) {
        let now_ms = self.clock.now_ms();
        for row in self.waiters.rows() {
            let pending = self.store.read_row(row, now_ms, |job, _| !job.state.finished());
            if !matches!(pending, Ok(Some(true))) {
                self.waiters.wake(row);
            }
        }
        for row in self.watchers.rows() {
            self.watchers.wake(row);
        }
        self.deliverer.wake();
    }

    /// Blocks while the store refuses every write; `false` when the engine stops before it works.
    pub(super) fn await_store(&self) -> bool {
        let Some(over) = self.store.outage() else { return true };
        #[cfg(test)]
        self.breakpoints.reach(Point::StoreOut);
        crossbeam_channel::select! {
            recv(self.stopping.1) -> _ => false,
            recv(over) -> _ => true,
        }
    }
}
