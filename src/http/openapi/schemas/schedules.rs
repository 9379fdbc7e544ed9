//! What requests about schedules are made of.

use serde_json::{Value, json};

use super::of;
use crate::job::{
    CRON_CHARS_MAX, JITTER_SECONDS_MAX, MAX_RUNS_MAX, MissedPolicy, SCHEDULE_NAME_CHARS_MAX,
};

/// Returns the body of `POST /schedules`.
pub(crate) fn new_schedule() -> Value {
    schedule(&["name", "batch"], "Either `cron` or `every`.", false)
}

/// Returns the body of `PATCH /schedules/{schedule_id}`.
pub(crate) fn schedule_change() -> Value {
    let description = "What is to change; null takes `ends_at` or `max_runs` back.";
    schedule(&[], description, true)
}

fn schedule(required: &[&str], description: &str, is_change: bool) -> Value {
    let or_null = |kind: &str| if is_change { json!([kind, "null"]) } else { json!(kind) };
    let words = MissedPolicy::ALL.map(MissedPolicy::word);
    let mut schema = json!({
        "type": "object", "description": description, "required": required,
        "additionalProperties": false,
        "properties": {
            "name": {
                "type": "string", "minLength": 1, "maxLength": SCHEDULE_NAME_CHARS_MAX,
                "description": "Unique among the schedules of the key.",
            },
            "cron": {
                "type": "string", "maxLength": CRON_CHARS_MAX, "examples": ["0 6 * * *"],
                "description": "Minute, hour, day of the month, month, day of the week.",
            },
            "every": {
                "type": "string", "examples": ["8h", "1d12h"],
                "description": "An interval of 1 minute to 366 days, from the time of the call on.",
            },
            "timezone": {
                "type": "string", "examples": ["Europe/Berlin"],
                "description": "The IANA time zone of `cron`; UTC where none is given.",
            },
            "jitter_seconds": {
                "type": "integer", "minimum": 0, "maximum": JITTER_SECONDS_MAX,
                "description": "The most that a slot is delayed by chance, seconds.",
            },
            "batch": of("NewBatch"),
            "missed": {
                "type": "string", "enum": words,
                "description": "No run, or one run for all slots that were missed.",
            },
            "ends_at": {
                "type": or_null("string"), "examples": ["2026-12-31"],
                "description": "No slot is later: RFC 3339, a date, or Unix seconds.",
            },
            "max_runs": {
                "type": or_null("integer"), "minimum": 1, "maximum": MAX_RUNS_MAX,
                "description": "How many slots may submit a batch.",
            },
            "paused": { "type": "boolean", "description": "Whether it has no slots for now." },
        },
    });
    if required.is_empty()
        && let Some(fields) = schema.as_object_mut()
    {
        fields.remove("required");
    }
    schema
}
