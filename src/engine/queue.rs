//! One scraper's queue: a pool of workers, the rows that wait in its channels or run, and what is known
//! of their work. The row in the store is the truth and the channel a hint: what does not fit is left
//! to the ready index, from which the scheduler refills.

#[cfg(test)]
use std::collections::BTreeMap;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::events::EngineEvent;
use super::lock::lock;
use super::pool::{Next, Pool, Slot, StopSignal};
use super::stats::Stats;
use crate::clock::{Clock, UnixMs};
use crate::store::{Row, ScraperLoad};
use crate::upstream::CallLog;

/// The most rows in each of a scraper's two channels; few in unit tests, so that they can work off more
/// than fit.
pub const QUEUE_ENTRIES_MAX: usize = if cfg!(test) { 64 } else { 1_024 };

/// A row that is ready, and since when it is in a channel.
pub(super) struct QueueEntry {
    row: Row,
    interactive: bool,
    offered: Instant,
}

/// How many rows have come into a channel, and how many of them workers have taken.
#[derive(Default)]
struct Turns {
    offered: AtomicU64,
    taken: AtomicU64,
}

/// A row that a channel holds or a worker runs.
#[derive(Default)]
struct Claim {
    /// How many rows came into the channel before it.
    turn: u64,
    /// Tells the attempt that its answer is not wanted any more.
    canceled: Arc<AtomicBool>,
    /// The lease of the latest start that a worker of this process has written; 0 before the first.
    /// A job that waits may be left running by a crash: that attempt is not this process's to give back.
    started: Arc<AtomicU32>,
    /// The lease of the attempt that runs; `None` while the row waits in the channel.
    lease: Option<u32>,
    /// Set while a worker asks the upstreams.
    asking: Option<Asking>,
}

/// A call to the upstreams. If it is canceled, another thread takes over the slot of its worker, which
/// ends when the call returns.
struct Asking {
    slot: Slot,
    /// What it has done so far.
    log: Arc<CallLog>,
    /// When the caller who waits for the job stops waiting; `None` if there is none.
    deadline_ms: Option<UnixMs>,
}

impl Claim {
    fn is_unwanted(&self) -> bool {
        self.asking.is_some() && self.canceled.load(Ordering::Relaxed)
    }

    fn stops_waiting_by(&self, until_ms: UnixMs) -> bool {
        let deadline_ms = self.asking.as_ref().and_then(|asking| asking.deadline_ms);
        deadline_ms.is_some_and(|deadline_ms| deadline_ms <= until_ms)
    }
}

/// A queue's reply to an offered row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is in a channel now, or was claimed before.
    Accepted,
    /// There is no room; the ready index keeps it.
    Full,
}

/// One scraper's queue.
pub(super) struct Queue {
    /// The store's number of the scraper.
    pub scraper: u16,
    pub pool: Pool<QueueEntry>,
    clock: Clock,
    claims: Mutex<HashMap<Row, Claim>>,
    /// Of the rows that a client waits for, and of the others.
    turns: [Turns; 2],
    /// A call was canceled, and its worker has not been replaced. Stored after the flag of the call is
    /// set, and read before the calls are looked at.
    unwanted: AtomicBool,
    /// Jobs may be due that no process has: another one has found or left them.
    has_open: AtomicBool,
    pub stats: Stats,
}

impl Queue {
    pub(crate) fn new(
        scraper: u16,
        name: String,
        workers: usize,
        clock: Clock,
        stop: Arc<StopSignal>,
    ) -> Queue {
        Queue {
            scraper,
            pool: Pool::new(name, workers, QUEUE_ENTRIES_MAX, stop),
            clock,
            claims: Mutex::default(),
            turns: <[Turns; 2]>::default(),
            unwanted: AtomicBool::new(false),
            has_open: AtomicBool::new(false),
            stats: Stats::new(),
        }
    }

    /// Leaves to other processes what its workers cannot begin soon: see [`Pool::sharing`].
    pub(crate) fn sharing(self) -> Queue {
        Queue { pool: self.pool.sharing(), ..self }
    }

    /// Returns the name of the scraper.
    pub(crate) fn name(&self) -> &str {
        &self.pool.name
    }

    /// Offers a job that has just become ready. While older ones wait outside of the channel it
    /// has to wait with them, so that the order holds.
    pub(crate) fn offer(&self, row: Row, interactive: bool) -> Offer {
        if self.pool.overflowed(interactive) {
            return Offer::Full;
        }
        self.offer_from_index(row, interactive)
    }

