//! How many event streams are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most streams at once, of all clients together: each costs a look at every scraper a second.
pub(crate) const STREAMS_MAX: usize = 64;

/// The count of open streams.
#[derive(Clone, Default)]
pub(crate) struct Streams(Arc<AtomicUsize>);

/// A stream's place among them, free again when it is dropped.
pub(crate) struct Place(Streams);

impl Streams {
    /// Takes a place; `None` if all are taken.
    pub(crate) fn enter(&self) -> Option<Place> {
        let open = self.0.fetch_add(1, Ordering::Relaxed);
        // Dropped when it is one too many.
        let place = Place(self.clone());
        (open < STREAMS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
