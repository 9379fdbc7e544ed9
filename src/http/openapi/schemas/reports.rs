//! How scrapers, keys, attempts and deliveries stand: what the service tells of itself.

use serde_json::{Value, json};

use super::{count, id, list, object, of, text, text_or_null, time, time_or_null};

/// Adds them to the schemas.
pub fn add(schemas: &mut Value) {
    for (name, schema) in [
        ("Status", object("That it is so.", &[("status", text("`ok` or `ready`."))])),
        ("Scrapers", object("Every scraper.", &[("scrapers", list(of("Scraper"), ""))])),
        ("Scraper", scraper()),
        ("Queue", object("Jobs of a scraper.", &[("waiting", count("")), ("running", count(""))])),
        ("Upstream", upstream()),
        ("Health", health()),
        ("Used", used()),
        ("Usage", usage()),
        ("AccountCredits", object("What a key has spent this month (UTC).", &account_credits())),
        ("Stats", stats()),
        ("Bucket", bucket()),
        ("Attempts", attempts()),
        ("Delivery", delivery()),
        ("Evidence", evidence()),
    ] {
        schemas[name] = schema;
    }
}

fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

fn number_or_null(description: &str) -> Value {
    json!({ "type": ["number", "null"], "minimum": 0, "description": description })
}

/// An object whose fields have names of the operator's.
fn map(values: Value, description: &str) -> Value {
    json!({ "type": "object", "additionalProperties": values, "description": description })
}

fn scraper() -> Value {
    let texts = |description: &str| list(json!({ "type": "string" }), description);
    let parameters =
        map(json!({ "type": "object" }), "What shapes an answer, with type, default and bounds.");
    object(
        "A scraper, what it takes and how it fares.",
        &[
            ("name", text("")),
            ("configured", flag("Whether it can be used.")),
            ("missing", text_or_null("Which setting is missing.")),
            ("credits", count("What a scrape costs.")),
            (
                "refused_countries",
                texts(
                    "Countries that are a 400, by its settings or because none of its upstreams serves them.",
                ),
            ),
            ("parameters", parameters),
            ("arrays", texts("The arrays of its result.")),
            ("workers", count("Jobs that run at once.")),
            ("queue", of("Queue")),
            ("upstreams", list(of("Upstream"), "In the order in which they are tried.")),
            ("health", of("Health")),
        ],
    )
}

fn upstream() -> Value {
    let breaker =
        json!({ "type": ["string", "null"], "enum": ["closed", "open", "half_open", null] });
    let count_or_null = || json!({ "type": ["integer", "null"], "minimum": 0 });
    let error = object("", &[("at", time("")), ("code", text("")), ("error", text(""))]);
    let recipe = object(
        "",
        &[
            ("name", text("")),
            ("version", json!({})),
            ("last_verified", json!({})),
            ("selectors", map(json!({ "type": "object" }), "How often each alternative matched.")),
        ],
    );
    let or_null = |mut schema: Value, description: &str| {
        schema["type"] = json!(["object", "null"]);
        schema["description"] = description.into();
        schema
    };
    object(
        "Where a scraper's answers come from.",
        &[
            ("name", text("")),
            ("kind", text("What it speaks.")),
            ("configured", flag("Whether it can be used.")),
            ("missing", text_or_null("Which setting is missing.")),
            ("breaker", breaker),
            ("probe_in_seconds", count_or_null()),
            ("in_flight", count_or_null()),
            ("in_flight_max", count_or_null()),
            ("last_error", or_null(error, "The latest failure.")),
            ("recipe", or_null(recipe, "Of the kind `browser`: how its recipe fits the page.")),
        ],
    )
}

fn health() -> Value {
    object(
        "The attempts of the last hour.",
        &[
            ("window_seconds", count("")),
            ("attempts", count("Those that ended.")),
            ("succeeded", count("")),
            ("success_rate", number_or_null("0 to 1.")),
            ("p50_seconds", number_or_null("Of those that succeeded.")),
            ("p95_seconds", number_or_null("")),
            (
                "non_empty",
                map(
                    json!({ "type": ["number", "null"] }),
                    "Of each array, the share of answers that had something in it.",
                ),
            ),
        ],
    )
}

fn used() -> Value {
    object(
        "What was submitted, and how it ended.",
        &[
            ("jobs", count("")),
            ("done", count("")),
            ("failed", count("")),
            ("cached", count("Answered by the cache.")),
            ("credits", count("")),
        ],
    )
}

