//! The result object and its arrays. Contract 1.6.

use serde_json::{Value, json};

use super::{count, id, list, object, of, text, text_or_null, time};
use crate::catalog::{Array, SCRAPERS};

/// Returns what every result has, and the arrays of any scraper.
pub fn result() -> Value {
    let mut properties = vec![
        ("scraper", text("The scraper's name.")),
        ("status", json!({ "type": "string", "enum": ["done"] })),
        ("job_id", id("Can be polled like any other.")),
        ("prompt", text("As it was sent.")),
        ("country", text("In upper case.")),
        ("result", text("The answer as plain text.")),
        ("result_markdown", text("The answer as Markdown.")),
        ("llm_model", text_or_null("The model, where the upstream tells it.")),
        ("credits_used", count("0 from the cache.")),
        (
            "elapsed_ms",
            json!({ "type": "number", "minimum": 0, "description": "Milliseconds of the attempt that succeeded." }),
        ),
        ("cached", json!({ "type": "boolean", "description": "Whether the cache gave it." })),
        (
            "markdown_url",
            json!({ "type": "string", "format": "uri", "description": "Where the Markdown is." }),
        ),
        ("cached_at?", time("When the cached answer was given.")),
        ("url?", text("The conversation's or the page's address, where there is one.")),
        (
            "markdown_json?",
            list(of("Token"), "The token tree of `result_markdown`, where it was asked for."),
        ),
        ("warnings?", list(json!({ "type": "string" }), "What a reader should know about it.")),
        ("provenance", of("Provenance")),
    ];
    let arrays = SCRAPERS.iter().flat_map(|scraper| scraper.arrays);
    let mut told: Vec<Array> = Vec::new();
    for array in arrays.copied() {
        if !told.contains(&array) {
            told.push(array);
        }
    }
    let mut schema = {
        let description =
            "The answer. The arrays are those of the scraper: GET /scrapers names them.";
        object(description, &std::mem::take(&mut properties))
    };
    for array in told {
        schema["properties"][array.name()] = list(item(array), about(array));
    }
    schema
}

pub fn source() -> Value {
    object(
        "A page that the answer rests on.",
        &[
            ("title", text("")),
            ("url", text("")),
            ("snippet", text("")),
            ("highlights?", list(json!({ "type": "string" }), "")),
            ("website_name?", text("")),
            ("favicon?", text_or_null("")),
        ],
    )
}

pub fn provenance() -> Value {
    let kind = json!({ "type": "string", "enum": ["api", "browser", "serp", "practice"] });
    let states = json!({
        "type": "object", "description": "Of each array, whether the upstream has such a thing at all.",
        "additionalProperties": { "type": "string", "enum": ["ok", "empty", "unsupported"] },
    });
    object(
        "Where an answer is from.",
        &[("upstream", text("Its name in the settings.")), ("kind", kind), ("fields", states)],
    )
}

pub fn tokens() -> Value {
    object("A token tree.", &[("tokens", list(of("Token"), "In the order of the text."))])
}

/// Returns what every token has, whatever its type.
pub fn token() -> Value {
    let mut schema = object(
        "A piece of Markdown, as the lexer of marked.js names it: what else it has depends on `type`.",
        &[
            ("type", text("Such as `paragraph` or `link`.")),
            ("raw?", text("The piece as it was written.")),
            ("text?", text("What it says.")),
            ("tokens?", list(of("Token"), "Its parts.")),
        ],
    );
    schema["additionalProperties"] = true.into();
    schema
}

const fn about(array: Array) -> &'static str {
    match array {
        Array::Links => "Links in the answer.",
        Array::SearchQueries => "What the engine searched for.",
        Array::Sources => "What the marks in the text name: `[1]` is the first.",
        Array::RelatedQuestions => "What one may ask next.",
        Array::Citations => "What parts of the answer rest on.",
        Array::WebSources => "Pages.",
        Array::XResults => "Posts.",
        Array::SearchResults => "What stood in the list of results.",
        Array::Products => "Products that were named.",
    }
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
