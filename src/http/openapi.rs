//! `GET /openapi.json`: the API as an OpenAPI 3.1 document. The bounds in it are the constants that
//! requests are checked with; a test asks every path of it, and holds real replies to its schemas.

mod parameters;
mod paths;
mod schemas;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use serde_json::json;

/// Made once: nothing in it changes while the service runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "answerd",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Prompts to AI answer engines as durable jobs, answers back as data.",
            "description": "The guide is at /docs. A client written for ScrapeLLM works with only the host changed.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        // Relative to where the document was read.
        "servers": [{ "url": "/" }],
        "paths": paths::all(),
        "webhooks": paths::webhooks(),
        "components": {
            "schemas": schemas::all(),
            "responses": schemas::responses(),
            "securitySchemes": {
                "header": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "query": { "type": "apiKey", "in": "query", "name": "api_key" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    })
    .to_string()
});

/// The document. No key: there is nothing in it that differs from one service to the next.
pub async fn get() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(DOCUMENT.as_str())
}
