//! What is asked of a store, whatever it is kept in: each method of [`Store`] hands on to the one
//! of the same name of what keeps it.

mod accounts;
mod alerts;
mod deliveries;
mod due;
mod handle;
mod ids;
mod jobs;
mod reads;
mod schedules;
mod state;
mod trackers;

pub use handle::Store;

/// Asks what keeps a store: `ask!(self, store => store.method(arguments))`.
macro_rules! ask {
    ($store:ident, $keeper:ident => $answer:expr) => {{
        let $keeper = &$store.embedded;
        $answer
    }};
}
use ask;
