//! Why the store refuses writes: noted by each part that finds a reason, until that part finds
//! things well again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender};

use crate::store::StoreError;

/// A part that can find a reason to refuse writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finder {
    Beat,
    Upkeep,
    Writer(u16),
}

/// The reasons, by the parts that have found them.
#[derive(Default)]
pub(super) struct Outages {
    /// Whether there is a reason: read after each commit.
    any: AtomicBool,
    state: Mutex<Reasons>,
}

#[derive(Default)]
struct Reasons {
    errors: BTreeMap<Finder, StoreError>,
    /// Dropped when no reason is left. Nothing is ever sent.
    over: Option<(Sender<()>, Receiver<()>)>,
}

impl Outages {
    /// Notes a reason; returns whether it is the first.
    pub(super) fn note(&self, finder: Finder, error: StoreError) -> bool {
        let mut state = self.lock();
        state.errors.insert(finder, error);
        self.any.store(true, Ordering::Relaxed);
        let is_first = state.over.is_none();
        if is_first {
            state.over = Some(crossbeam_channel::bounded(0));
        }
        is_first
    }

    /// Forgets the reason that a part has found; returns whether it was the last one.
    pub(super) fn clear(&self, finder: Finder) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = self.lock();
        let known = state.errors.remove(&finder).is_some();
        let is_over = state.errors.is_empty();
        if is_over {
            self.any.store(false, Ordering::Relaxed);
            state.over = None;
        }
        known && is_over
    }

    /// Returns a reason; one that does not pass by itself goes before the others.
    pub(super) fn error(&self) -> Option<StoreError> {
        let state = self.lock();
        let lasting = state.errors.values().find(|error| error.is_damage());
        lasting.or_else(|| state.errors.values().next()).cloned()
    }

    /// Returns a channel that is disconnected when no reason is left; `None` while there is none.
    pub(super) fn over(&self) -> Option<Receiver<()>> {
        self.lock().over.as_ref().map(|(_, over)| over.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Reasons> {
        // The state is valid after every statement, so a panic elsewhere cannot have torn it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outage_is_over_when_each_part_finds_things_well() {
        let outages = Outages::default();
        assert!(outages.error().is_none() && outages.over().is_none());
        assert!(outages.note(Finder::Beat, StoreError::Busy));
        assert!(!outages.note(Finder::Writer(1), StoreError::Damaged("x")));
        let over = outages.over().unwrap();
        assert!(outages.error().is_some_and(|error| error.is_damage()));
        assert!(!outages.clear(Finder::Writer(1)) && !outages.clear(Finder::Writer(0)));
        assert!(over.try_recv().is_err_and(|error| error.is_empty()));
        assert!(outages.clear(Finder::Beat));
        assert!(over.try_recv().is_err_and(|error| error.is_disconnected()));
        assert!(outages.error().is_none());
    }
}
