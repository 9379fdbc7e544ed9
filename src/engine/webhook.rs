//! The deliverer of webhooks: a pool of threads, fed from the outbox by a dispatcher. The outbox is the
//! truth: what is taken here and not written there is sent again, by this process or the next, so that
//! every delivery arrives at least once.

mod sender;
mod shares;
mod signature;
mod tally;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use super::breakpoints::Point;
use super::context::Context;
use super::lock::lock;
use super::pass_loop::{AFTER_ERROR_MS, PassLoop};
use super::pool::{Next, Pool, guard};
use crate::clock::UnixMs;
use crate::config::{Settings, Webhooks};
use crate::net::Lookup;
use crate::store::{OutboxKey, StoreError};
use sender::Sender;
use shares::{Conduct, Shares, Take, Ticket};

pub use tally::DeliveryCounts;

/// The longest time between two looks at the outbox, milliseconds. Every wait should end with a
/// wake or at a due time; this finds what a defect has left lying.
const PASS_EVERY_MS: u64 = 60_000;
/// The most deliveries at the front of the outbox that one pass looks at, and the most after them,
/// where the pass before has stopped. Many of those at the front may be of one account, or for one
/// receiver, that has its share.
const FRONT_ROWS_MAX: usize = 1_000;
const LATER_ROWS_MAX: usize = 4_000;
/// How soon the next pass goes on where this one has stopped, if there are threads left, milliseconds.
const GO_ON_MS: u64 = 10;

/// Sends what the outbox holds. Without a secret it sends nothing that must be signed.
pub(super) struct Deliverer {
    context: Arc<Context>,
    sender: Sender,
    shares: Mutex<Shares>,
    pub pool: Pool<Ticket>,
    pub dispatcher: Arc<PassLoop>,
}

/// How far a look at the outbox has come.
enum Look {
    /// To its end.
    Whole,
    /// To this delivery: every thread has something to do.
    Full(OutboxKey),
    /// To this delivery, which was the last that it was to look at.
    Cut(OutboxKey),
}

impl Deliverer {
    /// Creates a deliverer whose threads have not been started. `lookup` takes the place of the system's,
    /// if there is one.
    pub(crate) fn new(
        context: Arc<Context>,
        settings: &Settings,
        lookup: Option<Lookup>,
    ) -> Arc<Deliverer> {
        let workers = settings.webhooks.workers;
        // There is room for a ticket of every worker.
        let pool = Pool::new("webhook".to_owned(), workers, workers, context.stop.clone());
        Arc::new(Deliverer {
            sender: Sender::new(context.clone(), settings, lookup),
            shares: Mutex::new(Shares::new(workers)),
            pool,
            dispatcher: PassLoop::new("webhooks"),
            context,
        })
    }

    /// Starts the threads, which find what the last run has left.
    ///
    /// # Errors
    /// Returns an error if a thread cannot be started.
    pub(crate) fn run(self: &Arc<Deliverer>, settings: &Webhooks) -> std::io::Result<()> {
        if !self.sender.can_sign() {
            self.warn_undelivered(settings);
        }
        let deliverer = self.clone();
        self.pool.start(move |_slot| deliverer.work())?;
        let (deliverer, mut later) = (self.clone(), None);
        self.dispatcher.start(
            self.context.clock.clone(),
            self.context.breakpoints.clone(),
            move |now_ms| deliverer.pass(now_ms, &mut later),
        )
    }

    fn warn_undelivered(&self, settings: &Webhooks) {
        let next = self.context.store.next_delivery_ms(0);
        if let (Ok(Some(_)), Some(missing)) = (next, &settings.missing) {
            tracing::warn!(missing, "webhooks wait to be sent, and nothing can sign them");
        }
    }

    /// Makes the dispatcher look at the outbox.
    pub(crate) fn wake(&self) {
        self.dispatcher.wake();
    }

    /// Returns the counts of attempts since the start.
    pub(crate) fn counts(&self) -> DeliveryCounts {
        self.sender.counts()
    }

    /// Returns whether a thread that is idle has been given a delivery, or will be.
    #[cfg(test)]
    pub(crate) fn has_due(&self, now_ms: UnixMs) -> bool {
        let mut due = false;
        let visited = self.context.store.visit_outbox(now_ms, None, |(_, row), _| {
            due |= !lock(&self.shares).has(row);
            ControlFlow::Continue(())
        });
        (visited.is_ok() && due) || lock(&self.shares).in_flight() > 0
    }

    /// Makes attempts until the engine stops.
    fn work(&self) {
        loop {
            self.context.breakpoints.reach(Point::SenderIdle);
            let Next::Entry(ticket) = self.pool.next(true) else { return };
            let row = ticket.row;
            let (conduct, settled) = match guard(|| self.sender.send(row)) {
                Some(Ok(Some(conduct))) => (conduct, true),
                // It must be signed, which takes a secret and a restart.
                Some(Ok(None)) => (Conduct::Unknown, false),
                Some(Err(error)) => {
                    tracing::error!(row, %error, "a webhook's delivery could not be read or written");
                    // What has failed with the store as a whole is made again when that works.
                    (Conduct::Unknown, error.stops_writes())
                }
                None => {
                    tracing::error!(row, "a webhook's delivery panicked; it waits for a restart");
                    (Conduct::Unknown, false)
                }
            };
            lock(&self.shares).release(ticket, conduct, settled);
            self.wake();
        }
    }

    /// Gives the workers what is due, oldest first. A long outbox is looked at from its front, and then
    /// from `later` on, where the pass before has stopped. Returns when the next pass is due at the
    /// latest.
    fn pass(&self, now_ms: UnixMs, later: &mut Option<OutboxKey>) -> Result<UnixMs, StoreError> {
        if self.context.store.outage().is_some() {
            // The outcome of what is sent now could not be written.
            return Ok(now_ms.saturating_add(AFTER_ERROR_MS));
        }
        let mut wake_ms = now_ms.saturating_add(PASS_EVERY_MS);
        match self.look(now_ms, None, FRONT_ROWS_MAX)? {
            Look::Whole => *later = None,
            Look::Full(_) => {}
            Look::Cut(front) => {
                let from = later.map_or(front, |later| later.max(front));
                *later = match self.look(now_ms, Some(from), LATER_ROWS_MAX)? {
                    Look::Whole => None,
                    Look::Full(at) => Some(at),
                    Look::Cut(at) => {
                        wake_ms = now_ms.saturating_add(GO_ON_MS);
                        Some(at)
                    }
                };
            }
        }
        let next_ms = self.context.store.next_delivery_ms(now_ms)?.unwrap_or(UnixMs::MAX);
        Ok(next_ms.min(wake_ms))
    }

    /// Gives the workers what is due after `after`, and looks at a bounded number of deliveries.
    fn look(
        &self,
        now_ms: UnixMs,
        after: Option<OutboxKey>,
        rows_max: usize,
    ) -> Result<Look, StoreError> {
        let mut looked = 0;
        let mut outcome = Look::Whole;
        self.context.store.visit_outbox(now_ms, after, |key, recipient| {
            let take = lock(&self.shares).take(key.1, recipient);
            match take {
                Take::Taken(ticket) => {
                    if !self.pool.offer(ticket, false) {
                        lock(&self.shares).release(ticket, Conduct::Unknown, true);
                    }
                }
                Take::Passed => {}
                Take::Full => {
                    outcome = Look::Full(key);
                    return ControlFlow::Break(());
                }
            }
            looked += 1;
            if looked >= rows_max {
                outcome = Look::Cut(key);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(outcome)
    }
}
