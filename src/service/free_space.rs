//! Cache of how much of the database's file is free. Only a walk through the whole file can say
//! that, so a thread of its own makes one now and then, while a caller asks for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{Clock, Stopwatch};
use crate::store::Store;

/// The shortest time between two walks, milliseconds.
const EVERY_MS: u64 = 300_000;
/// The shortest time between two walks, in times of what the first took: a two-hundredth of one
/// core is spent on them at most.
const RESTS: u64 = 200;

/// The result of the last walk.
pub(super) struct FreeSpaceCache {
    watch: Stopwatch,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: Option<u64>,
    /// When the next walk may begin, by the stopwatch.
    next_ms: u64,
    walking: bool,
}

impl FreeSpaceCache {
    pub(crate) fn new(clock: &Clock) -> FreeSpaceCache {
        FreeSpaceCache { watch: clock.stopwatch(), state: Mutex::default() }
    }

    /// Returns what was found last, bytes, and begins a walk if that is some time ago. `None` until
    /// the first walk has ended.
    pub(crate) fn bytes(self: &Arc<Self>, store: &Arc<Store>) -> Option<u64> {
        let mut state = self.state();
        if !state.walking && self.watch.elapsed_ms() >= state.next_ms {
            let (cache, store) = (self.clone(), store.clone());
            let thread = std::thread::Builder::new().name("free-pages".to_owned());
            // If the thread cannot be started, the next caller tries again.
            state.walking = thread.spawn(move || cache.walk(&store)).is_ok();
        }
        state.bytes
    }

    fn walk(&self, store: &Store) {
        let began_ms = self.watch.elapsed_ms();
        let found = store.free_page_bytes();
        let ended_ms = self.watch.elapsed_ms();
        let rest_ms = (ended_ms - began_ms).saturating_mul(RESTS).max(EVERY_MS);
        // The store itself reports its failures.
        let bytes = found.ok();
        *self.state() = State { bytes, next_ms: ended_ms.saturating_add(rest_ms), walking: false };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It is replaced as a whole, so a panic cannot have torn it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
