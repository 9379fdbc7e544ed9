//! The part of a shared limit that this process has taken and not used yet. It is small and lapses
//! soon, so that what one process leaves unused the others get.

use std::sync::{Mutex, PoisonError};

/// After how long what was taken is worth nothing, milliseconds: used later, it would be on top of
/// what is taken then.
const LEASE_MS: u64 = 1_000;
/// The part of what was used in the last second that is taken ahead: a fifth.
const AHEAD: u32 = 5;

/// The rest of the latest grant, and how much is used.
#[derive(Default)]
pub(super) struct Lease(Mutex<LeaseState>);

#[derive(Default)]
struct LeaseState {
    tokens: u32,
    until_ms: u64,
    /// The second that has begun, by the monotonic clock, and what was used in it and in the one
    /// before.
    second: u64,
    used: u32,
    used_before: u32,
}

impl Lease {
    /// Takes one of what is left at `now_ms`; returns how many to ask for if nothing is.
    pub(super) fn take(&self, now_ms: u64) -> Option<u32> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now_ms / 1_000;
        if state.second != second {
            let is_next = state.second + 1 == second;
            state.used_before = if is_next { state.used } else { 0 };
            (state.second, state.used) = (second, 0);
        }
        state.used = state.used.saturating_add(1);
        if state.tokens > 0 && now_ms < state.until_ms {
            state.tokens -= 1;
            return None;
        }
        state.tokens = 0;
        Some(1 + state.used.max(state.used_before) / AHEAD)
    }

    /// Returns what is left at `now_ms`.
    pub(super) fn left(&self, now_ms: u64) -> u32 {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms < state.until_ms { state.tokens } else { 0 }
    }

    /// Adds what was taken at `now_ms` beyond what was needed at once.
    pub(super) fn put(&self, tokens: u32, now_ms: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.tokens = state.tokens.saturating_add(tokens);
        state.until_ms = now_ms.saturating_add(LEASE_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_grows_with_use_and_lapses() {
        let lease = Lease::default();
        // What is used seldom is taken one by one.
        for at_ms in (0..20_000).step_by(500) {
            assert_eq!(lease.take(at_ms), Some(1));
        }
        for used in 1..=20 {
            assert_eq!(lease.take(30_000), Some(1 + used / AHEAD));
        }
        lease.put(2, 30_100);
        assert_eq!((lease.left(31_099), lease.left(31_100)), (2, 0));
        assert_eq!((lease.take(30_100), lease.take(31_000)), (None, None));
        // A fifth of what was used in the second before.
        assert_eq!(lease.take(31_010), Some(5));
        lease.put(4, 31_010);
        assert_eq!(lease.take(32_010), Some(1), "what was taken has lapsed");
    }
}
