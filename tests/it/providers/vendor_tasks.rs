//! A task that a vendor has begun outlives the process that asked for it.

use std::path::Path;

use serde_json::Value;

use super::cases::{self, Case, KEY};
use super::server::{Provider, Says};
use crate::app::{Gate, encoded, until};
use crate::child::{Served, answerd, store_directory};

/// Cases whose first reply begins a task and whose last one is its result.
const CASES: [&str; 2] = ["cloro", "openai-background"];
/// What a task costs, US dollars.
const PRICE: f64 = 0.5;

fn start(store: &Path, case: &Case, provider: &Provider) -> Served {
    let config = store.parent().unwrap().join("answerd.toml");
    let text = format!("{}{}", case.upstream("local", provider), case.scraper("local"));
    std::fs::write(&config, text).unwrap();
    Served::start_with(store, &[("LOG__LEVEL", "error")], |command| {
        command.env("PLANTED_KEY", KEY).arg("--config").arg(&config);
    })
}

fn submit(served: &Served, case: &Case) -> String {
    let (scraper, prompt) = (&case.scraper, encoded(&case.prompt));
    let path = format!("/scrapers/{scraper}/jobs?prompt={prompt}&country={}", case.country);
    let (status, job) = served.post(&path).unwrap();
    assert_eq!(status, 202, "{job}");
    job["job_id"].as_str().unwrap().to_owned()
}

fn ended(served: &Served, id: &str) -> Value {
    until(|| {
        let (_, job) = served.get(&format!("/jobs/{id}")).unwrap();
        (job["status"] != "pending").then_some(job)
    })
}

fn methods(provider: &Provider) -> Vec<String> {
    provider.asked().iter().map(|asked| asked.method.clone()).collect()
}

#[test]
fn a_task_goes_on_after_kill_9() {
    CASES.into_iter().for_each(goes_on_after_kill_9);
}

fn goes_on_after_kill_9(name: &str) {
    let case = cases::named(name).setting("usd_per_call", PRICE);
    let mut replies = case.replies();
    let (begun, result) = (replies.remove(0), replies.pop().unwrap());
    let gate = Gate::default();
    // The first look is under way when the process dies.
    let provider =
        Provider::start([begun, Says::Held(gate.clone(), result.clone().into())], result);
    let (_directory, store) = store_directory();
    let served = start(&store, &case, &provider);
    let id = submit(&served, &case);
    gate.arrived(1);
    served.kill();
    gate.open();

    let mut served = start(&store, &case, &provider);
    let job = ended(&served, &id);
    assert_eq!(job["status"], "done", "{job:#}");
    assert_eq!(methods(&provider), ["POST", "GET", "GET"], "the task was begun and paid once");
    let asked = provider.asked();
    assert_eq!(asked[1].target, asked[2].target);
    assert_eq!(job["usage"]["cost_usd"], PRICE, "{name}");
    assert_eq!(served.terminate(), Some(0));
    let checked = answerd(&["db", "check"], &store);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn a_task_that_the_vendor_forgot_is_begun_again() {
    let case = cases::named(CASES[0]);
    let mut replies = case.replies();
    let (begun, result) = (replies.remove(0), replies.pop().unwrap());
    let gate = Gate::default();
    let gone = Says::json(404, &serde_json::json!({"error": {"message": "No such task."}}));
    let script = [begun.clone(), Says::Held(gate.clone(), result.clone().into()), gone, begun];
    let provider = Provider::start(script, result);
    let (_directory, store) = store_directory();
    let served = start(&store, &case, &provider);
    let id = submit(&served, &case);
    gate.arrived(1);
    served.kill();
    gate.open();

    let served = start(&store, &case, &provider);
    let job = ended(&served, &id);
    assert_eq!(job["status"], "done", "{job:#}");
    assert_eq!(methods(&provider), ["POST", "GET", "GET", "POST", "GET"]);
}

#[test]
fn a_task_that_two_attempts_wait_for_is_paid_once() {
    for name in CASES {
        // No time for a look after the trigger: the next attempt makes it.
        let case = cases::named(name).setting("usd_per_call", PRICE).setting("timeout_seconds", 1);
        let mut replies = case.replies();
        let (begun, result) = (replies.remove(0), replies.pop().unwrap());
        let provider = Provider::start([begun], result);
        let app = case.builder(&provider).set("RETRY__BACKOFF_MS", 1).start();
        let id = case.submit(&app);
        let job = app.ended(&id);
        assert_eq!((&job["status"], &job["attempts"]), (&"done".into(), &2.into()), "{job:#}");
        assert_eq!(methods(&provider), ["POST", "GET"]);
        assert_eq!(job["usage"]["cost_usd"], PRICE, "{name}: {job:#}");
        let attempts = app.get(&format!("/jobs/{id}/attempts")).expect(200);
        assert_eq!(attempts["attempts"][0]["error_code"], "upstream_timeout");
        assert_eq!(attempts["attempts"][0]["usage"]["cost_usd"], PRICE);
    }
}