fn account_credits() -> Vec<(&'static str, Value)> {
    let count_or_null = |description: &str| json!({ "type": ["integer", "null"], "minimum": 0, "description": description });
    vec![
        ("account", text("The key's name.")),
        ("monthly_credits", count_or_null("Null for a key without an allowance.")),
        ("used", count("")),
        ("reserved", count("Of jobs that have not ended.")),
        ("left", count_or_null("")),
    ]
}

fn usage() -> Value {
    let day = object(
        "",
        &[
            ("date", json!({ "type": "string", "format": "date" })),
            ("scrapers", map(of("Used"), "")),
        ],
    );
    let accounts = list(of("AccountCredits"), "Of every key; told to an operator's key alone.");
    let mut fields = account_credits();
    fields.extend([
        ("resets_at", time("")),
        ("scrapers", map(of("Used"), "The sums of the days.")),
        ("days", list(day, "Days on which something was used.")),
        ("accounts?", accounts),
    ]);
    object("The credits of a key in this month (UTC).", &fields)
}

fn stats() -> Value {
    let scraper = object(
        "",
        &[("name", text("")), ("queue", of("Queue")), ("buckets", list(of("Bucket"), ""))],
    );
    object(
        "The last day.",
        &[
            ("now", time("")),
            ("since", time("When the counts begin.")),
            ("bucket_seconds", count("")),
            ("scrapers", list(scraper, "")),
        ],
    )
}

fn bucket() -> Value {
    object(
        "Five minutes of a scraper.",
        &[
            ("at", time("When they began.")),
            ("submitted", count("Jobs that came.")),
            ("done", count("Jobs that ended so.")),
            ("failed", count("")),
            ("canceled", count("")),
            ("attempts_succeeded", count("")),
            ("attempts_failed", count("")),
            ("p50_seconds", number_or_null("Of attempts that succeeded.")),
            ("p95_seconds", number_or_null("")),
        ],
    )
}

fn attempts() -> Value {
    let attempt = object(
        "",
        &[
            ("attempt", count("Its number.")),
            ("started_at", time("")),
            ("seconds", json!({ "type": "number", "minimum": 0 })),
            ("upstream", text_or_null("Which answered or failed; null where no single one did.")),
            ("error_code", text_or_null("Null where it brought an answer.")),
            ("error", text_or_null("")),
        ],
    );
    object(
        "How a job's attempts have ended.",
        &[
            ("job_id", id("")),
            ("since", time("When the counts of the service begin.")),
            ("attempts", list(attempt, "Oldest first.")),
            ("parameters", of("Scrape")),
        ],
    )
}

fn delivery() -> Value {
    let state = json!({ "type": "string", "enum": ["waiting", "pending", "delivered", "failed"] });
    let attempt = object(
        "",
        &[
            ("at", time("")),
            ("took_ms", count("")),
            (
                "status",
                json!({ "type": ["integer", "null"], "description": "What the receiver answered." }),
            ),
            ("error", text_or_null("Why there was no answer.")),
        ],
    );
    object(
        "How a webhook's delivery stands.",
        &[
            ("job_id?", id("")),
            ("batch_id?", id("")),
            ("webhook_id", text("The header `webhook-id`.")),
            ("url", text("")),
            ("state", state),
            ("reason", text_or_null("Why it was given up.")),
            ("attempts", count("")),
            ("resends", count("")),
            ("next_attempt_at", time_or_null("")),
            ("log", list(attempt, "The latest attempts.")),
        ],
    )
}

fn evidence() -> Value {
    let step = object(
        "",
        &[
            ("name", text("")),
            ("at_ms", count("Since the attempt began.")),
            ("took_ms", count("")),
            ("matched?", text("The selector that matched.")),
            ("alternative?", text("Which of the alternatives that is.")),
            ("note?", text("")),
            ("nearest?", list(json!({ "type": "string" }), "What could have been meant.")),
        ],
    );
    let file = object(
        "",
        &[("name", text("")), ("type", text("")), ("bytes", count("")), ("path", text(""))],
    );
    let attempt = object(
        "",
        &[
            ("attempt", count("")),
            ("upstream", text("")),
            ("url", text_or_null("")),
            ("steps", list(step, "")),
            ("files", list(file, "")),
        ],
    );
    object(
        "What attempts at web pages have left.",
        &[("job_id", id("")), ("attempts", list(attempt, ""))],
    )
}
