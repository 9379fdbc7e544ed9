//! Parameters of requests, with the bounds that the code checks.

use serde_json::{Map, Value, json};

use super::examples::{ALERT_ID, BATCH_ID, JOB_ID, PROMPT, SCHEDULE_ID};
use crate::api::{Kind, PARAMETERS, Parameter, Scope};
use crate::http::request::headers::WAIT_SECONDS_MAX;
use crate::http::request::job_filter::SEARCH_CHARS_MAX;
use crate::http::request::job_ids::IDS_MAX;
use crate::http::resource::list::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::http::resource::result_rows::RowKind;
use crate::http::resource::results::{FORMATS, ROWS_MAX};
use crate::http::resource::trackers::OBSERVATIONS_MAX;
use crate::http::transport::response_headers::REQUEST_ID_BYTES_MAX;
use crate::job::{IDEMPOTENCY_KEY_CHARS_MAX, LABEL_CHARS_MAX};
use crate::service::DAYS_KEPT_MAX;
use crate::store::TRACKER_VERSIONS_MAX;

/// Returns the parameters that an item of a batch takes, as properties of an object: contract 1.3
/// and part 2. None has a `default`: a generated client would send it, over the value that stands
/// elsewhere, in the query or beside the items of a batch.
pub(crate) fn scrape() -> Map<String, Value> {
    properties(|parameter| parameter.scope == Scope::Scrape)
}

/// Returns the parameters of a waiting call, which have only one place to stand in and so have
/// defaults.
pub(crate) fn waited_for() -> Map<String, Value> {
    let mut properties = scrape();
    for (name, property) in &mut properties {
        if let Some(default) = Parameter::named(name).and_then(Parameter::default) {
            property["default"] = default;
        }
    }
    properties
}

/// Returns the parameters of a job that is queued.
pub(crate) fn queued() -> Map<String, Value> {
    properties(|_| true)
}

/// Returns the parameters that stand beside the items of a batch.
pub(crate) fn of_batch() -> Map<String, Value> {
    properties(|_| true)
}

fn properties(has: impl Fn(&Parameter) -> bool) -> Map<String, Value> {
    let property = |parameter: &Parameter| {
        let mut schema = parameter.schema();
        match parameter.kind {
            Kind::Prompt => schema["examples"] = json!([PROMPT]),
            Kind::Country => schema["examples"] = json!(["DE"]),
            Kind::Line { .. }
            | Kind::Url
            | Kind::Boolean { .. }
            | Kind::Seconds { .. }
            | Kind::Count { .. }
            | Kind::Choice(_)
            | Kind::Pattern { .. } => {}
        }
        (parameter.name.to_owned(), schema)
    };
    PARAMETERS.iter().filter(|parameter| has(parameter)).map(property).collect()
}

/// Properties as parameters of the query.
pub(crate) fn in_query(properties: Map<String, Value>, required: &[&str]) -> Vec<Value> {
    let one = |(name, schema): (String, Value)| {
        let mut parameter = of("query", &name, "", schema);
        if let Some(description) =
            parameter["schema"].as_object_mut().and_then(|it| it.remove("description"))
        {
            parameter["description"] = description;
        }
        parameter["required"] = required.contains(&name.as_str()).into();
        parameter
    };
    properties.into_iter().map(one).collect()
}

fn of(place: &str, name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": place, "description": description, "schema": schema })
}

/// Returns the parameter of a path that has this name.
pub(crate) fn in_path(name: &str) -> Value {
    let text = |example: &str| json!({ "type": "string", "examples": [example] });
    let uuid = |example: &str| json!({ "type": "string", "format": "uuid", "examples": [example] });
    let (description, schema) = match name {
        "job_id" => ("The id from the submit.", uuid(JOB_ID)),
        "batch_id" => ("The id from the submit.", uuid(BATCH_ID)),
        "alert_id" => ("The id from the creation.", uuid(ALERT_ID)),
        "schedule_id" => ("The id from the creation.", uuid(SCHEDULE_ID)),
        "scraper" => ("A name from GET /scrapers.", text("practice")),
        "file" => ("A name from the evidence.", text("01-chatgpt_page.png")),
        "tracker" => ("The name of a tracker.", text("acme")),
        "page" => ("A name from GET /docs.", text("quick-start")),
        // Names of paths are an open set; a test holds that each is here.
        _ => ("", json!({ "type": "string" })),
    };
    let mut parameter = of("path", name, description, schema);
    parameter["required"] = true.into();
    parameter
}

