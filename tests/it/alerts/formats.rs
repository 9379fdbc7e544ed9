//! The three forms of a notice as a real receiver gets them, and a receiver that asks to wait.

use serde_json::{Value, json};

use super::{answers, below, create, delivered, manual, run};
use crate::app::{Builder, Scripted, until};
use crate::receiver::{Does, Receiver, SECRET, Told};
use crate::webhooks::ALLOW_LOOPBACK;

/// What the receiver gets of a crossing in this format.
fn told_as(format: &str) -> (Told, Value) {
    let receiver = Receiver::start([]);
    let steps = answers(10, "Nobody makes <good> ones & @everyone knows.", &[]);
    let script = Scripted::new("script", steps);
    let (app, clock) = manual(Builder::new().scripted("chatgpt", &script));
    let to = json!({ "webhook": receiver.url(), "format": format });
    let alert = create(&app, &below(&receiver, &json!({ "name": "<fewer> & *less*", "to": to })));
    run(&app, &clock, 5, &alert);
    run(&app, &clock, 5, &alert);
    let told = receiver.told();
    let shown = delivered(&app, &alert);
    assert_eq!(shown["notices"][0]["webhook_id"], told.id());
    assert_eq!(told.headers["content-type"], "application/json");
    (told, shown)
}

const SENTENCE: &str = "The mention rate of acme is 0 % over 1 run (5 answers), below 30 %.";

#[test]
fn standard_is_signed_json_with_the_rows_and_absolute_links() {
    let (told, shown) = told_as("standard");
    assert_eq!(told.signed_by(SECRET), 1);
    let id = shown["alert_id"].as_str().unwrap();
    let expected = json!({
        "type": "alert",
        "notice_id": shown["notices"][0]["notice_id"],
        "alert_id": id,
        "alert": "<fewer> & *less*",
        "when": "mention_rate_below",
        "tracker": "acme",
        "brand": null,
        "scraper": null,
        "threshold": 0.3,
        "over": "1 run",
        "at": "2026-05-11T12:00:02+00:00",
        "test": false,
        "message": SENTENCE,
        "value": 0.0,
        "sample": 5,
        "since": "2026-05-11T12:00:02+00:00",
        "rows": [{ "subject": "2026-05-11T12:00:02+00:00", "hits": 0, "total": 5, "share": 0.0,
            "cost_usd": null }],
        "links": {
            "dashboard": "https://answers.example/#/alerts",
            "alert": format!("https://answers.example/alerts/{id}"),
            "report": "https://answers.example/reports?tracker=acme&by=day",
        },
    });
    assert_eq!(told.json(), expected);
}

#[test]
fn slack_gets_text_and_blocks_with_its_marks_escaped() {
    let (told, _) = told_as("slack");
    assert!(!told.headers.contains_key("webhook-signature"));
    let section =
        |text: &str| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
    let link = "<https://answers.example/#/alerts|Open the dashboard>";
    let expected = json!({
        "text": format!("&lt;fewer&gt; &amp; *less*: {SENTENCE}"),
        "blocks": [
            section(&format!("*&lt;fewer&gt; &amp; *less**\n{SENTENCE}")),
            section("• 2026-05-11T12:00:02+00:00: 0 of 5 (0 %)"),
            { "type": "context", "elements": [{ "type": "mrkdwn", "text": link }] },
        ],
    });
    assert_eq!(told.json(), expected);
}

#[test]
fn discord_gets_an_embed_that_mentions_nobody() {
    let (told, _) = told_as("discord");
    assert!(!told.headers.contains_key("webhook-signature"));
    let expected = json!({
        "username": "answerd",
        "embeds": [{
            "title": "<fewer> & *less*",
            "description": format!("{SENTENCE}\n- 2026-05-11T12:00:02+00:00: 0 of 5 (0 %)"),
            "timestamp": "2026-05-11T12:00:02+00:00",
            "color": 0x00D9_8A00,
            "url": "https://answers.example/#/alerts",
        }],
        "allowed_mentions": { "parse": [] },
    });
    assert_eq!(told.json(), expected);
}

#[test]
fn retry_after_of_slack_is_kept_and_the_notice_arrives_once() {
    let receiver = Receiver::start([Does::Status(429, "Retry-After: 30\r\n")]);
    let (app, clock) = manual(Builder::new());
    let to = json!({ "webhook": receiver.url(), "format": "slack" });
    let alert = create(&app, &below(&receiver, &json!({ "to": to })));
    let sent = app.post(&format!("{alert}/test")).expect(202);
    assert_eq!((&sent["test"], &sent["state"]), (&json!(true), &json!("pending")));
    let first = receiver.told();
    let refused = until(|| {
        let notice = app.get(&alert).expect(200)["notices"][0].clone();
        (notice["attempts"] == 1).then_some(notice)
    });
    assert_eq!(refused["state"], "pending");
    assert_eq!(refused["next_attempt_at"], "2026-05-11T12:00:30+00:00");
    clock.advance_ms(29_000);
    assert!(!receiver.told_more());
    clock.advance_ms(1_000);
    let second = receiver.told();
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    let shown = delivered(&app, &alert);
    assert_eq!((&shown["notice_count"], &shown["state"]), (&json!(1), &json!("no_data")));
    let text = second.json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("fewer: Test of the alert, nothing has happened."), "{text}");
    assert!(!receiver.told_more());
}

#[test]
fn slack_needs_no_secret_and_the_standard_does() {
    let receiver = Receiver::start([]);
    let app = Builder::new().set("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK).start();
    app.put("/trackers/acme", &[], r#"{"brands":[{"name":"Acme"}]}"#).expect(200);
    let standard = below(&receiver, &json!({}));
    let refused = app.post_with("/alerts", &[], &standard.to_string());
    assert_eq!((refused.status, refused.code().as_str()), (503, "webhooks_not_configured"));
    let to = json!({ "webhook": receiver.url(), "format": "slack" });
    let slack = create(&app, &below(&receiver, &json!({ "to": to })));
    assert_eq!(app.get(&slack).expect(200)["links"], false);
    app.post(&format!("{slack}/test")).expect(202);
    let told = receiver.told().json();
    assert_eq!(told["blocks"].as_array().unwrap().len(), 2, "no link without `public_url`: {told}");
    delivered(&app, &slack);
}