    /// Offers a job that the ready index names.
    pub(crate) fn offer_from_index(&self, row: Row, interactive: bool) -> Offer {
        let mut claims = lock(&self.claims);
        if claims.contains_key(&row) {
            return Offer::Accepted;
        }
        let entry = QueueEntry { row, interactive, offered: self.clock.instant() };
        if !self.pool.offer(entry, interactive) {
            return Offer::Full;
        }
        // In the order of the channel, because the claims are locked.
        let turn = self.turns(interactive).offered.fetch_add(1, Ordering::Relaxed);
        claims.insert(row, Claim { turn, ..Claim::default() });
        Offer::Accepted
    }

    /// Returns whether a channel holds a row or a worker has it.
    pub(crate) fn has_claimed(&self, row: Row) -> bool {
        lock(&self.claims).contains_key(&row)
    }

    /// Notes that jobs may be due that no process has.
    pub(crate) fn note_open(&self) {
        self.has_open.store(true, Ordering::SeqCst);
    }

    /// Returns whether that was noted since the last time. Call it before they are looked up.
    pub(crate) fn take_open(&self) -> bool {
        self.has_open.swap(false, Ordering::SeqCst)
    }

    /// Takes the next row, waiting for one if `wait`.
    pub(crate) fn next(&self, wait: bool) -> Next<Row> {
        match self.pool.next(wait) {
            Next::Entry(QueueEntry { row, interactive, offered }) => {
                self.turns(interactive).taken.fetch_add(1, Ordering::Relaxed);
                let after = self.clock.instant().duration_since(offered);
                self.stats.emit(EngineEvent::PickedUp { after });
                Next::Entry(row)
            }
            Next::Empty => Next::Empty,
            Next::Stopped => Next::Stopped,
        }
    }

    /// Returns where the lease of a start is noted when it is written.
    pub(crate) fn start_lease(&self, row: Row) -> Arc<AtomicU32> {
        lock(&self.claims).entry(row).or_default().started.clone()
    }

    /// Returns every row that is claimed, with where the lease of its latest start is noted.
    pub(crate) fn start_leases(&self) -> Vec<(Row, Arc<AtomicU32>)> {
        let claims = lock(&self.claims);
        claims.iter().map(|(row, claim)| (*row, claim.started.clone())).collect()
    }

    /// Notes that an attempt with this lease runs; returns the flag that cancels it.
    pub(crate) fn set_lease(&self, row: Row, lease: u32) -> Arc<AtomicBool> {
        let mut claims = lock(&self.claims);
        let claim = claims.entry(row).or_default();
        claim.lease = Some(lease);
        claim.canceled.clone()
    }

    /// Notes that no attempt of a row runs any more, though the row stays claimed.
    pub(crate) fn clear_lease(&self, row: Row) {
        if let Some(claim) = lock(&self.claims).get_mut(&row) {
            claim.lease = None;
        }
    }

    /// Releases a row: the ready index may offer it again.
    pub(crate) fn release(&self, row: Row) {
        lock(&self.claims).remove(&row);
    }

    /// Tells the attempt of a row that its answer is not wanted any more. Returns whether a worker is
    /// asking for that answer, and has to be replaced.
    pub(crate) fn cancel(&self, row: Row) -> bool {
        let claims = lock(&self.claims);
        let Some(claim) = claims.get(&row) else { return false };
        claim.canceled.store(true, Ordering::Relaxed);
        if claim.asking.is_some() {
            self.unwanted.store(true, Ordering::SeqCst);
        }
        claim.asking.is_some()
    }

    /// Notes that a worker begins to ask the upstreams for a row, and keeps its slot meanwhile.
    pub(crate) fn begin_asking(
        &self,
        row: Row,
        slot: Slot,
        deadline_ms: Option<UnixMs>,
        log: Arc<CallLog>,
    ) {
        let asking = Asking { slot, log, deadline_ms };
        lock(&self.claims).entry(row).or_default().asking = Some(asking);
    }

    /// Returns what the attempt of a row does, with its lease; `None` while none asks.
    pub(crate) fn call_log(&self, row: Row) -> Option<(u32, Arc<CallLog>)> {
        let claims = lock(&self.claims);
        let claim = claims.get(&row)?;
        Some((claim.lease?, claim.asking.as_ref()?.log.clone()))
    }

    /// Returns the slot of the worker that has asked; `None` if another thread has taken it over.
    pub(crate) fn end_asking(&self, row: Row, lease: u32) -> Option<Slot> {
        let mut claims = lock(&self.claims);
        let claim = claims.get_mut(&row).filter(|claim| claim.lease == Some(lease))?;
        claim.asking.take().map(|asking| asking.slot)
    }