/// Returns how a poll waits and what it wants of a job or a batch.
pub(crate) fn wait() -> Vec<Value> {
    let seconds =
        json!({ "type": "number", "minimum": 0, "maximum": WAIT_SECONDS_MAX, "examples": [30] });
    let fields = json!({ "type": "string", "enum": ["status"] });
    let prefer = json!({ "type": "string", "examples": ["wait=30"] });
    vec![
        of("query", "wait", "The most seconds to wait for the end.", seconds),
        of("query", "fields", "`status` leaves out the result or the items.", fields),
        of("header", "Prefer", "The same as `wait`, which wins if both are given.", prefer),
    ]
}

/// Returns what a poll of a job takes.
pub(crate) fn poll() -> Vec<Value> {
    let known = "The ETag of an earlier reply; 304 if nothing has changed.";
    let mut parameters = wait();
    parameters.push(of("header", "If-None-Match", known, json!({ "type": "string" })));
    parameters
}

pub(crate) fn last_event_id() -> Value {
    let description = "The `id` of the last event that was seen: only later ones are sent.";
    of("header", "Last-Event-ID", description, json!({ "type": "string", "examples": ["3"] }))
}

/// Returns where a backup goes on.
pub(crate) fn resume() -> Value {
    let description = "Where a copy that broke off goes on: its `Backup-Id`, a colon, and how \
                       many blocks have come.";
    let examples = [format!("{JOB_ID}:400")];
    of("query", "resume", description, json!({ "type": "string", "examples": examples }))
}

pub(crate) fn idempotency_key() -> Value {
    let schema = json!({
        "type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARS_MAX,
        "pattern": "^[\\x21-\\x7e]+$", "examples": ["order-4711"],
    });
    let description = "The same key with the same request gives the same job.";
    of("header", "Idempotency-Key", description, schema)
}

fn moments() -> Value {
    json!({ "type": "string", "examples": ["2026-05-11T12:00:00Z", "2026-05-11", "1778500800"] })
}

fn cursor(description: &str) -> Value {
    let schema = json!({
        "type": "string", "pattern": "^[0-9a-f]{32}$",
        "examples": ["5b7f0a522f0e4a3c9c114f1d3c0a7e66"],
    });
    of("query", "cursor", description, schema)
}

/// Returns the filters of a list of jobs, but their status.
fn job_filters() -> Vec<Value> {
    let text = || json!({ "type": "string" });
    let search = json!({ "type": "string", "minLength": 1, "maxLength": SEARCH_CHARS_MAX });
    let uuid = || json!({ "type": "string", "format": "uuid" });
    let code = json!({ "type": "string", "examples": ["timeout"] });
    let country = json!({ "type": "string", "examples": ["DE"] });
    let search_for = "Jobs whose label or prompt contains this, in upper or lower case.";
    let canceled = "Whether the jobs were canceled; a canceled job has the status `failed`.";
    let since = "Jobs created at this time or later: RFC 3339, a date, or Unix seconds.";
    let until = "Jobs created at this time or earlier; a date is its whole day in UTC.";
    vec![
        of("query", "scraper", "Jobs of this scraper.", text()),
        of("query", "country", "Jobs for this country.", country),
        of("query", "error_code", "Jobs that failed with this code.", code),
        of("query", "canceled", canceled, json!({ "type": "boolean" })),
        of("query", "label", "Exactly this label.", text()),
        of("query", "search", search_for, search),
        of("query", "prompt_of", "Jobs with exactly the prompt of this job.", uuid()),
        of("query", "tracker", "Jobs that are measured by this tracker.", text()),
        of("query", "batch", "The jobs of this batch.", uuid()),
        of("query", "since", since, moments()),
        of("query", "until", until, moments()),
    ]
}

