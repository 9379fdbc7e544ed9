//! What makes polling cheap: an `ETag` that follows the job's transitions, 304 for what the client
//! has already, the job object without its result, and when to come again. Contract part 2.

use std::fmt::Write;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
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

/// A tag's room, bytes: more than the longest takes.
const TAG_BYTES_MAX: usize = 96;

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
            Form::Whole => ("\"", result),
            Form::Status => ("-status\"", None),
        };
        let mut tag = String::with_capacity(TAG_BYTES_MAX);
        tag.push('"');
        tag.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        // Writing to a string cannot fail.
        let _ = write!(tag, "-{}", job.revision());
        tag.push_str(concat!("-", env!("CARGO_PKG_VERSION")));
        if result.is_some() || usage.is_some() {
            let _ = write!(tag, "-{:08x}", checksum(result, usage));
        }
        tag.push_str(form);
        tag
    }
}

/// Returns a result's own checksum, carried on over usage.
fn checksum(result: Option<SealedResult<'_>>, usage: Option<&UpstreamUsage>) -> u32 {
    let checksum = result.map_or(0, |result| u32::from_le_bytes(result.checksum));
    let Some(usage) = usage else { return checksum };
    let UpstreamUsage { input_tokens, output_tokens, reasoning_tokens, searches, cost } = usage;
    let cost = cost.map(|cost| cost.nano_usd);
    let mut hasher = crc32fast::Hasher::new_with_initial(checksum);
    for count in [input_tokens, output_tokens, reasoning_tokens, searches, &cost] {
        hasher.update(&count.map_or(u64::MAX, |count| count).to_le_bytes());
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
pub(crate) async fn answer(
    service: &Service,
    id: &str,
    known: Option<&IfNoneMatch>,
    form: Form,
) -> Result<HttpResponse, ServiceError> {
    let read = service.job_with_usage(id, |job, id, result, usage| {
        let tag = form.tag(job, id, result, usage);
        let json = (!has(known, &tag)).then(|| match form {
            Form::Whole => job_object_with(job, id, result.map(|result| result.json), usage),
            Form::Status => job_object_with(job, id, None, usage),
        });
        (tag, json, (!job.state.finished()).then(|| service.poll_after_seconds(job)))
    });
    let (tag, json, retry_after_seconds) = read.await?;
    let mut response = match json {
        Some(json) => {
            let mut response = HttpResponse::with_body(StatusCode::OK, BoxBody::new(json));
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response
        }
        None => HttpResponse::new(StatusCode::NOT_MODIFIED),
    };
    // A tag is made of what a header may hold.
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    if let Some(seconds) = retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
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
