//! The deliverer of webhooks: a fixed pool of threads, fed from the outbox by a dispatcher. The
//! outbox is the truth: what is taken here and not written there is sent again, by this process or
//! the next, so that every delivery arrives at least once.

mod attempt;
mod signature;
mod tally;

use std::collections::{HashMap, HashSet};
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
use crate::store::{Row, Store, StoreError};
use crate::upstream::http::{Lookup, Poster};
use tally::DeliveryTally;

pub use tally::DeliveryCounts;

/// The longest time between two looks at the outbox, milliseconds. Every wait should end with a
/// nudge or at a due time; this finds what a defect has left lying.
const PASS_EVERY_MS: u64 = 60_000;
/// How long the dispatcher waits after an error of the store before it tries again, milliseconds.
const AFTER_ERROR_MS: u64 = 1_000;
/// Of the threads, one in so many may be at one receiver: one that hangs leaves the rest to others.
const RECEIVER_SHARE: usize = 4;

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
    workers: usize,
    taken: Mutex<Taken>,
    tally: DeliveryTally,
    /// The dispatcher ends when it is gone.
    nudges: Mutex<Option<Sender<()>>>,
    /// Disconnected when no attempt begins any more.
    stopping: (Mutex<Option<Sender<()>>>, Receiver<()>),
    #[cfg(test)]
    breakpoints: Arc<Breakpoints>,
}

/// What is under way.
#[derive(Default)]
struct Taken {
    /// In flight, or given up by this process because the store could not tell what became of it.
    rows: HashSet<Row>,
    in_flight: usize,
    by_receiver: HashMap<u64, usize>,
}

/// A row for a worker, and its receiver's number.
#[derive(Clone, Copy)]
struct Hint {
    row: Row,
    receiver: u64,
}

