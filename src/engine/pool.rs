//! Pools of named threads with bounded channels, for jobs and for webhook deliveries alike. They
//! know nothing of what the threads do.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

use super::lock::lock;
use crate::clock::{Clock, Stopwatch};

/// Every this many entries, the normal ones go before the urgent ones, so that they do not starve.
const NORMAL_PICK_EVERY: u32 = 4;
/// The most threads, for each slot, that may run on after they have lost their slot.
const ABANDONED_PER_SLOT: usize = 4;
/// A pool of one thread may have this many, so that it survives a series of cancels.
pub(super) const ABANDONED_MIN: usize = 32;

/// Runs a step of a thread; `None` if it panicked. A defect must not cost a pool a thread.
pub(super) fn guard<T>(step: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(step)).ok()
}

/// The signal that ends the threads of every pool: a channel that is disconnected.
pub(super) struct StopSignal(Mutex<Option<Sender<()>>>, Receiver<()>);

impl StopSignal {
    pub(crate) fn new() -> StopSignal {
        let (sender, receiver) = crossbeam_channel::bounded(0);
        StopSignal(Mutex::new(Some(sender)), receiver)
    }

    /// Gives the signal. It cannot be taken back.
    pub(crate) fn send(&self) {
        drop(lock(&self.0).take());
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.1.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// Returns a channel that is disconnected by the signal.
    pub(crate) fn receiver(&self) -> &Receiver<()> {
        &self.1
    }
}

/// A thread's place in its pool. The pool has ended when the last of them is dropped.
#[derive(Clone)]
pub(super) struct Slot {
    /// From 1 on.
    number: usize,
    _alive: Sender<()>,
}

#[cfg(test)]
impl Slot {
    /// Returns a slot of no pool.
    pub(crate) fn of_no_pool() -> Slot {
        Slot { number: 1, _alive: crossbeam_channel::bounded(0).0 }
    }
}

/// A pool's reply to a thread that asks for its next entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    Entry(T),
    /// There is no entry now.
    Empty,
    Stopped,
}

/// A bounded channel that remembers that it was full.
struct Lane<T> {
    capacity: usize,
    sender: Sender<T>,
    receiver: Receiver<T>,
    /// Entries were left out. Stored before, and read after, a look at the channel's length, by threads
    /// that must not both miss the other: hence `SeqCst`.
    overflow: AtomicBool,
}

/// Named threads, and the two bounded channels that they take their entries from.
pub(super) struct Pool<T> {
    pub name: String,
    pub size: usize,
    urgent: Lane<T>,
    normal: Lane<T>,
    /// Threads that wait for an entry.
    idle: AtomicUsize,
    /// Entries since the latest one for which the normal channel came first.
    picks: AtomicU32,
    stop: Arc<StopSignal>,
    threads: Mutex<Threads>,
    /// Threads that have lost their slot and still run.
    abandoned: AtomicUsize,
    /// The most entries of a kind that are taken ahead of threads that are busy.
    ahead_max: usize,
}

#[derive(Default)]
struct Threads {
    /// By the number of their slot.
    handles: BTreeMap<usize, JoinHandle<()>>,
    /// Slots for which no thread could be started.
    vacant: Vec<Slot>,
    /// Disconnected when there are no slots any more.
    ended: Option<Receiver<()>>,
}

impl<T> Pool<T> {
    /// Creates a pool of `size` threads, none of which has been started, with channels of `capacity`.
    pub(crate) fn new(
        name: String,
        size: usize,
        capacity: usize,
        stop: Arc<StopSignal>,
    ) -> Pool<T> {
        let lane = || {
            let (sender, receiver) = crossbeam_channel::bounded(capacity);
            Lane { capacity, sender, receiver, overflow: AtomicBool::new(false) }
        };
        Pool {
            name,
            size,
            urgent: lane(),
            normal: lane(),
            idle: AtomicUsize::new(0),
            picks: AtomicU32::new(0),
            stop,
            threads: Mutex::default(),
            abandoned: AtomicUsize::new(0),
            ahead_max: capacity,
        }
    }

