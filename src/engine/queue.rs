//! One scraper's queue: two bounded channels of row numbers, one for jobs that somebody waits for,
//! and the set of rows that are in them or run. The row in the store is the truth and the channel
//! a hint: what does not fit is left to the ready index, from which the scheduler refills.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::day::Day;
use super::health::Health;
use super::totals::Totals;
use crate::clock::{Clock, UnixMs};
use crate::store::Row;

/// The most row numbers in each of a scraper's two channels; few in unit tests, so that they can
/// work off more than fit.
pub const QUEUE_ENTRIES_MAX: usize = if cfg!(test) { 64 } else { 1_024 };
/// Of this many picks in a row, one looks at the queued rows first, so that they do not starve.
const QUEUED_PICK_EVERY: u32 = 4;
/// The most threads, for each worker, that are left with a call whose answer is not wanted.
const ABANDONED_PER_WORKER: usize = 4;
/// As many may be left at least, so that a scraper with one worker bears a row of cancels.
const ABANDONED_MIN: usize = 32;
/// How much one run weighs in the average of run times: a sixteenth.
const RUN_AVERAGE_SHIFT: u32 = 4;

/// What a channel holds: a row that is ready, and since when.
#[derive(Clone, Copy, Debug)]
pub struct QueueEntry {
    pub row: Row,
    offered: Instant,
}

/// A row that a channel holds or a worker runs.
struct Claim {
    /// Tells the attempt that its answer is not wanted any more.
    canceled: Arc<AtomicBool>,
    /// The lease of the attempt that runs; `None` while the row waits in the channel.
    lease: Option<u32>,
    /// Set while a worker asks the upstreams.
    asking: Option<Asking>,
}

impl Claim {
    fn new() -> Claim {
        Claim { canceled: Arc::default(), lease: None, asking: None }
    }

    fn is_unwanted(&self) -> bool {
        self.asking.is_some() && self.canceled.load(Ordering::Relaxed)
    }

    fn stops_waiting_by(&self, until_ms: UnixMs) -> bool {
        let deadline_ms = self.asking.as_ref().and_then(|asking| asking.deadline_ms);
        deadline_ms.is_some_and(|deadline_ms| deadline_ms <= until_ms)
    }
}

/// A worker's place in its pool, which ends when the last one is dropped. While the worker asks the
/// upstreams its slot is in the queue. If that call is canceled, another thread takes the slot there,
/// and the one that asked ends when its call returns.
#[derive(Clone)]
pub struct WorkerSlot {
    /// From 1 on.
    pub number: usize,
    _alive: Sender<()>,
}

impl WorkerSlot {
    pub fn new(number: usize, alive: Sender<()>) -> WorkerSlot {
        WorkerSlot { number, _alive: alive }
    }
}

/// A call to the upstreams.
struct Asking {
    slot: WorkerSlot,
    /// When the caller who waits for the job stops waiting; `None` if there is none.
    deadline_ms: Option<UnixMs>,
}

/// One scraper's queue and what is known of its work.
pub struct Queue {
    pub scraper: u16,
    pub name: String,
    pub workers: usize,
    clock: Clock,
    interactive: Lane,
    queued: Lane,
    /// Picks of interactive rows since the latest pick that looked at the queued ones first.
    interactive_picks: AtomicU32,
    taken: Mutex<HashMap<Row, Claim>>,
    /// A call was canceled, and its worker has not been replaced. Stored after the flag of the call is
    /// set, and read before the calls are looked at.
    unwanted: AtomicBool,
    /// Threads whose slots were taken while they asked.
    abandoned: AtomicUsize,
    /// Slots for which no thread could be started.
    vacant: Mutex<Vec<WorkerSlot>>,
    /// The moving average of how long an attempt takes, milliseconds; 0 before the first.
    run_average_ms: AtomicU64,
    /// How its attempts have ended of late.
    pub health: Health,
    /// What it has done over the last day.
    pub day: Day,
    /// What it has done since the start.
    pub totals: Totals,
}

/// A bounded channel of ready rows.
struct Lane {
    channel: (Sender<QueueEntry>, Receiver<QueueEntry>),
    /// Rows are ready that were not offered to the channel. Stored before, and read after, a look
    /// at the channel's length, by threads that must not both miss the other: hence `SeqCst`.
    overflow: AtomicBool,
}

impl Lane {
    fn new() -> Lane {
        Lane {
            channel: crossbeam_channel::bounded(QUEUE_ENTRIES_MAX),
            overflow: AtomicBool::new(false),
        }
    }

    fn wants_refill(&self) -> bool {
        self.overflow.load(Ordering::SeqCst) && self.channel.1.len() < QUEUE_ENTRIES_MAX / 2
    }
}

