//! What requests and replies are made of.

use serde_json::{Value, json};

use super::parameters;
use crate::catalog::{Array, SCRAPERS};
use crate::job::{BATCH_ITEMS_MAX, Reason, SAMPLES_MAX};

/// A reference to one of [`all`].
pub fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

pub fn all() -> Value {
    let time = || json!({ "type": "string", "format": "date-time" });
    let time_or_null = || json!({ "type": ["string", "null"], "format": "date-time" });
    let text_or_null = || json!({ "type": ["string", "null"] });
    let count = || json!({ "type": "integer", "minimum": 0 });
    let id = || json!({ "type": "string", "format": "uuid" });
    let codes: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    json!({
        "Error": {
            "type": "object",
            "required": ["detail", "code"],
            "properties": {
                "detail": { "type": "string", "description": "What is wrong, as a sentence." },
                "code": { "type": "string", "description": "A stable word for programs." },
                "job_id": id(),
            },
        },
        "Scrape": { "type": "object", "required": ["prompt"], "properties": parameters::queued() },
        "Result": result(),
        "Source": {
            "type": "object", "required": ["title", "url", "snippet"],
            "properties": {
                "title": { "type": "string" }, "url": { "type": "string" },
                "snippet": { "type": "string" },
                "highlights": { "type": "array", "items": { "type": "string" } },
                "website_name": { "type": "string" }, "favicon": text_or_null(),
            },
        },
        "Job": {
            "type": "object",
            "required": [
                "job_id", "status", "scraper", "prompt", "country", "created_at", "completed_at",
                "phase", "attempts", "started_at", "expires_at", "label", "error_code",
            ],
            "properties": {
                "job_id": id(),
                "status": { "type": "string", "enum": ["pending", "done", "failed"] },
                "scraper": { "type": "string" },
                "prompt": { "type": "string" },
                "country": { "type": "string" },
                "result": of("Result"),
                "error": { "type": "string", "description": "Why it failed, as a sentence." },
                "created_at": time(),
                "completed_at": time_or_null(),
                "phase": {
                    "type": "string",
                    "enum": ["queued", "running", "waiting_retry", "finished"],
                },
                "attempts": count(),
                "started_at": time_or_null(),
                "expires_at": time(),
                "label": text_or_null(),
                "error_code": {
                    "type": ["string", "null"],
                    "description": format!("One of: {}.", codes.join(", ")),
                },
                "batch_id": id(),
            },
        },
        "Jobs": {
            "type": "object", "required": ["jobs", "next_cursor"],
            "properties": {
                "jobs": { "type": "array", "items": of("Job") }, "next_cursor": text_or_null(),
            },
        },
        "NewBatch": {
            "type": "object",
            "description": "Either `items`, or `prompts` with `scrapers` and `countries`. What else is given holds for every item.",
            "properties": {
                "items": { "type": "array", "maxItems": BATCH_ITEMS_MAX, "items": { "type": "object" } },
                "prompts": { "type": "array", "maxItems": BATCH_ITEMS_MAX, "items": { "type": "string" } },
                "scrapers": { "type": "array", "items": { "type": "string" } },
                "countries": { "type": "array", "items": { "type": "string" } },
                "scraper": { "type": "string" },
                "samples": { "type": "integer", "minimum": 1, "maximum": SAMPLES_MAX },
                "label": { "type": "string" },
                "webhook_url": { "type": "string", "format": "uri" },
            },
        },
        "Batch": {
            "type": "object",
            "required": ["batch_id", "status", "created_at", "completed_at", "expires_at", "counts"],
            "properties": {
                "batch_id": id(),
                "status": { "type": "string", "enum": ["pending", "done"] },
                "label": text_or_null(),
                "created_at": time(),
                "completed_at": time_or_null(),
                "expires_at": time(),
                "counts": {
                    "type": "object",
                    "required": ["items", "refused", "pending", "done", "failed"],
                    "properties": {
                        "items": count(), "refused": count(), "pending": count(),
                        "done": count(), "failed": count(),
                    },
                },
                "items": { "type": "array", "items": { "type": "object" } },
            },
        },
        "Scrapers": {
            "type": "object", "required": ["scrapers"],
            "properties": { "scrapers": { "type": "array", "items": {
                "type": "object",
                "required": ["name", "configured", "credits", "parameters", "arrays", "queue", "health"],
                "properties": {
                    "name": { "type": "string" }, "configured": { "type": "boolean" },
                    "missing": text_or_null(), "credits": count(),
                    "refused_countries": { "type": "array", "items": { "type": "string" } },
                    "parameters": { "type": "object" },
                    "arrays": { "type": "array", "items": { "type": "string" } },
                    "workers": count(), "queue": { "type": "object" },
                    "upstreams": { "type": "array", "items": { "type": "object" } },
                    "health": { "type": "object" },
                },
            } } },
        },
        "Object": { "type": "object" },
    })
}

