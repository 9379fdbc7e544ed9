//! Every path with its methods: what it takes, what it answers, and which errors it has.

mod batches;
mod jobs;

use serde_json::{Value, json};

use super::codes::{ASKED, LIMITED, QUEUED, READS, WAITING, WRITES};
use super::errors::reasons;
use super::method::{HTML, JSON, Key, Method, Reply};
use super::{examples, links, parameters, schemas};
use crate::api::ErrorCode;
use crate::practice::{QUERY_CHARS_MAX, QUESTION_CHARS_MAX};

pub fn all() -> Value {
    let mut paths = json!({});
    scrapes(&mut paths);
    jobs::add(&mut paths);
    batches::add(&mut paths);
    operations(&mut paths);
    pages(&mut paths);
    links::add(&mut paths);
    paths
}

fn scrapes(paths: &mut Value) {
    paths["/scrapers"]["get"] =
        Method::new("listScrapers", "Every scraper, what it takes and how it fares", Key::None)
            .answers("200", Reply::json("Those that ship first.", "Scrapers", examples::scrapers()))
            .value("scrapes");
    let mut asked = vec![parameters::scraper()];
    asked.extend(parameters::in_query(parameters::waited_for(), &["prompt"]));
    asked.push(parameters::idempotency_key());
    let result = Reply::json("The result.", "Result", examples::result());
    let run = Method::new("runScrape", "Runs a scrape and waits for it", Key::Needed)
        .about("A scrape that does not finish inside `timeout` is stopped with 408, 250 milliseconds early. One whose client has gone runs on until then.")
        .takes(asked)
        .answers("200", result.with(&["Idempotency-Replayed"]))
        .fails(&[ASKED, WAITING, LIMITED, WRITES, &reasons()]);
    paths["/scrapers/{scraper}"]["get"] = run.value("scrapes");
    // What is in the body need not be in the query.
    let mut queued = vec![parameters::scraper()];
    queued.extend(parameters::in_query(parameters::queued(), &[]));
    queued.push(parameters::idempotency_key());
    let taken = schemas::any_of(&["Job", "Batch"]);
    let accepted = Reply::of(
        "It is on disk. A job that the cache answers is `done` already.",
        JSON,
        taken,
        Some(examples::pending()),
    )
    .with(&["Location", "Retry-After", "Idempotency-Replayed"]);
    paths["/scrapers/{scraper}/jobs"]["post"] =
        Method::new("submitJob", "Queues a scrape; with `samples`, a batch of the same", Key::Needed)
            .about("The parameters stand in the query or in a JSON object as the body, or partly in each; one with different values in both is refused.")
            .takes(queued)
            .takes_body(false, "Parameters; those that are in the query need not be here.", "Scrape", examples::scrape())
            .answers("202", accepted)
            .fails(&[ASKED, &[ErrorCode::ParameterConflict], QUEUED, LIMITED, WRITES])
            .value("scrapes");
}

fn operations(paths: &mut Value) {
    let mut add = |path: &str, method: Method| {
        paths[path]["get"] = method.value("operations");
    };
    let usage = Reply::json("By day and by scraper.", "Usage", examples::usage());
    add(
        "/usage",
        Method::new("getUsage", "The credits of a key", Key::Needed)
            .takes(vec![parameters::days()])
            .answers("200", usage)
            .fails(&[&[ErrorCode::DaysInvalid], READS]),
    );
    let stats = Reply::json("In buckets of five minutes.", "Stats", examples::stats());
    add(
        "/stats",
        Method::new("getStats", "What every scraper has done over the last day", Key::Needed)
            .answers("200", stats),
    );
    let stream = Reply::events("Events of the name `overview`.", None);
    add(
        "/stats/events",
        Method::new("streamStats", "How the scrapers stand, as it changes", Key::Needed)
            .answers("200", stream)
            .fails(&[&[ErrorCode::StreamsFull]]),
    );
    let metrics =
        Reply::text("The text format, version 0.0.4.", "text/plain", Some("answerd_ready 1\n"));
    add(
        "/metrics",
        Method::new("getMetrics", "How the service fares, for Prometheus", Key::Needed)
            .answers("200", metrics),
    );
    let alive = Reply::json("It is.", "Status", json!({ "status": "ok" }));
    add(
        "/healthz",
        Method::new("isAlive", "Whether the process is alive", Key::None).answers("200", alive),
    );
    let ready = Reply::json("They are.", "Status", json!({ "status": "ready" }));
    add(
        "/readyz",
        Method::new("isReady", "Whether jobs are taken", Key::None)
            .answers("200", ready)
            .fails(&[WRITES]),
    );
    let document = Reply::of("OpenAPI 3.1.", JSON, json!({ "type": "object" }), None);
    add(
        "/openapi.json",
        Method::new("getOpenApi", "This document", Key::None).answers("200", document),
    );
}

fn pages(paths: &mut Value) {
    let sought = parameters::question("What is sought.", QUERY_CHARS_MAX);
    let asked =
        parameters::question("A question; without one there is a form.", QUESTION_CHARS_MAX);
    for (path, id, summary, parameters) in [
        ("/", "showDashboard", "The dashboard", vec![]),
        ("/docs", "showGuide", "The guide", vec![]),
        ("/docs/reference", "showReference", "This document for readers", vec![]),
        ("/docs/search", "searchGuide", "What the guide has on something", vec![sought]),
        ("/docs/{page}", "showGuidePage", "A page of the guide", vec![parameters::page()]),
        ("/practice", "askPractice", "The practice engine's page", vec![asked]),
    ] {
        let asks = parameters.iter().any(|parameter| parameter["name"] == "q");
        let page = Method::new(id, summary, Key::None)
            .takes(parameters)
            .answers("200", Reply::text("A page.", HTML, None))
            .fails(match path {
                "/docs/{page}" => &[&[ErrorCode::NotFound]],
                _ if asks => &[&[ErrorCode::RequestInvalid]],
                _ => &[],
            });
        paths[path]["get"] = page.value("pages");
        // A page says that `q` is too long, or shows a browser that there is none.
        for status in ["400", "404"] {
            if let Some(response) = paths[path]["get"]["responses"].get_mut(status) {
                response["content"][HTML] = json!({ "schema": { "type": "string" } });
            }
        }
    }
}

/// What answerd sends to a `webhook_url`, signed as Standard Webhooks says.
pub fn webhooks() -> Value {
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| {
        json!({ "name": name, "in": "header", "required": true, "schema": { "type": "string" } })
    });
    let told = |id: &str, summary: &str, schema: &str, example: Value| {
        let content = json!({ JSON: { "schema": schemas::of(schema), "example": example } });
        json!({ "post": {
            "operationId": id,
            "summary": summary,
            // A receiver checks the signature: no key of its own is sent.
            "security": [],
            "parameters": headers,
            "requestBody": { "required": true, "content": content },
            "responses": { "2XX": { "description": "It was taken; anything else is tried again." } },
        } })
    };
    json!({
        "job.ended": told("jobEnded", "A job has ended", "Job", examples::done()),
        "batch.ended": told("batchEnded", "The last job of a batch has ended", "Batch", examples::batch()),
    })
}
