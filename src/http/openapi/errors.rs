//! The errors of the document: a response for each status, with its codes and an example of each.
//! Contract 1.10.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::codes::ANY;
use super::headers::references;
use super::schemas;
use crate::api::ErrorCode;
use crate::job::Reason;

/// Returns what a status means.
fn about(status: u16) -> &'static str {
    match status {
        400 => "A parameter is missing or invalid; `detail` names it, its rule and what was given.",
        401 => "The key is missing or invalid.",
        403 => "No key is needed, and the call comes from a web page of another site.",
        404 => "It does not exist, or no longer.",
        405 => "The path takes another method; `Allow` names it.",
        408 => "The answer did not arrive within `timeout`, or the request was too slow.",
        409 => "Its state does not allow the change: it has ended, or has not ended yet.",
        413 => "The body or the URL is too large.",
        422 => "The idempotency key was used with a different request before.",
        429 => "No credits left, the rate limit, or a full queue; `code` says which.",
        503 => "The service is stopping, the store fails, or something is not configured.",
        504 => "The upstream could not be reached.",
        _ => "The scrape or the store failed; `detail` has the reason.",
    }
}

/// Returns the lists as one.
pub(crate) fn all_of(lists: &[&[ErrorCode]]) -> Vec<ErrorCode> {
    let mut codes = Vec::new();
    for code in lists.iter().flat_map(|list| list.iter().copied()) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// Returns the codes of a scrape that fails while its client waits.
pub(crate) fn reasons() -> Vec<ErrorCode> {
    Reason::ALL.iter().copied().map(ErrorCode::Failed).collect()
}

/// Returns the responses of a method that has these codes, by status. What any request can be
/// refused with stands in each that it has the status of, for there the default does not hold.
pub(crate) fn responses(codes: &[ErrorCode]) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status()).or_default().push(*code);
    }
    for code in ANY {
        if let Some(codes) = by_status.get_mut(&code.status())
            && !codes.contains(code)
        {
            codes.push(*code);
        }
    }
    let of =
        |(status, codes): (u16, Vec<ErrorCode>)| (status.to_string(), response(status, &codes));
    by_status.into_iter().map(of).collect()
}

fn response(status: u16, codes: &[ErrorCode]) -> Value {
    let codes: Vec<&str> = codes.iter().map(|code| code.code()).collect();
    let headers: &[&str] = match status {
        405 => &["X-Request-Id", "Allow"],
        429 | 503 => &["X-Request-Id", "Retry-After"],
        _ => &["X-Request-Id"],
    };
    json!({
        "description": about(status),
        "headers": references(headers),
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

/// Returns what any request can be refused with: a response that every method names as its default.
pub(crate) fn components() -> Value {
    let mut any = response(400, ANY);
    any["description"] = json!(
        "The errors of any request: 400 for one that cannot be decoded, 403 for one of another site's \
         page while no key is needed, 404 for an unknown path, 405 for another method, 413 for one \
         that is too long."
    );
    any["headers"] = references(&["X-Request-Id", "Allow"]);
    json!({ "Any": any })
}

/// Returns an example of each code.
pub(crate) fn examples() -> Map<String, Value> {
    let mut examples = Map::new();
    for code in ErrorCode::CALLS.iter().copied().chain(reasons()) {
        let mut value = json!({ "detail": code.example(), "code": code.code() });
        if matches!(code, ErrorCode::Failed(_)) {
            value["job_id"] = super::examples::JOB_ID.into();
        }
        // A code with two statuses is shown with the first.
        examples.entry(code.code()).or_insert(json!({ "value": value }));
    }
    examples
}