/// Contract 1.6: what every result has, and the arrays of any.
fn result() -> Value {
    let mut properties = json!({
        "scraper": { "type": "string" },
        "status": { "type": "string", "enum": ["done"] },
        "job_id": { "type": "string", "format": "uuid" },
        "prompt": { "type": "string" },
        "country": { "type": "string" },
        "result": { "type": "string", "description": "The answer as plain text." },
        "result_markdown": { "type": "string" },
        "llm_model": { "type": ["string", "null"] },
        "credits_used": { "type": "integer", "minimum": 0 },
        "elapsed_ms": { "type": "number" },
        "cached": { "type": "boolean" },
        "markdown_url": { "type": "string", "format": "uri" },
        "cached_at": { "type": "string", "format": "date-time" },
        "url": { "type": "string" },
        "markdown_json": {},
        "warnings": { "type": "array", "items": { "type": "string" } },
        "provenance": {
            "type": "object", "required": ["upstream", "kind", "fields"],
            "properties": {
                "upstream": { "type": "string" },
                "kind": { "type": "string", "enum": ["api", "browser", "serp", "practice"] },
                "fields": { "type": "object" },
            },
        },
    });
    for array in SCRAPERS.iter().flat_map(|scraper| scraper.arrays) {
        properties[array.name()] = json!({ "type": "array", "items": item(*array) });
    }
    json!({
        "type": "object",
        "description": "The arrays are those of the scraper: GET /scrapers names them.",
        "required": [
            "scraper", "status", "job_id", "prompt", "country", "result", "result_markdown",
            "llm_model", "credits_used", "elapsed_ms", "cached", "markdown_url", "provenance",
        ],
        "properties": properties,
    })
}

fn item(array: Array) -> Value {
    let texts = |names: &[&str]| {
        let mut properties = json!({});
        for name in names {
            properties[*name] = json!({ "type": "string" });
        }
        json!({ "type": "object", "required": names, "properties": properties })
    };
    match array {
        Array::Links => texts(&["url", "text"]),
        Array::Sources | Array::Citations => of("Source"),
        Array::WebSources | Array::XResults => texts(&["title", "url", "preview"]),
        Array::SearchResults => texts(&["title", "url", "snippet", "website_name"]),
        Array::SearchQueries | Array::RelatedQuestions => json!({ "type": "string" }),
        Array::Products => texts(&["asin", "title", "url", "rating", "reviews"]),
    }
}

/// The errors of contract 1.10, by status.
pub fn responses() -> Value {
    let mut responses = json!({});
    for (name, description) in [
        (
            "400",
            "A parameter is missing or invalid; `detail` names it, its rule and what was given.",
        ),
        ("401", "The key is missing or none of the configured."),
        ("404", "There is no such thing, or no longer."),
        ("405", "The path takes another method; `Allow` names it."),
        ("408", "The answer did not come inside `timeout`."),
        ("409", "It has ended, or has not ended, and can therefore not be changed so."),
        ("413", "The body or the URL is too large."),
        ("422", "The idempotency key came with another request before."),
        ("429", "Credits, the rate limit or a full queue; `code` tells them apart."),
        ("500", "The scrape failed; `detail` has the reason."),
        ("503", "The service stops, the store fails, or the scraper is not configured."),
        ("504", "The upstream could not be reached."),
    ] {
        responses[name] = json!({
            "description": description,
            "content": { "application/json": { "schema": of("Error") } },
        });
        if name == "429" || name == "503" {
            responses[name]["headers"] = json!({
                "Retry-After": { "description": "Seconds.", "schema": { "type": "integer" } },
            });
        }
    }
    responses
}
