//! How much of the database's file is free for what comes. Only a walk through the whole of it tells,
//! so that it is found out now and then, by a thread of its own, while somebody asks for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::clock::Clock;
use crate::store::Store;

/// The shortest time from a finding to the next one, milliseconds.
const EVERY_MS: u64 = 300_000;
/// How long nothing is looked for behind a walk, in times of what it took: a two-hundredth of one core
/// is spent on it at most.
const RESTS: u64 = 200;

/// The last finding.
pub(super) struct FreeSpaceCache {
    clock: Clock,
    origin: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: Option<u64>,
    /// When the next walk may begin, by the monotonic clock.
    next_ms: u64,
    under_way: bool,
}

impl FreeSpaceCache {
    pub fn new(clock: Clock) -> FreeSpaceCache {
        let origin = clock.instant();
        FreeSpaceCache { clock, origin, state: Mutex::default() }
    }

    /// What was found last, bytes; where that is some time ago, a walk begins. `None` until the first has
    /// ended.
    pub fn bytes(self: &Arc<Self>, store: &Arc<Store>) -> Option<u64> {
        let mut state = self.state();
        if !state.under_way && self.clock.monotonic_ms(self.origin) >= state.next_ms {
            let (own, store) = (self.clone(), store.clone());
            let thread = std::thread::Builder::new().name("free-pages".to_owned());
            // Where there is no thread to be had, the next caller tries again.
            state.under_way = thread.spawn(move || own.walk(&store)).is_ok();
        }
        state.bytes
    }

    fn walk(&self, store: &Store) {
        let stopwatch = self.clock.stopwatch();
        let found = store.free_page_bytes();
        let rest_ms = stopwatch.elapsed_ms().saturating_mul(RESTS).max(EVERY_MS);
        let mut state = self.state();
        state.under_way = false;
        state.next_ms = self.clock.monotonic_ms(self.origin).saturating_add(rest_ms);
        // A store that fails has told so where it matters.
        state.bytes = found.ok();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every statement leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
