//! Observations: what was measured in an answer by a version of a tracker, in a row that outlives
//! the result, and sums of them by day that reports are made of. Both are written in the
//! transaction that ends the job, so that an answer is counted once.

use redb::ReadableTable;
use uuid::Uuid;

use super::Embedded;
use super::tables;
use super::transaction::Tables;
use super::{page_sums, rows};
use crate::clock::UnixMs;
use crate::job::Job;
use crate::measure::{
    GroupKey, GroupSums, NewAnswer, Observation, PageUse, Tracker, TrackerVersion,
};
use crate::store::alert_marks;
use crate::store::record::ObservationRecord;
use crate::store::row::{ObservationKey, SumsKey};
use crate::store::trackers::{self, DAY_MS, FORGOTTEN_MAX, TrackerTables};
use crate::store::{
    ApplyCounts, LABELED_GROUPS_MAX, NewObservation, Row, StoreError, TrackerDeletion, day_of,
    record,
};

/// The tables of a transaction.
pub(super) struct RedbTrackers<'a, 't>(pub &'a mut Tables<'t>);

impl TrackerTables for RedbTrackers<'_, '_> {
    fn tracker(&mut self, account: &str, name: &str) -> Result<Option<Tracker>, StoreError> {
        let stored = self.0.trackers.get((account, name))?;
        stored.map(|bytes| record::decode_tracker(name, bytes.value())).transpose()
    }

    fn measuring(&mut self, account: &str, name: &str) -> Result<Option<Tracker>, StoreError> {
        self.tracker(account, name)
    }

    fn others(&mut self, account: &str) -> Result<(usize, Option<u64>), StoreError> {
        let (mut own, mut highest) = (0, None);
        for entry in self.0.trackers.range::<(&str, &str)>(..)? {
            let (key, bytes) = entry?;
            let (of, name) = key.value();
            own += usize::from(of == account);
            highest = highest.max(Some(record::decode_tracker(name, bytes.value())?.id));
        }
        Ok((own, highest))
    }

    fn put(
        &mut self,
        account: &str,
        tracker: &Tracker,
        version: &TrackerVersion,
    ) -> Result<(), StoreError> {
        let bytes = record::encode_tracker(tracker)?;
        let of_version = record::encode_tracker_version(tracker.id, version)?;
        self.0.trackers.insert((account, tracker.name.as_str()), bytes.as_slice())?;
        self.0.tracker_versions.insert((tracker.id, version.version), of_version.as_slice())
    }

    fn remove(&mut self, account: &str, tracker: &Tracker) -> Result<(), StoreError> {
        for version in 1..=tracker.version {
            self.0.tracker_versions.remove((tracker.id, version))?;
        }
        self.0.trackers.remove((account, tracker.name.as_str()))
    }

    fn forget_some(&mut self, id: u64) -> Result<bool, StoreError> {
        let range = (id, 0, 0, 0)..=(id, u32::MAX, u64::MAX, Row::MAX);
        let removed = remove_observations(self.0, range)?;
        let sums = (id, 0, 0, 0, false, "", "")..(id + 1, 0, 0, 0, false, "", "");
        let removed_sums = remove_sums(self.0, sums, FORGOTTEN_MAX - removed)?;
        Ok(removed + removed_sums >= FORGOTTEN_MAX)
    }

    fn version(&mut self, id: u64, version: u32) -> Result<Option<TrackerVersion>, StoreError> {
        let stored = self.0.tracker_versions.get((id, version))?;
        let decode = |bytes: &[u8]| record::decode_tracker_version(id, version, bytes);
        stored.map(|bytes| decode(bytes.value())).transpose()
    }

    fn is_measured(&mut self, key: ObservationKey) -> Result<bool, StoreError> {
        Ok(self.0.observations.get(key)?.is_some())
    }

    fn put_observation(
        &mut self,
        key: ObservationKey,
        record: &ObservationRecord,
    ) -> Result<(), StoreError> {
        let bytes = record::encode_observation(key.3, record)?;
        self.0.observations.insert(key, bytes.as_slice())
    }

    fn has_sums(&mut self, key: SumsKey<'_>) -> Result<bool, StoreError> {
        Ok(self.0.sums.get(key)?.is_some())
    }

    fn groups(&mut self, (id, version, day): (u64, u32, u32)) -> Result<usize, StoreError> {
        let mut groups = 0;
        for entry in self.0.sums.range((id, version, day, 0, false, "", "")..)? {
            let (known, _) = entry?;
            let (of, at, on, ..) = known.value();
            if (of, at, on) != (id, version, day) || groups >= LABELED_GROUPS_MAX {
                break;
            }
            groups += 1;
        }
        Ok(groups)
    }

    fn add_answer(&mut self, key: SumsKey<'_>, answer: &NewAnswer<'_>) -> Result<(), StoreError> {
        let day = key.2;
        let stored = match self.0.sums.get(key)? {
            Some(bytes) => Some(record::decode_sums(day, bytes.value())?),
            None => None,
        };
        let mut sums = stored.unwrap_or_default();
        sums.add(answer);
        self.0.sums.insert(key, record::encode_sums(day, &sums)?.as_slice())
    }

    fn add_pages(&mut self, key: SumsKey<'_>, used: &[PageUse]) -> Result<(), StoreError> {
        page_sums::add(self.0, key, used)
    }

    fn mark_answer(&mut self, job: &Job, tracker: &str, at_ms: UnixMs) -> Result<(), StoreError> {
        alert_marks::note_answer(self.0, job, tracker, at_ms)
    }
}

