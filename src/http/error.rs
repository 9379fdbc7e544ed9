//! The one error envelope: JSON with `detail`, `code`, and `job_id` where a job exists. Contract
//! 1.10. The only place that decides status, code and sentence of an error.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use uuid::Uuid;

use crate::job::{Invalid, quoted};
use crate::service::ServiceError;
use crate::store::StoreError;

/// An error as a client sees it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct ApiError {
    pub status: StatusCode,
    /// A stable word for machines.
    pub code: &'static str,
    pub detail: String,
    pub retry_after_seconds: Option<u64>,
    pub allow: Option<&'static str>,
    pub job_id: Option<Uuid>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> ApiError {
        let detail = detail.into();
        ApiError { status, code, detail, retry_after_seconds: None, allow: None, job_id: None }
    }

    fn retry_after(mut self, seconds: u64) -> ApiError {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// 400: a parameter is missing or invalid.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 403: the host that was asked is none of this service's. `given` is quoted.
    pub fn foreign_host(given: &str) -> ApiError {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "foreign_host",
            format!(
                "While no API key is needed, `Host` must be `localhost`, a loopback address, the \
                 address that `bind` names, or the host of `public_url`; given: {given}."
            ),
        )
    }

    /// 403: a web page of another origin calls. `given` is quoted.
    pub fn cross_site(given: &str) -> ApiError {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            format!(
                "While no API key is needed, a web page of another origin may call only if \
                 `cors_origins` lists its origin; given: {given}."
            ),
        )
    }

    /// 404: no such path.
    pub fn no_path(path: &str) -> ApiError {
        ApiError::not_found(format!("There is nothing at {}.", quoted(path)))
    }

    /// 404: no such page or file.
    pub fn not_found(detail: String) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 405, with what the path takes.
    pub fn method(given: &str, allow: &'static str) -> ApiError {
        let detail = format!("This path takes {allow}; given: {}.", quoted(given));
        let mut error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        error.allow = Some(allow);
        error
    }

    /// 400: a parameter is there twice, in the element of a list with the index `within`, if any.
    pub fn repeated(name: &str, within: Option<usize>) -> ApiError {
        let place = within.map(|index| format!(" of item {index}")).unwrap_or_default();
        let detail = format!("Parameter `{name}`{place} must be given once; it is there twice.");
        ApiError::bad_request("parameter_repeated", detail)
    }

    /// 400: a batch has too many items; `given` is `None` if they cannot be counted.
    pub fn batch_too_large(items_max: usize, given: Option<usize>) -> ApiError {
        let given = given.map_or("very many".to_owned(), |given| given.to_string());
        ApiError::bad_request(
            "batch_too_large",
            format!("A batch must have at most {items_max} items; given: {given}. Send several."),
        )
    }

    /// 503: the bodies of all requests together hold too much.
    pub fn bodies_full(bytes_max: usize) -> ApiError {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "bodies_full",
            format!(
                "The bodies of requests that are being read must be at most {bytes_max} bytes \
                 together; this one is more. Retry in a few seconds."
            ),
        )
        .retry_after(BODIES_SECONDS)
    }

    /// 413: the body is larger than the limit.
    pub fn body_too_large(bytes_max: usize) -> ApiError {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The request's body must be at most {bytes_max} bytes."),
        )
    }

    /// 413: the path and query are longer than the limit.
    pub fn url_too_long(given: usize, bytes_max: usize) -> ApiError {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "url_too_long",
            format!(
                "The URL must be at most {bytes_max} bytes; given: {given} bytes. A POST takes the parameters as a JSON body too."
            ),
        )
    }

    /// 429: so many streams of events are open already.
    pub fn streams_full(streams_max: usize) -> ApiError {
        ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "streams_full",
            format!("There are {streams_max} streams of these events already."),
        )
        .retry_after(STREAMS_SECONDS)
    }

    /// 404: no such job.
    pub fn job_not_found(retention_hours: u64) -> ApiError {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "job_not_found",
            format!(
                "Job not found. It may have expired (jobs are retained for {retention_hours} \
                 hours) or the ID is invalid."
            ),
        )
    }

    /// The error of a use case. `retention_hours` is for the sentence of a missing job.
    pub fn from_service(error: ServiceError, retention_hours: u64) -> ApiError {
        match error {
            ServiceError::KeyMissing => ApiError::new(
                StatusCode::UNAUTHORIZED,
                "key_missing",
                "Missing API key. Pass your key in the X-API-Key header or as ?api_key= in the URL.",
            ),
            ServiceError::KeyInvalid => {
                ApiError::new(StatusCode::UNAUTHORIZED, "key_invalid", "Invalid API key.")
            }
            ServiceError::KeyGuessing { retry_after_seconds } => ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "key_guessing",
                "Too many invalid API keys came from this address. Retry after a moment.",
            )
            .retry_after(retry_after_seconds),
            ServiceError::ScraperUnknown { given, names } => ApiError::new(
                StatusCode::NOT_FOUND,
                "scraper_unknown",
                format!("There is no scraper {}; there are {}.", quoted(&given), names.join(", ")),
            ),
            ServiceError::NotConfigured { scraper, missing } => ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "scraper_not_configured",
                format!("The scraper `{scraper}` is not configured: {missing}."),
            )
            .retry_after(NOT_CONFIGURED_SECONDS),
            ServiceError::JobNotFound => ApiError::job_not_found(retention_hours),
            ServiceError::BatchNotFound => ApiError::new(
                StatusCode::NOT_FOUND,
                "batch_not_found",
                format!(
                    "Batch not found. It may have expired (batches are retained for \
                     {retention_hours} hours) or the ID is invalid."
                ),
            ),
            ServiceError::BatchFinished => ApiError::new(
                StatusCode::CONFLICT,
                "batch_finished",
                "Every job of the batch has ended already; there is nothing left to cancel.",
            ),
            ServiceError::WebhooksNotConfigured { missing } => ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "webhooks_not_configured",
                format!("Webhooks are not configured: {missing}."),
            )
            .retry_after(NOT_CONFIGURED_SECONDS),
            ServiceError::WebhookNotFound { job_id } => {
                let detail = "It was submitted without `webhook_url`, so it has no webhook.";
                let mut error = ApiError::new(StatusCode::NOT_FOUND, "webhook_not_found", detail);
                error.job_id = job_id;
                error
            }
            ServiceError::WebhookWaits { job_id } => {
                let detail = "It has not ended; its webhook is sent when it has.";
                let mut error = ApiError::new(StatusCode::CONFLICT, "webhook_waits", detail);
                error.job_id = job_id;
                error
            }
            ServiceError::IdempotencyKeyReused => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This `Idempotency-Key` came with another request before. Send each request with \
                 a key of its own.",
            ),
            ServiceError::JobFinished { id } => {
                let mut error = ApiError::new(
                    StatusCode::CONFLICT,
                    "job_finished",
                    "The job has ended already; there is nothing left to cancel.",
                );
                error.job_id = Some(id);
                error
            }
            ServiceError::CreditLimit { retry_after_seconds } => ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "credit_limit",
                "Credit limit reached. Upgrade your plan or wait for your billing cycle to reset.",
            )
            .retry_after(retry_after_seconds),
            ServiceError::RateLimit { retry_after_seconds } => ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limit",
                "Rate limit exceeded. Retry after a moment.",
            )
            .retry_after(retry_after_seconds),
            ServiceError::QueueFull { retry_after_seconds } => ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "queue_full",
                "Scraper queue full. Retry in a few seconds.",
            )
            .retry_after(retry_after_seconds),
            ServiceError::UpstreamsPaused { scraper, retry_after_seconds } => ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "upstreams_paused",
                format!(
                    "Every upstream of `{scraper}` is paused for longer than `timeout`; the first \
                     can be asked in {retry_after_seconds} seconds."
                ),
            )
            .retry_after(retry_after_seconds),
            ServiceError::Failed { id, failure } => {
                // Every reason's status is a valid one.
                let status = StatusCode::from_u16(failure.reason.http_status())
                    .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut error = ApiError::new(status, failure.reason.code(), failure.sentence);
                error.job_id = Some(id);
                error
            }
            ServiceError::Stopping => ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "shutting_down",
                "The service is shutting down. Retry in a few seconds.",
            )
            .retry_after(STOPPING_SECONDS),
            ServiceError::Interrupted { id } => {
                let mut error = ApiError::from_service(ServiceError::Stopping, retention_hours);
                error.detail.push_str(" The job is kept and goes on after the next start.");
                error.job_id = Some(id);
                error
            }
            ServiceError::Store(error) => ApiError::from_store(&error),
        }
    }

    fn from_store(error: &StoreError) -> ApiError {
        let (code, detail) = match error {
            StoreError::Busy => ("storage_busy", "The disk is busy. Retry in a moment."),
            StoreError::SpaceLow { .. } => (
                "storage_full",
                "The service's disk is almost full: no new job is taken until there is space again.",
            ),
            StoreError::Closed => ("shutting_down", "The service is shutting down."),
            StoreError::Panicked
            | StoreError::Damaged(_)
            | StoreError::Unsound { .. }
            | StoreError::Version(_) => {
                return ApiError::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "storage_failed",
                    "The store could not be read or written; the service's log says why.",
                );
            }
            StoreError::Database(_)
            | StoreError::Directory { .. }
            | StoreError::Missing(_)
            | StoreError::InUse(_)
            | StoreError::NoRandomness(_) => (
                "storage_failed",
                "The service cannot use its disk at the moment. Retry in a few seconds, with an \
                 `Idempotency-Key` where a job must not run twice.",
            ),
        };
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(STOPPING_SECONDS)
    }
}

/// `Retry-After` while a scraper lacks its settings: it takes a person to change that.
const NOT_CONFIGURED_SECONDS: u64 = 60;
/// `Retry-After` while too many bodies are held: they are parsed within a second or two.
const BODIES_SECONDS: u64 = 2;
/// `Retry-After` while too many streams are open: dashboards are closed now and then.
const STREAMS_SECONDS: u64 = 15;
/// `Retry-After` while the service stops or cannot write.
const STOPPING_SECONDS: u64 = 5;

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> ApiError {
        ApiError::bad_request(invalid.code, invalid.sentence)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_seconds {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, allow));
        }
        let mut body = serde_json::json!({ "detail": self.detail, "code": self.code });
        if let Some(id) = self.job_id {
            body["job_id"] = id.to_string().into();
        }
        response.json(body)
    }
}
