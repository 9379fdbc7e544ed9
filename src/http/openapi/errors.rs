//! The errors of the paths as the document shows them: a response for each status, with the codes that
//! tell its causes apart and an example of each. Contract 1.10.

use serde_json::{Map, Value, json};

use super::codes::{ANY, CODES};
use super::{method, schemas};
use crate::job::Reason;

/// What an outage of the disk is told as, beside its 500.
const STORE_DOWN: &str = "storage_failed";

/// What each status means.
fn about(status: u16) -> &'static str {
    match status {
        400 => "A parameter is missing or invalid; `detail` names it, its rule and what was given.",
        401 => "The key is missing or none of the configured.",
        403 => "No key is needed, and a web page of another site calls.",
        404 => "There is no such thing, or no longer.",
        405 => "The path takes another method; `Allow` names it.",
        408 => "The answer did not come inside `timeout`, or the request not in time.",
        409 => "It has ended, or has not ended, and can therefore not be changed so.",
        413 => "The body or the URL is too large.",
        422 => "The idempotency key came with another request before.",
        429 => "Credits, the rate limit or a full queue; `code` tells them apart.",
        503 => "The service stops, the store fails, or something is not configured.",
        504 => "The upstream could not be reached.",
        _ => "The scrape or the store failed; `detail` has the reason.",
    }
}

/// The lists as one.
pub fn all_of(lists: &[&[&'static str]]) -> Vec<&'static str> {
    let mut codes: Vec<&'static str> = Vec::new();
    for code in lists.iter().flat_map(|list| list.iter().copied()) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// Every reason for which a scrape can fail while its client waits. One that is canceled is told as
/// the others.
pub fn reasons() -> Vec<&'static str> {
    Reason::ALL.iter().map(|reason| reason.code()).collect()
}

/// The statuses of a code: one, but for a store that is down.
fn statuses(code: &str) -> Vec<u16> {
    let refused = CODES.iter().filter(|(known, _, _)| *known == code).map(|(_, status, _)| *status);
    let failed = Reason::from_code(code).map(Reason::http_status);
    let down = (code == STORE_DOWN).then_some(503);
    refused.chain(failed).chain(down).collect()
}

/// The responses of a method that has these codes, by status. What any request can be refused with
/// stands in each that it has the status of, for there the default does not hold.
pub fn responses(codes: &[&'static str]) -> Map<String, Value> {
    let mut by_status: Vec<(u16, Vec<&str>)> = Vec::new();
    for code in codes {
        for status in statuses(code) {
            match by_status.iter_mut().find(|(known, _)| *known == status) {
                Some((_, codes)) => codes.push(code),
                None => by_status.push((status, vec![code])),
            }
        }
    }
    for code in ANY {
        for status in statuses(code) {
            let known = by_status.iter_mut().find(|(known, _)| *known == status);
            if let Some((_, codes)) = known.filter(|(_, codes)| !codes.contains(code)) {
                codes.push(code);
            }
        }
    }
    by_status.sort_unstable();
    let of = |(status, codes): (u16, Vec<&str>)| (status.to_string(), response(status, &codes));
    by_status.into_iter().map(of).collect()
}

fn response(status: u16, codes: &[&str]) -> Value {
    let headers: &[&str] = match status {
        405 => &["X-Request-Id", "Allow"],
        429 | 503 => &["X-Request-Id", "Retry-After"],
        _ => &["X-Request-Id"],
    };
    json!({
        "description": about(status),
        "headers": method::header_references(headers),
        "content": { "application/json": {
            "schema": {
                "allOf": [schemas::of("Error"), {
                    "type": "object", "properties": { "code": { "enum": codes } },
                }],
            },
            "examples": codes
                .iter()
                .map(|code| (
                    (*code).to_owned(),
                    json!({ "$ref": format!("#/components/examples/{code}") }),
                ))
                .collect::<Map<String, Value>>(),
        } },
    })
}

/// What any request can be refused with: a response that every method names as its default.
pub fn components() -> Value {
    let mut any = response(400, ANY);
    any["description"] = json!(
        "What any request can meet: 400 for one that is not HTTP or cannot be decoded, 403 for one \
         of another site's page while no key is needed, 404 for an \
         unknown path, 405 for another method, 408 and 413 for one that is too slow or too long."
    );
    any["headers"] = method::header_references(&["X-Request-Id", "Allow"]);
    json!({ "Any": any })
}

/// A sentence that a scrape's failure comes with.
const fn failed(reason: Reason) -> &'static str {
    match reason {
        Reason::Unreachable => "openai could not be reached: connection refused.",
        Reason::UpstreamTimeout => "openai did not answer in time.",
        Reason::Overloaded => "openai answered with status 503.",
        Reason::UpstreamRateLimited => "openai answered with status 429.",
        Reason::UpstreamError => "openai answered with status 500.",
        Reason::Garbled => "openai sent what is no JSON.",
        Reason::Empty => "openai gave an answer without text.",
        Reason::Incomplete => "openai cut the answer short.",
        Reason::TooLarge => "openai sent more than the limit.",
        Reason::Auth => "openai refused our key.",
        Reason::Quota => "openai says that our quota is used up.",
        Reason::BadRequest => "openai called the request invalid.",
        Reason::Refused => "openai declined to answer this prompt.",
        Reason::Blocked => "The page asked for a login.",
        Reason::RecipeOutdated => "The page is not as the recipe says: there is no answer.",
        Reason::CountryUnsupported => "openai cannot serve this country.",
        Reason::NoUpstream => "No upstream of the scraper can take a request now.",
        Reason::AtLimit => "The upstreams are at their limits.",
        Reason::Panicked => "The attempt ended in a defect of answerd; the log has its trace.",
        Reason::Crashed => "The process ended while attempt 4 of 4 ran.",
        Reason::Timeout => "The answer did not come inside the timeout of 300 seconds.",
        Reason::Canceled => "The job was canceled.",
        Reason::NotStartedInTime => {
            "No attempt could start inside the time that `start_within` gave."
        }
    }
}

/// An example of each code.
pub fn examples() -> Map<String, Value> {
    let refused = CODES.iter().map(|(code, _, detail)| (*code, *detail));
    let failed = Reason::ALL.iter().map(|reason| (reason.code(), failed(*reason)));
    let value = |(code, detail): (&str, &str)| {
        let mut value = json!({ "detail": detail, "code": code });
        if Reason::from_code(code).is_some() {
            value["job_id"] = super::examples::JOB_ID.into();
        }
        (code.to_owned(), json!({ "value": value }))
    };
    refused.chain(failed).map(value).collect()
}
