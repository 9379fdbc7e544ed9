//! Row numbers: fetched from the database in blocks and given out from memory. A number is lost
//! when a node stops, and never given out twice.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::connect::PgSession;
use super::row_number::{COUNTERS, Hour, RowParts, RowShard, SHARDS};
use crate::clock::{Clock, UnixMs};
use crate::store::{Row, StoreError};

/// How many numbers a node fetches at once, for each shard.
pub(super) const BLOCK_ROWS: u32 = 4_096;
/// Below this many numbers the next block is fetched.
const LOW_ROWS: u32 = BLOCK_ROWS / 2;
/// How long after its hour a block is still used, milliseconds.
const LATE_MS_MAX: u64 = 60_000;

/// Numbers of one hour and shard that belong to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowBlock {
    pub hour: Hour,
    pub next: u32,
    /// One more than the last of them.
    pub end: u32,
}

impl RowBlock {
    fn left(&self) -> u32 {
        self.end - self.next
    }

    fn is_late(&self, now_ms: UnixMs) -> bool {
        now_ms >= self.hour.end_ms().saturating_add(LATE_MS_MAX)
    }
}

/// A block that is to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WantedBlock {
    pub shard: RowShard,
    pub rows: u32,
}

/// What one shard has: the block in use and the one after it.
#[derive(Clone, Copy, Default)]
struct Supply {
    blocks: [Option<RowBlock>; 2],
    /// The most numbers that were asked for in vain, since the last block came.
    missed: u32,
}

impl Supply {
    /// Removes blocks that are used up or too old.
    fn tidy(&mut self, now_ms: UnixMs) {
        let good = |block: &RowBlock| block.left() > 0 && !block.is_late(now_ms);
        let mut kept = self.blocks.into_iter().flatten().filter(good);
        self.blocks = [kept.next(), kept.next()];
    }

    fn left(&self) -> u32 {
        self.blocks.iter().flatten().map(RowBlock::left).sum()
    }

    /// Returns whether a block of the present hour is there, or of a later one.
    fn is_of(&self, hour: Hour) -> bool {
        self.blocks.iter().flatten().any(|block| block.hour >= hour)
    }
}

/// The row numbers that this node may give out.
pub(super) struct RowNumbers {
    shards: Mutex<[Supply; SHARDS as usize]>,
    wanted: Notify,
    added: Notify,
}

impl RowNumbers {
    pub(super) fn new() -> RowNumbers {
        RowNumbers {
            shards: Mutex::new([Supply::default(); SHARDS as usize]),
            wanted: Notify::new(),
            added: Notify::new(),
        }
    }

    /// Takes consecutive numbers for a job or a batch with its items, and returns the first. No
    /// I/O.
    ///
    /// # Errors
    /// Returns [`StoreError::Busy`] if the blocks of the shard have too few: more are on their way.
    pub(super) fn take(
        &self,
        shard: RowShard,
        rows: u32,
        now_ms: UnixMs,
    ) -> Result<Row, StoreError> {
        let mut shards = self.lock();
        let supply = &mut shards[shard.index()];
        supply.tidy(now_ms);
        let found = supply.blocks.iter_mut().flatten().find(|block| block.left() >= rows);
        let first = found.map(|block| {
            let first = RowParts { hour: block.hour, shard, counter: block.next }.row();
            block.next += rows;
            first
        });
        if first.is_none() {
            supply.missed = supply.missed.max(rows);
        }
        if first.is_none() || supply.left() < LOW_ROWS {
            self.wanted.notify_one();
        }
        first.ok_or(StoreError::Busy)
    }

    /// Takes what [`RowNumbers::take`] takes, as soon as it is there.
    pub(super) async fn take_when_there(&self, shard: RowShard, rows: u32, clock: &Clock) -> Row {
        loop {
            let mut added = pin!(self.added.notified());
            // Before the look: what is added behind it is noticed.
            added.as_mut().enable();
            if let Ok(row) = self.take(shard, rows, clock.now_ms()) {
                return row;
            }
            added.await;
        }
    }

