//! What the engine has counted by the minute and by five minutes, kept so that a restart goes on
//! with it. It is written once a minute and says nothing of a job.

use redb::ReadableTable;

use super::Embedded;
use super::tables;
use super::transaction::Tables;
use crate::clock::UnixMs;
use crate::store::row::CountsKey;
use crate::store::{Counts, CountsKind, StoreError, record};

/// The most old records of one scraper that one write removes.
const FORGOTTEN_MAX: usize = 1_000;

/// Writes records, and removes those of the same scrapers that are older than is kept.
fn write(
    tables: &mut Tables<'_>,
    changed: &[Counts],
    minutes_from: u64,
    buckets_from: u64,
) -> Result<(), StoreError> {
    for counts in changed {
        let bytes = record::encode_counts(counts)?;
        tables.counts.insert(counts.key(), bytes.as_slice())?;
        let Some(kept_from) = counts.kind.kept_from(minutes_from, buckets_from) else { continue };
        let (kind, scraper, _) = counts.key();
        let mut old: Vec<CountsKey> = Vec::new();
        let range = (kind, scraper, 0)..(kind, scraper, kept_from);
        for entry in tables.counts.range(range)?.take(FORGOTTEN_MAX) {
            old.push(entry?.0.value());
        }
        for key in old {
            tables.counts.remove(key)?;
        }
    }
    Ok(())
}

impl Embedded {
    pub(crate) fn counts(&self) -> Result<(Vec<Counts>, Option<UnixMs>), StoreError> {
        self.read(|snapshot| {
            let (mut all, mut since_ms) = (Vec::new(), None);
            for entry in snapshot.open_table(tables::COUNTS)?.iter()? {
                let (key, bytes) = entry?;
                let (kind, scraper, number) = key.value();
                match CountsKind::from_number(kind) {
                    Some(CountsKind::Since) => since_ms = since_ms.or(Some(number)),
                    Some(kind) => {
                        all.push(record::decode_counts(kind, scraper, number, bytes.value())?);
                    }
                    // Of a later version.
                    None => {}
                }
            }
            Ok((all, since_ms))
        })
    }

    pub(crate) fn write_counts(
        &self,
        changed: Vec<Counts>,
        minutes_from: u64,
        buckets_from: u64,
    ) -> Result<(), StoreError> {
        self.queue(|queue| {
            queue.submit_blocking(move |tables| write(tables, &changed, minutes_from, buckets_from))
        })
        .wait()
    }
}
