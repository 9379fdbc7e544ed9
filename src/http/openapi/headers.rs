//! The headers of replies.

use serde_json::{Map, Value, json};

use super::examples::JOB_ID;

/// Returns references to some of [`all`].
pub(crate) fn references(names: &[&str]) -> Value {
    let reference = |name: &&str| {
        let reference = json!({ "$ref": format!("#/components/headers/{name}") });
        ((*name).to_owned(), reference)
    };
    names.iter().map(reference).collect::<Map<String, Value>>().into()
}

/// Returns the headers of replies.
pub(crate) fn all() -> Value {
    let header = |description: &str, schema: Value, example: &str| json!({ "description": description, "schema": schema, "example": example });
    let text = || json!({ "type": "string" });
    let seconds = json!({ "type": "integer", "minimum": 0 });
    let mut headers = json!({
        "Location": header("Where to poll.", text(), "/jobs/0d2c7b54-8a3e-4f1b-b6b1-2f3a9c7d5e10"),
        "Retry-After": header("Seconds until the next try or poll; absent if nothing is pending.", seconds, ""),
        "ETag": header("A strong tag that changes with every transition of the job.", text(), "\"0d2c7b54-8a3e-4f1b-b6b1-2f3a9c7d5e10-3-0.1.0\""),
        "Idempotency-Replayed": header("Present if the key was used with the same request before: this is what it created.", json!({ "type": "string", "enum": ["true"] }), "true"),
        "Backup-Id": header("For `resume`, to go on where the copy broke off.", text(), JOB_ID),
        "Allow": header("The methods that the path takes; with 405.", text(), "GET, DELETE"),
        "X-Request-Id": header("The request's own id if it is valid; otherwise a new UUID.", text(), "5b7f0a52-2f0e-4a3c-9c11-4f1d3c0a7e66"),
        "RateLimit-Policy": header("The key's limit `q` in a window of `w` seconds; absent without one (draft-ietf-httpapi-ratelimit-headers).", text(), "\"default\";q=600;w=60"),
        "RateLimit": header("The submits `r` that are left, and the seconds `t` until all are available again.", text(), "\"default\";r=598;t=1"),
    });
    headers["Retry-After"]["example"] = json!(2);
    headers
}
