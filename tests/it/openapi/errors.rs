//! The errors of the document are those that the service has: each is provoked where it can be, and
//! comes as its example says.

use std::collections::BTreeMap;

use answerd::api::ErrorCode;
use serde_json::{Value, json};

use super::document;
use crate::app::{App, Builder, Reply};

/// What provokes an error: method, path with its query, body, the path in the document, the code.
const PROVOKED: &[(&str, &str, &str, &str, &str)] = &[
    ("GET", "/scrapers/practice", "", RUN, "prompt_missing"),
    ("GET", "/scrapers/practice?prompt=", "", RUN, "prompt_blank"),
    ("GET", "/scrapers/practice?prompt=a%00b", "", RUN, "prompt_invalid"),
    ("GET", "/scrapers/practice?prompt=a&country=UK", "", RUN, "country_invalid"),
    ("GET", "/scrapers/grok?prompt=a&country=JP", "", RUN, "country_refused"),
    ("GET", "/scrapers/practice?prompt=a&timeout=5", "", RUN, "timeout_invalid"),
    ("GET", "/scrapers/practice?prompt=a&mode=a%0Ab", "", RUN, "mode_invalid"),
    ("GET", "/scrapers/practice?prompt=a&label=a%0Ab", "", RUN, "label_invalid"),
    ("GET", "/scrapers/practice?prompt=a&start_within=0", "", RUN, "start_within_invalid"),
    ("GET", "/scrapers/practice?bypass_cache=maybe", "", RUN, "parameter_invalid"),
    ("GET", "/scrapers/practice?country=US&country=DE", "", RUN, "parameter_repeated"),
    ("GET", "/scrapers/practice?prompt=%ff", "", RUN, "query_invalid"),
    ("GET", "/scrapers/gone?prompt=a", "", RUN, "scraper_unknown"),
    ("GET", "/scrapers/chatgpt?prompt=a", "", RUN, "scraper_not_configured"),
    ("POST", "/scrapers/practice/jobs?prompt=a&samples=21", "", SUBMIT, "samples_invalid"),
    (
        "POST",
        "/scrapers/practice/jobs?prompt=a&webhook_url=ftp://a.example",
        "",
        SUBMIT,
        "webhook_url_invalid",
    ),
    (
        "POST",
        "/scrapers/practice/jobs?prompt=a&webhook_url=https://a.example",
        "",
        SUBMIT,
        "webhooks_not_configured",
    ),
    (
        "POST",
        "/scrapers/practice/jobs?country=US",
        "{\"prompt\":\"a\",\"country\":\"DE\"}",
        SUBMIT,
        "parameter_conflict",
    ),
    ("POST", "/scrapers/practice/jobs", "[]", SUBMIT, "body_invalid"),
    ("POST", "/batches", "{\"items\":[]}", "/batches", "batch_invalid"),
    ("POST", "/schedules", "{\"missed\":\"all\"}", "/schedules", "schedule_invalid"),
    ("POST", "/schedules", "{\"cron\":\"0 0 30 2 *\"}", "/schedules", "cron_invalid"),
    ("POST", "/schedules", "{\"every\":\"5s\"}", "/schedules", "every_invalid"),
    ("GET", "/alerts/none", "", "/alerts/{alert_id}", "alert_not_found"),
    ("GET", "/schedules/none", "", "/schedules/{schedule_id}", "schedule_not_found"),
    ("GET", "/jobs/none?wait=61", "", "/jobs/{job_id}", "wait_invalid"),
    ("GET", "/batches/none?fields=prompt", "", "/batches/{batch_id}", "fields_invalid"),
    ("GET", "/jobs/none", "", "/jobs/{job_id}", "job_not_found"),
    ("GET", "/jobs/none/events", "", "/jobs/{job_id}/events", "job_not_found"),
    ("GET", "/batches/none", "", "/batches/{batch_id}", "batch_not_found"),
    ("DELETE", "/batches/none", "", "/batches/{batch_id}", "batch_not_found"),
    ("GET", "/md/none.md", "", "/md/{job_id}.md", "job_not_found"),
    ("GET", "/jobs?status=ended", "", "/jobs", "status_invalid"),
    ("GET", "/jobs?error_code=slow", "", "/jobs", "error_code_invalid"),
    ("POST", "/jobs/cancel", "", "/jobs/cancel", "filter_missing"),
    ("POST", "/jobs/retry", "", "/jobs/retry", "filter_missing"),
    ("GET", "/batches?limit=0", "", "/batches", "limit_invalid"),
    ("GET", "/jobs?search=", "", "/jobs", "search_invalid"),
    ("GET", "/jobs?since=today", "", "/jobs", "since_invalid"),
    ("GET", "/jobs?limit=0", "", "/jobs", "limit_invalid"),
    ("GET", "/jobs?formulas=run", "", "/jobs", "formulas_invalid"),
    ("GET", "/results?rows=jobs", "", "/results", "rows_invalid"),
    ("GET", "/results?after=1", "", "/results", "after_invalid"),
    ("GET", "/jobs?cursor=1", "", "/jobs", "cursor_invalid"),
    ("GET", "/jobs?prompt_of=1", "", "/jobs", "prompt_of_invalid"),
    ("GET", "/reports?top=0", "", "/reports", "top_invalid"),
    ("GET", "/jobs?batch=1", "", "/jobs", "batch_id_invalid"),
    ("GET", "/usage?days=0", "", "/usage", "days_invalid"),
    ("GET", "/scrapers/practice?prompt=a&track=Acme", "", RUN, "track_invalid"),
    ("GET", "/scrapers/practice?prompt=a&track=none", "", RUN, "tracker_not_found"),
    ("GET", "/trackers/none", "", "/trackers/{tracker}", "tracker_not_found"),
    ("DELETE", "/trackers/none", "", "/trackers/{tracker}", "tracker_not_found"),
    ("GET", "/reports", "", "/reports", "tracker_missing"),
    ("GET", "/reports?tracker=none", "", "/reports", "tracker_not_found"),
    ("GET", "/reports?version=0", "", "/reports", "version_invalid"),
    ("GET", "/reports?by=hour", "", "/reports", "by_invalid"),
    ("GET", "/reports?branded=yes", "", "/reports", "branded_invalid"),
    ("GET", "/reports?format=xlsx", "", "/reports", "format_invalid"),
    ("GET", "/reports?since=today", "", "/reports", "since_invalid"),
    ("GET", "/none", "", "", "not_found"),
    ("PUT", "/scrapers", "", "", "method_not_allowed"),
];