/// Removes some of what was measured before the day of `before_ms`. Returns how much.
fn sweep(tables: &mut Tables<'_>, before_ms: UnixMs) -> Result<usize, StoreError> {
    let day = day_of(before_ms);
    let first_ms = u64::from(day) * DAY_MS;
    let mut versions = Vec::new();
    for entry in tables.tracker_versions.range::<(u64, u32)>(..)? {
        versions.push(entry?.0.value());
    }
    let mut removed = 0;
    for (id, version) in versions {
        if removed >= FORGOTTEN_MAX {
            break;
        }
        let range = (id, version, 0, 0)..=(id, version, first_ms.saturating_sub(1), Row::MAX);
        if first_ms > 0 {
            removed += remove_observations(tables, range)?;
        }
        let sums = (id, version, 0, 0, false, "", "")..(id, version, day, 0, false, "", "");
        removed += remove_sums(tables, sums, FORGOTTEN_MAX.saturating_sub(removed))?;
    }
    Ok(removed)
}

fn remove_observations(
    tables: &mut Tables<'_>,
    range: std::ops::RangeInclusive<ObservationKey>,
) -> Result<usize, StoreError> {
    let mut keys: Vec<ObservationKey> = Vec::new();
    for entry in tables.observations.range(range)?.take(FORGOTTEN_MAX) {
        keys.push(entry?.0.value());
    }
    for key in &keys {
        tables.observations.remove(*key)?;
    }
    Ok(keys.len())
}

fn remove_sums(
    tables: &mut Tables<'_>,
    range: std::ops::Range<SumsKey<'_>>,
    rows_max: usize,
) -> Result<usize, StoreError> {
    let mut keys = Vec::new();
    for entry in tables.sums.range(range)?.take(rows_max) {
        let (key, _) = entry?;
        let (id, version, day, scraper, branded, country, label) = key.value();
        keys.push(((id, version, day, scraper, branded), country.to_owned(), label.to_owned()));
    }
    for ((id, version, day, scraper, branded), country, label) in &keys {
        let key = (*id, *version, *day, *scraper, *branded, country.as_str(), label.as_str());
        tables.sums.remove(key)?;
        // It has a row where there are sums, and nowhere else.
        tables.page_sums.remove(key)?;
    }
    Ok(keys.len())
}

impl Embedded {
    pub(crate) async fn add_observations(
        &self,
        measured: Vec<(Row, NewObservation)>,
    ) -> Result<ApplyCounts, StoreError> {
        let scrapers = self.shared.scrapers.clone();
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                let mut counts = ApplyCounts::default();
                for (row, new) in &measured {
                    let Some((job, scraper)) = rows::read_job(tables, &scrapers, *row)? else {
                        continue;
                    };
                    match trackers::observe(&mut RedbTrackers(tables), &job, scraper, new)? {
                        true => counts.measured += 1,
                        false => counts.already += 1,
                    }
                }
                Ok(counts)
            })
        });
        pending.committed().await
    }

    pub(crate) async fn delete_tracker_step(
        &self,
        account: String,
        name: String,
    ) -> Result<TrackerDeletion, StoreError> {
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                trackers::delete_step(&mut RedbTrackers(tables), &account, &name)
            })
        });
        pending.committed().await
    }

    pub(crate) async fn visit_sums(
        &self,
        (id, version): (u64, u32),
        first: u32,
        last: u32,
        mut visit: impl FnMut(GroupKey<'_>, bool, &GroupSums),
    ) -> Result<(), StoreError> {
        self.read(|snapshot| {
            let table = snapshot.open_table(tables::SUMS)?;
            let from = (id, version, first, 0, false, "", "");
            let to = (id, version, last.saturating_add(1), 0, false, "", "");
            for entry in table.range(from..to)? {
                let (key, bytes) = entry?;
                let (_, _, day, scraper, branded, country, label) = key.value();
                let scraper = self.shared.scrapers.name(scraper).unwrap_or_default();
                let sums = record::decode_sums(day, bytes.value())?;
                visit(GroupKey { day, scraper: &scraper, country, label }, branded, &sums);
            }
            Ok(())
        })
    }

    pub(crate) fn observations(
        &self,
        (id, version): (u64, u32),
        (since_ms, until_ms): (UnixMs, UnixMs),
        after: Option<(UnixMs, Row)>,
        rows_max: usize,
    ) -> Result<Vec<Observation>, StoreError> {
        self.read(|snapshot| {
            let table = snapshot.open_table(tables::OBSERVATIONS)?;
            let after = after.filter(|(at_ms, _)| *at_ms >= since_ms);
            let from = after.map_or((id, version, since_ms, 0), |(at_ms, row)| {
                (id, version, at_ms, row.saturating_add(1))
            });
            let mut found = Vec::new();
            let to = (id, version, until_ms, Row::MAX);
            if from > to {
                return Ok(found);
            }
            for entry in table.range(from..=to)?.take(rows_max) {
                let (key, bytes) = entry?;
                let (_, _, at_ms, row) = key.value();
                let record = record::decode_observation(row, bytes.value())?;
                found.push(Observation {
                    at_ms,
                    row,
                    job_id: Uuid::from_u128(record.job),
                    scraper: self.shared.scrapers.name(record.scraper).unwrap_or_default(),
                    country: record.country,
                    label: record.label,
                    kind_bit: record.kind_bit,
                    prompt_hash: record.prompt_hash,
                    counts: record.counts,
                });
            }
            Ok(found)
        })
    }

    pub(crate) fn sweep_observations(&self, before_ms: UnixMs) -> Result<usize, StoreError> {
        let oldest = self.read(|snapshot| {
            Ok(snapshot.open_table(tables::TRACKER_VERSIONS)?.first()?.is_some())
        })?;
        if !oldest {
            return Ok(0);
        }
        self.queue(|queue| queue.submit_blocking(move |tables| sweep(tables, before_ms))).wait()
    }
}