/// What became of an offered row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is in a channel now, or was taken before.
    Accepted,
    /// There is no room; the ready index keeps it.
    Full,
}

impl Queue {
    pub fn new(scraper: u16, name: String, workers: usize, clock: Clock) -> Queue {
        Queue {
            scraper,
            name,
            workers,
            clock,
            interactive: Lane::new(),
            queued: Lane::new(),
            interactive_picks: AtomicU32::new(0),
            taken: Mutex::new(HashMap::new()),
            unwanted: AtomicBool::new(false),
            abandoned: AtomicUsize::new(0),
            vacant: Mutex::default(),
            run_average_ms: AtomicU64::new(0),
            health: Health::default(),
            day: Day::default(),
            totals: Totals::default(),
        }
    }

    /// Offers a job that has just become ready. While older ones wait outside of the channel it
    /// has to wait with them, so that the order holds.
    pub fn offer(&self, row: Row, interactive: bool) -> Offer {
        if self.lane(interactive).overflow.load(Ordering::SeqCst) {
            return Offer::Full;
        }
        self.offer_from_index(row, interactive)
    }

    /// Offers a job that the ready index names.
    pub fn offer_from_index(&self, row: Row, interactive: bool) -> Offer {
        let mut taken = self.taken();
        if taken.contains_key(&row) {
            return Offer::Accepted;
        }
        let lane = self.lane(interactive);
        let entry = QueueEntry { row, offered: self.clock.instant() };
        if lane.channel.0.try_send(entry).is_err() {
            lane.overflow.store(true, Ordering::SeqCst);
            return Offer::Full;
        }
        taken.insert(row, Claim::new());
        Offer::Accepted
    }

    /// Says that every ready row of a kind is about to be offered. Before the index is read: a row
    /// that does not fit meanwhile sets the mark again.
    pub fn begin_refill(&self, interactive: bool) {
        self.lane(interactive).overflow.store(false, Ordering::SeqCst);
    }

    /// Whether rows wait outside of a channel that has room for them.
    pub fn wants_refill(&self) -> bool {
        self.interactive.wants_refill() || self.queued.wants_refill()
    }

    fn lane(&self, interactive: bool) -> &Lane {
        if interactive { &self.interactive } else { &self.queued }
    }

    /// Takes the next row without waiting. Interactive rows go first, but for every
    /// [`QUEUED_PICK_EVERY`]th pick, which is the queued rows'.
    pub fn try_pick(&self) -> Option<QueueEntry> {
        let (interactive, queued) = self.receivers();
        let picks = self.interactive_picks.fetch_add(1, Ordering::Relaxed) + 1;
        if picks < QUEUED_PICK_EVERY
            && let Ok(entry) = interactive.try_recv()
        {
            return Some(entry);
        }
        self.interactive_picks.store(0, Ordering::Relaxed);
        queued.try_recv().or_else(|_| interactive.try_recv()).ok()
    }

    /// Returns the channels' ends: of interactive rows, and of queued ones.
    pub fn receivers(&self) -> (&Receiver<QueueEntry>, &Receiver<QueueEntry>) {
        (&self.interactive.channel.1, &self.queued.channel.1)
    }

    /// Counts how long a row was in its channel until a worker took it; gives the row.
    pub fn picked_up(&self, entry: QueueEntry) -> Row {
        self.totals.picked_up(self.clock.instant().duration_since(entry.offered));
        entry.row
    }

    /// Notes that an attempt with this lease runs; gives the flag that cancels it.
    pub fn running(&self, row: Row, lease: u32) -> Arc<AtomicBool> {
        let mut taken = self.taken();
        let entry = taken.entry(row).or_insert_with(Claim::new);
        entry.lease = Some(lease);
        entry.canceled.clone()
    }

    /// Notes that no attempt of a row runs any more, though it stays taken.
    pub fn clear_lease(&self, row: Row) {
        if let Some(entry) = self.taken().get_mut(&row) {
            entry.lease = None;
        }
    }

    /// Lets go of a row: the ready index may offer it again.
    pub fn release(&self, row: Row) {
        self.taken().remove(&row);
    }

    /// Tells the attempt of a row that its answer is not wanted any more. Returns whether a worker is
    /// asking for that answer, and has to be replaced.
    pub fn cancel(&self, row: Row) -> bool {
        let taken = self.taken();
        let Some(entry) = taken.get(&row) else { return false };
        entry.canceled.store(true, Ordering::Relaxed);
        if entry.asking.is_some() {
            self.unwanted.store(true, Ordering::SeqCst);
        }
        entry.asking.is_some()
    }

