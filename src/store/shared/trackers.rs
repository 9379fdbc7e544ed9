//! Trackers with their versions, and what was measured by them: written as `store/trackers.rs`
//! says, and read by day and group.

use std::sync::Arc;

use uuid::Uuid;

use super::demand::Entry;
use super::handle::SharedStore;
use super::needs::Needs;
use super::observations::{
    SumsGroup, TrackerThings, day_key, observation_key, tracker_key, version_key,
};
use super::round::Value;
use super::things::{KeyBytes, KeyReader, ThingKind, ThingRange};
use crate::clock::UnixMs;
use crate::measure::{
    GroupKey, GroupSums, Observation, PageSums, TrackedBrands, Tracker, TrackerVersion,
};
use crate::store::trackers::{self, DAY_MS, FORGOTTEN_MAX};
use crate::store::{
    ApplyCounts, Blocking, NewObservation, Row, StoreError, TrackerDeletion, TrackerLimit, day_of,
    record,
};

/// The most sums of one read.
const SUMS_ROWS_MAX: usize = 1_000;
/// Removes some things of a kind in some ranges.
const FORGET: &str = "
    DELETE FROM things t USING (
        SELECT o.key FROM unnest($2::bytea[], $3::bytea[]) u(low, high)
        JOIN things o ON o.kind = $1 AND o.key >= u.low AND o.key < u.high LIMIT $4
    ) old WHERE t.kind = $1 AND t.key = old.key RETURNING 1";

/// The first key of a range, and the one behind its last.
type KeyBounds = (Vec<u8>, Vec<u8>);

impl SharedStore {
    /// Writes a tracker, or a new version of it where its brands have changed.
    ///
    /// # Errors
    /// Returns an error if the database fails, or the writer is overloaded.
    pub(crate) async fn put_tracker(
        &self,
        account: String,
        name: String,
        brands: TrackedBrands,
        now_ms: UnixMs,
    ) -> Result<Result<Tracker, TrackerLimit>, StoreError> {
        let written = self.queue(0, needs_of(&account, &name), move |transaction| {
            let tables = &mut TrackerThings { transaction, just_ended: false };
            trackers::put(tables, &account, &name, brands.clone(), now_ms)
        });
        written.committed().await
    }

    /// Deletes a tracker with all that was measured by it, a step of it at a time.
    ///
    /// # Errors
    /// Returns an error if the database fails, or the writer is overloaded.
    pub(crate) async fn delete_tracker_step(
        &self,
        account: String,
        name: String,
    ) -> Result<TrackerDeletion, StoreError> {
        let written = self.queue(0, needs_of(&account, &name), move |transaction| {
            let tables = &mut TrackerThings { transaction, just_ended: false };
            trackers::delete_step(tables, &account, &name)
        });
        written.committed().await
    }

    /// Returns the tracker of an account with this name.
    ///
    /// # Errors
    /// Returns an error if the database fails or the tracker is damaged.
    pub(crate) async fn tracker(
        &self,
        account: &str,
        name: &str,
    ) -> Result<Option<Tracker>, StoreError> {
        let bytes = self.read_thing(&tracker_key(account, name)).await?;
        bytes.map(|bytes| record::decode_tracker(name, &bytes)).transpose()
    }