    /// Takes no more entries of a kind ahead of its threads than they can begin soon: one for each
    /// that is idle, and for half of all. What waits here, other processes cannot begin.
    pub(crate) fn sharing(self) -> Pool<T> {
        Pool { ahead_max: self.size / 2 + 1, ..self }
    }

    /// Starts the threads. Each calls `run` with its slot and ends when that returns.
    ///
    /// # Errors
    /// Returns an error if a thread cannot be started.
    pub(crate) fn start(&self, run: impl Fn(Slot) + Clone + Send + 'static) -> std::io::Result<()> {
        // Nothing is ever sent.
        let (alive, ended) = crossbeam_channel::bounded(0);
        lock(&self.threads).ended = Some(ended);
        for number in 1..=self.size {
            self.spawn(Slot { number, _alive: alive.clone() }, run.clone())?;
        }
        Ok(())
    }

    fn spawn(&self, slot: Slot, run: impl FnOnce(Slot) + Send + 'static) -> std::io::Result<()> {
        let number = slot.number;
        let name = format!("{}-{number}", self.name);
        let handle = Builder::new().name(name).spawn(move || run(slot))?;
        lock(&self.threads).handles.insert(number, handle);
        Ok(())
    }

    /// Starts a thread for each slot that has none: these, and those for which it has failed before.
    pub(crate) fn restaff(
        &self,
        slots: impl Iterator<Item = Slot>,
        run: impl Fn(Slot) + Clone + Send + 'static,
    ) {
        let vacant = std::mem::take(&mut lock(&self.threads).vacant);
        for slot in vacant.into_iter().chain(slots) {
            if let Err(error) = self.spawn(slot.clone(), run.clone()) {
                tracing::error!(pool = self.name, %error, "a thread could not be started");
                lock(&self.threads).vacant.push(slot);
            }
        }
    }

    /// Returns how many more threads may lose their slots.
    pub(crate) fn abandonable(&self) -> usize {
        let abandoned_max = (self.size * ABANDONED_PER_SLOT).max(ABANDONED_MIN);
        abandoned_max.saturating_sub(self.abandoned.load(Ordering::SeqCst))
    }

    /// Notes that a thread has lost its slot.
    pub(crate) fn abandon(&self) {
        self.abandoned.fetch_add(1, Ordering::SeqCst);
    }

    /// Notes that a thread without a slot has ended.
    pub(crate) fn abandoned_ended(&self) {
        self.abandoned.fetch_sub(1, Ordering::SeqCst);
    }

