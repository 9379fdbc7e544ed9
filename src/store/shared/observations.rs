//! Observations: what was measured in an answer by a version of a tracker, and sums of them by day.
//! Both are written in the transaction that ends the job. The sums have a slot for each writer, so
//! that none waits for another; readers add the slots up.

use super::things::{KeyBytes, KeyReader, ThingKey, ThingKind, ThingRange};
use super::transaction::Transaction;
use crate::clock::UnixMs;
use crate::job::Job;
use crate::measure::{NewAnswer, PageUse, Tracker, TrackerVersion};
use crate::store::alert_marks;
use crate::store::record::ObservationRecord;
use crate::store::row::{ObservationKey, SumsKey};
use crate::store::trackers::{FORGOTTEN_MAX, TrackerTables};
use crate::store::{LABELED_GROUPS_MAX, StoreError, record};

/// Returns the key of the tracker of an account and a name.
pub(super) fn tracker_key(account: &str, name: &str) -> ThingKey {
    KeyBytes::default().text(account).text(name).of(ThingKind::Tracker)
}

/// Returns the key of a version of a tracker.
pub(super) fn version_key(id: u64, version: u32) -> ThingKey {
    KeyBytes::default().u64(id).u32(version).of(ThingKind::TrackerVersion)
}

/// Returns the key of what was measured in an answer.
pub(super) fn observation_key((id, version, at_ms, row): ObservationKey) -> ThingKey {
    KeyBytes::default().u64(id).u32(version).u64(at_ms).u64(row).of(ThingKind::Observation)
}

/// Returns the beginning of the keys of sums of a version and a day.
pub(super) fn day_key((id, version, day): (u64, u32, u32)) -> KeyBytes {
    KeyBytes::default().u64(id).u32(version).u32(day)
}

/// Returns the beginning of the keys of sums of a day and group, of all slots.
pub(super) fn group_key(
    (id, version, day, scraper, branded, country, label): SumsKey<'_>,
) -> KeyBytes {
    let day = day_key((id, version, day));
    day.u32(u32::from(scraper)).u32(u32::from(branded)).text(country).text(label)
}

/// A day and group of sums, as a key has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SumsGroup {
    pub day: u32,
    pub scraper: u16,
    pub branded: bool,
    pub country: String,
    pub label: String,
}

impl SumsGroup {
    /// Reads the key of sums; `None` for what is none.
    pub(super) fn read(key: &[u8]) -> Option<SumsGroup> {
        let mut key = KeyReader(key);
        let (_id, _version, day) = (key.u64()?, key.u32()?, key.u32()?);
        let (scraper, branded) = (key.u32()?, key.u32()?);
        let (country, label) = (key.text()?, key.text()?);
        let scraper = u16::try_from(scraper).ok()?;
        Some(SumsGroup { day, scraper, branded: branded != 0, country, label })
    }
}

/// The trackers of a transaction.
pub(super) struct TrackerThings<'a, 'p> {
    pub transaction: &'a mut Transaction<'p>,
    /// Whether the job has ended in this transaction: nothing can have measured it before.
    pub just_ended: bool,
}

impl TrackerThings<'_, '_> {
    fn slot_key(&self, key: SumsKey<'_>, kind: ThingKind) -> ThingKey {
        group_key(key).slot(self.transaction.slot).of(kind)
    }
}

impl TrackerTables for TrackerThings<'_, '_> {
    fn tracker(&mut self, account: &str, name: &str) -> Result<Option<Tracker>, StoreError> {
        let bytes = self.transaction.things.locked(&tracker_key(account, name));
        bytes.map(|bytes| record::decode_tracker(name, bytes)).transpose()
    }

    fn measuring(&mut self, account: &str, name: &str) -> Result<Option<Tracker>, StoreError> {
        let bytes = self.transaction.things.held(&tracker_key(account, name));
        bytes.map(|bytes| record::decode_tracker(name, bytes)).transpose()
    }

    fn others(&mut self, account: &str) -> Result<(usize, Option<u64>), StoreError> {
        // Of all accounts: no two trackers have one id.
        self.transaction
            .things
            .locked(&KeyBytes::default().text("trackers").of(ThingKind::AccountLock));
        let own = KeyBytes::default().text(account).of(ThingKind::Tracker).key;
        let (mut count, mut highest) = (0, None);
        for (key, bytes) in self.transaction.things.range(&ThingRange::of_kind(ThingKind::Tracker))
        {
            count += usize::from(key.starts_with(&own));
            highest = highest.max(Some(record::decode_tracker("", &bytes)?.id));
        }
        Ok((count, highest))
    }

