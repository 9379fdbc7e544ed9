//! Parameters of requests, with the bounds that the code checks.

use serde_json::{Map, Value, json};

use crate::http::jobs::WAIT_SECONDS_MAX;
use crate::http::list::{LIMIT_DEFAULT, LIMIT_MAX, SEARCH_CHARS_MAX};
use crate::job::{
    IDEMPOTENCY_KEY_CHARS_MAX, LABEL_CHARS_MAX, MODE_CHARS_MAX, PROMPT_CHARS_MAX, SAMPLES_MAX,
    START_WITHIN_SECONDS_MAX, START_WITHIN_SECONDS_MIN, TIMEOUT_SECONDS_DEFAULT,
    TIMEOUT_SECONDS_MAX, TIMEOUT_SECONDS_MIN,
};
use crate::service::DAYS_KEPT_MAX;

/// What a scrape takes, as properties of an object: contract 1.3 and part 2.
pub fn scrape() -> Map<String, Value> {
    let Value::Object(properties) = json!({
        "prompt": {
            "type": "string", "minLength": 1, "maxLength": PROMPT_CHARS_MAX,
            "description": "What is asked; not blank.", "examples": ["latest stable Ruby version"],
        },
        "country": {
            "type": "string", "pattern": "^[A-Za-z]{2}$", "default": "US",
            "description": "ISO 3166-1 alpha-2, in any case.", "examples": ["DE"],
        },
        "bypass_cache": {
            "type": "boolean", "default": false,
            "description": "Asks an upstream even where the cache could answer.",
        },
        "timeout": {
            "type": "number", "minimum": TIMEOUT_SECONDS_MIN, "maximum": TIMEOUT_SECONDS_MAX,
            "default": TIMEOUT_SECONDS_DEFAULT, "description": "Seconds that a scrape may take.",
        },
        "web_search": {
            "type": "boolean", "default": true,
            "description": "Searches the web, where the upstream can switch it.",
        },
        "markdown_json": {
            "type": "boolean", "default": false,
            "description": "Adds the token tree of the Markdown, where the scraper has it.",
        },
        "mode": {
            "type": "string", "maxLength": MODE_CHARS_MAX,
            "description": "A word for upstreams that know modes.",
        },
        "label": {
            "type": "string", "maxLength": LABEL_CHARS_MAX,
            "description": "A word of your own, echoed in the job.",
        },
        "start_within": {
            "type": "number", "minimum": START_WITHIN_SECONDS_MIN,
            "maximum": START_WITHIN_SECONDS_MAX,
            "description": "Seconds; a job that has not started by then fails.",
        },
    }) else {
        return Map::new();
    };
    properties
}

/// What only a job takes that nobody waits for.
pub fn queued() -> Map<String, Value> {
    let mut properties = scrape();
    properties.insert(
        "samples".to_owned(),
        json!({
            "type": "integer", "minimum": 1, "maximum": SAMPLES_MAX,
            "description": "So many scrapes of the same, as a batch.",
        }),
    );
    properties.insert(
        "webhook_url".to_owned(),
        json!({
            "type": "string", "format": "uri",
            "description": "An http(s) address, to which the end is told.",
        }),
    );
    properties
}

/// Properties as parameters of the query.
pub fn in_query(properties: Map<String, Value>, required: &[&str]) -> Vec<Value> {
    let one = |(name, mut schema): (String, Value)| {
        let mut description = json!("");
        if let Some(given) = schema.as_object_mut().and_then(|it| it.remove("description")) {
            description = given;
        }
        json!({
            "name": name, "in": "query", "required": required.contains(&name.as_str()),
            "description": description, "schema": schema,
        })
    };
    properties.into_iter().map(one).collect()
}

pub fn path(name: &str, description: &str) -> Value {
    let schema = if name.ends_with("_id") {
        json!({ "type": "string", "format": "uuid" })
    } else {
        json!({ "type": "string" })
    };
    json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
}

/// What a poll takes of a job or a batch.
pub fn poll() -> Vec<Value> {
    vec![
        json!({
            "name": "wait", "in": "query",
            "description": "Waits so many seconds at most for the end.",
            "schema": { "type": "number", "minimum": 0, "maximum": WAIT_SECONDS_MAX },
        }),
        json!({
            "name": "fields", "in": "query", "description": "`status` leaves the result out.",
            "schema": { "type": "string", "enum": ["status"] },
        }),
        json!({
            "name": "If-None-Match", "in": "header",
            "description": "The ETag of an earlier reply: 304 when nothing has changed.",
            "schema": { "type": "string" },
        }),
    ]
}

pub fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header",
        "description": "The same key with the same request gives the same job.",
        "schema": {
            "type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARS_MAX,
            "pattern": "^[\\x21-\\x7e]+$",
        },
    })
}

pub fn list() -> Vec<Value> {
    let of = |name: &str, description: &str, schema: Value| json!({ "name": name, "in": "query", "description": description, "schema": schema });
    vec![
        of("status", "", json!({ "type": "string", "enum": ["pending", "done", "failed"] })),
        of("scraper", "", json!({ "type": "string" })),
        of("label", "Exactly this label.", json!({ "type": "string" })),
        of(
            "search",
            "Jobs whose label or prompt holds this.",
            json!({ "type": "string", "maxLength": SEARCH_CHARS_MAX }),
        ),
        of("batch", "The jobs of this batch.", json!({ "type": "string", "format": "uuid" })),
        of(
            "since",
            "Jobs created from then on.",
            json!({ "type": "string", "format": "date-time" }),
        ),
        of(
            "limit",
            "",
            json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT }),
        ),
        of("cursor", "The `next_cursor` of an earlier page.", json!({ "type": "string" })),
    ]
}

pub fn days() -> Value {
    json!({
        "name": "days", "in": "query", "description": "So many days instead of the month.",
        "schema": { "type": "integer", "minimum": 1, "maximum": DAYS_KEPT_MAX },
    })
}