    /// Notes that a worker begins to ask the upstreams for a row, and keeps its slot meanwhile.
    pub fn begin_asking(&self, row: Row, slot: WorkerSlot, deadline_ms: Option<UnixMs>) {
        let mut taken = self.taken();
        let entry = taken.entry(row).or_insert_with(Claim::new);
        entry.asking = Some(Asking { slot, deadline_ms });
    }

    /// Returns the slot of the worker that has asked; `None` if another thread has taken it.
    pub fn end_asking(&self, row: Row, lease: u32) -> Option<WorkerSlot> {
        let mut taken = self.taken();
        let entry = taken.get_mut(&row).filter(|entry| entry.lease == Some(lease))?;
        entry.asking.take().map(|asking| asking.slot)
    }

    /// Returns the rows that are asked for though their callers stopped waiting at `until_ms` or
    /// before.
    pub fn overdue(&self, until_ms: UnixMs) -> Vec<Row> {
        let taken = self.taken();
        let overdue = |entry: &Claim| !entry.is_unwanted() && entry.stops_waiting_by(until_ms);
        taken.iter().filter(|(_, entry)| overdue(entry)).map(|(row, _)| *row).collect()
    }

    /// Returns when the first of the callers stops waiting whose rows are asked for.
    pub fn next_overdue_ms(&self) -> Option<UnixMs> {
        let taken = self.taken();
        let asking = taken.values().filter(|entry| !entry.is_unwanted());
        asking.filter_map(|entry| entry.asking.as_ref()?.deadline_ms).min()
    }

    /// Takes the slots of workers whose calls are canceled, with their rows, which it releases; at
    /// most as many as threads may be left with such calls.
    pub fn take_unwanted(&self) -> Vec<(Row, WorkerSlot)> {
        if !self.unwanted.swap(false, Ordering::SeqCst) {
            return Vec::new();
        }
        let mut taken = self.taken();
        let unwanted = taken.iter().filter(|(_, entry)| entry.is_unwanted());
        let rows: Vec<Row> = unwanted.map(|(row, _)| *row).collect();
        let abandoned_max = (self.workers * ABANDONED_PER_WORKER).max(ABANDONED_MIN);
        let room = abandoned_max.saturating_sub(self.abandoned.load(Ordering::SeqCst));
        if rows.len() > room {
            self.unwanted.store(true, Ordering::SeqCst);
        }
        let mut slots = Vec::new();
        for row in rows.into_iter().take(room) {
            if let Some(asking) = taken.remove(&row).and_then(|entry| entry.asking) {
                self.abandoned.fetch_add(1, Ordering::SeqCst);
                slots.push((row, asking.slot));
            }
        }
        slots
    }

    /// Notes that a thread whose slot was taken has ended.
    pub fn abandoned_ended(&self) {
        self.abandoned.fetch_sub(1, Ordering::SeqCst);
    }

    /// Keeps a slot for which no thread could be started.
    pub fn leave_vacant(&self, slot: WorkerSlot) {
        self.vacant.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }

