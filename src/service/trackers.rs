//! The use cases of trackers: which brands are looked for, and measuring results that still live.

use std::sync::Arc;

use super::jobs::parse_id;
use super::{Caller, Service, ServiceError};
use crate::clock::UnixMs;
use crate::job::Job;
use crate::measure::{Observation, TrackedBrands, Tracker, measure};
use crate::store::{
    ApplyCounts, Blocking, Cursor, ListFilter, NewObservation, Row, TrackerDeletion, TrackerLimit,
};

/// The most answers that one step of an application measures: nothing else is written meanwhile.
const APPLIED_MAX: usize = 100;

/// The outcome of applying a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub version: u32,
    pub counts: ApplyCounts,
    /// Results from the cache, which are no new answers.
    pub cached: u64,
}

/// A page of what a tracker has measured.
#[derive(Clone, Debug)]
pub struct ObservationPage {
    pub brands: TrackedBrands,
    pub version: u32,
    pub observations: Vec<Observation>,
}

/// Answers of one step, measured.
struct ApplyStep {
    measured: Vec<(Row, NewObservation)>,
    cached: u64,
    next: Option<Cursor>,
}

impl Service {
    /// Writes a tracker of the caller's, or a new version of it where its brands have changed.
    ///
    /// # Errors
    /// Returns an error if the caller has too many, or the store failed.
    pub async fn put_tracker(
        &self,
        caller: &Caller,
        name: String,
        brands: TrackedBrands,
    ) -> Result<Tracker, ServiceError> {
        let (account, now_ms) = (caller.account.clone(), self.clock.now_ms());
        let put = self.store.put_tracker(account, name, brands, now_ms).await?;
        let tracker = put.map_err(|limit| match limit {
            TrackerLimit::Trackers => ServiceError::TooManyTrackers,
            TrackerLimit::Versions => ServiceError::TooManyTrackerVersions,
        })?;
        let (name, version) = (&tracker.name, tracker.version);
        tracing::info!(account = caller.account, tracker = name, version, "tracker written");
        Ok(tracker)
    }

    /// Returns a tracker of the caller's.
    ///
    /// # Errors
    /// Returns an error if there is none of this name, or the store failed.
    pub async fn tracker(&self, caller: &Caller, name: &str) -> Result<Tracker, ServiceError> {
        let found = self.store.tracker(&caller.account, name).await?;
        found.ok_or_else(|| ServiceError::TrackerNotFound { name: name.to_owned() })
    }

