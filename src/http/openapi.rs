//! `GET /openapi.json`: the API as an OpenAPI 3.1 document. The bounds in it are the constants that
//! requests are checked with; tests ask every path of it, hold real replies and its own examples to
//! its schemas, and keep a snapshot of it. `http::docs` makes the reference for readers from it.

mod codes;
mod errors;
mod examples;
mod links;
mod method;
mod parameters;
mod paths;
mod schemas;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use serde_json::{Value, json};

/// Made once: nothing in it changes while the service runs.
static DOCUMENT: LazyLock<Value> = LazyLock::new(make);
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

const DESCRIPTION: &str = "The guide is at /docs, and this document for readers at /docs/reference. \
                           A client written for ScrapeLLM works with only the host changed. \
                           Parameters that are not known are ignored.";

/// The groups of paths, in the order of the reference.
const TAGS: &[(&str, &str)] = &[
    ("scrapes", "Asking scrapers, at once or as jobs."),
    ("jobs", "What has become of a job. An id cannot be guessed, so most of it needs no key."),
    ("batches", "Jobs that are submitted together."),
    ("operations", "How the service fares, and what a key has used."),
    ("pages", "What is for people in a browser."),
];

fn make() -> Value {
    let tags = TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about }));
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
        "paths": paths::all(),
        "webhooks": paths::webhooks(),
        "components": {
            "schemas": schemas::all(),
            "responses": errors::components(),
            "examples": errors::examples(),
            "headers": method::headers(),
            "parameters": parameters::components(),
            "securitySchemes": {
                "header": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "query": { "type": "apiKey", "in": "query", "name": "api_key" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

/// The document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The document as it is sent. No key: there is nothing in it that differs from one service to the
/// next.
pub async fn get() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(TEXT.as_str())
}
