//! Why a use case could not be done.

use uuid::Uuid;

use crate::job::Failure;
use crate::store::StoreError;

/// The reason why a use case could not be done.
#[derive(Clone, Debug)]
pub enum ServiceError {
    KeyMissing,
    KeyInvalid,
    /// Too many wrong keys came from the same address.
    TooManyInvalidKeys {
        retry_after_seconds: u64,
    },
    /// `names` are the scrapers that exist.
    ScraperUnknown {
        given: String,
        names: Vec<String>,
    },
    /// What is missing, as a sentence.
    NotConfigured {
        scraper: String,
        missing: String,
    },
    /// The caller is no operator, or operators may not read the jobs of other keys.
    OperatorNeeded,
    JobNotFound,
    /// One of several jobs that are named is not there, or is another key's.
    NamedJobNotFound {
        id: Uuid,
    },
    BatchNotFound,
    ScheduleNotFound,
    /// Another schedule of the key has this name.
    ScheduleNameTaken {
        name: String,
    },
    /// The key has as many schedules as it may have.
    SchedulesFull {
        schedules_max: usize,
    },
    /// The batch of the run before has not ended, so no other run is begun.
    ScheduleOverlap {
        batch: Uuid,
    },
    AlertNotFound,
    /// Another alert of the key has this name.
    AlertNameTaken {
        name: String,
    },
    /// The key has as many alerts as it may have.
    AlertsFull {
        alerts_max: usize,
    },
    /// An alert names something that is not there; the rule, as a sentence.
    AlertInvalid {
        sentence: String,
    },
    /// Every job of the batch has ended, so it cannot be canceled.
    BatchFinished,
    /// There is no secret to sign webhooks with; what is missing, as a sentence.
    WebhooksNotConfigured {
        missing: String,
    },
    /// The job or the batch was submitted without a webhook.
    WebhookNotFound {
        job_id: Option<Uuid>,
    },
    /// The job or the batch has not ended, so there is nothing to send again.
    WebhookPending {
        job_id: Option<Uuid>,
    },
    /// The caller has no tracker of this name.
    TrackerNotFound {
        name: String,
    },
    /// A tracker has no such version.
    TrackerVersionUnknown {
        given: u32,
        latest: u32,
    },
    /// The caller has as many trackers as a key may have.
    TooManyTrackers,
    /// A tracker has been changed as often as it may be.
    TooManyTrackerVersions,
    /// The first day of a report lies behind its last.
    ReportWindowEmpty,
    /// A report would have more rows, or count more pages, than one may.
    ReportTooLong(ReportExcess),
    /// No raw replies are kept of the job.
    RawNotKept {
        id: Uuid,
    },
    /// The idempotency key came with another request before.
    IdempotencyKeyReused,
    /// The job has ended, so it cannot be canceled.
    JobFinished {
        id: Uuid,
    },
    CreditLimit {
        retry_after_seconds: u64,
    },
    /// The key has spent what it may in a day.
    SpendLimit {
        cap_nanos: u64,
        retry_after_seconds: u64,
    },
    RateLimit {
        retry_after_seconds: u64,
    },
    QueueFull {
        retry_after_seconds: u64,
    },
    /// No upstream of the scraper can be asked inside the `timeout` of a waiting call.
    UpstreamsPaused {
        scraper: String,
        retry_after_seconds: u64,
    },
    /// The job of an interactive call failed.
    Failed {
        id: Uuid,
        failure: Failure,
    },
    /// Another backup is under way.
    BackupRunning,
    /// The backup has ended, or has not come to the block that was named.
    BackupNotFound,
    Stopping,
    /// The service stops while the job of an interactive call waits or runs; it goes on after the
    /// next start and can be polled.
    Interrupted {
        id: Uuid,
    },
    Store(StoreError),
}

/// The reason why a report is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportExcess {
    Rows { given: usize, max: usize },
    Pages { max: usize },
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> ServiceError {
        ServiceError::Store(error)
    }
}
