//! What is written and read of trackers and of what they have measured, and the steps of their
//! writes: whatever keeps the store has the tables, and runs a step in one transaction.

use uuid::Uuid;

use super::StoreError;
use super::record::ObservationRecord;
use super::row::{ObservationKey, SumsKey};
use crate::clock::UnixMs;
use crate::job::{Job, State};
use crate::measure::{
    AnswerCounts, Measured, NewAnswer, PageUse, TrackedBrands, Tracker, TrackerVersion, own_places,
};

/// The most trackers of an account.
pub const TRACKERS_MAX: usize = 100;

/// The most versions of a tracker.
pub const TRACKER_VERSIONS_MAX: u32 = 1_000;

/// The reason why a tracker is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackerLimit {
    /// The account has [`TRACKERS_MAX`].
    Trackers,
    /// The tracker has [`TRACKER_VERSIONS_MAX`].
    Versions,
}

/// The most groups of a day that have labels of their own.
pub const LABELED_GROUPS_MAX: usize = 500;

/// The label under which answers of further labels are counted.
pub const OTHER_LABEL: &str = "(other)";

/// The measure of an answer, about to be written.
#[derive(Clone, Debug)]
pub struct NewObservation {
    pub tracker: String,
    pub tracker_id: u64,
    pub version: u32,
    /// The job's id as clients see it.
    pub job_id: Uuid,
    pub measured: Measured,
}

/// The most observations that a step of a deletion or a sweep removes.
pub(super) const FORGOTTEN_MAX: usize = 250;

pub(super) const DAY_MS: u64 = 86_400_000;

impl NewObservation {
    /// Returns what is kept of the answer of a job.
    pub(super) fn record(&self, job: &Job, scraper: u16) -> ObservationRecord {
        ObservationRecord {
            job: self.job_id.as_u128(),
            scraper,
            country: job.request.country.clone(),
            label: job.label.clone().unwrap_or_default(),
            kind_bit: self.measured.kind_bit,
            prompt_hash: self.measured.prompt_hash,
            counts: AnswerCounts::from(&self.measured),
        }
    }
}

/// Returns when the answer of a job was given; `None` if it has none.
pub(super) fn answered_ms(job: &Job) -> Option<UnixMs> {
    job.completed_ms.filter(|_| job.state == State::Done)
}

/// Counts of answers that a tracker was applied to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyCounts {
    pub measured: u64,
    /// Answers that had been measured by this version before.
    pub already: u64,
}

/// The outcome of a step of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackerDeletion {
    NotFound,
    /// Observations are gone, and there may be more.
    Begun,
    Gone,
}

/// Returns the day of a moment, since 1970-01-01.
pub fn day_of(at_ms: UnixMs) -> u32 {
    u32::try_from(at_ms / DAY_MS).unwrap_or(u32::MAX)
}

