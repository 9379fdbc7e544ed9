//! The one error envelope: JSON with `detail`, `code`, and `job_id` where a job exists. Contract
//! 1.10. The only place that decides code and sentence of an error; its status follows from the code.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use uuid::Uuid;

use crate::api::{ErrorBody, ErrorCode, Id};
use crate::job::{Invalid, broken_rule, quoted, usd_text};
use crate::service::{ReportExcess, ServiceError};
use crate::store::StoreError;

/// An error as a client sees it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct ApiError {
    pub code: ErrorCode,
    pub detail: String,
    pub retry_after_seconds: Option<u64>,
    pub allow: Option<&'static str>,
    pub job_id: Option<Uuid>,
}

/// An error whose sentence is always the same.
impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> ApiError {
        ApiError::new(code, code.example())
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> ApiError {
        ApiError::new(invalid.rule.into(), invalid.sentence)
    }
}

impl ApiError {
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> ApiError {
        let detail = detail.into();
        ApiError { code, detail, retry_after_seconds: None, allow: None, job_id: None }
    }

    fn retry_after(self, seconds: u64) -> ApiError {
        ApiError { retry_after_seconds: Some(seconds), ..self }
    }

    fn of_job(self, job_id: Option<Uuid>) -> ApiError {
        ApiError { job_id, ..self }
    }

    /// Creates the error of a parameter that breaks its rule.
    pub fn invalid(code: ErrorCode, name: &str, rule: &str, given: &str) -> ApiError {
        ApiError::new(code, broken_rule(name, rule, given))
    }

    /// Creates the 403 of a host that is none of this service's. `given` is quoted.
    pub fn foreign_host(given: &str) -> ApiError {
        ApiError::new(
            ErrorCode::ForeignHost,
            format!(
                "While no API key is needed, `Host` must be `localhost`, a loopback address, the \
                 address that `bind` names, or the host of `public_url`; given: {given}."
            ),
        )
    }

    /// Creates the 403 of a web page of another origin. `given` is quoted.
    pub fn cross_site(given: &str) -> ApiError {
        ApiError::new(
            ErrorCode::CrossSite,
            format!(
                "While no API key is needed, a web page of another origin may call only if \
                 `cors_origins` lists its origin; given: {given}."
            ),
        )
    }

    /// Creates the 404 of an unknown path.
    pub fn no_path(path: &str) -> ApiError {
        ApiError::not_found(format!("There is nothing at {}.", quoted(path)))
    }

    /// Creates the 404 of a page or file that does not exist.
    pub fn not_found(detail: String) -> ApiError {
        ApiError::new(ErrorCode::NotFound, detail)
    }

    /// Creates the 405 of a path that takes other methods.
    pub fn method(given: &str, allow: &'static str) -> ApiError {
        let detail = format!("This path takes {allow}; given: {}.", quoted(given));
        ApiError { allow: Some(allow), ..ApiError::new(ErrorCode::MethodNotAllowed, detail) }
    }

    /// Creates the error of a parameter that is there twice, in the element of a list with the
    /// index `within`, if any.
    pub fn repeated(name: &str, within: Option<usize>) -> ApiError {
        let place = within.map(|index| format!(" of item {index}")).unwrap_or_default();
        let detail = format!("Parameter `{name}`{place} must be given once; it is there twice.");
        ApiError::new(ErrorCode::ParameterRepeated, detail)
    }

    /// Creates the error of a batch with too many items; `given` is `None` if they cannot be
    /// counted.
    pub fn batch_too_large(items_max: usize, given: Option<usize>) -> ApiError {
        let given = given.map_or("very many".to_owned(), |given| given.to_string());
        ApiError::new(
            ErrorCode::BatchTooLarge,
            format!("A batch must have at most {items_max} items; given: {given}. Send several."),
        )
    }