/// Returns the filters and the pages of a list.
pub(crate) fn list() -> Vec<Value> {
    let limit =
        json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT });
    let formulas = json!({ "type": "string", "enum": ["escape", "keep"], "default": "escape" });
    let escaped = "Cells of a CSV export that a spreadsheet would run: escaped with `'`, or kept.";
    let status = json!({ "type": "string", "enum": ["pending", "done", "failed"] });
    let mut parameters = vec![of("query", "status", "Jobs with this status.", status)];
    parameters.extend(job_filters());
    let account =
        "Jobs of this key, or `*` for all keys; for operators where the settings allow it.";
    parameters.extend([
        of("query", "account", account, json!({ "type": "string" })),
        of("query", "limit", "Jobs in a page; of no effect on an export.", limit),
        cursor("The `next_cursor` of the page before, with the same filters."),
        of("query", "formulas", escaped, formulas),
    ]);
    parameters
}

/// Returns the ids of the jobs that an action is about.
fn ids() -> Value {
    let about =
        format!("The jobs with these ids, in place of a filter: up to {IDS_MAX}, with commas.");
    of("query", "ids", &about, json!({ "type": "string", "examples": [JOB_ID] }))
}

/// Returns the parameters of an action on jobs that are named, or on all that match.
pub(crate) fn bulk() -> Vec<Value> {
    let dry_run = json!({ "type": "boolean" });
    let mut parameters = job_filters();
    // For the reference: a call needs one of the filters, whichever it is.
    if let Some(label) = parameters.iter_mut().find(|filter| filter["name"] == "label") {
        label["example"] = "nightly".into();
    }
    parameters.extend([
        ids(),
        cursor("The `next_cursor` of the call before, with the same filters."),
        of("query", "dry_run", "Counts the jobs that match, and changes nothing.", dry_run),
    ]);
    parameters
}

/// Returns the filters and the pages of a list of batches.
pub(crate) fn batches() -> Vec<Value> {
    let status = json!({ "type": "string", "enum": ["pending", "done"] });
    let limit =
        json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT });
    vec![
        of("query", "status", "Batches with this status.", status),
        of("query", "label", "Exactly this label.", json!({ "type": "string" })),
        of("query", "since", "Batches created at this time or later.", moments()),
        of("query", "until", "Batches created at this time or earlier.", moments()),
        of("query", "limit", "Batches in a page.", limit),
        cursor("The `next_cursor` of the page before, with the same filters."),
    ]
}

/// Returns the parameters of an export of results.
pub(crate) fn results() -> Vec<Value> {
    let text = || json!({ "type": "string" });
    let word = |words: &[&str]| json!({ "type": "string", "enum": words, "default": words[0] });
    let moment = || json!({ "type": "string", "examples": ["2026-05-11T12:00:00Z", "2026-05-11"] });
    let kinds = RowKind::ALL.map(RowKind::word);
    let cursor = json!({
        "type": "string", "pattern": "^[0-9a-f]{32}$",
        "examples": ["5b7f0a522f0e4a3c9c114f1d3c0a7e66"],
    });
    let uuid = json!({ "type": "string", "format": "uuid" });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": ROWS_MAX });
    let all = [
        ("rows", "What a row is.", word(&kinds)),
        ("format", "A line of JSON for each row, or CSV.", word(&FORMATS)),
        ("since", "Jobs done from then on: RFC 3339, a date, or Unix seconds.", moment()),
        ("until", "Jobs done until then; a date is its whole day in UTC.", moment()),
        ("scraper", "Jobs of this scraper.", text()),
        ("label", "Exactly this label.", text()),
        ("country", "Jobs asked in this country.", text()),
        ("batch", "The jobs of this batch.", uuid),
        ("tracker", "Jobs that were measured by this tracker.", text()),
        ("after", "The `cursor` of the last row that is there already.", cursor),
        ("limit", "The most rows; all where none is given.", limit),
        (
            "formulas",
            "Cells of CSV that a spreadsheet would run: with `'` before them, or as they are.",
            word(&["escape", "keep"]),
        ),
        (
            "bom",
            "Whether CSV begins with a byte order mark, by which Excel knows UTF-8.",
            json!({ "type": "boolean", "default": false }),
        ),
    ];
    all.into_iter().map(|(name, about, schema)| of("query", name, about, schema)).collect()
}

