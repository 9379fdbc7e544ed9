//! Every path with its methods: what it takes, what it answers, and which errors it has.

use serde_json::{Value, json};

use super::{parameters, schemas};

/// Whether a method takes a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Needed,
    None,
}

/// A method of a path.
struct Method {
    summary: &'static str,
    key: Key,
    parameters: Vec<Value>,
    /// Status, description, media type and schema of each success.
    replies: Replies,
    errors: &'static [&'static str],
}

impl Method {
    fn value(self, tag: &str) -> Value {
        let mut responses = json!({});
        for (status, description, media_type, schema) in self.replies {
            responses[*status] = json!({ "description": description });
            if !media_type.is_empty() {
                let schema = if schema.is_empty() {
                    json!({ "type": "string" })
                } else {
                    schemas::of(schema)
                };
                responses[*status]["content"] = json!({ *media_type: { "schema": schema } });
            }
        }
        let keyed: &[&str] = if self.key == Key::Needed { &["401"] } else { &[] };
        for status in self.errors.iter().chain(keyed) {
            responses[*status] = json!({ "$ref": format!("#/components/responses/{status}") });
        }
        let security = match self.key {
            // One of the three; or none, where the operator has configured no keys.
            Key::Needed => json!([{ "header": [] }, { "query": [] }, { "bearer": [] }, {}]),
            Key::None => json!([]),
        };
        json!({
            "summary": self.summary, "tags": [tag], "security": security,
            "parameters": self.parameters, "responses": responses,
        })
    }
}

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const EVENTS: &str = "text/event-stream";

type Replies = &'static [(&'static str, &'static str, &'static str, &'static str)];

fn method(
    summary: &'static str,
    key: Key,
    parameters: Vec<Value>,
    replies: Replies,
    errors: &'static [&'static str],
) -> Method {
    Method { summary, key, parameters, replies, errors }
}

pub fn all() -> Value {
    let mut paths = json!({});
    scrapes(&mut paths);
    jobs(&mut paths);
    batches(&mut paths);
    operations(&mut paths);
    pages(&mut paths);
    paths
}

fn scraper() -> Value {
    parameters::path("scraper", "A name from GET /scrapers.")
}

fn job_id() -> Value {
    parameters::path("job_id", "The id from the submit.")
}

fn batch_id() -> Value {
    parameters::path("batch_id", "The id from the submit.")
}

fn scrapes(paths: &mut Value) {
    let with_scraper = |mut parameters: Vec<Value>| {
        parameters.insert(0, scraper());
        parameters
    };
    paths["/scrapers"]["get"] = method(
        "Every scraper, what it takes and how it fares",
        Key::None,
        Vec::new(),
        &[("200", "Those that ship first.", JSON, "Scrapers")],
        &[],
    )
    .value("scrapes");
    paths["/scrapers/{scraper}"]["get"] = method(
        "Runs a scrape and waits for it",
        Key::Needed,
        with_scraper(parameters::in_query(parameters::scrape(), &["prompt"])),
        &[("200", "The result.", JSON, "Result")],
        &["400", "404", "408", "413", "429", "500", "503", "504"],
    )
    .value("scrapes");
    // What is in the body need not be in the query.
    let mut in_query = with_scraper(parameters::in_query(parameters::queued(), &[]));
    in_query.push(parameters::idempotency_key());
    let mut submit = method(
        "Queues a scrape; with `samples`, a batch of the same",
        Key::Needed,
        in_query,
        &[("202", "It is on disk.", JSON, "")],
        &["400", "404", "413", "422", "429", "503"],
    )
    .value("scrapes");
    submit["responses"]["202"]["content"][JSON]["schema"] =
        json!({ "anyOf": [schemas::of("Job"), schemas::of("Batch")] });
    submit["responses"]["202"]["headers"] = json!({
        "Location": { "description": "Where to poll.", "schema": { "type": "string" } },
        "Retry-After": { "description": "Seconds.", "schema": { "type": "integer" } },
    });
    submit["requestBody"] = json!({
        "description": "The parameters, where they are not in the query.",
        "content": { JSON: { "schema": schemas::of("Scrape") } },
    });
    paths["/scrapers/{scraper}/jobs"]["post"] = submit;
}