    /// Returns the trackers of the caller's, by name.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn trackers(&self, caller: &Caller) -> Result<Vec<Tracker>, ServiceError> {
        Ok(self.store.trackers(&caller.account).await?)
    }

    /// Checks that the caller has the trackers that jobs name.
    ///
    /// # Errors
    /// Returns an error if one of them is missing, or the store failed.
    pub async fn check_tracks<'a>(
        &self,
        caller: &Caller,
        tracks: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ServiceError> {
        let mut known: Vec<&str> = Vec::new();
        for track in tracks {
            if !known.contains(&track) {
                self.tracker(caller, track).await?;
                known.push(track);
            }
        }
        Ok(())
    }

    /// Deletes a tracker of the caller's with all that it has measured. In steps: where it breaks
    /// off, a repeated call goes on from there.
    ///
    /// # Errors
    /// Returns an error if there is none of this name, or the store failed.
    pub async fn delete_tracker(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        loop {
            let (account, named) = (caller.account.clone(), name.to_owned());
            match self.store.delete_tracker_step(account, named).await? {
                TrackerDeletion::Begun => {}
                TrackerDeletion::Gone => break,
                TrackerDeletion::NotFound => {
                    return Err(ServiceError::TrackerNotFound { name: name.to_owned() });
                }
            }
        }
        tracing::info!(account = caller.account, tracker = name, "tracker deleted");
        Ok(())
    }

    /// Measures all results of the caller's that still live by the latest version of a tracker;
    /// what that has measured before stays as it is. In steps, as a deletion.
    ///
    /// # Errors
    /// Returns an error if there is no such tracker, the store failed, or the service stops.
    pub async fn apply_tracker(
        self: &Arc<Service>,
        caller: &Caller,
        name: &str,
    ) -> Result<Applied, ServiceError> {
        let tracker = Arc::new(self.tracker(caller, name).await?);
        let version = tracker.version;
        let mut applied = Applied { version, counts: ApplyCounts::default(), cached: 0 };
        let mut after = None;
        loop {
            let (service, tracker, account) =
                (self.clone(), tracker.clone(), caller.account.clone());
            let step = move || service.apply_step(&tracker, account, after);
            let ApplyStep { measured, cached, next } =
                tokio::task::spawn_blocking(step).await.map_err(|_| ServiceError::Stopping)??;
            applied.cached += cached;
            if !measured.is_empty() {
                let counts = self.store.add_observations(measured).await?;
                applied.counts.measured += counts.measured;
                applied.counts.already += counts.already;
            }
            after = next;
            if after.is_none() {
                return Ok(applied);
            }
        }
    }

    fn apply_step(
        &self,
        tracker: &Tracker,
        account: String,
        after: Option<Cursor>,
    ) -> Result<ApplyStep, ServiceError> {
        let now_ms = self.clock.now_ms();
        let filter = ListFilter { account, status: Some("done"), ..ListFilter::default() };
        let page = self.store.list(&filter, after, APPLIED_MAX, now_ms)?;
        let matcher = tracker.brands.matcher();
        let mut step = ApplyStep { measured: Vec::new(), cached: 0, next: page.next };
        for job in page.jobs {
            if job.cached {
                step.cached += 1;
                continue;
            }
            let read = |_: &Job, result: Option<&[u8]>| {
                result.and_then(|json| measure(json, &tracker.brands, &matcher))
            };
            let found = self.store.read_row(job.row, now_ms, read).wait()?;
            let Some(measured) = found.flatten() else {
                continue;
            };
            let new = NewObservation {
                tracker: tracker.name.clone(),
                tracker_id: tracker.id,
                version: tracker.version,
                job_id: self.id_of(&job),
                measured,
            };
            step.measured.push((job.row, new));
        }
        Ok(step)
    }

    /// Returns a page of what a version of a tracker has measured, oldest first: from `since_ms` to
    /// `until_ms`, behind the observation of a moment and a job. Blocks its thread.
    ///
    /// # Errors
    /// Returns an error if there is no such tracker or version, or the store failed.
    pub fn observations(
        &self,
        caller: &Caller,
        name: &str,
        version: Option<u32>,
        (since_ms, until_ms): (UnixMs, UnixMs),
        after: Option<(UnixMs, Row)>,
        rows_max: usize,
    ) -> Result<ObservationPage, ServiceError> {
        let (id, version, brands) = self.measured_by(caller, name, version).wait()?;
        let window = (since_ms, until_ms);
        let observations = self.store.observations((id, version), window, after, rows_max)?;
        Ok(ObservationPage { brands, version, observations })
    }

    /// Returns the row that the id of a job carries; `None` if it is no id of this store.
    pub fn row_of(&self, id: &str) -> Option<Row> {
        self.store.row_of(parse_id(id).ok()?)
    }

    /// Returns the id of a tracker and a version of it with its brands; the latest if none is
    /// named.
    pub(super) async fn measured_by(
        &self,
        caller: &Caller,
        name: &str,
        version: Option<u32>,
    ) -> Result<(u64, u32, TrackedBrands), ServiceError> {
        let tracker = self.tracker(caller, name).await?;
        let wanted = version.unwrap_or(tracker.version);
        if wanted == tracker.version {
            return Ok((tracker.id, wanted, tracker.brands));
        }
        let found = self.store.tracker_version(tracker.id, wanted).await?;
        let found = found.ok_or(ServiceError::TrackerVersionUnknown {
            given: wanted,
            latest: tracker.version,
        })?;
        Ok((tracker.id, wanted, found.brands))
    }
}