    /// Returns the trackers of an account, by name.
    ///
    /// # Errors
    /// Returns an error if the database fails or a tracker is damaged.
    pub(crate) async fn trackers(&self, account: &str) -> Result<Vec<Tracker>, StoreError> {
        const NAMELESS: StoreError = StoreError::Damaged("a tracker has no name");
        let range = KeyBytes::default().text(account).all_of(ThingKind::Tracker);
        let mut found = Vec::new();
        for (key, bytes) in self.read_range(range).await? {
            let mut key = KeyReader(&key);
            let name = key.text().and_then(|_| key.text()).ok_or(NAMELESS)?;
            found.push(record::decode_tracker(&name, &bytes)?);
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Returns a version of the tracker with this id.
    ///
    /// # Errors
    /// Returns an error if the database fails or the version is damaged.
    pub(crate) async fn tracker_version(
        &self,
        id: u64,
        version: u32,
    ) -> Result<Option<TrackerVersion>, StoreError> {
        let bytes = self.read_thing(&version_key(id, version)).await?;
        bytes.map(|bytes| record::decode_tracker_version(id, version, &bytes)).transpose()
    }

    /// Writes what was measured in the answers of jobs that are done, given by their rows.
    ///
    /// # Errors
    /// Returns an error if the database fails, or the writer is overloaded.
    pub(crate) async fn add_observations(
        &self,
        measured: Vec<(Row, NewObservation)>,
    ) -> Result<ApplyCounts, StoreError> {
        let mut needs = Needs::default();
        needs.read.extend(measured.iter().map(|(row, _)| *row));
        let written = self.queue(0, needs, move |transaction| {
            let mut counts = ApplyCounts::default();
            for (row, new) in &measured {
                let Some(known) = transaction.job(*row)? else { continue };
                let (job, scraper) = (known.job.clone(), known.scraper);
                let tables = &mut TrackerThings { transaction, just_ended: false };
                match trackers::observe(tables, &job, scraper, new)? {
                    true => counts.measured += 1,
                    false => counts.already += 1,
                }
            }
            Ok(counts)
        });
        written.committed().await
    }

    /// Calls `visit` with the sums of each day and group of a tracker's version from the day
    /// `first` to the day `last`, and with whether their prompts name a brand: once for each writer
    /// that has some.
    ///
    /// # Errors
    /// Returns an error if the database fails or sums are damaged.
    pub(crate) async fn visit_sums(
        &self,
        version: (u64, u32),
        first: u32,
        last: u32,
        mut visit: impl FnMut(GroupKey<'_>, bool, &GroupSums),
    ) -> Result<(), StoreError> {
        let mut range = range_of_days(ThingKind::Sums, version, first, last);
        loop {
            let found = self.read_range(range.clone()).await?;
            for (key, bytes) in &found {
                let group = group_of(key)?;
                let sums = record::decode_sums(group.day, bytes)?;
                self.with_key(&group, |key, branded| visit(key, branded, &sums));
            }
            let Some(next) = rest_of(range, &found) else { return Ok(()) };
            range = next;
        }
    }

    /// Does what [`SharedStore::visit_sums`] does, with the pages that answers used, until `visit`
    /// returns false. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or sums are damaged.
    pub(crate) fn visit_page_sums(
        &self,
        version: (u64, u32),
        first: u32,
        last: u32,
        mut visit: impl FnMut(GroupKey<'_>, bool, &PageSums) -> bool,
    ) -> Result<(), StoreError> {
        let mut range = range_of_days(ThingKind::PageSums, version, first, last);
        loop {
            let found = self.read_range(range.clone()).wait()?;
            for (key, bytes) in &found {
                let group = group_of(key)?;
                let sums = record::decode_page_sums(group.day, bytes)?;
                if !self.with_key(&group, |key, branded| visit(key, branded, &sums)) {
                    return Ok(());
                }
            }
            let Some(next) = rest_of(range, &found) else { return Ok(()) };
            range = next;
        }
    }

    fn with_key<T>(&self, group: &SumsGroup, call: impl FnOnce(GroupKey<'_>, bool) -> T) -> T {
        let SumsGroup { day, scraper, branded, country, label } = group;
        let scraper = self.process.scrapers.name(*scraper).unwrap_or_default();
        call(GroupKey { day: *day, scraper: &scraper, country, label }, *branded)
    }

    /// Returns at most `rows_max` observations of a tracker's version, oldest first: see
    /// [`crate::store::Store::observations`]. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or an observation is damaged.
    pub(crate) fn observations(
        &self,
        (id, version): (u64, u32),
        (since_ms, until_ms): (UnixMs, UnixMs),
        after: Option<(UnixMs, Row)>,
        rows_max: usize,
    ) -> Result<Vec<Observation>, StoreError> {
        const KEYLESS: StoreError = StoreError::Damaged("an observation has no key");
        let after = after.filter(|(at_ms, _)| *at_ms >= since_ms);
        let (from_ms, from_row) =
            after.map_or((since_ms, 0), |(at_ms, row)| (at_ms, row.saturating_add(1)));
        let range = ThingRange {
            from: observation_key((id, version, from_ms, from_row)).key,
            until: observation_key((id, version, until_ms.saturating_add(1), 0)).key,
            ..ThingRange::of_kind(ThingKind::Observation)
        };
        let mut found = Vec::new();
        for (key, bytes) in self.read_range(range.at_most(rows_max)).wait()? {
            let mut key = KeyReader(&key);
            let of_version = key.u64().zip(key.u32());
            let (at_ms, row) = of_version.and_then(|_| key.u64().zip(key.u64())).ok_or(KEYLESS)?;
            let record = record::decode_observation(row, &bytes)?;
            found.push(Observation {
                at_ms,
                row,
                job_id: Uuid::from_u128(record.job),
                scraper: self.process.scrapers.name(record.scraper).unwrap_or_default(),
                country: record.country,
                label: record.label,
                kind_bit: record.kind_bit,
                prompt_hash: record.prompt_hash,
                counts: record.counts,
            });
        }
        Ok(found)
    }

    /// Removes some of what was measured before the day of `before_ms`. Blocks. Returns how much.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn sweep_observations(&self, before_ms: UnixMs) -> Result<usize, StoreError> {
        let versions = ThingRange::of_kind(ThingKind::TrackerVersion);
        let versions = self.read_range(versions).wait()?;
        let versions = versions.iter().filter_map(|(key, _)| {
            let mut key = KeyReader(key);
            key.u64().zip(key.u32())
        });
        let versions: Vec<(u64, u32)> = versions.collect();
        let day = day_of(before_ms);
        let first_ms = u64::from(day) * DAY_MS;
        let key = |id, version, at_ms| observation_key((id, version, at_ms, 0)).key;
        let observed = versions.iter().map(|(id, of)| (key(*id, *of, 0), key(*id, *of, first_ms)));
        let observed: Vec<KeyBounds> = observed.collect();
        let key = |id, version, day| day_key((id, version, day)).of(ThingKind::Sums).key;
        let summed = versions.iter().map(|(id, of)| (key(*id, *of, 0), key(*id, *of, day)));
        let summed: Vec<KeyBounds> = summed.collect();
        let mut removed = 0;
        let sums = |kind| (kind, summed.clone());
        for (kind, bounds) in
            [(ThingKind::Observation, observed), sums(ThingKind::Sums), sums(ThingKind::PageSums)]
        {
            let (from, until): (Vec<Vec<u8>>, Vec<Vec<u8>>) = bounds.into_iter().unzip();
            let values: Vec<Value> = vec![
                Arc::new(kind as i16),
                Arc::new(from),
                Arc::new(until),
                Arc::new(FORGOTTEN_MAX as i64),
            ];
            removed += self.ask_text(FORGET, values).wait()?.len();
        }
        Ok(removed)
    }
}

fn needs_of(account: &str, name: &str) -> Needs {
    let mut needs = Needs::default();
    needs.things.insert(tracker_key(account, name));
    needs
}

fn range_of_days(kind: ThingKind, (id, version): (u64, u32), first: u32, last: u32) -> ThingRange {
    let from = day_key((id, version, first)).of(kind).key;
    let until = day_key((id, version, last.saturating_add(1))).of(kind).key;
    ThingRange { from, until, ..ThingRange::of_kind(kind) }.at_most(SUMS_ROWS_MAX)
}

/// Returns the range behind what was found of one; `None` if that was all.
fn rest_of(range: ThingRange, found: &[Entry]) -> Option<ThingRange> {
    let (last, _) = found.last().filter(|_| found.len() >= range.rows_max as usize)?;
    // Nothing is between a key and the same one with a byte behind it.
    Some(ThingRange { from: [last, &[0][..]].concat(), ..range })
}

fn group_of(key: &[u8]) -> Result<SumsGroup, StoreError> {
    SumsGroup::read(key).ok_or(StoreError::Damaged("sums have no key"))
}
