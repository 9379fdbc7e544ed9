//! The check of what trackers have measured: that each answer is in the sums of its day, and that
//! pages are beside sums.

use std::collections::{BTreeMap, BTreeSet};

use super::found::CheckFindings;
use crate::store::shared::things::KeyReader;
use crate::store::{StoreError, day_of, record};

const KEYLESS: StoreError = StoreError::Damaged("its key cannot be read");

/// A day of a tracker's version.
type DayOfVersion = (u64, u32, u32);

/// Counts of what trackers have measured, as far as they belong together.
#[derive(Default)]
pub(super) struct MeasuredTotals {
    versions: BTreeSet<(u64, u32)>,
    observed: BTreeMap<DayOfVersion, u64>,
    summed: BTreeMap<DayOfVersion, u64>,
    /// The groups of a day, by the beginnings of the keys that all slots have.
    groups: BTreeSet<Vec<u8>>,
    pages: BTreeSet<Vec<u8>>,
}

impl MeasuredTotals {
    pub(super) fn add_version(&mut self, id: u64, version: u32) {
        self.versions.insert((id, version));
    }

    /// Adds the answer that an observation's key is of.
    ///
    /// # Errors
    /// Returns an error if the key is none.
    pub(super) fn add_observation(&mut self, key: &[u8]) -> Result<(), StoreError> {
        let mut key = KeyReader(key);
        let of_version = key.u64().zip(key.u32()).ok_or(KEYLESS)?;
        let at_ms = key.u64().ok_or(KEYLESS)?;
        let day = (of_version.0, of_version.1, day_of(at_ms));
        *self.observed.entry(day).or_default() += 1;
        Ok(())
    }

    /// Adds the sums of a slot.
    ///
    /// # Errors
    /// Returns an error if they or their key cannot be read.
    pub(super) fn add_sums(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let day = day_of_key(key)?;
        let sums = record::decode_sums(day.2, value)?;
        *self.summed.entry(day).or_default() += sums.answers;
        self.groups.insert(group_of_key(key)?.to_vec());
        Ok(())
    }

    /// Adds the pages of a slot.
    ///
    /// # Errors
    /// Returns an error if they or their key cannot be read.
    pub(super) fn add_pages(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        record::decode_page_sums(day_of_key(key)?.2, value)?;
        self.pages.insert(group_of_key(key)?.to_vec());
        Ok(())
    }

    /// Compares all of it. A sweep removes observations first, so that sums may have more.
    pub(super) fn compare(self, found: &mut CheckFindings) {
        for (day, observed) in &self.observed {
            let (id, version, date) = day;
            if !self.versions.contains(&(*id, *version)) {
                found.problem(format!("observations of tracker {id} have no version {version}"));
            }
            let summed = self.summed.get(day).copied().unwrap_or_default();
            if summed < *observed {
                found.problem(format!(
                    "tracker {id} has {observed} observations on day {date}, its sums have {summed}"
                ));
            }
        }
        for group in self.pages.difference(&self.groups) {
            if let Ok((id, _, date)) = day_of_key(group) {
                found.problem(format!("pages of tracker {id} on day {date} have no sums"));
            }
        }
    }
}

fn day_of_key(key: &[u8]) -> Result<DayOfVersion, StoreError> {
    let mut key = KeyReader(key);
    let (id, version) = key.u64().zip(key.u32()).ok_or(KEYLESS)?;
    Ok((id, version, key.u32().ok_or(KEYLESS)?))
}

/// Returns the key of sums without its slot.
fn group_of_key(key: &[u8]) -> Result<&[u8], StoreError> {
    key.split_last_chunk::<4>().map(|(group, _)| group).ok_or(KEYLESS)
}