    /// Returns the rows that are asked for though their callers stopped waiting at `until_ms` or
    /// before.
    pub(crate) fn overdue(&self, until_ms: UnixMs) -> Vec<Row> {
        let overdue = |claim: &Claim| !claim.is_unwanted() && claim.stops_waiting_by(until_ms);
        let claims = lock(&self.claims);
        claims.iter().filter(|(_, claim)| overdue(claim)).map(|(row, _)| *row).collect()
    }

    /// Returns when the first of the callers stops waiting whose rows are asked for.
    pub(crate) fn next_overdue_ms(&self) -> Option<UnixMs> {
        let claims = lock(&self.claims);
        let asking = claims.values().filter(|claim| !claim.is_unwanted());
        asking.filter_map(|claim| claim.asking.as_ref()?.deadline_ms).min()
    }

    /// Takes the slots of workers whose calls are canceled, with their rows, which it releases; at
    /// most as many as the pool lets threads go on without a slot.
    pub(crate) fn take_unwanted(&self) -> Vec<(Row, Slot)> {
        if !self.unwanted.swap(false, Ordering::SeqCst) {
            return Vec::new();
        }
        let mut claims = lock(&self.claims);
        let unwanted = claims.iter().filter(|(_, claim)| claim.is_unwanted());
        let rows: Vec<Row> = unwanted.map(|(row, _)| *row).collect();
        let room = self.pool.abandonable();
        if rows.len() > room {
            self.unwanted.store(true, Ordering::SeqCst);
        }
        let mut slots = Vec::new();
        for row in rows.into_iter().take(room) {
            if let Some(asking) = claims.remove(&row).and_then(|claim| claim.asking) {
                self.pool.abandon();
                slots.push((row, asking.slot));
            }
        }
        slots
    }

    /// Returns the rows of the attempts that run.
    pub(crate) fn running_rows(&self) -> HashSet<Row> {
        let claims = lock(&self.claims);
        let running = claims.iter().filter(|(_, claim)| claim.lease.is_some());
        running.map(|(row, _)| *row).collect()
    }

    /// Returns how many attempts run.
    pub(crate) fn running(&self) -> usize {
        lock(&self.claims).values().filter(|claim| claim.lease.is_some()).count()
    }

    /// Returns every row that a channel holds or a worker has, with the lease of the attempt that runs.
    #[cfg(test)]
    pub(crate) fn claims(&self) -> BTreeMap<Row, Option<u32>> {
        lock(&self.claims).iter().map(|(row, claim)| (*row, claim.lease)).collect()
    }

    fn turns(&self, interactive: bool) -> &Turns {
        &self.turns[usize::from(interactive)]
    }

    /// Returns how many rows workers take from the channel of a row before it; `None` if it is in
    /// none, because there was no room.
    pub(crate) fn turns_before(&self, row: Row, interactive: bool) -> Option<usize> {
        let turn = lock(&self.claims).get(&row)?.turn;
        let taken = self.turns(interactive).taken.load(Ordering::Relaxed);
        Some(turn.saturating_sub(taken) as usize)
    }

    /// Returns how long an attempt takes on average in this process, milliseconds; 0 before the
    /// first.
    pub(crate) fn run_ms(&self) -> u64 {
        self.stats.run_average.ms()
    }

    /// Returns how long an attempt is likely to take, milliseconds: as long as those of this
    /// process, or of the others where it has made none.
    pub(crate) fn run_estimate_ms(&self, elsewhere: &ScraperLoad) -> u64 {
        Some(self.run_ms()).filter(|run_ms| *run_ms > 0).unwrap_or(elsewhere.run_ms)
    }

