//! What is written and read of trackers and of what they have measured.

use uuid::Uuid;

use super::record::ObservationRecord;
use crate::clock::UnixMs;
use crate::job::{Job, State};
use crate::measure::{AnswerCounts, Measured};

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