    /// Creates the 503 for when the bodies of all requests together hold too much.
    pub fn bodies_full(bytes_max: usize) -> ApiError {
        ApiError::new(
            ErrorCode::BodiesFull,
            format!(
                "The bodies of requests that are being read must be at most {bytes_max} bytes \
                 together; this one is more. Retry in a few seconds."
            ),
        )
        .retry_after(BODIES_SECONDS)
    }

    /// Creates the 413 of a body that is larger than the limit.
    pub fn body_too_large(bytes_max: usize) -> ApiError {
        ApiError::new(
            ErrorCode::BodyTooLarge,
            format!("The request's body must be at most {bytes_max} bytes."),
        )
    }

    /// Creates the 413 of a path and query that are longer than the limit.
    pub fn url_too_long(given: usize, bytes_max: usize) -> ApiError {
        ApiError::new(
            ErrorCode::UrlTooLong,
            format!(
                "The URL must be at most {bytes_max} bytes; given: {given} bytes. A POST takes the \
                 parameters as a JSON body too."
            ),
        )
    }

    /// Creates the 413 of a URL and headers that are larger than the limit.
    pub fn head_too_large(bytes_max: usize) -> ApiError {
        ApiError::new(
            ErrorCode::UrlTooLong,
            format!(
                "The URL and the headers must be at most {bytes_max} bytes together. A POST takes the \
                 parameters as a JSON body too."
            ),
        )
    }

    /// Creates the 429 for when all streams of events are taken.
    pub fn streams_full(streams_max: usize) -> ApiError {
        ApiError::new(
            ErrorCode::StreamsFull,
            format!("Too many open event streams (limit {streams_max})."),
        )
        .retry_after(STREAMS_SECONDS)
    }

    /// Creates the 404 of a job.
    pub fn job_not_found(retention_hours: u64) -> ApiError {
        gone(ErrorCode::JobNotFound, "Job", "jobs", retention_hours)
    }

