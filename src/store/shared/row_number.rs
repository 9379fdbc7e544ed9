//! The layout of a row number: the hour and the shard name the tables that have the row, so that an
//! id alone is the map. It cannot change: ids that clients hold carry it.

use std::collections::BTreeMap;

use crate::clock::UnixMs;
use crate::store::Row;

const COUNTER_BITS: u32 = 24;
const SHARD_BITS: u32 = 6;
const HOUR_BITS: u32 = 18;

/// One more than the largest counter of an hour and shard.
pub(super) const COUNTERS: u32 = 1 << COUNTER_BITS;
pub(super) const SHARDS: u8 = 1 << SHARD_BITS;
const HOURS: u32 = 1 << HOUR_BITS;
const HOUR_MS: u64 = 3_600_000;
/// 2026-01-01T00:00:00Z, when hour 0 begins.
const HOUR_ZERO_MS: UnixMs = 1_767_225_600_000;

/// An hour, counted from the beginning of 2026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Hour(u32);

impl Hour {
    /// Returns the hour that a time lies in, or the nearest one that there is.
    pub(super) fn of_ms(at_ms: UnixMs) -> Hour {
        let number = at_ms.saturating_sub(HOUR_ZERO_MS) / HOUR_MS;
        Hour(number.min(u64::from(HOURS - 1)) as u32)
    }

    /// Returns the hour of a number that the database has; `None` if it is none.
    pub(super) fn of_number(number: i32) -> Option<Hour> {
        u32::try_from(number).ok().filter(|number| *number < HOURS).map(Hour)
    }

    /// Returns the hour that many hours later.
    pub(super) fn plus(self, hours: u32) -> Hour {
        Hour(self.0.saturating_add(hours).min(HOURS - 1))
    }

    /// Returns the first and the last row that it can have.
    pub(super) fn rows(self) -> (Row, Row) {
        let first = u64::from(self.0) << (COUNTER_BITS + SHARD_BITS);
        (first, first + (1 << (COUNTER_BITS + SHARD_BITS)) - 1)
    }

    /// Returns when the hour is over.
    pub(super) fn end_ms(self) -> UnixMs {
        HOUR_ZERO_MS + (u64::from(self.0) + 1) * HOUR_MS
    }

    /// Returns the number that the database has of it.
    pub(super) fn number(self) -> i32 {
        self.0 as i32
    }
}

/// A shard: what an account has is together in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RowShard(u8);

impl RowShard {
    /// Returns the shard of an account. It is in every row of the account and cannot change.
    pub(super) fn of_account(account: &str) -> RowShard {
        RowShard((crc32fast::hash(account.as_bytes()) % u32::from(SHARDS)) as u8)
    }

    /// Returns the shard of a number that the database has; `None` if it is none.
    pub(super) fn of_number(number: i16) -> Option<RowShard> {
        u8::try_from(number).ok().filter(|number| *number < SHARDS).map(RowShard)
    }

    pub(super) fn all() -> impl Iterator<Item = RowShard> {
        (0..SHARDS).map(RowShard)
    }

    /// Returns the number that the database has of it.
    pub(super) fn number(self) -> i16 {
        i16::from(self.0)
    }

    /// Returns its place among all of them.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The parts of a row number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowParts {
    pub hour: Hour,
    pub shard: RowShard,
    /// Less than [`COUNTERS`].
    pub counter: u32,
}

impl RowParts {
    pub(super) fn of(row: Row) -> RowParts {
        RowParts {
            hour: Hour(((row >> (COUNTER_BITS + SHARD_BITS)) as u32) % HOURS),
            shard: RowShard(((row >> COUNTER_BITS) as u8) % SHARDS),
            counter: (row as u32) % COUNTERS,
        }
    }

    pub(super) fn row(self) -> Row {
        debug_assert!(self.counter < COUNTERS);
        (u64::from(self.hour.0) << (COUNTER_BITS + SHARD_BITS))
            | (u64::from(self.shard.0) << COUNTER_BITS)
            | u64::from(self.counter)
    }
}

/// Returns rows by their hours.
pub(super) fn by_hour(rows: impl IntoIterator<Item = Row>) -> BTreeMap<Hour, Vec<i64>> {
    let mut hours: BTreeMap<Hour, Vec<i64>> = BTreeMap::new();
    for row in rows {
        hours.entry(RowParts::of(row).hour).or_default().push(row as i64);
    }
    hours
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::ROW_MAX;

    proptest! {
        #[test]
        fn row_is_put_together_from_its_parts(row in 0..=ROW_MAX) {
            prop_assert_eq!(RowParts::of(row).row(), row);
        }

        #[test]
        fn rows_rise_with_their_hours(
            (a, b) in (0..HOURS, 0..HOURS), shards in (0..SHARDS, 0..SHARDS),
            counters in (0..COUNTERS, 0..COUNTERS),
        ) {
            let row = |hour, shard, counter| {
                RowParts { hour: Hour(hour), shard: RowShard(shard), counter }.row()
            };
            let (first, second) = (row(a, shards.0, counters.0), row(b, shards.1, counters.1));
            prop_assert!(a == b || (first < second) == (a < b));
        }
    }

    #[test]
    fn layout_of_a_row_is_fixed() {
        // 2026-05-11T12:00:00Z is 130 days and 12 hours after the beginning of the year.
        let hour = Hour::of_ms(1_778_500_800_000);
        assert_eq!(hour.number(), 130 * 24 + 12);
        assert_eq!(Hour::of_ms(1_778_500_799_999).number(), 130 * 24 + 11);
        assert_eq!(hour.end_ms(), 1_778_500_800_000 + HOUR_MS);
        let parts = RowParts { hour, shard: RowShard(5), counter: 7 };
        assert_eq!(parts.row(), (3_132 << 30) + (5 << 24) + 7);
        assert_eq!(RowShard::of_account("team-a").number(), 0x3d);
        assert_eq!(RowShard::of_account("").number(), 0);
        // Rows of an embedded store lie below 2^30 and are in hour 0.
        assert_eq!(RowParts::of((1 << 30) - 1).hour, Hour(0));
        assert_eq!(Hour::of_ms(0), Hour(0));
        assert_eq!(Hour::of_ms(u64::MAX), Hour(HOURS - 1));
        assert_eq!(Hour(HOURS - 1).plus(1), Hour(HOURS - 1));
        assert_eq!(Hour::of_number(-1), None);
        assert_eq!(Hour::of_number(HOURS as i32), None);
        assert_eq!(RowShard::of_number(64), None);
    }
}
