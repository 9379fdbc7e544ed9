//! What requests about alerts are made of.

use serde_json::{Value, json};

use crate::alert::{ALERT_NAME_CHARS_MAX, AlertKind, NoticeFormat};
use crate::job::WEBHOOK_URL_CHARS_MAX;

/// Returns the body of `POST /alerts`.
pub(crate) fn new_alert() -> Value {
    let mut schema = alert_change();
    schema["description"] =
        "`tracker` with a condition on mentions or domains, `scraper` with `scraper_unhealthy`."
            .into();
    schema["required"] = json!(["name", "when", "to"]);
    let text = |description: &str| json!({ "type": "string", "description": description });
    for (name, property) in [
        (
            "when",
            json!({
                "type": "string", "enum": AlertKind::ALL.map(AlertKind::word),
                "description": "The condition.",
            }),
        ),
        ("tracker", text("The tracker whose measures are watched.")),
        ("brand", text("A brand of the tracker; without it your own as one, or every domain.")),
        ("scraper", text("The scraper whose answers count, or whose health is watched.")),
    ] {
        schema["properties"][name] = property;
    }
    schema
}

/// Returns the body of `PATCH /alerts/{alert_id}`.
pub(crate) fn alert_change() -> Value {
    json!({
        "type": "object", "description": "What is to change.", "additionalProperties": false,
        "properties": {
            "name": {
                "type": "string", "minLength": 1, "maxLength": ALERT_NAME_CHARS_MAX,
                "description": "Unique among the alerts of the key.",
            },
            "threshold": {
                "type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1_000_000,
                "examples": [0.3],
                "description": "A share of at most 1, or US dollars in a day of a budget.",
            },
            "over": {
                "type": "string", "pattern": "^[0-9]+ (runs?|days?)$",
                "examples": ["3 runs", "7 days"],
                "description": "The answers that are looked at together; else 3 runs.",
            },
            "to": {
                "type": "object", "required": ["webhook"], "additionalProperties": false,
                "description": "The receiver of notices.",
                "properties": {
                    "webhook": {
                        "type": "string", "format": "uri", "maxLength": WEBHOOK_URL_CHARS_MAX,
                        "description": "An http(s) address that leads to a public host.",
                    },
                    "format": {
                        "type": "string", "enum": NoticeFormat::ALL.map(NoticeFormat::word),
                        "description": "The form of the JSON; `standard` where none is given.",
                    },
                },
            },
            "paused": { "type": "boolean", "description": "Whether it is not evaluated for now." },
        },
    })
}