    /// Waits until every slot is dropped, at most until the stopwatch shows `until_ms`; returns whether
    /// they are. The time is monotonic: who sets the clock back must not hold up a stop.
    pub(crate) fn ended_by(&self, clock: &Clock, watch: &Stopwatch, until_ms: u64) -> bool {
        let Threads { handles, vacant, ended } = std::mem::take(&mut *lock(&self.threads));
        drop(vacant);
        let Some(ended) = ended else { return true };
        loop {
            let left_ms = until_ms.saturating_sub(watch.elapsed_ms());
            let wake_ms = clock.now_ms().saturating_add(left_ms);
            match clock.recv_until(&ended, Some(wake_ms)) {
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if left_ms == 0 => return false,
                // One long wait may be cut into several.
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
        for handle in handles.into_values() {
            // A panic is in the log.
            let _ = handle.join();
        }
        true
    }

    /// Adds an entry; returns whether there was room.
    pub(crate) fn offer(&self, entry: T, urgent: bool) -> bool {
        let lane = self.lane(urgent);
        let sent = lane.sender.try_send(entry).is_ok();
        if !sent {
            self.note_overflow(urgent);
        }
        sent
    }

    /// Notes that entries of a kind were left out.
    pub(crate) fn note_overflow(&self, urgent: bool) {
        self.lane(urgent).overflow.store(true, Ordering::SeqCst);
    }

    /// Returns how many more entries of a kind are to be taken.
    pub(crate) fn room(&self, urgent: bool) -> usize {
        let lane = self.lane(urgent);
        let most = lane.capacity.min(self.ahead_max.saturating_add(self.idle()));
        most.saturating_sub(lane.receiver.len())
    }

    /// Returns how many threads wait for an entry for which none is on its way; 0 where entries of
    /// that kind were left out, which come first.
    pub(crate) fn free(&self, urgent: bool) -> usize {
        let waiting = self.urgent.receiver.len() + self.normal.receiver.len();
        if self.overflowed(urgent) { 0 } else { self.idle().saturating_sub(waiting) }
    }

    /// Returns whether entries of a kind were left out since the latest [`Pool::begin_refill`].
    pub(crate) fn overflowed(&self, urgent: bool) -> bool {
        self.lane(urgent).overflow.load(Ordering::SeqCst)
    }

    /// Notes that every entry of a kind is about to be offered again. Call it before they are looked up:
    /// one that does not fit meanwhile marks the overflow again.
    pub(crate) fn begin_refill(&self, urgent: bool) {
        self.lane(urgent).overflow.store(false, Ordering::SeqCst);
    }

    /// Returns whether entries were left out, and half of what is taken ahead is used up by now.
    pub(crate) fn wants_refill(&self) -> bool {
        [true, false].into_iter().any(|urgent| self.wants(urgent))
    }

    /// Returns whether entries of a kind were left out, and half of what is taken ahead is used up.
    pub(crate) fn wants(&self, urgent: bool) -> bool {
        let lane = self.lane(urgent);
        lane.overflow.load(Ordering::SeqCst) && lane.receiver.len() < self.ahead_max.div_ceil(2)
    }

    /// Returns how many entries of a kind wait.
    #[cfg(test)]
    pub(crate) fn len(&self, urgent: bool) -> usize {
        self.lane(urgent).receiver.len()
    }

    /// Takes the next entry, waiting for one if `wait`.
    pub(crate) fn next(&self, wait: bool) -> Next<T> {
        if self.stop.is_sent() {
            return Next::Stopped;
        }
        if let Some(entry) = self.try_next() {
            return Next::Entry(entry);
        }
        if !wait {
            return Next::Empty;
        }
        self.idle.fetch_add(1, Ordering::Relaxed);
        let received = crossbeam_channel::select_biased! {
            recv(self.stop.receiver()) -> _ => None,
            recv(self.urgent.receiver) -> entry => entry.ok(),
            recv(self.normal.receiver) -> entry => entry.ok(),
        };
        self.idle.fetch_sub(1, Ordering::Relaxed);
        received.map_or(Next::Stopped, Next::Entry)
    }

    /// Returns how many threads wait for an entry.
    pub(crate) fn idle(&self) -> usize {
        self.idle.load(Ordering::Relaxed)
    }

    /// Urgent entries go first, except for every [`NORMAL_PICK_EVERY`]th pick.
    fn try_next(&self) -> Option<T> {
        let (urgent, normal) = (&self.urgent.receiver, &self.normal.receiver);
        let picks = self.picks.fetch_add(1, Ordering::Relaxed) + 1;
        if picks < NORMAL_PICK_EVERY
            && let Ok(entry) = urgent.try_recv()
        {
            return Some(entry);
        }
        self.picks.store(0, Ordering::Relaxed);
        normal.try_recv().or_else(|_| urgent.try_recv()).ok()
    }

    fn lane(&self, urgent: bool) -> &Lane<T> {
        if urgent { &self.urgent } else { &self.normal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(size: usize) -> Pool<u64> {
        Pool::new("test".to_owned(), size, 8, Arc::new(StopSignal::new()))
    }

    #[test]
    fn every_fourth_entry_is_a_normal_one() {
        let pool = pool(1);
        for entry in 0..8 {
            assert!(pool.offer(entry, true) && pool.offer(100 + entry, false));
        }
        let picks: Vec<u64> = (0..16).map(|_| pool.try_next().unwrap()).collect();
        assert_eq!(picks[..8], [0, 1, 2, 100, 3, 4, 5, 101]);
        let mut sorted = picks.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..8).chain(100..108).collect::<Vec<u64>>(), "each once");
        assert_eq!(pool.next(false), Next::Empty);
    }

    #[test]
    fn urgent_entries_go_first_while_normal_ones_are_picked_anyway() {
        let pool = pool(1);
        for entry in 100..103 {
            pool.offer(entry, false);
        }
        assert_eq!(pool.try_next(), Some(100));
        pool.offer(0, true);
        assert_eq!(pool.try_next(), Some(0));
        assert_eq!(pool.try_next(), Some(101));
        pool.offer(1, true);
        assert_eq!(pool.try_next(), Some(1));
    }

    #[test]
    fn full_channel_asks_for_a_refill_once_it_is_half_empty() {
        let pool = pool(1);
        (0..8).for_each(|entry| assert!(pool.offer(entry, false)));
        assert!(!pool.offer(8, false) && pool.overflowed(false) && !pool.wants_refill());
        (0..5).for_each(|entry| assert_eq!(pool.next(false), Next::Entry(entry)));
        assert!(pool.wants_refill());
        pool.begin_refill(false);
        assert!(!pool.wants_refill() && !pool.overflowed(true));
    }

    #[test]
    fn thread_that_waits_is_free_unless_entries_come_first() {
        let pool = pool(2);
        assert_eq!(pool.free(false), 0, "no thread waits");
        pool.idle.store(2, Ordering::Relaxed);
        assert_eq!(pool.free(false), 2);
        assert!(pool.offer(1, true));
        assert_eq!(pool.free(false), 1);
        pool.note_overflow(false);
        assert_eq!((pool.free(false), pool.free(true)), (0, 1));
    }

    #[test]
    fn shared_work_is_taken_ahead_for_half_of_the_threads() {
        let shared = pool(4).sharing();
        assert_eq!(shared.room(false), 3);
        (0..3).for_each(|entry| assert!(shared.offer(entry, false)));
        shared.note_overflow(false);
        // All threads are busy: what is left is for others.
        assert_eq!((shared.room(false), shared.wants_refill()), (0, false));
        assert_eq!(shared.next(false), Next::Entry(0));
        assert!(!shared.wants_refill());
        assert_eq!(shared.next(false), Next::Entry(1));
        assert_eq!((shared.room(false), shared.wants_refill()), (2, true));
        assert_eq!(pool(4).room(false), 8);
    }

    #[test]
    fn stop_signal_ends_threads_that_wait_and_comes_before_entries() {
        let pool = Arc::new(pool(3));
        let (took, taken) = crossbeam_channel::unbounded();
        let worker = pool.clone();
        pool.start(move |_slot| {
            while let Next::Entry(entry) = worker.next(true) {
                took.send(entry).unwrap();
            }
        })
        .unwrap();
        pool.offer(7, false);
        assert_eq!(taken.recv(), Ok(7));
        while pool.idle() < 3 {
            std::thread::yield_now();
        }
        pool.stop.send();
        let (clock, _manual) = Clock::manual(0);
        assert!(pool.ended_by(&clock, &clock.stopwatch(), 60_000));
        assert_eq!(pool.idle(), 0);
        pool.offer(8, false);
        assert_eq!(pool.next(true), Next::Stopped);
    }

    #[test]
    fn slot_without_a_thread_holds_up_the_end_until_the_time_is_up() {
        let pool = pool(1);
        let (keep, kept) = crossbeam_channel::unbounded();
        pool.start(move |slot| keep.send(slot).unwrap()).unwrap();
        let slot = kept.recv().unwrap();
        let (clock, _manual) = Clock::manual(0);
        assert!(!pool.ended_by(&clock, &clock.stopwatch(), 0));
        drop(slot);
    }
}