/// The tables of trackers and their observations inside of one transaction.
pub(super) trait TrackerTables {
    /// Reads the tracker of an account and a name, which may be changed.
    fn tracker(&mut self, account: &str, name: &str) -> Result<Option<Tracker>, StoreError>;
    /// Reads it to measure by: it stays as it is until the commit.
    fn measuring(&mut self, account: &str, name: &str) -> Result<Option<Tracker>, StoreError>;
    /// Returns how many trackers an account has, and the highest id of any account's.
    fn others(&mut self, account: &str) -> Result<(usize, Option<u64>), StoreError>;
    fn put(
        &mut self,
        account: &str,
        tracker: &Tracker,
        version: &TrackerVersion,
    ) -> Result<(), StoreError>;
    /// Removes a tracker and its versions.
    fn remove(&mut self, account: &str, tracker: &Tracker) -> Result<(), StoreError>;
    /// Removes at most [`FORGOTTEN_MAX`] rows of what was measured by a tracker. Returns whether
    /// there may be more.
    fn forget_some(&mut self, id: u64) -> Result<bool, StoreError>;
    fn version(&mut self, id: u64, version: u32) -> Result<Option<TrackerVersion>, StoreError>;
    fn is_measured(&mut self, key: ObservationKey) -> Result<bool, StoreError>;
    fn put_observation(
        &mut self,
        key: ObservationKey,
        record: &ObservationRecord,
    ) -> Result<(), StoreError>;
    /// Returns whether a day and group has sums.
    fn has_sums(&mut self, key: SumsKey<'_>) -> Result<bool, StoreError>;
    /// Counts the groups of a day that have sums, up to [`LABELED_GROUPS_MAX`].
    fn groups(&mut self, of_day: (u64, u32, u32)) -> Result<usize, StoreError>;
    /// Adds an answer to the sums of its day and group.
    fn add_answer(&mut self, key: SumsKey<'_>, answer: &NewAnswer<'_>) -> Result<(), StoreError>;
    fn add_pages(&mut self, key: SumsKey<'_>, used: &[PageUse]) -> Result<(), StoreError>;
    /// Marks the alerts of a tracker that has measured an answer.
    fn mark_answer(&mut self, job: &Job, tracker: &str, at_ms: UnixMs) -> Result<(), StoreError>;
}

/// Writes a tracker, or a new version of it where its brands have changed.
pub(super) fn put(
    tables: &mut impl TrackerTables,
    account: &str,
    name: &str,
    brands: TrackedBrands,
    now_ms: UnixMs,
) -> Result<Result<Tracker, TrackerLimit>, StoreError> {
    let tracker = match tables.tracker(account, name)? {
        Some(tracker) if tracker.brands == brands => return Ok(Ok(tracker)),
        Some(tracker) if tracker.version >= TRACKER_VERSIONS_MAX => {
            return Ok(Err(TrackerLimit::Versions));
        }
        Some(tracker) => Tracker {
            version: tracker.version + 1,
            changed_ms: now_ms.max(tracker.changed_ms),
            brands,
            ..tracker
        },
        None => {
            let (own, highest) = tables.others(account)?;
            if own >= TRACKERS_MAX {
                return Ok(Err(TrackerLimit::Trackers));
            }
            let id = highest.map_or(now_ms, |highest| now_ms.max(highest + 1));
            let (created_ms, changed_ms) = (now_ms, now_ms);
            Tracker { name: name.to_owned(), id, version: 1, created_ms, changed_ms, brands }
        }
    };
    let version = TrackerVersion {
        version: tracker.version,
        changed_ms: tracker.changed_ms,
        brands: tracker.brands.clone(),
    };
    tables.put(account, &tracker, &version)?;
    Ok(Ok(tracker))
}

/// Removes some of what was measured by a tracker, and at last the tracker.
pub(super) fn delete_step(
    tables: &mut impl TrackerTables,
    account: &str,
    name: &str,
) -> Result<TrackerDeletion, StoreError> {
    let Some(tracker) = tables.tracker(account, name)? else {
        return Ok(TrackerDeletion::NotFound);
    };
    if tables.forget_some(tracker.id)? {
        return Ok(TrackerDeletion::Begun);
    }
    tables.remove(account, &tracker)?;
    Ok(TrackerDeletion::Gone)
}

/// Writes what was measured in the answer of a job that is done, and adds it to the sums. Returns
/// whether it did: not if that was done before, or the tracker is gone.
pub(super) fn observe(
    tables: &mut impl TrackerTables,
    job: &Job,
    scraper: u16,
    new: &NewObservation,
) -> Result<bool, StoreError> {
    let Some(at_ms) = answered_ms(job) else { return Ok(false) };
    let tracker = tables.measuring(&job.account, &new.tracker)?;
    let Some(tracker) = tracker.filter(|tracker| tracker.id == new.tracker_id) else {
        return Ok(false);
    };
    let key: ObservationKey = (tracker.id, new.version, at_ms, job.row);
    if tables.is_measured(key)? {
        return Ok(false);
    }
    let brands = if tracker.version == new.version {
        tracker.brands
    } else {
        let Some(version) = tables.version(tracker.id, new.version)? else { return Ok(false) };
        version.brands
    };
    let record = new.record(job, scraper);
    tables.put_observation(key, &record)?;
    let answer = NewAnswer {
        counts: &record.counts,
        domains: &new.measured.domains,
        prompt_hash: record.prompt_hash,
        kind_bit: record.kind_bit,
        own: &own_places(brands.brands()),
    };
    let of_day = (tracker.id, new.version, day_of(at_ms));
    let group = group_of(tables, of_day, &record)?;
    tables.add_answer(group, &answer)?;
    tables.add_pages(group, &new.measured.pages)?;
    tables.mark_answer(job, &new.tracker, at_ms)?;
    Ok(true)
}

/// Returns the day and group that an answer is counted in: of its own label, until too many groups
/// of the day have sums.
fn group_of<'r>(
    tables: &mut impl TrackerTables,
    (id, version, day): (u64, u32, u32),
    record: &'r ObservationRecord,
) -> Result<SumsKey<'r>, StoreError> {
    let ObservationRecord { scraper, country, label, counts, .. } = record;
    let key = |label| (id, version, day, *scraper, counts.branded, country.as_str(), label);
    let label = label.as_str();
    let is_other = !label.is_empty()
        && !tables.has_sums(key(label))?
        && tables.groups((id, version, day))? >= LABELED_GROUPS_MAX;
    Ok(key(if is_other { OTHER_LABEL } else { label }))
}