    /// Creates the error of a use case. `retention_hours` is for the sentence of a missing job.
    pub fn from_service(error: ServiceError, retention_hours: u64) -> ApiError {
        let of_job = |code: ErrorCode, id| ApiError::from(code).of_job(id);
        match error {
            ServiceError::KeyMissing => ErrorCode::KeyMissing.into(),
            ServiceError::KeyInvalid => ErrorCode::KeyInvalid.into(),
            ServiceError::TooManyInvalidKeys { retry_after_seconds } => {
                ApiError::from(ErrorCode::TooManyInvalidKeys).retry_after(retry_after_seconds)
            }
            ServiceError::ScraperUnknown { given, names } => ApiError::new(
                ErrorCode::ScraperUnknown,
                format!("There is no scraper {}; there are {}.", quoted(&given), names.join(", ")),
            ),
            ServiceError::NotConfigured { scraper, missing } => ApiError::new(
                ErrorCode::ScraperNotConfigured,
                format!("The scraper `{scraper}` is not configured: {missing}."),
            )
            .retry_after(NOT_CONFIGURED_SECONDS),
            ServiceError::JobNotFound => ApiError::job_not_found(retention_hours),
            ServiceError::NamedJobNotFound { id } => {
                ApiError::job_not_found(retention_hours).of_job(Some(id))
            }
            ServiceError::BatchNotFound => {
                gone(ErrorCode::BatchNotFound, "Batch", "batches", retention_hours)
            }
            ServiceError::ScheduleNotFound => ErrorCode::ScheduleNotFound.into(),
            ServiceError::ScheduleNameTaken { name } => {
                name_taken(ErrorCode::ScheduleNameTaken, "schedule", &name)
            }
            ServiceError::SchedulesFull { schedules_max } => {
                too_many(ErrorCode::SchedulesFull, "schedules", schedules_max)
            }
            ServiceError::ScheduleOverlap { batch } => ApiError::new(
                ErrorCode::ScheduleOverlap,
                format!("The run before has not ended: batch {batch}. Wait for it, or cancel it."),
            ),
            ServiceError::AlertNotFound => ErrorCode::AlertNotFound.into(),
            ServiceError::AlertNameTaken { name } => {
                name_taken(ErrorCode::AlertNameTaken, "alert", &name)
            }
            ServiceError::AlertsFull { alerts_max } => {
                too_many(ErrorCode::AlertsFull, "alerts", alerts_max)
            }
            ServiceError::AlertInvalid { sentence } => {
                ApiError::new(ErrorCode::AlertInvalid, sentence)
            }
            ServiceError::OperatorNeeded => ErrorCode::OperatorNeeded.into(),
            ServiceError::BatchFinished => ErrorCode::BatchFinished.into(),
            ServiceError::WebhooksNotConfigured { missing } => ApiError::new(
                ErrorCode::WebhooksNotConfigured,
                format!("Webhooks are not configured: {missing}."),
            )
            .retry_after(NOT_CONFIGURED_SECONDS),
            ServiceError::WebhookNotFound { job_id } => of_job(ErrorCode::WebhookNotFound, job_id),
            ServiceError::WebhookPending { job_id } => of_job(ErrorCode::WebhookPending, job_id),
            ServiceError::TrackerNotFound { name } => no_tracker(&name),
            ServiceError::TrackerVersionUnknown { given, latest } => no_version(given, latest),
            ServiceError::TooManyTrackers => ErrorCode::TooManyTrackers.into(),
            ServiceError::TooManyTrackerVersions => ErrorCode::TooManyTrackerVersions.into(),
            ServiceError::ReportWindowEmpty => ErrorCode::WindowInvalid.into(),
            ServiceError::ReportTooLong(excess) => report_too_long(excess),
            ServiceError::RawNotKept { id } => of_job(ErrorCode::RawNotKept, Some(id)),
            ServiceError::IdempotencyKeyReused => ErrorCode::IdempotencyKeyReused.into(),
            ServiceError::JobFinished { id } => of_job(ErrorCode::JobFinished, Some(id)),
            ServiceError::CreditLimit { retry_after_seconds } => {
                ApiError::from(ErrorCode::CreditLimit).retry_after(retry_after_seconds)
            }
            ServiceError::SpendLimit { cap_nanos, retry_after_seconds } => ApiError::new(
                ErrorCode::SpendLimit,
                format!(
                    "This key has spent its `usd_per_day` of {} USD for today. It may ask again \
                     after midnight UTC.",
                    usd_text(cap_nanos)
                ),
            )
            .retry_after(retry_after_seconds),
            ServiceError::RateLimit { retry_after_seconds } => {
                ApiError::from(ErrorCode::RateLimit).retry_after(retry_after_seconds)
            }
            ServiceError::QueueFull { retry_after_seconds } => {
                ApiError::from(ErrorCode::QueueFull).retry_after(retry_after_seconds)
            }
            ServiceError::UpstreamsPaused { scraper, retry_after_seconds } => ApiError::new(
                ErrorCode::UpstreamsPaused,
                format!(
                    "Every upstream of `{scraper}` is paused for longer than `timeout`; the first \
                     can be asked in {retry_after_seconds} seconds."
                ),
            )
            .retry_after(retry_after_seconds),
            ServiceError::Failed { id, failure } => {
                ApiError::new(ErrorCode::Failed(failure.reason), failure.sentence).of_job(Some(id))
            }
            ServiceError::BackupRunning => backup_running(),
            ServiceError::BackupNotFound => ErrorCode::BackupNotFound.into(),
            ServiceError::Stopping => ApiError::stopping(),
            ServiceError::Interrupted { id } => ApiError::interrupted(id),
            ServiceError::Store(error) => ApiError::from_store(&error),
        }
    }

    fn interrupted(job_id: Uuid) -> ApiError {
        let mut error = ApiError::stopping().of_job(Some(job_id));
        error.detail.push_str(" The job is kept and goes on after the next start.");
        error
    }

