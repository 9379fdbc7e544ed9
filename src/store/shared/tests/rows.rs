//! Blocks of row numbers from the database.

use std::collections::BTreeSet;

use super::super::row_number::{COUNTERS, RowParts, RowShard};
use super::super::rows::{BLOCK_ROWS, RowNumbers, fetch};
use super::*;

#[test]
fn first_fetch_brings_a_block_for_every_shard() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let numbers = RowNumbers::new();
        assert_eq!(fetch(&session, &numbers, START_MS).await.unwrap(), 64);
        assert_eq!(fetch(&session, &numbers, START_MS).await.unwrap(), 0);
        for shard in RowShard::all() {
            let row = RowParts::of(numbers.take(shard, 1, START_MS).unwrap());
            assert_eq!((row.shard, row.counter), (shard, 0));
        }
    });
}

#[test]
fn nodes_that_fetch_together_get_no_number_twice() {
    block_on(async {
        const NODES: usize = 4;
        const BATCH: u32 = 500;
        let (place, _session) = Place::prepared().await;
        let take = |at_ms: u64| {
            let place = &place;
            async move {
                let (session, numbers) = (place.connect().await, RowNumbers::new());
                let mut given = Vec::new();
                for _ in 0..20 {
                    fetch(&session, &numbers, at_ms).await.unwrap();
                    for shard in [0, 7, 63].map(|number| RowShard::of_number(number).unwrap()) {
                        let first = numbers.take(shard, BATCH, at_ms).unwrap();
                        given.extend(first..first + u64::from(BATCH));
                    }
                }
                given
            }
        };
        // One of them has a clock that is an hour ahead.
        let nodes = (0..NODES as u64).map(|node| take(START_MS + node / 3 * HOUR_MS));
        let given = futures_util::future::join_all(nodes).await.concat();
        assert_eq!(given.len(), NODES * 20 * 3 * BATCH as usize);
        let all = given.len();
        assert_eq!(given.into_iter().collect::<BTreeSet<_>>().len(), all);
    });
}

#[test]
fn hour_without_numbers_gives_none_and_the_next_one_does() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let numbers = RowNumbers::new();
        fetch(&session, &numbers, START_MS).await.unwrap();
        let last = COUNTERS - BLOCK_ROWS;
        run(&session, &format!("UPDATE row_blocks SET next = {last} WHERE shard <> 9")).await;
        run(&session, &format!("UPDATE row_blocks SET next = {last} + 1 WHERE shard = 9")).await;
        let empty = RowNumbers::new();
        assert_eq!(fetch(&session, &empty, START_MS).await.unwrap(), 63);
        let shard = |number| RowShard::of_number(number).unwrap();
        let row = RowParts::of(empty.take(shard(8), BLOCK_ROWS, START_MS).unwrap());
        assert_eq!(row.counter + BLOCK_ROWS, COUNTERS);
        assert!(matches!(empty.take(shard(9), 1, START_MS), Err(StoreError::Busy)));
        assert_eq!(fetch(&session, &empty, START_MS).await.unwrap(), 0);
        assert_eq!(fetch(&session, &empty, START_MS + HOUR_MS).await.unwrap(), 64);
        let row = RowParts::of(empty.take(shard(9), 1, START_MS + HOUR_MS).unwrap());
        assert_eq!(row.counter, 0);
    });
}
