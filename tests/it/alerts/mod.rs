//! Alerts against a running service and a real receiver: what fires, once, and what does not.

mod formats;
mod kills;
mod kinds;
mod requests;

use std::sync::Arc;

use answerd::answer::{Answer, Source};
use answerd::clock::ManualClock;
use serde_json::{Value, json};

use crate::app::{App, Builder, Step, until};
use crate::receiver::{Receiver, SECRET};
use crate::webhooks::ALLOW_LOOPBACK;

/// A service of which webhooks may lead to loopback, and its clock.
fn manual(builder: Builder) -> (App, Arc<ManualClock>) {
    let (builder, clock) = builder
        .env("ANSWERD_WEBHOOK_SECRET", SECRET)
        .set("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK)
        .set("HTTP__PUBLIC_URL", "https://answers.example")
        .manual();
    let app = builder.start();
    let brands = json!({ "brands": [
        { "name": "Acme", "domains": ["acme.com"], "own": true }, { "name": "Globex" },
    ] });
    app.put("/trackers/acme", &[], &brands.to_string()).expect(200);
    (app, clock)
}

/// An alert on the mention rate of each single run, with changes.
fn below(to: &Receiver, change: &Value) -> Value {
    let mut alert = json!({
        "name": "fewer", "when": "mention_rate_below", "tracker": "acme", "threshold": 0.3,
        "over": "1 run", "to": { "webhook": to.url() },
    });
    for (name, value) in change.as_object().unwrap() {
        alert[name] = value.clone();
    }
    alert
}

#[track_caller]
fn create(app: &App, alert: &Value) -> String {
    let made = app.post_with("/alerts", &[], &alert.to_string()).expect(201);
    format!("/alerts/{}", made["alert_id"].as_str().unwrap())
}

/// Answers with this text that consulted these pages.
fn answers(count: usize, text: &str, pages: &[&str]) -> Vec<Step> {
    let source = |url: &&str| Source {
        url: (*url).to_owned(),
        title: "A page".to_owned(),
        ..Source::default()
    };
    let sources: Vec<Source> = pages.iter().map(source).collect();
    let answer = Answer {
        markdown: text.to_owned(),
        sources: Some(sources),
        citations: Some(Vec::new()),
        ..Answer::default()
    };
    (0..count).map(|_| Step::Answer(Box::new(answer.clone()))).collect()
}

/// Asks as one batch, a second after whatever came before, and waits for its end.
#[track_caller]
fn ask(app: &App, clock: &ManualClock, samples: usize) {
    clock.advance_ms(1_000);
    let batch = json!({
        "scraper": "chatgpt", "prompts": ["best anvil"], "samples": samples, "track": "acme",
        "bypass_cache": true,
    });
    let batch = app.post_with("/batches", &[], &batch.to_string()).expect(202);
    let id = batch["batch_id"].as_str().unwrap();
    let ended = app.get(&format!("/batches/{id}?wait=30")).expect(200);
    assert_eq!(ended["counts"]["pending"], 0, "{ended:#}");
}

/// Asks as [`ask`] does, and returns the alert once it was evaluated.
#[track_caller]
fn run(app: &App, clock: &ManualClock, samples: usize, alert: &str) -> Value {
    ask(app, clock, samples);
    evaluated(app, alert)
}

/// The alert once it was evaluated at the present time.
#[track_caller]
fn evaluated(app: &App, alert: &str) -> Value {
    let now = answerd::clock::rfc3339_seconds(app.server().service().now_ms());
    until(|| {
        let alert = app.get(alert).expect(200);
        (alert["evaluated_at"] == now.as_str()).then_some(alert)
    })
}

/// The alert once its newest notice was delivered.
#[track_caller]
fn delivered(app: &App, alert: &str) -> Value {
    until(|| {
        let alert = app.get(alert).expect(200);
        (alert["notices"][0]["state"] == "delivered").then_some(alert)
    })
}
