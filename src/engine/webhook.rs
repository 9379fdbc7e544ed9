//! The deliverer of webhooks: a fixed pool of threads, fed from the outbox by a dispatcher. The
//! outbox is the truth: what is taken here and not written there is sent again, by this process or
//! the next, so that every delivery arrives at least once.

mod attempt;
mod shares;
mod signature;
mod tally;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

#[cfg(test)]
use super::breakpoints::{Breakpoints, Point};
use crate::clock::{Clock, UnixMs};
use crate::config::{SigningKey, Webhooks};
use crate::store::{OutboxKey, Store, StoreError};
use crate::upstream::http::{Lookup, Poster};
use shares::{Conduct, Shares, Take, Ticket};
use tally::DeliveryTally;

pub use tally::DeliveryCounts;

/// The longest time between two looks at the outbox, milliseconds. Every wait should end with a
/// wake or at a due time; this finds what a defect has left lying.
const PASS_EVERY_MS: u64 = 60_000;
/// How long the dispatcher waits after an error of the store before it tries again, milliseconds.
const AFTER_ERROR_MS: u64 = 1_000;
/// The most deliveries at the front of the outbox that one pass looks at, and the most behind them,
/// where the pass before has stopped. Many of those at the front may be of one account, or for one
/// receiver, that has its share.
const FRONT_ROWS_MAX: usize = 1_000;
const LATER_ROWS_MAX: usize = 4_000;
/// How soon the next pass goes on where this one has stopped, if there are threads left, milliseconds.
const GO_ON_MS: u64 = 10;
/// An attempt that takes more than a half of its time-out counts as one that hung.
const HUNG_DIVISOR: u64 = 2;

/// Sends what the outbox holds. Without a secret it sends nothing.
pub struct Deliverer {
    shared: Arc<Shared>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    dispatcher: Option<JoinHandle<()>>,
    /// Disconnected when the last worker has ended.
    ended: Option<Receiver<()>>,
}

/// What the dispatcher and the workers share.
struct Shared {
    store: Arc<Store>,
    clock: Clock,
    keys: Vec<SigningKey>,
    poster: Poster,
    /// An attempt that takes so long hung, milliseconds.
    hung_ms: u64,
    workers: usize,
    shares: Mutex<Shares>,
    tally: DeliveryTally,
    /// The dispatcher ends when it is gone.
    wakes: Mutex<Option<Sender<()>>>,
    /// Disconnected when no attempt begins any more.
    stopping: (Mutex<Option<Sender<()>>>, Receiver<()>),
    #[cfg(test)]
    breakpoints: Arc<Breakpoints>,
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
    /// A deliverer whose pool has not been started. `lookup` takes the place of the system's, where
    /// there is one.
    pub fn new(
        store: Arc<Store>,
        settings: &Webhooks,
        lookup: Option<Lookup>,
        clock: Clock,
        #[cfg(test)] breakpoints: Arc<Breakpoints>,
    ) -> Deliverer {
        let timeout = Duration::from_secs(settings.timeout_seconds);
        let (stop, stopping) = crossbeam_channel::bounded(0);
        let poster = Poster::new(timeout, &settings.allow_hosts, lookup, clock.clone());
        let shared = Arc::new(Shared {
            store,
            clock,
            keys: settings.keys.clone(),
            poster,
            hung_ms: settings.timeout_seconds.saturating_mul(1000) / HUNG_DIVISOR,
            workers: settings.workers,
            shares: Mutex::new(Shares::new(settings.workers)),
            wakes: Mutex::default(),
            tally: DeliveryTally::default(),
            stopping: (Mutex::new(Some(stop)), stopping),
            #[cfg(test)]
            breakpoints,
        });
        Deliverer { shared, threads: Mutex::default() }
    }

    /// Starts the pool, which finds what the last run has left.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn run(&self, settings: &Webhooks) -> std::io::Result<()> {
        if self.shared.keys.is_empty() {
            self.shared.warn_undelivered(settings);
            return Ok(());
        }
        let (wake, wakes) = crossbeam_channel::bounded(1);
        *self.shared.wakes.lock().unwrap_or_else(PoisonError::into_inner) = Some(wake);
        let threads = self.shared.spawn_threads(wakes)?;
        *self.threads.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        Ok(())
    }

    /// Whether a thread that is idle has been given a delivery, or will be.
    #[cfg(test)]
    pub fn has_due(&self, now_ms: UnixMs) -> bool {
        let mut due = false;
        let visited = self.shared.store.visit_outbox(now_ms, None, |(_, row), _| {
            due |= !self.shared.shares().has(row);
            ControlFlow::Continue(())
        });
        (visited.is_ok() && due) || self.shared.shares().in_flight() > 0
    }

    /// Makes the dispatcher look at the outbox.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// What has become of the attempts since the start.
    pub fn counts(&self) -> DeliveryCounts {
        self.shared.tally.report()
    }

    /// Begins no attempt any more. Gives what is disconnected when those under way have ended;
    /// one that is cut off by the end of the process is made again after the next start.
    pub fn begin_stop(&self) -> Option<Receiver<()>> {
        drop(self.shared.stopping.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.shared.wakes.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(dispatcher) = threads.dispatcher {
            // A panic of it is in the log.
            let _ = dispatcher.join();
        }
        threads.ended
    }
}