/// What came of an offer.
enum Take {
    Taken,
    /// It is under way, or its receiver has enough of them.
    Passed,
    /// Every worker has something to do.
    Full,
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
            workers: settings.workers,
            taken: Mutex::default(),
            nudges: Mutex::default(),
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
            self.shared.tell_of_the_unsent(settings);
            return Ok(());
        }
        let (nudge, nudges) = crossbeam_channel::bounded(1);
        *self.shared.nudges.lock().unwrap_or_else(PoisonError::into_inner) = Some(nudge);
        let threads = self.shared.spawn_threads(nudges)?;
        *self.threads.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        Ok(())
    }

    /// Whether a thread that is idle has been given a delivery, or will be.
    #[cfg(test)]
    pub fn has_due(&self, now_ms: UnixMs) -> bool {
        let mut due = false;
        let visited = self.shared.store.visit_outbox(now_ms, |row, _| {
            due |= !self.shared.taken().rows.contains(&row);
            ControlFlow::Continue(())
        });
        (visited.is_ok() && due) || self.shared.taken().in_flight > 0
    }

    /// Makes the dispatcher look at the outbox.
    pub fn nudge(&self) {
        self.shared.nudge();
    }

    /// What has become of the attempts since the start.
    pub fn counts(&self) -> DeliveryCounts {
        self.shared.tally.report()
    }

    /// Begins no attempt any more. Gives what is disconnected when those under way have ended;
    /// one that is cut off by the end of the process is made again after the next start.
    pub fn begin_stop(&self) -> Option<Receiver<()>> {
        drop(self.shared.stopping.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.shared.nudges.lock().unwrap_or_else(PoisonError::into_inner).take());
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
    fn spawn_threads(self: &Arc<Shared>, nudges: Receiver<()>) -> std::io::Result<Threads> {
        let (alive, ended) = crossbeam_channel::bounded::<()>(0);
        let (hint, hints) = crossbeam_channel::bounded(self.workers);
        for number in 1..=self.workers {
            let (shared, hints, alive) = (self.clone(), hints.clone(), alive.clone());
            std::thread::Builder::new().name(format!("webhook-{number}")).spawn(move || {
                work(&shared, &hints);
                drop(alive);
            })?;
        }
        let shared = self.clone();
        let dispatcher = std::thread::Builder::new()
            .name("webhooks".to_owned())
            .spawn(move || dispatch(&shared, &hint, &nudges))?;
        Ok(Threads { dispatcher: Some(dispatcher), ended: Some(ended) })
    }

    fn tell_of_the_unsent(&self, settings: &Webhooks) {
        let waits = self.store.next_delivery_ms(0);
        if let (Ok(Some(_)), Some(missing)) = (waits, &settings.missing) {
            tracing::warn!(missing, "webhooks wait to be sent, and nothing can sign them");
        }
    }

    fn nudge(&self) {
        let nudges = self.nudges.lock().unwrap_or_else(PoisonError::into_inner);
        // A full channel has the message already.
        let _ = nudges.as_ref().map(|nudges| nudges.try_send(()));
    }

    /// Takes a row that is due, if there is a worker for it.
    fn take(&self, Hint { row, receiver }: Hint) -> Take {
        let mut taken = self.taken();
        if taken.in_flight >= self.workers {
            return Take::Full;
        }
        let busy = taken.by_receiver.get(&receiver).copied().unwrap_or(0);
        if busy >= (self.workers / RECEIVER_SHARE).max(1) || !taken.rows.insert(row) {
            return Take::Passed;
        }
        taken.in_flight += 1;
        taken.by_receiver.insert(receiver, busy + 1);
        Take::Taken
    }

    /// The worker is done with a row; one that was not `settled` is not taken again.
    fn let_go(&self, Hint { row, receiver }: Hint, settled: bool) {
        let mut taken = self.taken();
        if settled {
            taken.rows.remove(&row);
        }
        taken.in_flight -= 1;
        if let Some(busy) = taken.by_receiver.get_mut(&receiver) {
            *busy -= 1;
            if *busy == 0 {
                taken.by_receiver.remove(&receiver);
            }
        }
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

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing panics while it is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes attempts until the dispatcher has ended.
fn work(shared: &Shared, hints: &Receiver<Hint>) {
    loop {
        #[cfg(test)]
        shared.breakpoints.reach(Point::SenderIdle);
        let Ok(hint) = hints.recv() else { return };
        if shared.stopping.1.try_recv() == Err(TryRecvError::Disconnected) {
            return;
        }
        // The last net, behind that around the sending: a defect must not cost the pool a thread.
        let made = catch_unwind(AssertUnwindSafe(|| attempt::run(shared, hint.row)));
        let settled = match made {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(row = hint.row, %error, "a webhook's delivery could not be read or noted");
                // What has failed with the store as a whole is made again when that works.
                error.latches()
            }
            Err(_) => {
                tracing::error!(
                    row = hint.row,
                    "a webhook's delivery panicked; it waits for a restart"
                );
                false
            }
        };
        shared.let_go(hint, settled);
        shared.nudge();
    }
}

/// Runs passes until the nudges' sender is gone.
fn dispatch(shared: &Shared, hints: &Sender<Hint>, nudges: &Receiver<()>) {
    loop {
        let wake_ms = pass(shared, hints).unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            shared.clock.now_ms().saturating_add(AFTER_ERROR_MS)
        });
        match shared.clock.recv_until(nudges, Some(wake_ms)) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Gives the workers what is due, oldest first; gives when the next pass is due at the latest.
fn pass(shared: &Shared, hints: &Sender<Hint>) -> Result<UnixMs, StoreError> {
    let now_ms = shared.clock.now_ms();
    if shared.store.outage().is_some() {
        // What is sent now could not be noted.
        return Ok(now_ms.saturating_add(AFTER_ERROR_MS));
    }
    shared.store.visit_outbox(now_ms, |row, receiver| {
        let hint = Hint { row, receiver };
        match shared.take(hint) {
            Take::Taken => {
                // There is room for every worker.
                if hints.try_send(hint).is_err() {
                    shared.let_go(hint, true);
                }
                ControlFlow::Continue(())
            }
            Take::Passed => ControlFlow::Continue(()),
            Take::Full => ControlFlow::Break(()),
        }
    })?;
    let next_ms = shared.store.next_delivery_ms(now_ms)?.unwrap_or(UnixMs::MAX);
    Ok(next_ms.min(now_ms.saturating_add(PASS_EVERY_MS)))
}
