//! What makes polling cheap: an `ETag` that follows the job's transitions, 304 for what the client
//! has already, the job object without its result, and when to come again. Contract part 2.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_TYPE, ETAG, Header, HeaderValue, IF_NONE_MATCH, IfNoneMatch, RETRY_AFTER,
};
use uuid::Uuid;

use crate::api::{ErrorCode, job_object_with};
use crate::http::error::ApiError;
use crate::http::request::call::ApiCall;
use crate::job::{Job, UpstreamUsage};
use crate::service::{Service, ServiceError};
use crate::store::SealedResult;

/// The type of every JSON body.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The part of the job object that a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    /// `fields=status`: without the result.
    Status,
}

impl Form {
    /// Returns what `?fields=` asks for: a list with commas, of which only `status` is defined.
    ///
    /// # Errors
    /// Returns an error if it names something else.
    pub(crate) fn of(query: &[(String, String)]) -> Result<Form, ApiError> {
        let given = query.iter().find(|(name, _)| name == "fields");
        let Some((_, fields)) = given else { return Ok(Form::Whole) };
        match fields.split(',').map(str::trim).find(|field| *field != "status") {
            None => Ok(Form::Status),
            Some(unknown) => {
                Err(ApiError::invalid(ErrorCode::FieldsInvalid, "fields", "`status`", unknown))
            }
        }
    }

    /// Returns the strong tag of this form of a job, with its quotes. It changes with every
    /// transition, and with the release, because a newer one may write the same job with more
    /// fields. What can change after the end is in its checksum: a result that is read again, and
    /// the usage of a late call.
    fn tag(
        self,
        job: &Job,
        id: Uuid,
        result: Option<SealedResult<'_>>,
        usage: Option<&UpstreamUsage>,
    ) -> String {
        let (form, result) = match self {
            Form::Whole => ("", result),
            Form::Status => ("-status", None),
        };
        let (revision, release) = (job.revision(), env!("CARGO_PKG_VERSION"));
        if result.is_none() && usage.is_none() {
            return format!("\"{id}-{revision}-{release}{form}\"");
        }
        let checksum = checksum(result, usage);
        format!("\"{id}-{revision}-{release}-{checksum:08x}{form}\"")
    }
}

/// Returns a checksum of a result's own checksum and of usage.
fn checksum(result: Option<SealedResult<'_>>, usage: Option<&UpstreamUsage>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    if let Some(result) = result {
        hasher.update(&result.checksum);
    }
    if let Some(usage) = usage {
        let UpstreamUsage { input_tokens, output_tokens, reasoning_tokens, searches, cost } = usage;
        let cost = cost.map(|cost| cost.nano_usd);
        for count in [input_tokens, output_tokens, reasoning_tokens, searches, &cost] {
            hasher.update(&count.map_or(u64::MAX, |count| count).to_le_bytes());
        }
    }
    hasher.finalize()
}

/// Returns the tags that the client has. A header that cannot be read is as good as none (RFC 9110,
/// section 13.1.2).
pub(crate) fn known_tags(call: &ApiCall) -> Option<IfNoneMatch> {
    let conditional = call.headers().contains_key(IF_NONE_MATCH);
    conditional.then(|| IfNoneMatch::parse(call.request()).ok()).flatten()
}

/// Returns the job object as a poll gets it, or 304 when it is what the client has.
///
/// # Errors
/// Returns an error if there is no such job, or if the store fails.
pub(crate) fn answer(
    service: &Service,
    id: &str,
    known: Option<&IfNoneMatch>,
    form: Form,
) -> Result<HttpResponse, ServiceError> {
    let (tag, json, pending) = service.job_with_usage(id, |job, id, result, usage| {
        let tag = form.tag(job, id, result, usage);
        let json = (!has(known, &tag)).then(|| match form {
            Form::Whole => job_object_with(job, id, result.map(|result| result.json), usage),
            Form::Status => job_object_with(job, id, None, usage),
        });
        // The estimate reads the store too, which must not happen inside of this read.
        (tag, json, (!job.state.finished()).then(|| job.clone()))
    })?;
    let status = if json.is_some() { StatusCode::OK } else { StatusCode::NOT_MODIFIED };
    let mut response = HttpResponse::build(status);
    response.insert_header((ETAG, tag));
    if let Some(job) = pending {
        response.insert_header((RETRY_AFTER, service.poll_after_seconds(&job)));
    }
    Ok(match json {
        Some(json) => response.insert_header((CONTENT_TYPE, JSON)).body(json),
        None => response.finish(),
    })
}

/// Returns whether the client has what this tag names. Tags are compared weakly, as RFC 9110 says
/// for `If-None-Match`.
fn has(known: Option<&IfNoneMatch>, tag: &str) -> bool {
    match known {
        Some(IfNoneMatch::Any) => true,
        Some(IfNoneMatch::Items(tags)) => {
            tags.iter().any(|known| known.tag() == tag.trim_matches('"'))
        }
        None => false,
    }
}