impl Shared {
    fn spawn_threads(self: &Arc<Shared>, wakes: Receiver<()>) -> std::io::Result<Threads> {
        let (alive, ended) = crossbeam_channel::bounded::<()>(0);
        let (sender, tickets) = crossbeam_channel::bounded(self.workers);
        for number in 1..=self.workers {
            let (shared, tickets, alive) = (self.clone(), tickets.clone(), alive.clone());
            std::thread::Builder::new().name(format!("webhook-{number}")).spawn(move || {
                work(&shared, &tickets);
                drop(alive);
            })?;
        }
        let shared = self.clone();
        let dispatcher = std::thread::Builder::new()
            .name("webhooks".to_owned())
            .spawn(move || dispatch(&shared, &sender, &wakes))?;
        Ok(Threads { dispatcher: Some(dispatcher), ended: Some(ended) })
    }

    fn warn_undelivered(&self, settings: &Webhooks) {
        let waits = self.store.next_delivery_ms(0);
        if let (Ok(Some(_)), Some(missing)) = (waits, &settings.missing) {
            tracing::warn!(missing, "webhooks wait to be sent, and nothing can sign them");
        }
    }

    fn wake(&self) {
        let wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        // A full channel has the message already.
        let _ = wakes.as_ref().map(|wakes| wakes.try_send(()));
    }

    /// Blocks while the store refuses every write; `false` when it is time to stop before it works.
    fn await_store(&self) -> bool {
        let Some(over) = self.store.outage() else { return true };
        #[cfg(test)]
        self.breakpoints.reach(Point::StoreOut);
        crossbeam_channel::select! {
            recv(self.stopping.1) -> _ => false,
            recv(over) -> _ => true,
        }
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        // Nothing panics while it is held.
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes attempts until the dispatcher has ended.
fn work(shared: &Shared, tickets: &Receiver<Ticket>) {
    loop {
        #[cfg(test)]
        shared.breakpoints.reach(Point::SenderIdle);
        let Ok(ticket) = tickets.recv() else { return };
        if shared.stopping.1.try_recv() == Err(TryRecvError::Disconnected) {
            return;
        }
        // The last net, behind that around the sending: a defect must not cost the pool a thread.
        let made = catch_unwind(AssertUnwindSafe(|| attempt::run(shared, ticket.row)));
        let (conduct, settled) = match made {
            Ok(Ok(conduct)) => (conduct, true),
            Ok(Err(error)) => {
                tracing::error!(row = ticket.row, %error, "a webhook's delivery could not be read or noted");
                // What has failed with the store as a whole is made again when that works.
                (Conduct::Unknown, error.stops_writes())
            }
            Err(_) => {
                tracing::error!(
                    row = ticket.row,
                    "a webhook's delivery panicked; it waits for a restart"
                );
                (Conduct::Unknown, false)
            }
        };
        shared.shares().release(ticket, conduct, settled);
        shared.wake();
    }
}

/// Runs passes until the wakes' sender is gone.
fn dispatch(shared: &Shared, tickets: &Sender<Ticket>, wakes: &Receiver<()>) {
    let mut later = None;
    loop {
        let wake_ms = pass(shared, tickets, &mut later).unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            shared.clock.now_ms().saturating_add(AFTER_ERROR_MS)
        });
        match shared.clock.recv_until(wakes, Some(wake_ms)) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Gives the workers what is due, oldest first. A long outbox is looked at from its front, and then
/// from `later` on, where the pass before has stopped. Returns when the next pass is due at the latest.
fn pass(
    shared: &Shared,
    tickets: &Sender<Ticket>,
    later: &mut Option<OutboxKey>,
) -> Result<UnixMs, StoreError> {
    let now_ms = shared.clock.now_ms();
    if shared.store.outage().is_some() {
        // What is sent now could not be noted.
        return Ok(now_ms.saturating_add(AFTER_ERROR_MS));
    }
    let mut wake_ms = now_ms.saturating_add(PASS_EVERY_MS);
    match look(shared, tickets, now_ms, None, FRONT_ROWS_MAX)? {
        Look::Whole => *later = None,
        Look::Full(_) => {}
        Look::Cut(front) => {
            let from = later.map_or(front, |later| later.max(front));
            *later = match look(shared, tickets, now_ms, Some(from), LATER_ROWS_MAX)? {
                Look::Whole => None,
                Look::Full(at) => Some(at),
                Look::Cut(at) => {
                    wake_ms = now_ms.saturating_add(GO_ON_MS);
                    Some(at)
                }
            };
        }
    }
    let next_ms = shared.store.next_delivery_ms(now_ms)?.unwrap_or(UnixMs::MAX);
    Ok(next_ms.min(wake_ms))
}

/// Gives the workers what is due behind `after`, and looks at a bounded number of deliveries.
fn look(
    shared: &Shared,
    tickets: &Sender<Ticket>,
    now_ms: UnixMs,
    after: Option<OutboxKey>,
    rows_max: usize,
) -> Result<Look, StoreError> {
    let mut looked = 0;
    let mut outcome = Look::Whole;
    shared.store.visit_outbox(now_ms, after, |key, recipient| {
        let take = shared.shares().take(key.1, recipient);
        match take {
            Take::Taken(ticket) => {
                // There is room for every worker.
                if tickets.try_send(ticket).is_err() {
                    shared.shares().release(ticket, Conduct::Unknown, true);
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
