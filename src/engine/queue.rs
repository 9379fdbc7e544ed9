//! One scraper's queue: two bounded channels of row numbers, one for jobs that somebody waits for,
//! and the set of rows that are in them or run. The row in the store is the truth and the channel
//! a hint: what does not fit is left to the ready index, from which the timer refills.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::day::Day;
use super::health::Health;
use super::totals::Totals;
use crate::clock::Clock;
use crate::store::Row;

/// The most row numbers in each of a scraper's two channels; few in unit tests, so that they can
/// work off more than fit.
pub const HINTS_MAX: usize = if cfg!(test) { 64 } else { 1_024 };
/// How much one run weighs in the average of run times: a sixteenth.
const RUN_AVERAGE_SHIFT: u32 = 4;

/// What a channel holds: a row that is ready, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    pub row: Row,
    offered: Instant,
}

/// A row that a channel holds or a worker runs.
struct Taken {
    /// Tells the attempt that its answer is not wanted any more.
    canceled: Arc<AtomicBool>,
    /// The lease of the attempt that runs; `None` while the row waits in the channel.
    lease: Option<u32>,
}

/// One scraper's queue and what is known of its work.
pub struct Queue {
    pub scraper: u16,
    pub name: String,
    pub workers: usize,
    clock: Clock,
    interactive: Lane,
    queued: Lane,
    taken: Mutex<HashMap<Row, Taken>>,
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
    channel: (Sender<Hint>, Receiver<Hint>),
    /// Rows are ready that were not offered to the channel. Stored before, and read after, a look
    /// at the channel's length, by threads that must not both miss the other: hence `SeqCst`.
    overflow: AtomicBool,
}

impl Lane {
    fn new() -> Lane {
        Lane { channel: crossbeam_channel::bounded(HINTS_MAX), overflow: AtomicBool::new(false) }
    }

    fn wants_refill(&self) -> bool {
        self.overflow.load(Ordering::SeqCst) && self.channel.1.len() < HINTS_MAX / 2
    }
}

/// What became of an offered row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is in a channel now, or was taken before.
    Taken,
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
            taken: Mutex::new(HashMap::new()),
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
            return Offer::Taken;
        }
        let lane = self.lane(interactive);
        let hint = Hint { row, offered: self.clock.instant() };
        if lane.channel.0.try_send(hint).is_err() {
            lane.overflow.store(true, Ordering::SeqCst);
            return Offer::Full;
        }
        taken.insert(row, Taken { canceled: Arc::default(), lease: None });
        Offer::Taken
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

    /// The channels' ends for a worker: interactive jobs first.
    pub fn receivers(&self) -> (&Receiver<Hint>, &Receiver<Hint>) {
        (&self.interactive.channel.1, &self.queued.channel.1)
    }

    /// Counts how long a row was in its channel until a worker took it; gives the row.
    pub fn picked_up(&self, hint: Hint) -> Row {
        self.totals.picked_up(self.clock.instant().duration_since(hint.offered));
        hint.row
    }

    /// Notes that an attempt with this lease runs; gives the flag that cancels it.
    pub fn running(&self, row: Row, lease: u32) -> Arc<AtomicBool> {
        let mut taken = self.taken();
        let entry =
            taken.entry(row).or_insert_with(|| Taken { canceled: Arc::default(), lease: None });
        entry.lease = Some(lease);
        entry.canceled.clone()
    }

    /// Notes that no attempt of a row runs any more, though it stays taken.
    pub fn rests(&self, row: Row) {
        if let Some(entry) = self.taken().get_mut(&row) {
            entry.lease = None;
        }
    }

    /// Lets go of a row: the ready index may offer it again.
    pub fn let_go(&self, row: Row) {
        self.taken().remove(&row);
    }

    /// Tells the attempt of a row that its answer is not wanted any more.
    pub fn cancel(&self, row: Row) {
        if let Some(entry) = self.taken().get(&row) {
            entry.canceled.store(true, Ordering::Relaxed);
        }
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

    fn taken(&self) -> MutexGuard<'_, HashMap<Row, Taken>> {
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
        assert_eq!(queue.offer(1, false), Offer::Taken);
        assert_eq!(queue.offer_from_index(1, false), Offer::Taken);
        assert_eq!(queue.receivers().1.len(), 1);
        queue.let_go(1);
        assert_eq!(queue.offer_from_index(1, false), Offer::Taken);
        assert_eq!(queue.receivers().1.len(), 2);
    }

    #[test]
    fn what_does_not_fit_waits_and_keeps_its_place() {
        let queue = queue();
        for row in 0..HINTS_MAX as u64 {
            assert_eq!(queue.offer(row, false), Offer::Taken);
        }
        assert_eq!(queue.offer(5_000, false), Offer::Full);
        assert!(!queue.wants_refill());
        for _ in 0..=HINTS_MAX / 2 {
            queue.receivers().1.try_recv().unwrap();
        }
        assert!(queue.wants_refill());
        assert_eq!(queue.offer(5_001, false), Offer::Full, "older rows wait outside");
        assert_eq!(queue.offer(5_002, true), Offer::Taken, "somebody waits for this one");
        assert_eq!(queue.offer_from_index(5_000, false), Offer::Taken);
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
