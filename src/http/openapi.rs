//! `GET /openapi.json`: the API as an OpenAPI 3.1 document. The bounds in it are the constants that
//! requests are checked with; tests ask every path of it, hold real replies and its own examples to
//! its schemas, and keep a snapshot of it. `http::docs` makes the reference for readers from it.

pub(crate) mod codes;
pub(crate) mod document;
pub(crate) mod errors;
pub(crate) mod examples;
pub(crate) mod headers;
mod links;
pub(crate) mod parameters;
pub(crate) mod schemas;

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::http::routes::description::JSON;
use crate::http::routes::{GROUPS, ROUTES};
use document::Document;

/// Made once: nothing in it changes while the service runs.
static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let value = make();
    Document { text: value.to_string(), value }
});

const DESCRIPTION: &str = "The guide is at /docs, and this document for readers at /docs/reference. \
                           A client written for ScrapeLLM works with only the host changed. \
                           Parameters that are not known are ignored.";

/// Returns the document.
pub(crate) fn document() -> &'static Document {
    &DOCUMENT
}

fn make() -> Value {
    let tags = GROUPS.iter().map(|it| json!({ "name": it.tag, "description": it.about }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "answerd",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Prompts to AI answer engines as durable jobs, answers back as data.",
            "description": DESCRIPTION,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        // Relative to where the document was read.
        "servers": [{ "url": "/" }],
        "tags": tags.collect::<Vec<Value>>(),
        "paths": paths(),
        "webhooks": webhooks(),
        "components": {
            "schemas": schemas::all(),
            "responses": errors::components(),
            "examples": errors::examples(),
            "headers": headers::all(),
            "parameters": parameters::components(),
            "securitySchemes": {
                "header": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "query": { "type": "apiKey", "in": "query", "name": "api_key" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

fn paths() -> Value {
    let mut paths = json!({});
    for route in ROUTES.iter() {
        for operation in &route.operations {
            let method = operation.method().as_str().to_ascii_lowercase();
            if let Some(described) = operation.described(&route.path, route.tag) {
                paths[route.path.text][method] = described;
            }
        }
    }
    links::add(&mut paths);
    paths
}

/// Returns what answerd sends to a `webhook_url`, signed as Standard Webhooks says.
fn webhooks() -> Value {
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| {
        json!({ "name": name, "in": "header", "required": true, "schema": { "type": "string" } })
    });
    let event = |id: &str, summary: &str, schema: &str, example: Value| {
        let content = json!({ JSON: { "schema": schemas::of(schema), "example": example } });
        json!({ "post": {
            "operationId": id,
            "summary": summary,
            // A receiver checks the signature: no key of its own is sent.
            "security": [],
            "parameters": headers,
            "requestBody": { "required": true, "content": content },
            "responses": { "2XX": { "description": "It was taken; anything else is tried again." } },
        } })
    };
    json!({
        "job.ended": event("jobEnded", "A job has ended", "Job", examples::done()),
        "batch.ended": event("batchEnded", "The last job of a batch has ended", "Batch", examples::batch()),
    })
}