fn jobs(paths: &mut Value) {
    let with_id = |mut parameters: Vec<Value>| {
        parameters.insert(0, job_id());
        parameters
    };
    let mut add = |path: &str, verb: &str, method: Method| {
        paths[path][verb] = method.value("jobs");
    };
    add(
        "/jobs",
        "get",
        method(
            "The jobs of a key, newest first",
            Key::Needed,
            parameters::list(),
            &[("200", "A page.", JSON, "Jobs")],
            &["400", "503"],
        ),
    );
    add(
        "/jobs/{job_id}",
        "get",
        method(
            "A job, and its result",
            Key::None,
            with_id(parameters::poll()),
            &[("200", "As it stands.", JSON, "Job"), ("304", "Nothing has changed.", "", "")],
            &["400", "404", "503"],
        ),
    );
    add(
        "/jobs/{job_id}",
        "delete",
        method(
            "Cancels a job of the key's",
            Key::Needed,
            with_id(Vec::new()),
            &[("200", "The job, failed.", JSON, "Job")],
            &["404", "409", "503"],
        ),
    );
    add(
        "/jobs/{job_id}/events",
        "get",
        method(
            "What happens to a job, as it happens",
            Key::None,
            with_id(Vec::new()),
            &[("200", "Events: queued, running, retry, done, failed, canceled.", EVENTS, "")],
            &["404", "503"],
        ),
    );
    add(
        "/jobs/{job_id}/attempts",
        "get",
        method(
            "How a job's attempts have ended",
            Key::Needed,
            with_id(Vec::new()),
            &[("200", "As far as they are remembered.", JSON, "Object")],
            &["404", "503"],
        ),
    );
    add(
        "/jobs/{job_id}/webhook",
        "get",
        method(
            "How the delivery of a job's webhook stands",
            Key::Needed,
            with_id(Vec::new()),
            &[("200", "Every attempt.", JSON, "Object")],
            &["404", "503"],
        ),
    );
    add(
        "/jobs/{job_id}/webhook",
        "post",
        method(
            "Sends a job's webhook again",
            Key::Needed,
            with_id(Vec::new()),
            &[("202", "It is due.", JSON, "Object")],
            &["404", "409", "429", "503"],
        ),
    );
    add(
        "/jobs/{job_id}/evidence",
        "get",
        method(
            "What attempts at web pages have left",
            Key::Needed,
            with_id(Vec::new()),
            &[("200", "Steps, and files with their paths.", JSON, "Object")],
            &["404", "503"],
        ),
    );
    let file = parameters::path("file", "A name from the evidence.");
    add(
        "/jobs/{job_id}/evidence/{file}",
        "get",
        method(
            "One of those files",
            Key::Needed,
            with_id(vec![file]),
            &[("200", "The file.", "application/octet-stream", "")],
            &["404", "503"],
        ),
    );
    add(
        "/md/{job_id}.md",
        "get",
        method(
            "The answer as Markdown",
            Key::None,
            with_id(Vec::new()),
            &[("200", "The Markdown.", "text/markdown", "")],
            &["404", "503"],
        ),
    );
    add(
        "/md/{job_id}.json",
        "get",
        method(
            "The answer as a tree of tokens",
            Key::None,
            with_id(Vec::new()),
            &[("200", "The tokens.", JSON, "")],
            &["404", "503"],
        ),
    );
}

