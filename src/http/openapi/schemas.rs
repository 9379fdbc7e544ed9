//! What requests and replies are made of.

mod tokens;

use serde_json::{Map, Value, json};

use super::parameters;
use crate::answer::ResultObject;
use crate::api::{
    AttemptsView, BatchView, COUNTRY_PATTERN, DeletionView, DeliveryView, ErrorBody, EvidenceView,
    RawView, ScrapersView, StatsView, StatusView, UsageView, schemas_of,
};
use crate::job::{BATCH_ITEMS_MAX, PROMPT_CHARS_MAX, Reason};

/// Returns a reference to one of [`all`].
pub fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Returns one of several.
pub fn any_of(names: &[&str]) -> Value {
    json!({ "anyOf": names.iter().map(|name| of(name)).collect::<Vec<Value>>() })
}

pub fn all() -> Map<String, Value> {
    let jobs = json!({
        "type": "object", "description": "A page of jobs.",
        "required": ["jobs", "next_cursor"],
        "properties": {
            "jobs": { "type": "array", "items": of("Job"), "description": "Without results." },
            "next_cursor": text_or_null("For the `cursor` of the next page; null when there is none."),
        },
    });
    let scrape = json!({
        "type": "object",
        "description": "The parameters of a scrape. In the query or in the body.",
        "properties": parameters::queued(),
    });
    let own = [
        ("Scrape", scrape),
        ("Tokens", tokens::tokens()),
        ("Token", tokens::token()),
        ("Job", job()),
        ("Jobs", jobs),
        ("NewBatch", new_batch()),
        ("NewItem", new_item()),
    ];
    let mut schemas = schemas_of::<ErrorBody>();
    schemas.extend(own.map(|(name, schema)| (name.to_owned(), schema)));
    for derived in [
        schemas_of::<ResultObject<'_>>(),
        schemas_of::<BatchView>(),
        schemas_of::<StatusView>(),
        schemas_of::<ScrapersView>(),
        schemas_of::<UsageView>(),
        schemas_of::<StatsView>(),
        schemas_of::<AttemptsView>(),
        schemas_of::<DeliveryView>(),
        schemas_of::<DeletionView>(),
        schemas_of::<EvidenceView>(),
        schemas_of::<RawView>(),
    ] {
        schemas.extend(derived);
    }
    schemas
}

fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn time_or_null(description: &str) -> Value {
    json!({ "type": ["string", "null"], "format": "date-time", "description": description })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn text_or_null(description: &str) -> Value {
    json!({ "type": ["string", "null"], "description": description })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn id(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

fn list(items: Value, description: &str) -> Value {
    json!({ "type": "array", "items": items, "description": description })
}

/// An object of which every property is required but those whose names end with `?`.
fn object(description: &str, properties: &[(&str, Value)]) -> Value {
    let mut schema =
        json!({ "type": "object", "description": description, "required": [], "properties": {} });
    for (name, property) in properties {
        let optional = name.strip_suffix('?');
        if let (None, Some(required)) = (optional, schema["required"].as_array_mut()) {
            required.push((*name).into());
        }
        schema["properties"][optional.unwrap_or(name)] = property.clone();
    }
    schema
}

/// Contract 1.7, and the finer state of part 2.
fn job() -> Value {
    let status = json!({
        "type": "string", "enum": ["pending", "done", "failed"], "description": "Whether it has ended, and how.",
    });
    let phase = json!({
        "type": "string", "enum": ["queued", "running", "waiting_retry", "finished"],
        "description": "Where it stands.",
    });
    let codes: Vec<Value> =
        Reason::ALL.iter().map(|reason| reason.code().into()).chain([Value::Null]).collect();
    let error_code = json!({
        "type": ["string", "null"], "enum": codes,
        "description": "Why it failed, or its latest attempt while it waits for the next.",
    });
    object(
        "The present state of a job.",
        &[
            ("job_id", id("The id to ask for.")),
            ("status", status),
            ("scraper", text("The scraper's name.")),
            ("prompt", text("As it was sent.")),
            ("country", text("In upper case.")),
            ("result?", of("Result")),
            ("error?", text("Only when it failed: why, as a sentence.")),
            ("created_at", time("When it was submitted.")),
            ("completed_at", time_or_null("When it ended; null while pending.")),
            ("phase", phase),
            ("attempts", count("Attempts started so far.")),
            ("started_at", time_or_null("When the first attempt began.")),
            ("expires_at", time("From then on it is gone.")),
            ("label", text_or_null("The label that was sent with it.")),
            ("error_code", error_code),
            ("batch_id?", id("The batch that it is part of.")),
            ("usage?", of("UpstreamUsage")),
        ],
    )
}

/// What holds for every item can be one parameter of the whole.
fn new_batch() -> Value {
    let mut properties = parameters::of_batch();
    let prompt = json!({ "type": "string", "minLength": 1, "maxLength": PROMPT_CHARS_MAX });
    let country = json!({ "type": "string", "pattern": COUNTRY_PATTERN });
    let listed = |items: Value, description: &str| {
        json!({
            "type": "array", "minItems": 1, "maxItems": BATCH_ITEMS_MAX, "items": items,
            "description": description,
        })
    };
    properties["prompt"]["description"] = "The prompt of items that have none.".into();
    properties["label"]["description"] =
        "Of the batch, and of its jobs that have none of their own.".into();
    for (name, property) in [
        ("items", listed(of("NewItem"), "What is asked, one by one.")),
        (
            "prompts",
            listed(prompt, "Prompts: each goes to every scraper and country. Instead of `prompt`."),
        ),
        (
            "scrapers",
            listed(json!({ "type": "string" }), "Where the prompts go. Instead of one `scraper`."),
        ),
        ("countries", listed(country, "Where the prompts are asked. Instead of one `country`.")),
        ("scraper", text("The scraper of items that name none.")),
    ] {
        properties.insert(name.to_owned(), property);
    }
    json!({
        "type": "object",
        "description": "Either `items`, or `prompts` with `scrapers` and `countries`. What else is given holds for every item that does not say otherwise.",
        "properties": properties,
    })
}

fn new_item() -> Value {
    let mut properties = parameters::scrape();
    properties.insert("scraper".to_owned(), text("The scraper to ask."));
    json!({
        "type": "object",
        "description": "One scrape of a batch; refused by itself where it breaks a rule. What is not given here is what stands beside the items.",
        "properties": properties,
    })
}