    /// Takes the slots for which no thread could be started.
    pub fn take_vacant(&self) -> Vec<WorkerSlot> {
        std::mem::take(&mut *self.vacant.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every row whose attempt runs now, with its lease.
    pub fn all_running(&self) -> Vec<(Row, u32)> {
        self.taken().iter().filter_map(|(row, taken)| Some((*row, taken.lease?))).collect()
    }

    /// Every row that a channel holds or a worker has.
    pub fn all_taken(&self) -> Vec<Row> {
        self.taken().keys().copied().collect()
    }

    /// Every row that is taken, with the lease of the attempt that runs.
    #[cfg(test)]
    pub fn leases(&self) -> std::collections::BTreeMap<Row, Option<u32>> {
        self.taken().iter().map(|(row, taken)| (*row, taken.lease)).collect()
    }

    /// Notes how long an attempt took.
    pub fn note_run_ms(&self, run_ms: u64) {
        let before = self.run_average_ms.load(Ordering::Relaxed);
        let after = if before == 0 {
            run_ms.max(1)
        } else {
            (before - (before >> RUN_AVERAGE_SHIFT) + (run_ms >> RUN_AVERAGE_SHIFT)).max(1)
        };
        // Lost updates only make the average a little less smooth.
        self.run_average_ms.store(after, Ordering::Relaxed);
    }

    /// How long the jobs ahead are likely to take, milliseconds.
    pub fn wait_estimate_ms(&self, unfinished: usize) -> u64 {
        let average_ms = self.run_average_ms.load(Ordering::Relaxed);
        average_ms.saturating_mul(unfinished as u64) / self.workers.max(1) as u64
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Row, Claim>> {
        // Every change is one insertion or removal, so a panic cannot have torn the map.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        Queue::new(0, "practice".to_owned(), 2, Clock::System)
    }

    #[test]
    fn a_row_is_taken_once_until_it_is_let_go() {
        let queue = queue();
        assert_eq!(queue.offer(1, false), Offer::Accepted);
        assert_eq!(queue.offer_from_index(1, false), Offer::Accepted);
        assert_eq!(queue.receivers().1.len(), 1);
        queue.release(1);
        assert_eq!(queue.offer_from_index(1, false), Offer::Accepted);
        assert_eq!(queue.receivers().1.len(), 2);
    }

    #[test]
    fn what_does_not_fit_waits_and_keeps_its_place() {
        let queue = queue();
        for row in 0..QUEUE_ENTRIES_MAX as u64 {
            assert_eq!(queue.offer(row, false), Offer::Accepted);
        }
        assert_eq!(queue.offer(5_000, false), Offer::Full);
        assert!(!queue.wants_refill());
        for _ in 0..=QUEUE_ENTRIES_MAX / 2 {
            queue.receivers().1.try_recv().unwrap();
        }
        assert!(queue.wants_refill());
        assert_eq!(queue.offer(5_001, false), Offer::Full, "older rows wait outside");
        assert_eq!(queue.offer(5_002, true), Offer::Accepted, "somebody waits for this one");
        assert_eq!(queue.offer_from_index(5_000, false), Offer::Accepted);
    }

    #[test]
    fn every_fourth_pick_is_of_a_queued_row() {
        let queue = queue();
        for row in 0..20 {
            queue.offer(row, true);
            queue.offer(100 + row, false);
        }
        let picks: Vec<Row> = (0..40).map(|_| queue.try_pick().unwrap().row).collect();
        assert_eq!(picks[..8], [0, 1, 2, 100, 3, 4, 5, 101]);
        let mut sorted = picks.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).chain(100..120).collect::<Vec<Row>>(), "each once");
        assert!(queue.try_pick().is_none());
    }

    #[test]
    fn interactive_rows_go_first_while_queued_ones_are_picked_anyway() {
        let queue = queue();
        for row in 100..103 {
            queue.offer(row, false);
        }
        assert_eq!(queue.try_pick().unwrap().row, 100);
        queue.offer(0, true);
        assert_eq!(queue.try_pick().unwrap().row, 0);
        assert_eq!(queue.try_pick().unwrap().row, 101);
        queue.offer(1, true);
        assert_eq!(queue.try_pick().unwrap().row, 1);
    }

    #[test]
    fn canceled_calls_lose_their_slots_up_to_a_bound() {
        let queue = queue();
        let (alive, _ended) = crossbeam_channel::bounded(0);
        let most = ABANDONED_MIN as Row;
        for row in 0..=most {
            queue.running(row, 1);
            queue.begin_asking(row, WorkerSlot::new(1, alive.clone()), None);
            assert!(queue.take_unwanted().is_empty());
        }
        for row in 0..=most {
            assert!(queue.cancel(row));
        }
        assert_eq!(queue.take_unwanted().len() as Row, most);
        assert!(queue.take_unwanted().is_empty(), "no more threads are left with a call");
        assert_eq!((0..=most).filter(|row| queue.end_asking(*row, 1).is_some()).count(), 1);
        queue.cancel(most);
        queue.abandoned_ended();
        assert!(queue.take_unwanted().is_empty(), "that call has returned");
    }

    #[test]
    fn calls_are_overdue_when_their_callers_have_stopped_waiting() {
        let queue = queue();
        let (alive, _ended) = crossbeam_channel::bounded(0);
        for (row, deadline_ms) in [(1, None), (2, Some(2_000)), (3, Some(3_000))] {
            queue.running(row, 1);
            queue.begin_asking(row, WorkerSlot::new(1, alive.clone()), deadline_ms);
        }
        assert_eq!(queue.next_overdue_ms(), Some(2_000));
        assert_eq!((queue.overdue(1_999), queue.overdue(2_000)), (vec![], vec![2]));
        queue.cancel(2);
        assert_eq!((queue.overdue(2_000), queue.next_overdue_ms()), (vec![], Some(3_000)));
    }

    #[test]
    fn the_estimate_follows_run_times_and_workers() {
        let queue = queue();
        assert_eq!(queue.wait_estimate_ms(10), 0);
        queue.note_run_ms(1_000);
        assert_eq!(queue.wait_estimate_ms(10), 5_000);
        for _ in 0..200 {
            queue.note_run_ms(100);
        }
        assert!(queue.wait_estimate_ms(10) < 1_500);
    }
}