/// Returns the parameters of a deletion.
pub(crate) fn deletion() -> Vec<Value> {
    let label = json!({
        "type": "string", "minLength": 1, "maxLength": LABEL_CHARS_MAX, "examples": ["nightly"],
    });
    let dry_run = json!({ "type": "boolean" });
    let mut label = of("query", "label", "Exactly this label.", label);
    // For the reference: a call needs one of the two.
    label["example"] = "nightly".into();
    vec![
        label,
        ids(),
        of("query", "dry_run", "Counts what would be deleted, and deletes nothing.", dry_run),
    ]
}

/// Returns the window of what is measured, and its tracker's version.
fn measured() -> Vec<Value> {
    let moment = json!({ "type": "string", "examples": ["2026-05-11", "2026-05-11T12:00:00Z"] });
    let version = json!({ "type": "integer", "minimum": 1, "maximum": TRACKER_VERSIONS_MAX });
    vec![
        of("query", "version", "The latest where none is given.", version),
        of("query", "since", "From then on: RFC 3339, a date, or Unix seconds.", moment.clone()),
        of("query", "until", "Until then; a date is its whole day in UTC.", moment),
    ]
}

/// Returns the parameters of what was measured.
pub(crate) fn observations() -> Vec<Value> {
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": OBSERVATIONS_MAX });
    let cursor = json!({ "type": "string" });
    let mut parameters = measured();
    parameters.push(of("query", "limit", "Observations in a page.", limit));
    parameters.push(of("query", "cursor", "The `next_cursor` of the page before.", cursor));
    parameters
}

/// Returns the parameters of a report.
pub(crate) fn report() -> Vec<Value> {
    let text = |example: &str| json!({ "type": "string", "examples": [example] });
    let choice = |words: &[&str]| json!({ "type": "string", "enum": words, "default": words[0] });
    let mut tracker = of("query", "tracker", "The name of a tracker.", text("acme"));
    tracker["required"] = true.into();
    let by = "What rows are grouped by, with commas: `scraper`, `country`, `label`, `brand`, and `day` \
              or `week`. Without `brand` a row is about your own brands as one.";
    let branded = "Answers whose prompt names a brand of the tracker.";
    let mut parameters = vec![tracker];
    parameters.extend(measured());
    parameters.extend([
        of("query", "by", by, text("scraper,day")),
        of("query", "branded", branded, choice(&["exclude", "include", "only"])),
        of("query", "scraper", "Answers of this scraper.", text("chatgpt")),
        of("query", "country", "Answers for this country.", text("DE")),
        of("query", "label", "Answers with exactly this label.", text("nightly")),
        of("query", "format", "How the rows are written.", choice(&["json", "csv", "ndjson"])),
    ]);
    parameters
}

pub(crate) fn days() -> Value {
    let schema = json!({ "type": "integer", "minimum": 1, "maximum": DAYS_KEPT_MAX });
    of("query", "days", "A number of days in place of the month.", schema)
}

/// Returns what is asked of the practice engine, or sought in the guide.
pub(crate) fn question(description: &str, chars_max: usize) -> Value {
    of(
        "query",
        "q",
        description,
        json!({ "type": "string", "maxLength": chars_max, "examples": ["retry"] }),
    )
}

/// Returns what every method takes.
pub(crate) fn components() -> Value {
    let schema = json!({
        "type": "string", "minLength": 1, "maxLength": REQUEST_ID_BYTES_MAX,
        "pattern": "^[\\x21-\\x7e]+$",
    });
    let description = "An id of your own for the request; its reply and the log repeat it.";
    json!({ "RequestId": of("header", "X-Request-Id", description, schema) })
}