    /// Waits until a block is wanted. It may also return when none is.
    pub(super) async fn until_wanted(&self) {
        self.wanted.notified().await;
    }

    /// Returns the blocks to be fetched: of shards that have little left, or nothing of this hour.
    pub(super) fn wanted(&self, now_ms: UnixMs) -> Vec<WantedBlock> {
        let hour = Hour::of_ms(now_ms);
        let mut shards = self.lock();
        let wanted = RowShard::all().filter_map(|shard| {
            let supply = &mut shards[shard.index()];
            supply.tidy(now_ms);
            let low = supply.left() < LOW_ROWS || !supply.is_of(hour) || supply.missed > 0;
            low.then(|| WantedBlock { shard, rows: supply.missed.max(BLOCK_ROWS) })
        });
        wanted.collect()
    }

    /// Adds a block that was fetched. Of three the one with the fewest numbers goes.
    pub(super) fn add(&self, shard: RowShard, block: RowBlock) {
        let mut shards = self.lock();
        let supply = &mut shards[shard.index()];
        supply.missed = 0;
        match supply.blocks.iter_mut().find(|place| place.is_none()) {
            Some(free) => *free = Some(block),
            None => {
                if let Some(least) = supply.blocks.iter_mut().flatten().min_by_key(|it| it.left()) {
                    *least = block;
                }
            }
        }
        // Numbers of the older hour are used up first.
        supply.blocks.sort_by_key(|block| block.map_or((true, None), |it| (false, Some(it.hour))));
        drop(shards);
        self.added.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, [Supply; SHARDS as usize]> {
        // The state is valid after every statement, so a panic elsewhere cannot have torn it.
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a block for each that is wanted. The rows are locked in the order of the shards, so that
/// two nodes do not wait for each other. Of an hour that has too few left nothing is taken.
const FETCH: &str = "
    WITH wanted AS (SELECT * FROM unnest($1::int2[], $2::int4[]) AS wanted(shard, rows)),
    locked AS (
        SELECT shard, CASE WHEN hour < $3 THEN 0 ELSE next END AS first, greatest(hour, $3) AS hour
        FROM row_blocks WHERE shard = ANY($1) ORDER BY shard FOR UPDATE
    )
    UPDATE row_blocks SET hour = locked.hour, next = locked.first + wanted.rows
    FROM locked JOIN wanted USING (shard)
    WHERE row_blocks.shard = locked.shard AND locked.first + wanted.rows <= $4
    RETURNING row_blocks.shard, row_blocks.hour, locked.first, row_blocks.next";

/// Fetches the blocks that are wanted and adds them. Returns how many came: fewer than were wanted
/// if an hour has no numbers left.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn fetch(
    session: &PgSession,
    numbers: &RowNumbers,
    now_ms: UnixMs,
) -> Result<usize, StoreError> {
    let wanted = numbers.wanted(now_ms);
    if wanted.is_empty() {
        return Ok(0);
    }
    let shards: Vec<i16> = wanted.iter().map(|block| block.shard.number()).collect();
    let rows: Vec<i32> = wanted.iter().map(|block| block.rows as i32).collect();
    let (hour, counters) = (Hour::of_ms(now_ms).number(), COUNTERS as i32);
    let fetched = session.query(FETCH, &[&shards, &rows, &hour, &counters]).await?;
    for row in &fetched {
        let (shard, hour): (i16, i32) = (row.get(0), row.get(1));
        let (next, end): (i32, i32) = (row.get(2), row.get(3));
        let damaged = StoreError::Damaged("a block of row numbers has no hour or shard");
        let Some((shard, hour)) = RowShard::of_number(shard).zip(Hour::of_number(hour)) else {
            return Err(damaged);
        };
        numbers.add(shard, RowBlock { hour, next: next as u32, end: end as u32 });
    }
    Ok(fetched.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START_MS: UnixMs = 1_778_500_800_000;
    const HOUR_MS: u64 = 3_600_000;

    fn shard() -> RowShard {
        RowShard::of_number(3).unwrap()
    }

    fn block(hours: u32, next: u32, rows: u32) -> RowBlock {
        RowBlock { hour: Hour::of_ms(START_MS).plus(hours), next, end: next + rows }
    }

    fn wanted(numbers: &RowNumbers, now_ms: UnixMs) -> Option<u32> {
        let wanted = numbers.wanted(now_ms);
        wanted.iter().find(|block| block.shard == shard()).map(|block| block.rows)
    }

    #[test]
    fn block_is_wanted_when_half_of_the_last_one_is_used() {
        let numbers = RowNumbers::new();
        assert!(matches!(numbers.take(shard(), 1, START_MS), Err(StoreError::Busy)));
        assert_eq!(wanted(&numbers, START_MS), Some(BLOCK_ROWS));
        numbers.add(shard(), block(0, 0, BLOCK_ROWS));
        assert_eq!(wanted(&numbers, START_MS), None);
        numbers.take(shard(), LOW_ROWS, START_MS).unwrap();
        assert_eq!(wanted(&numbers, START_MS), None);
        numbers.take(shard(), 1, START_MS).unwrap();
        assert_eq!(wanted(&numbers, START_MS), Some(BLOCK_ROWS));
    }

    #[test]
    fn batch_that_is_longer_than_what_is_left_gets_a_block_of_its_length() {
        let numbers = RowNumbers::new();
        numbers.add(shard(), block(0, 0, BLOCK_ROWS));
        assert!(numbers.take(shard(), BLOCK_ROWS + 5, START_MS).is_err());
        assert_eq!(wanted(&numbers, START_MS), Some(BLOCK_ROWS + 5));
        numbers.add(shard(), block(0, 9_000, BLOCK_ROWS + 5));
        let first = numbers.take(shard(), BLOCK_ROWS + 5, START_MS).unwrap();
        assert_eq!(RowParts::of(first).counter, 9_000);
        // What was there before is not lost by that.
        let next = numbers.take(shard(), 1, START_MS).unwrap();
        assert_eq!(RowParts::of(next).counter, 0);
    }

    #[test]
    fn block_is_given_up_a_minute_after_its_hour() {
        let numbers = RowNumbers::new();
        numbers.add(shard(), block(0, 0, BLOCK_ROWS));
        let end_ms = START_MS + HOUR_MS;
        assert_eq!(wanted(&numbers, end_ms - 1), None);
        assert_eq!(wanted(&numbers, end_ms), Some(BLOCK_ROWS));
        assert!(numbers.take(shard(), 1, end_ms + LATE_MS_MAX - 1).is_ok());
        assert!(numbers.take(shard(), 1, end_ms + LATE_MS_MAX).is_err());
        numbers.add(shard(), block(1, 0, BLOCK_ROWS));
        let row = numbers.take(shard(), 1, end_ms + LATE_MS_MAX).unwrap();
        assert_eq!(RowParts::of(row).hour, Hour::of_ms(end_ms));
    }

    proptest! {
        #[test]
        fn no_number_is_given_out_twice(takes in prop::collection::vec(1_u32..6_000, 1..200)) {
            let (numbers, mut given, mut next) = (RowNumbers::new(), Vec::new(), 0);
            for rows in takes {
                if let Some(wanted) = wanted(&numbers, START_MS) {
                    numbers.add(shard(), block(0, next, wanted));
                    next += wanted;
                }
                let Ok(first) = numbers.take(shard(), rows, START_MS) else { continue };
                given.push((first, first + u64::from(rows)));
            }
            given.sort_unstable();
            prop_assert!(given.is_sorted_by(|one, other| one.1 <= other.0), "{:?}", given);
            let parts = |row| RowParts::of(row);
            prop_assert!(given.iter().all(|(first, _)| parts(*first).shard == shard()));
            prop_assert!(given.iter().all(|(_, end)| parts(*end - 1).counter < next));
        }
    }
}