const RUN: &str = "/scrapers/{scraper}";
const SUBMIT: &str = "/scrapers/{scraper}/jobs";
/// Whose sentence names what there is on this very server.
const OWN_WORDS: &[&str] =
    &["scraper_unknown", "scraper_not_configured", "webhooks_not_configured"];

fn ask(app: &App, method: &str, path: &str, body: &str) -> Reply {
    match method {
        "GET" => app.get(path),
        "POST" => app.post_with(path, &[], body),
        other => app.method(other, path),
    }
}

/// The reply is one that the document tells of this method, or of any when `path` is empty.
#[track_caller]
fn assert_told(document: &Value, method: &str, path: &str, reply: &Reply, code: &str) {
    if let Some(fault) = untold(document, method, path, reply, code) {
        panic!("{method} {path}: {fault}");
    }
}

/// In what a reply is not as the document tells.
fn untold(document: &Value, method: &str, path: &str, reply: &Reply, code: &str) -> Option<String> {
    if reply.code() != code {
        return Some(format!("{} and not {code}: {reply:?}", reply.code()));
    }
    let status = reply.status.to_string();
    let own = &document["paths"][path][method.to_lowercase()]["responses"][status];
    let any = &document["components"]["responses"]["Any"];
    // The default is only for statuses that the method does not tell of.
    let response = if own.is_object() { own } else { any };
    let examples = &response["content"]["application/json"]["examples"];
    let Some(example) = examples[code]["$ref"].as_str() else {
        return Some(format!("{code} is not told"));
    };
    let mut value = document.pointer(&example[1..]).unwrap()["value"].clone();
    let mut real = reply.json();
    for body in [&mut value, &mut real] {
        body.as_object_mut().unwrap().remove("job_id");
        if OWN_WORDS.contains(&code) {
            body["detail"] = Value::Null;
        }
    }
    (real != value).then(|| format!("{real} and not {value}"))
}