    fn put(
        &mut self,
        account: &str,
        tracker: &Tracker,
        version: &TrackerVersion,
    ) -> Result<(), StoreError> {
        let bytes = record::encode_tracker(tracker)?;
        let of_version = record::encode_tracker_version(tracker.id, version)?;
        let things = &mut self.transaction.things;
        things.put(&tracker_key(account, &tracker.name), Some(bytes));
        things.put(&version_key(tracker.id, version.version), Some(of_version));
        Ok(())
    }

    fn remove(&mut self, account: &str, tracker: &Tracker) -> Result<(), StoreError> {
        for version in 1..=tracker.version {
            self.transaction.things.put(&version_key(tracker.id, version), None);
        }
        self.transaction.things.put(&tracker_key(account, &tracker.name), None);
        Ok(())
    }

    fn forget_some(&mut self, id: u64) -> Result<bool, StoreError> {
        let mut left = FORGOTTEN_MAX;
        for kind in [ThingKind::Observation, ThingKind::Sums, ThingKind::PageSums] {
            let range = KeyBytes::default().u64(id).all_of(kind).keys().at_most(left);
            for (key, _) in self.transaction.things.range(&range) {
                self.transaction.things.put(&ThingKey { kind, key }, None);
                left -= 1;
            }
            if left == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn version(&mut self, id: u64, version: u32) -> Result<Option<TrackerVersion>, StoreError> {
        let bytes = self.transaction.things.held(&version_key(id, version));
        bytes.map(|bytes| record::decode_tracker_version(id, version, bytes)).transpose()
    }

    fn is_measured(&mut self, key: ObservationKey) -> Result<bool, StoreError> {
        Ok(!self.just_ended && self.transaction.things.locked(&observation_key(key)).is_some())
    }

    fn put_observation(
        &mut self,
        key: ObservationKey,
        record: &ObservationRecord,
    ) -> Result<(), StoreError> {
        let bytes = record::encode_observation(key.3, record)?;
        self.transaction.things.put(&observation_key(key), Some(bytes));
        Ok(())
    }

    fn has_sums(&mut self, key: SumsKey<'_>) -> Result<bool, StoreError> {
        let own = self.slot_key(key, ThingKind::Sums);
        let things = &mut self.transaction.things;
        // One that was not read yet is most likely there, and nothing else is to be read for it.
        if things.locked(&own).is_some() || !things.is_read(&own) {
            return Ok(true);
        }
        let of_any = group_key(key).all_of(ThingKind::Sums).keys().at_most(1);
        Ok(!things.range(&of_any).is_empty())
    }

    fn groups(&mut self, of_day: (u64, u32, u32)) -> Result<usize, StoreError> {
        let range = day_key(of_day).all_of(ThingKind::Sums).keys();
        let mut keys = self.transaction.things.range(&range);
        // Slots of a group follow each other.
        keys.dedup_by(|(one, _), (other, _)| SumsGroup::read(one) == SumsGroup::read(other));
        Ok(keys.len().min(LABELED_GROUPS_MAX))
    }

    fn add_answer(&mut self, key: SumsKey<'_>, answer: &NewAnswer<'_>) -> Result<(), StoreError> {
        let (day, of_slot) = (key.2, self.slot_key(key, ThingKind::Sums));
        let things = &mut self.transaction.things;
        let stored = things.locked(&of_slot).map(|bytes| record::decode_sums(day, bytes));
        let mut sums = stored.transpose()?.unwrap_or_default();
        sums.add(answer);
        things.put(&of_slot, Some(record::encode_sums(day, &sums)?));
        Ok(())
    }

    fn add_pages(&mut self, key: SumsKey<'_>, used: &[PageUse]) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        let (day, of_slot) = (key.2, self.slot_key(key, ThingKind::PageSums));
        let things = &mut self.transaction.things;
        let stored = things.locked(&of_slot).map(|bytes| record::decode_page_sums(day, bytes));
        let mut sums = stored.transpose()?.unwrap_or_default();
        sums.add(used);
        things.put(&of_slot, Some(record::encode_page_sums(day, &sums)?));
        Ok(())
    }

    fn mark_answer(&mut self, job: &Job, tracker: &str, at_ms: UnixMs) -> Result<(), StoreError> {
        let is_running = match job.batch {
            // One that cannot be read will not end.
            Some(key) => self
                .transaction
                .read_batch(key.row)
                .ok()
                .flatten()
                .is_some_and(|batch| batch.key == key && batch.progress.completed_ms.is_none()),
            None => false,
        };
        let Ok(()) =
            alert_marks::note_answer(&mut self.transaction.marks(is_running), job, tracker, at_ms);
        Ok(())
    }
}
