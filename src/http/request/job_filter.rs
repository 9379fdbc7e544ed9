//! The filter of a list of jobs, wherever a query has one.

use uuid::Uuid;

use crate::api::ErrorCode;
use crate::http::error::ApiError;
use crate::http::request::moment::moment;
use crate::http::request::params::boolean;
use crate::job::{LABEL_CHARS_MAX, Reason};
use crate::service::Service;
use crate::store::ListFilter;

/// The longest `search`, characters: that of a label.
pub(crate) const SEARCH_CHARS_MAX: usize = LABEL_CHARS_MAX;

/// Sets what a parameter of the query asks for. Returns the value back where it is no filter.
///
/// # Errors
/// Returns an error if the value breaks the parameter's rule.
pub(crate) async fn set(
    service: &Service,
    filter: &mut ListFilter,
    name: &str,
    value: String,
) -> Result<Option<String>, ApiError> {
    match name {
        "status" => filter.status = Some(status(&value)?),
        "scraper" => filter.scraper = Some(value),
        "country" => filter.country = Some(value.to_ascii_uppercase()),
        "error_code" => filter.reason = Some(reason(&value)?),
        "canceled" => filter.canceled = Some(boolean("canceled", value)?),
        "label" => filter.label = Some(value),
        "search" => filter.search = Some(search(&value)?),
        "tracker" => filter.tracker = Some(value),
        "prompt_of" => filter.prompt = Some(prompt_of(service, &value).await?),
        "batch" => {
            let rule = "the id of a batch";
            filter.batch = Some(Uuid::try_parse(&value).map_err(|_| {
                ApiError::invalid(ErrorCode::BatchIdInvalid, "batch", rule, &value)
            })?);
        }
        "since" => {
            filter.since_ms = Some(moment(ErrorCode::SinceInvalid, "since", &value)?.first_ms);
        }
        "until" => {
            filter.until_ms = Some(moment(ErrorCode::UntilInvalid, "until", &value)?.last_ms);
        }
        _ => return Ok(Some(value)),
    }
    Ok(None)
}

fn status(value: &str) -> Result<&'static str, ApiError> {
    let word = ["pending", "done", "failed"].into_iter().find(|word| *word == value);
    word.ok_or_else(|| {
        let rule = "`pending`, `done` or `failed`";
        ApiError::invalid(ErrorCode::StatusInvalid, "status", rule, value)
    })
}

fn reason(value: &str) -> Result<Reason, ApiError> {
    Reason::from_code(value).ok_or_else(|| {
        let rule = "the `error_code` of a failed job, such as `timeout`";
        ApiError::invalid(ErrorCode::ErrorCodeInvalid, "error_code", rule, value)
    })
}

/// Returns the prompt of a job. Its id is the secret: a client that has it may read the job.
async fn prompt_of(service: &Service, value: &str) -> Result<String, ApiError> {
    if Uuid::try_parse(value).is_err() {
        let rule = "the id of a job";
        return Err(ApiError::invalid(ErrorCode::PromptOfInvalid, "prompt_of", rule, value));
    }
    let prompt = service.job(value, |job, _, _| job.request.prompt.clone()).await;
    prompt.map_err(|error| ApiError::from_service(error, service.retention_hours()))
}

fn search(value: &str) -> Result<String, ApiError> {
    if (1..=SEARCH_CHARS_MAX).contains(&value.chars().count()) {
        return Ok(value.to_lowercase());
    }
    let rule = format!("1 to {SEARCH_CHARS_MAX} characters");
    Err(ApiError::invalid(ErrorCode::SearchInvalid, "search", &rule, value))
}
