//! Trackers and what was observed of their answers.

use super::backend::{Backend, ask};
use crate::clock::UnixMs;
use crate::measure::{
    GroupKey, GroupSums, Observation, PageSums, TrackedBrands, Tracker, TrackerVersion,
};
use crate::store::{
    ApplyCounts, NewObservation, Row, Store, StoreError, TrackerDeletion, TrackerLimit,
};

impl Store {
    /// Writes a tracker, or a new version of it where its brands have changed. Does not block the
    /// thread.
    ///
    /// # Errors
    /// Returns an error if the store failed, or its writer is overloaded.
    pub async fn put_tracker(
        &self,
        account: String,
        name: String,
        brands: TrackedBrands,
        now_ms: UnixMs,
    ) -> Result<Result<Tracker, TrackerLimit>, StoreError> {
        ask!(self.backend, store => store.put_tracker(account, name, brands, now_ms).await)
    }

    /// Returns the tracker of an account with this name.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn tracker(&self, account: &str, name: &str) -> Result<Option<Tracker>, StoreError> {
        ask!(self.backend, store => store.tracker(account, name).await)
    }

    /// Returns the trackers of an account, by name.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn trackers(&self, account: &str) -> Result<Vec<Tracker>, StoreError> {
        ask!(self.backend, store => store.trackers(account).await)
    }

    /// Returns a version of the tracker with this id.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn tracker_version(
        &self,
        id: u64,
        version: u32,
    ) -> Result<Option<TrackerVersion>, StoreError> {
        ask!(self.backend, store => store.tracker_version(id, version).await)
    }

    /// Writes what was measured in the answers of jobs that are done, given by their rows. Does not
    /// block the thread.
    ///
    /// # Errors
    /// Returns an error if the store failed, or its writer is overloaded.
    pub async fn add_observations(
        &self,
        measured: Vec<(Row, NewObservation)>,
    ) -> Result<ApplyCounts, StoreError> {
        ask!(self.backend, store => store.add_observations(measured).await)
    }

    /// Deletes a tracker with all that was measured by it, a step of it at a time. Does not block
    /// the thread.
    ///
    /// # Errors
    /// Returns an error if the store failed, or its writer is overloaded.
    pub async fn delete_tracker_step(
        &self,
        account: String,
        name: String,
    ) -> Result<TrackerDeletion, StoreError> {
        ask!(self.backend, store => store.delete_tracker_step(account, name).await)
    }

    /// Calls `visit` with the sums of each day and group of a tracker's version from the day
    /// `first` to the day `last`, and with whether their prompts name a brand.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn visit_sums(
        &self,
        (id, version): (u64, u32),
        first: u32,
        last: u32,
        visit: impl FnMut(GroupKey<'_>, bool, &GroupSums),
    ) -> Result<(), StoreError> {
        ask!(self.backend, store => store.visit_sums((id, version), first, last, visit).await)
    }

    /// Returns at most `rows_max` observations of a tracker's version, oldest first: those from
    /// `since_ms` to `until_ms` behind `after`, a moment and the row of a job.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn observations(
        &self,
        (id, version): (u64, u32),
        (since_ms, until_ms): (UnixMs, UnixMs),
        after: Option<(UnixMs, Row)>,
        rows_max: usize,
    ) -> Result<Vec<Observation>, StoreError> {
        ask!(self.backend, store => {
            store.observations((id, version), (since_ms, until_ms), after, rows_max)
        })
    }

    /// Removes some of what was measured before the day of `before_ms`. Blocks until it is
    /// committed. Returns how much.
    ///
    /// # Errors
    /// Returns an error if the store failed; nothing was removed.
    pub fn sweep_observations(&self, before_ms: UnixMs) -> Result<usize, StoreError> {
        ask!(self.backend, store => store.sweep_observations(before_ms))
    }

    /// Calls `visit` with the pages of each day and group of a tracker's version from the day
    /// `first` to the day `last`, and with whether their prompts name a brand, until it returns
    /// false.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn visit_page_sums(
        &self,
        (id, version): (u64, u32),
        first: u32,
        last: u32,
        visit: impl FnMut(GroupKey<'_>, bool, &PageSums) -> bool,
    ) -> Result<(), StoreError> {
        ask!(self.backend, store => store.visit_page_sums((id, version), first, last, visit))
    }
}