    fn stopping() -> ApiError {
        ApiError::from(ErrorCode::ShuttingDown).retry_after(STOPPING_SECONDS)
    }

    fn from_store(error: &StoreError) -> ApiError {
        let code = match error {
            StoreError::Busy => ErrorCode::StorageBusy,
            StoreError::SpaceLow { .. } => ErrorCode::StorageFull,
            StoreError::Closed => ErrorCode::ShuttingDown,
            StoreError::NoStandby(_) => ErrorCode::StandbyMissing,
            StoreError::Panicked
            | StoreError::Damaged(_)
            | StoreError::Unsound { .. }
            | StoreError::Version(_) => return ErrorCode::StorageFailed.into(),
            StoreError::Database(_)
            | StoreError::Unavailable(_)
            | StoreError::Unsuitable(_)
            | StoreError::Directory { .. }
            | StoreError::Missing(_)
            | StoreError::InUse(_)
            | StoreError::NoRandomness(_) => ErrorCode::StorageDown,
        };
        ApiError::from(code).retry_after(STOPPING_SECONDS)
    }
}

fn backup_running() -> ApiError {
    ApiError::from(ErrorCode::BackupRunning).retry_after(BACKUP_SECONDS)
}

fn name_taken(code: ErrorCode, what: &str, name: &str) -> ApiError {
    let named = quoted(name);
    ApiError::new(
        code,
        format!("Another {what} has the name {named}. Choose another one, or change that {what}."),
    )
}

fn too_many(code: ErrorCode, what: &str, most: usize) -> ApiError {
    ApiError::new(code, format!("A key may have at most {most} {what}. Remove one first."))
}

fn no_tracker(name: &str) -> ApiError {
    let named = quoted(name);
    ApiError::new(
        ErrorCode::TrackerNotFound,
        format!("There is no tracker {named}. `PUT /trackers/{{name}}` makes one."),
    )
}

fn no_version(given: u32, latest: u32) -> ApiError {
    ApiError::new(
        ErrorCode::TrackerVersionUnknown,
        format!("The tracker has the versions 1 to {latest}; given: {given}."),
    )
}

fn report_too_long(excess: ReportExcess) -> ApiError {
    let sentence = match excess {
        ReportExcess::Rows { given, max } => format!(
            "A report may have at most {max} rows; this one has {given}. Shorten its window, or \
             leave something out of `by`."
        ),
        ReportExcess::Pages { max } => format!(
            "A report may tell at most {max} pages apart; this one has more. Shorten its window, \
             or leave out `pages`."
        ),
    };
    ApiError::new(ErrorCode::ReportTooLong, sentence)
}

fn gone(code: ErrorCode, what: &str, all: &str, retention_hours: u64) -> ApiError {
    ApiError::new(
        code,
        format!(
            "{what} not found. It may have expired ({all} are retained for {retention_hours} hours) \
             or the ID is invalid."
        ),
    )
}

/// `Retry-After` while a scraper lacks its settings: it takes a person to change that.
const NOT_CONFIGURED_SECONDS: u64 = 60;
/// `Retry-After` while too many bodies are held: they are parsed within a second or two.
const BODIES_SECONDS: u64 = 2;
/// `Retry-After` while another backup is under way: it takes as long as its reader.
const BACKUP_SECONDS: u64 = 30;
/// `Retry-After` while too many streams are open: dashboards are closed now and then.
const STREAMS_SECONDS: u64 = 15;
/// `Retry-After` while the service stops or cannot write.
const STOPPING_SECONDS: u64 = 5;

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        // Every status of the table is valid.
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after_seconds {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, allow));
        }
        response.json(ErrorBody {
            detail: self.detail.clone(),
            code: self.code.code().into(),
            job_id: self.job_id.map(Id::from),
        })
    }
}
