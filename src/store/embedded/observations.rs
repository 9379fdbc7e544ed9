//! Observations: what was measured in an answer by a version of a tracker, in a row that outlives
//! the result, and sums of them by day that reports are made of. Both are written in the
//! transaction that ends the job, so that an answer is counted once.

use redb::ReadableTable;
use uuid::Uuid;

use super::Embedded;
use super::tables::{self, ObservationKey};
use super::transaction::Tables;
use super::{alert_marks, page_sums, rows, trackers};
use crate::clock::UnixMs;
use crate::job::Job;
use crate::measure::{GroupKey, GroupSums, NewAnswer, Observation, own_places};
use crate::store::record::ObservationRecord;
use crate::store::trackers::{DAY_MS, answered_ms};
use crate::store::{
    ApplyCounts, LABELED_GROUPS_MAX, NewObservation, OTHER_LABEL, Row, StoreError, TrackerDeletion,
    day_of, record,
};

/// The most observations that a step of a deletion or a sweep removes.
const FORGOTTEN_MAX: usize = 250;

/// Writes what was measured in the answer of a job that is done, and adds it to the sums. Returns
/// whether it did: not if that was done before, or the tracker is gone.
pub(super) fn add(
    tables: &mut Tables<'_>,
    job: &Job,
    scraper: u16,
    new: &NewObservation,
) -> Result<bool, StoreError> {
    let Some(at_ms) = answered_ms(job) else { return Ok(false) };
    let tracker = trackers::read(tables, &job.account, &new.tracker)?;
    let Some(tracker) = tracker.filter(|tracker| tracker.id == new.tracker_id) else {
        return Ok(false);
    };
    let key: ObservationKey = (tracker.id, new.version, at_ms, job.row);
    if tables.observations.get(key)?.is_some() {
        return Ok(false);
    }
    let brands = if tracker.version == new.version {
        tracker.brands
    } else {
        let stored = tables.tracker_versions.get((tracker.id, new.version))?;
        let Some(stored) = stored else { return Ok(false) };
        record::decode_tracker_version(tracker.id, new.version, stored.value())?.brands
    };
    let record = new.record(job, scraper);
    let bytes = record::encode_observation(job.row, &record)?;
    tables.observations.insert(key, bytes.as_slice())?;
    let answer = NewAnswer {
        counts: &record.counts,
        domains: &new.measured.domains,
        prompt_hash: record.prompt_hash,
        kind_bit: record.kind_bit,
        own: &own_places(brands.brands()),
    };
    let of_day = (tracker.id, new.version, day_of(at_ms));
    let label = sum(tables, of_day, &record, &answer)?;
    let (id, version, day) = of_day;
    let branded = record.counts.branded;
    let key = (id, version, day, record.scraper, branded, record.country.as_str(), label);
    page_sums::add(tables, key, &new.measured.pages)?;
    alert_marks::note_answer(tables, job, &new.tracker, at_ms)?;
    Ok(true)
}

/// Adds an answer to the sums of its day and group. Returns the label that it is counted under.
fn sum<'r>(
    tables: &mut Tables<'_>,
    (id, version, day): (u64, u32, u32),
    record: &'r ObservationRecord,
    answer: &NewAnswer<'_>,
) -> Result<&'r str, StoreError> {
    let ObservationRecord { scraper, country, label, counts, .. } = record;
    let key = |label| (id, version, day, *scraper, counts.branded, country.as_str(), label);
    let mut label = label.as_str();
    if !label.is_empty() && tables.sums.get(key(label))?.is_none() {
        let mut groups = 0;
        for entry in tables.sums.range((id, version, day, 0, false, "", "")..)? {
            let (known, _) = entry?;
            let (of, at, on, ..) = known.value();
            if (of, at, on) != (id, version, day) || groups >= LABELED_GROUPS_MAX {
                break;
            }
            groups += 1;
        }
        if groups >= LABELED_GROUPS_MAX {
            label = OTHER_LABEL;
        }
    }
    let stored = match tables.sums.get(key(label))? {
        Some(bytes) => Some(record::decode_sums(day, bytes.value())?),
        None => None,
    };
    let mut sums = stored.unwrap_or_default();
    sums.add(answer);
    tables.sums.insert(key(label), record::encode_sums(day, &sums)?.as_slice())?;
    Ok(label)
}

/// Removes some of what was measured by a tracker, and at last the tracker.
fn delete_step(
    tables: &mut Tables<'_>,
    account: &str,
    name: &str,
) -> Result<TrackerDeletion, StoreError> {
    let Some(tracker) = trackers::read(tables, account, name)? else {
        return Ok(TrackerDeletion::NotFound);
    };
    if forget_some(tables, tracker.id)? {
        return Ok(TrackerDeletion::Begun);
    }
    for version in 1..=tracker.version {
        tables.tracker_versions.remove((tracker.id, version))?;
    }
    tables.trackers.remove((account, name))?;
    Ok(TrackerDeletion::Gone)
}

/// Removes some of what was measured by a tracker. Returns whether there may be more.
fn forget_some(tables: &mut Tables<'_>, id: u64) -> Result<bool, StoreError> {
    let range = (id, 0, 0, 0)..=(id, u32::MAX, u64::MAX, Row::MAX);
    let removed = remove_observations(tables, range)?;
    let sums = (id, 0, 0, 0, false, "", "")..(id + 1, 0, 0, 0, false, "", "");
    let removed_sums = remove_sums(tables, sums, FORGOTTEN_MAX - removed)?;
    Ok(removed + removed_sums >= FORGOTTEN_MAX)
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
    range: std::ops::Range<tables::SumsKey<'_>>,
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
                    match add(tables, &job, scraper, new)? {
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
        let pending =
            self.queue(|queue| queue.submit(move |tables| delete_step(tables, &account, &name)));
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