#[test]
fn errors_come_as_their_examples_say() {
    // A country is looked at only where somebody could be asked.
    let app = Builder::new().env("XAI_API_KEY", "never-used").start();
    let document = document(&app);
    let faults = PROVOKED.iter().filter_map(|(method, path, body, told, code)| {
        let reply = ask(&app, method, path, body);
        untold(&document, method, told, &reply, code).map(|fault| format!("{path}: {fault}"))
    });
    let faults: Vec<String> = faults.collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let long = ask(&app, "GET", &format!("/scrapers/practice?prompt={}", "x".repeat(4_001)), "");
    assert_told(&document, "GET", RUN, &long, "prompt_too_long");
    let many = json!({ "items": vec![json!({}); 1_001] }).to_string();
    let many = ask(&app, "POST", "/batches", &many);
    assert_told(&document, "POST", "/batches", &many, "batch_too_large");
    let large = ask(&app, "POST", "/scrapers/practice/jobs", &" ".repeat((256 << 10) + 1));
    assert_told(&document, "POST", SUBMIT, &large, "body_too_large");

    let path = "/scrapers/practice/jobs?prompt=";
    let long = ask(&app, "POST", &format!("{path}{}", "x".repeat(60_001 - path.len())), "");
    assert_told(&document, "POST", SUBMIT, &long, "url_too_long");

    let submit = |key: &str, prompt: &str| {
        let path = format!("/scrapers/practice/jobs?prompt={prompt}");
        app.post_with(&path, &[("idempotency-key", key)], "")
    };
    assert_told(&document, "POST", SUBMIT, &submit("a b", "a"), "idempotency_key_invalid");
    let job = submit("one", "a").expect(202);
    assert_told(&document, "POST", SUBMIT, &submit("one", "b"), "idempotency_key_reused");
    let id = job["job_id"].as_str().unwrap();
    app.ended(id);
    let again = app.method("DELETE", &format!("/jobs/{id}"));
    assert_told(&document, "DELETE", "/jobs/{job_id}", &again, "job_finished");
    let webhook = app.get(&format!("/jobs/{id}/webhook"));
    assert_told(&document, "GET", "/jobs/{job_id}/webhook", &webhook, "webhook_not_found");
}

#[test]
fn pages_refuse_in_a_media_type_that_is_told() {
    let app = Builder::new().start();
    let document = document(&app);
    for path in ["/docs/search", "/practice"] {
        let reply = app.get(&format!("{path}?q={}", "x".repeat(5_000)));
        assert_eq!(reply.status, 400, "{path}");
        let told = &document["paths"][path]["get"]["responses"]["400"]["content"];
        let media_type = reply.headers["content-type"].split(';').next().unwrap();
        assert!(told[media_type].is_object(), "{path}: {media_type} is none of {told}");
    }
}

fn keyed() -> App {
    let key = format!("[[keys]]\nname = \"team\"\nhash = \"sha256:{}\"", "0".repeat(64));
    Builder::new().config(&key).start()
}

#[test]
fn keys_are_refused_as_their_examples_say() {
    let app = keyed();
    let document = document(&app);
    let none = app.get("/usage");
    assert_told(&document, "GET", "/usage", &none, "key_missing");
    let wrong = app.get_with("/usage", &[("x-api-key", "wrong")]);
    assert_told(&document, "GET", "/usage", &wrong, "key_invalid");
}

#[test]
fn the_document_and_the_guide_have_the_same_codes() {
    let document = document(&Builder::new().start());
    let page = include_str!("../../../src/docs/errors-and-retries.md");
    let mut guide: BTreeMap<&str, &str> = BTreeMap::new();
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (code, rest) = row.split_once("` |").unwrap();
        let cells: Vec<&str> = rest.trim_matches('|').split('|').map(str::trim).collect();
        // The first table has the status in front, the second at the end.
        let status = if cells.len() == 3 { cells[0] } else { cells[cells.len() - 1] };
        guide.insert(code, status);
    }
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let methods = document["paths"].as_object().unwrap().values();
    for operation in methods.flat_map(|methods| methods.as_object().unwrap().values()) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let content = &response["content"]["application/json"];
            for (code, _) in content["examples"].as_object().into_iter().flatten() {
                told.entry(code).or_default().push(status);
            }
        }
    }
    let any = &document["components"]["responses"]["Any"]["content"]["application/json"];
    for code in any["examples"].as_object().unwrap().keys() {
        told.entry(code).or_insert_with(|| vec![guide[code.as_str()]]);
    }
    for (code, statuses) in &told {
        let status = guide.get(code).unwrap_or_else(|| panic!("the guide does not know {code}"));
        assert!(
            statuses.iter().all(|told| status.contains(told)),
            "{code}: {statuses:?}, {status}"
        );
    }
    let elsewhere: Vec<&str> = ErrorCode::ELSEWHERE.iter().map(|code| code.code()).collect();
    for code in guide.keys().filter(|code| !elsewhere.contains(code)) {
        assert!(told.contains_key(code), "the document does not know {code}");
    }
}
