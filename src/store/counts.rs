//! What the engine has counted by the minute and by five minutes, kept so that a restart goes on with it.
//! It is written once a minute and says nothing of a job.

use redb::ReadableTable;

use super::tables::{self, CountsKey, Tables};
use super::{Store, StoreError, record};
use crate::clock::UnixMs;

/// The most old records of one scraper that one write removes.
const FORGOTTEN_MAX: usize = 1_000;

/// What is counted in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountsKind {
    /// A minute of a scraper's attempts.
    Minute,
    /// Five minutes of its jobs and attempts.
    Bucket,
    /// The moment from which on there are counts, as the number of its record.
    Since,
}

impl CountsKind {
    const fn number(self) -> u8 {
        match self {
            CountsKind::Minute => 0,
            CountsKind::Bucket => 1,
            CountsKind::Since => 2,
        }
    }

    fn of(number: u8) -> Option<CountsKind> {
        let kinds = [CountsKind::Minute, CountsKind::Bucket, CountsKind::Since];
        kinds.into_iter().find(|kind| kind.number() == number)
    }
}

/// One record of counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    pub kind: CountsKind,
    /// The number of the scraper.
    pub scraper: u16,
    /// Of the minute or of the five minutes, since the Unix epoch.
    pub number: u64,
    /// By what was counted, without those that are 0.
    pub named: Vec<(String, u32)>,
    /// How many times were counted at each place of a histogram, without those that are 0.
    pub times: Vec<(u16, u32)>,
}

impl Counts {
    /// Returns what was counted under a name.
    pub fn named(&self, name: &str) -> u32 {
        self.named.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
    }

    fn key(&self) -> CountsKey {
        (self.kind.number(), self.scraper, self.number)
    }
}

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
        let kept_from = match counts.kind {
            CountsKind::Minute => minutes_from,
            CountsKind::Bucket => buckets_from,
            CountsKind::Since => continue,
        };
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

impl Store {
    /// Returns all counts that are kept, each scraper's in the order of time, and the moment from which
    /// on there are any.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn counts(&self) -> Result<(Vec<Counts>, Option<UnixMs>), StoreError> {
        self.shared.read(|snapshot| {
            let (mut all, mut since_ms) = (Vec::new(), None);
            for entry in snapshot.open_table(tables::COUNTS)?.iter()? {
                let (key, bytes) = entry?;
                let (kind, scraper, number) = key.value();
                match CountsKind::of(kind) {
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

    /// Writes counts that have changed; what lies before `minutes_from` or `buckets_from` is not kept.
    /// Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the store failed; nothing was written.
    pub fn write_counts(
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
