//! What every thread of the engine works with.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::{Receiver, Sender};

use super::breakpoints::{Breakpoints, Point};
use super::pool::StopSignal;
use crate::clock::Clock;
use crate::store::Store;

/// The store, the time, and how far a stop has come.
pub(super) struct Context {
    pub store: Arc<Store>,
    pub clock: Clock,
    pub stop: Arc<StopSignal>,
    pub stopped: AtomicBool,
    /// Set before the running attempts are given back: one that starts later goes back by itself.
    pub giving_back: Arc<AtomicBool>,
    /// Has a message when the store is damaged, so that opening it again does not help.
    pub store_damaged: (Sender<()>, Receiver<()>),
    pub breakpoints: Breakpoints,
}

impl Context {
    pub(crate) fn new(store: Arc<Store>, clock: Clock) -> Arc<Context> {
        Arc::new(Context {
            store,
            clock,
            stop: Arc::new(StopSignal::new()),
            stopped: AtomicBool::new(false),
            giving_back: Arc::default(),
            store_damaged: crossbeam_channel::bounded(1),
            breakpoints: Breakpoints::default(),
        })
    }

    /// Blocks while the store refuses every write; returns false if the engine stops before it works.
    pub(crate) fn await_store(&self) -> bool {
        let Some(over) = self.store.outage() else { return true };
        self.breakpoints.reach(Point::StoreOut);
        crossbeam_channel::select! {
            recv(self.stop.receiver()) -> _ => false,
            recv(over) -> _ => true,
        }
    }
}