    /// Returns how long this number of jobs is likely to take the workers of this process and those
    /// `elsewhere`, milliseconds.
    pub(crate) fn wait_estimate_ms(&self, jobs: usize, elsewhere: &ScraperLoad) -> u64 {
        let workers = self.pool.size.saturating_add(elsewhere.workers).max(1);
        self.run_estimate_ms(elsewhere).saturating_mul(jobs as u64) / workers as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::ended;
    use super::super::pool::ABANDONED_MIN;
    use super::*;

    fn queue() -> Queue {
        Queue::new(0, "practice".to_owned(), 2, Clock::System, Arc::new(StopSignal::new()))
    }

    #[test]
    fn row_is_claimed_once_until_it_is_released() {
        let queue = queue();
        assert_eq!(queue.offer(1, false), Offer::Accepted);
        assert_eq!(queue.offer_from_index(1, false), Offer::Accepted);
        assert_eq!(queue.pool.len(false), 1);
        queue.release(1);
        assert_eq!(queue.offer_from_index(1, false), Offer::Accepted);
        assert_eq!(queue.pool.len(false), 2);
    }

    #[test]
    fn row_that_does_not_fit_waits_and_keeps_its_place() {
        let queue = queue();
        for row in 0..QUEUE_ENTRIES_MAX as u64 {
            assert_eq!(queue.offer(row, false), Offer::Accepted);
        }
        assert_eq!(queue.offer(5_000, false), Offer::Full);
        assert!(!queue.pool.wants_refill());
        for row in 0..=QUEUE_ENTRIES_MAX as u64 / 2 {
            assert_eq!(queue.next(false), Next::Entry(row));
        }
        assert!(queue.pool.wants_refill());
        assert_eq!(queue.offer(5_001, false), Offer::Full, "older rows wait outside");
        assert_eq!(queue.offer(5_002, true), Offer::Accepted, "a caller waits for this one");
        assert_eq!(queue.offer_from_index(5_000, false), Offer::Accepted);
    }

    #[test]
    fn canceled_calls_lose_their_slots_up_to_a_bound() {
        let queue = queue();
        let most = ABANDONED_MIN as Row;
        for row in 0..=most {
            queue.set_lease(row, 1);
            queue.begin_asking(row, Slot::of_no_pool(), None, Arc::default());
            assert!(queue.take_unwanted().is_empty());
        }
        for row in 0..=most {
            assert!(queue.cancel(row));
        }
        assert_eq!(queue.take_unwanted().len() as Row, most);
        assert!(queue.take_unwanted().is_empty(), "no more threads are left with a call");
        assert_eq!((0..=most).filter(|row| queue.end_asking(*row, 1).is_some()).count(), 1);
        queue.cancel(most);
        queue.pool.abandoned_ended();
        assert!(queue.take_unwanted().is_empty(), "that call has returned");
    }

    #[test]
    fn calls_are_overdue_when_their_callers_have_stopped_waiting() {
        let queue = queue();
        for (row, deadline_ms) in [(1, None), (2, Some(2_000)), (3, Some(3_000))] {
            queue.set_lease(row, 1);
            queue.begin_asking(row, Slot::of_no_pool(), deadline_ms, Arc::default());
        }
        assert_eq!(queue.next_overdue_ms(), Some(2_000));
        assert_eq!((queue.overdue(1_999), queue.overdue(2_000)), (vec![], vec![2]));
        queue.cancel(2);
        assert_eq!((queue.overdue(2_000), queue.next_overdue_ms()), (vec![], Some(3_000)));
    }

    #[test]
    fn turns_before_a_row_are_those_of_its_channel() {
        let queue = queue();
        for row in 0..4 {
            queue.offer(row, row == 3);
        }
        assert_eq!([0, 2].map(|row| queue.turns_before(row, false)), [Some(0), Some(2)]);
        assert_eq!(queue.turns_before(3, true), Some(0), "the others are in another channel");
        assert_eq!(queue.turns_before(4, false), None);
        // The one that a client waits for, and the first of the others.
        assert_eq!((queue.next(false), queue.next(false)), (Next::Entry(3), Next::Entry(0)));
        assert_eq!([0, 1, 2].map(|row| queue.turns_before(row, false)), [0, 0, 1].map(Some));
        queue.release(0);
        queue.offer(0, false);
        assert_eq!(queue.turns_before(0, false), Some(2), "behind those that waited");
    }

    #[test]
    fn estimate_follows_run_times_and_workers() {
        let queue = queue();
        let ran = |run_ms| ended(0, run_ms, Ok(&[]), |event| queue.stats.emit(event));
        let nowhere = ScraperLoad::default();
        assert_eq!(queue.wait_estimate_ms(10, &nowhere), 0);
        let elsewhere = ScraperLoad { workers: 8, run_ms: 2_000, ..nowhere };
        assert_eq!(queue.wait_estimate_ms(10, &elsewhere), 2_000, "by what others have run");
        ran(1_000);
        assert_eq!(queue.wait_estimate_ms(10, &nowhere), 5_000);
        assert_eq!(queue.wait_estimate_ms(10, &elsewhere), 1_000);
        for _ in 0..200 {
            ran(100);
        }
        assert!(queue.wait_estimate_ms(10, &nowhere) < 1_500);
    }
}
