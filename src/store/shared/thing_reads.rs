//! Reading things outside of a transaction.

use std::sync::Arc;

use super::demand::Entry;
use super::handle::SharedStore;
use super::round::Value;
use super::things::{ThingKey, ThingRange};
use crate::store::StoreError;

/// The entries of each of some ranges, all of one state: the last ones of each, as many as it has
/// at most, in the order of their keys.
const LAST_OF_RANGES: &str = "
    SELECT u.place, t.key, t.value
    FROM unnest($1::int2[], $2::bytea[], $3::bytea[], $4::int8[])
         WITH ORDINALITY AS u(kind, low, high, most, place),
    LATERAL (SELECT key, value FROM things WHERE kind = u.kind AND key >= u.low AND key < u.high
             AND value <> '' ORDER BY key DESC LIMIT u.most) AS t ORDER BY u.place, t.key";

/// The entries of some ranges, all of one state.
const ALL_OF_RANGES: &str = "
    SELECT t.key, t.value FROM unnest($1::int2[], $2::bytea[], $3::bytea[]) AS u(kind, low, high),
    LATERAL (SELECT key, value FROM things WHERE kind = u.kind AND key >= u.low AND key < u.high
             AND value <> '' ORDER BY key) AS t";

impl SharedStore {
    /// Reads a thing; `None` if it does not exist.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn read_thing(&self, key: &ThingKey) -> Result<Option<Vec<u8>>, StoreError> {
        let text = "SELECT value FROM things WHERE kind = $1 AND key = $2 AND value <> ''";
        let values: Vec<Value> = vec![Arc::new(key.kind as i16), Arc::new(key.key.clone())];
        let found = self.ask_text(text, values).committed().await?;
        Ok(found.first().map(|row| row.get(0)))
    }

    /// Reads the first entries of a range, as many as it has at most.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn read_range(&self, range: ThingRange) -> Result<Vec<Entry>, StoreError> {
        let text = "SELECT key, value FROM things WHERE kind = $1 AND key >= $2 AND key < $3 \
                    AND value <> '' ORDER BY key LIMIT $4";
        let values: Vec<Value> = vec![
            Arc::new(range.kind as i16),
            Arc::new(range.from),
            Arc::new(range.until),
            Arc::new(i64::from(range.rows_max)),
        ];
        let found = self.ask_text(text, values).committed().await?;
        Ok(found.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Reads all entries of some ranges of one kind, all of one state.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn read_ranges(
        &self,
        ranges: Vec<ThingRange>,
    ) -> Result<Vec<Entry>, StoreError> {
        let kinds: Vec<i16> = ranges.iter().map(|range| range.kind as i16).collect();
        let (from, until): (Vec<Vec<u8>>, Vec<Vec<u8>>) =
            ranges.into_iter().map(|range| (range.from, range.until)).unzip();
        let values: Vec<Value> = vec![Arc::new(kinds), Arc::new(from), Arc::new(until)];
        let found = self.ask_text(ALL_OF_RANGES, values).committed().await?;
        Ok(found.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Reads the last entries of each of some ranges, as many as each has at most, all of one
    /// state and in the order of their keys.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn read_last_of<const N: usize>(
        &self,
        ranges: [ThingRange; N],
    ) -> Result<[Vec<Entry>; N], StoreError> {
        let kinds: Vec<i16> = ranges.iter().map(|range| range.kind as i16).collect();
        let most: Vec<i64> = ranges.iter().map(|range| i64::from(range.rows_max)).collect();
        let (from, until): (Vec<Vec<u8>>, Vec<Vec<u8>>) =
            ranges.into_iter().map(|range| (range.from, range.until)).unzip();
        let values: Vec<Value> =
            vec![Arc::new(kinds), Arc::new(from), Arc::new(until), Arc::new(most)];
        let mut entries = [const { Vec::new() }; N];
        for row in self.ask_text(LAST_OF_RANGES, values).committed().await? {
            // Counted from 1, in the order in which they were asked for.
            let place = row.get::<_, i64>(0) as usize - 1;
            entries[place].push((row.get(1), row.get(2)));
        }
        Ok(entries)
    }
}