fn batches(paths: &mut Value) {
    let with_id = |mut parameters: Vec<Value>| {
        parameters.insert(0, batch_id());
        parameters
    };
    let mut submit = method(
        "Queues up to a thousand scrapes at once",
        Key::Needed,
        vec![parameters::idempotency_key()],
        &[("202", "What was accepted is on disk.", JSON, "Batch")],
        &["400", "413", "422", "429", "503"],
    )
    .value("batches");
    submit["requestBody"] = json!({
        "required": true, "content": { JSON: { "schema": schemas::of("NewBatch") } },
    });
    paths["/batches"]["post"] = submit;
    let mut add = |path: &str, verb: &str, method: Method| {
        paths[path][verb] = method.value("batches");
    };
    add(
        "/batches/{batch_id}",
        "get",
        method(
            "How the jobs of a batch stand",
            Key::None,
            with_id(parameters::poll()),
            &[("200", "As it stands.", JSON, "Batch"), ("304", "Nothing has changed.", "", "")],
            &["400", "404", "503"],
        ),
    );
    add(
        "/batches/{batch_id}",
        "delete",
        method(
            "Cancels what has not ended",
            Key::Needed,
            with_id(Vec::new()),
            &[("200", "The batch.", JSON, "Batch")],
            &["404", "409", "503"],
        ),
    );
    add(
        "/batches/{batch_id}/webhook",
        "get",
        method(
            "How the delivery of a batch's webhook stands",
            Key::Needed,
            with_id(Vec::new()),
            &[("200", "Every attempt.", JSON, "Object")],
            &["404", "503"],
        ),
    );
    add(
        "/batches/{batch_id}/webhook",
        "post",
        method(
            "Sends a batch's webhook again",
            Key::Needed,
            with_id(Vec::new()),
            &[("202", "It is due.", JSON, "Object")],
            &["404", "409", "429", "503"],
        ),
    );
}

fn operations(paths: &mut Value) {
    let mut add = |path: &str, method: Method| {
        paths[path]["get"] = method.value("operations");
    };
    add(
        "/usage",
        method(
            "The credits of a key",
            Key::Needed,
            vec![parameters::days()],
            &[("200", "By day and by scraper.", JSON, "Object")],
            &["400", "503"],
        ),
    );
    add(
        "/stats",
        method(
            "What every scraper has done over the last day",
            Key::Needed,
            Vec::new(),
            &[("200", "In buckets of five minutes.", JSON, "Object")],
            &[],
        ),
    );
    add(
        "/stats/events",
        method(
            "How the scrapers stand, as it changes",
            Key::Needed,
            Vec::new(),
            &[("200", "Events: overview.", EVENTS, "")],
            &["429"],
        ),
    );
    add(
        "/metrics",
        method(
            "How the service fares, for Prometheus",
            Key::Needed,
            Vec::new(),
            &[("200", "The text format, version 0.0.4.", "text/plain", "")],
            &[],
        ),
    );
    add(
        "/healthz",
        method(
            "Whether the process is alive",
            Key::None,
            Vec::new(),
            &[("200", "It is.", JSON, "Object")],
            &[],
        ),
    );
    add(
        "/readyz",
        method(
            "Whether jobs are taken",
            Key::None,
            Vec::new(),
            &[("200", "They are.", JSON, "Object")],
            &["503"],
        ),
    );
    add(
        "/openapi.json",
        method(
            "This document",
            Key::None,
            Vec::new(),
            &[("200", "OpenAPI 3.1.", JSON, "Object")],
            &[],
        ),
    );
}

fn pages(paths: &mut Value) {
    for (path, summary) in [
        ("/", "The dashboard"),
        ("/docs", "The guide"),
        ("/practice", "The practice engine's page"),
    ] {
        let page = method(summary, Key::None, Vec::new(), &[("200", "A page.", HTML, "")], &[]);
        paths[path]["get"] = page.value("pages");
    }
}

/// What answerd sends to a `webhook_url`, signed as Standard Webhooks says.
pub fn webhooks() -> Value {
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| {
        json!({ "name": name, "in": "header", "required": true, "schema": { "type": "string" } })
    });
    let told = |summary: &str, schema: &str| {
        json!({ "post": {
            "summary": summary,
            "parameters": headers,
            "requestBody": { "content": { JSON: { "schema": schemas::of(schema) } } },
            "responses": { "2XX": { "description": "It was taken; anything else is tried again." } },
        } })
    };
    json!({
        "job.ended": told("A job has ended", "Job"),
        "batch.ended": told("The last job of a batch has ended", "Batch"),
    })
}
