//! What the engine of each node has counted by the minute and by five minutes, under the node's
//! name: a node goes on with its own counts after a restart.

use std::collections::BTreeSet;

use super::handle::SharedStore;
use super::needs::Needs;
use super::things::{KeyBytes, KeyReader, ThingKey, ThingKind, ThingRange};
use super::transaction::Transaction;
use crate::clock::UnixMs;
use crate::store::row::CountsKey;
use crate::store::{Blocking, Counts, CountsKind, StoreError, record};

/// The most old records of one scraper that one write removes.
const FORGOTTEN_MAX: usize = 1_000;

/// Returns the beginning of the key of counts, of all nodes.
pub(super) fn key_of((kind, scraper, number): CountsKey) -> KeyBytes {
    KeyBytes::default().u32(u32::from(kind)).u32(u32::from(scraper)).u64(number)
}

/// Reads the key of counts, and the name of their node; `None` for what is none.
pub(super) fn read_key(key: &[u8]) -> Option<(CountsKey, String)> {
    let mut key = KeyReader(key);
    let (kind, scraper, number) = (key.u32()?, key.u32()?, key.u64()?);
    let counts = (u8::try_from(kind).ok()?, u16::try_from(scraper).ok()?, number);
    Some((counts, key.text()?))
}

/// Writes records of a node, and removes those of the same scrapers that are older than is kept,
/// whichever node they are of.
fn write(
    transaction: &mut Transaction<'_>,
    node: &str,
    changed: &[Counts],
    (minutes_from, buckets_from): (u64, u64),
) -> Result<(), StoreError> {
    let things = &mut transaction.things;
    let mut old = BTreeSet::new();
    for counts in changed {
        let key = key_of(counts.key()).text(node).of(ThingKind::Counts);
        things.put(&key, Some(record::encode_counts(counts)?));
        let (kind, scraper, _) = counts.key();
        if let Some(kept_from) = counts.kind.kept_from(minutes_from, buckets_from) {
            let bound = |number| key_of((kind, scraper, number)).of(ThingKind::Counts).key;
            let (from, until) = (bound(0), bound(kept_from));
            old.insert(ThingRange { from, until, ..ThingRange::of_kind(ThingKind::Counts) });
        }
    }
    for range in old {
        for (key, _) in things.range(&range.keys().at_most(FORGOTTEN_MAX)) {
            things.put(&ThingKey { kind: ThingKind::Counts, key }, None);
        }
    }
    Ok(())
}

impl SharedStore {
    /// Returns all counts of this node that are kept, each scraper's in the order of time, and the
    /// moment from which on there are any. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or a record is damaged.
    pub(crate) fn counts(&self) -> Result<(Vec<Counts>, Option<UnixMs>), StoreError> {
        let own = self.process.connector.node_name();
        let (mut all, mut since_ms) = (Vec::new(), None);
        for (key, bytes) in self.read_range(ThingRange::of_kind(ThingKind::Counts)).wait()? {
            let Some(((kind, scraper, number), _)) = read_key(&key).filter(|(_, of)| of == own)
            else {
                continue;
            };
            match CountsKind::from_number(kind) {
                Some(CountsKind::Since) => since_ms = since_ms.or(Some(number)),
                Some(kind) => all.push(record::decode_counts(kind, scraper, number, &bytes)?),
                // Of a later version.
                None => {}
            }
        }
        Ok((all, since_ms))
    }

    /// Returns the counts of the other nodes from a minute and from a five minutes on, those of
    /// several nodes beside each other, and the earliest moment from which on any of them has
    /// counted. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or a record is damaged.
    pub(crate) fn counts_elsewhere(
        &self,
        minutes_from: u64,
        buckets_from: u64,
    ) -> Result<(Vec<Counts>, Option<UnixMs>), StoreError> {
        let own = self.process.connector.node_name();
        let from = |kind: CountsKind, scraper, number| {
            let bound = |number| key_of((kind.number(), scraper, number)).of(ThingKind::Counts).key;
            let (from, until) = (bound(number), bound(u64::MAX));
            ThingRange { from, until, ..ThingRange::of_kind(ThingKind::Counts) }
        };
        let mut ranges = vec![from(CountsKind::Since, 0, 0)];
        for scraper in self.process.scrapers.iter().map(|entry| entry.number) {
            ranges.push(from(CountsKind::Minute, scraper, minutes_from));
            ranges.push(from(CountsKind::Bucket, scraper, buckets_from));
        }
        let (mut all, mut since_ms) = (Vec::new(), None);
        for (key, bytes) in self.read_ranges(ranges).wait()? {
            let Some(((kind, scraper, number), _)) = read_key(&key).filter(|(_, of)| of != own)
            else {
                continue;
            };
            match CountsKind::from_number(kind) {
                Some(CountsKind::Since) => {
                    since_ms = Some(since_ms.map_or(number, |known: u64| known.min(number)));
                }
                Some(kind) => all.push(record::decode_counts(kind, scraper, number, &bytes)?),
                // Of a later version.
                None => {}
            }
        }
        Ok((all, since_ms))
    }

    /// Writes counts of this node that have changed; what lies before `minutes_from` or
    /// `buckets_from` is not kept. Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the database fails; nothing was written.
    pub(crate) fn write_counts(
        &self,
        changed: Vec<Counts>,
        minutes_from: u64,
        buckets_from: u64,
    ) -> Result<(), StoreError> {
        let node = self.process.connector.node_name().to_owned();
        let written = self.queue(0, Needs::default(), move |transaction| {
            write(transaction, &node, &changed, (minutes_from, buckets_from))
        });
        written.wait()
    }
}
