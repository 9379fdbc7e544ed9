//! What each condition finds, over runs, with thin samples, while it flaps and while it is paused.

use answerd::answer::Answer;
use answerd::clock::ManualClock;
use answerd::job::{Cost, CostFrom, Reason, UpstreamUsage};
use serde_json::{Value, json};

use super::{answers, ask, below, create, delivered, evaluated, manual, run};
use crate::app::{App, Builder, Scripted, Step, answer, fail, until};
use crate::limits::{A, B, keys};
use crate::receiver::Receiver;

const WITHOUT: &str = "Nobody makes good ones.";
const WITH: &str = "Acme makes good ones.";

/// A service whose answers are those of these runs of five.
fn runs(texts: &[&str]) -> (App, std::sync::Arc<ManualClock>) {
    let steps: Vec<Step> = texts.iter().flat_map(|text| answers(5, text, &[])).collect();
    manual(Builder::new().scripted("chatgpt", &Scripted::new("script", steps)))
}

#[test]
fn crossing_is_noticed_once_and_again_after_a_recovery() {
    let receiver = Receiver::start([]);
    let (app, clock) =
        runs(&[WITH, WITHOUT, WITHOUT, WITHOUT, WITH, WITH, WITHOUT, WITHOUT, WITHOUT]);
    let alert = create(&app, &below(&receiver, &json!({})));
    let mut states = Vec::new();
    for _ in 0..9 {
        let now = run(&app, &clock, 5, &alert);
        states.push(now["state"].as_str().unwrap().to_owned());
        assert_eq!(now["sample"], 5);
    }
    assert_eq!(
        states,
        ["ok", "pending", "firing", "firing", "firing", "ok", "pending", "firing", "firing"]
    );
    let (first, second) = (receiver.told(), receiver.told());
    assert_ne!(first.id(), second.id());
    let shown = delivered(&app, &alert);
    assert_eq!(shown["notice_count"], 2);
    assert_eq!(shown["notices"][0]["webhook_id"], second.id());
    assert_eq!(shown["notices"][1]["webhook_id"], first.id());
    let notice = &shown["notices"][1];
    let message = "The mention rate of acme is 0 % over 1 run (5 answers), below 30 %.";
    assert_eq!((&notice["message"], &notice["value"]), (&json!(message), &json!(0.0)));
    let row = json!({ "subject": "2026-05-11T12:00:03+00:00", "hits": 0, "total": 5,
        "share": 0.0, "cost_usd": null });
    assert_eq!(notice["rows"], json!([row]));
    assert!(!receiver.told_more());
    let metrics = app.get("/metrics").text;
    assert!(metrics.contains("answerd_alerts{state=\"firing\"} 1"), "{metrics}");
    let notices = "answerd_alert_notices_total{when=\"mention_rate_below\"} 2";
    assert!(metrics.contains(notices), "{metrics}");
}

#[test]
fn flapping_fires_nothing() {
    let receiver = Receiver::start([]);
    let (app, clock) = runs(&[WITHOUT, WITH, WITHOUT, WITH, WITHOUT, WITH]);
    let alert = create(&app, &below(&receiver, &json!({})));
    for _ in 0..6 {
        assert_ne!(run(&app, &clock, 5, &alert)["state"], "firing");
    }
    assert_eq!(app.get(&alert).expect(200)["notice_count"], 0);
    assert!(!receiver.told_more());
}

#[test]
fn thin_samples_fire_nothing() {
    let receiver = Receiver::start([]);
    let steps = answers(20, WITHOUT, &[]);
    let script = Scripted::new("script", steps);
    let (app, clock) = manual(Builder::new().scripted("chatgpt", &script));
    let alert = create(&app, &below(&receiver, &json!({})));
    for _ in 0..4 {
        let now = run(&app, &clock, 4, &alert);
        assert_eq!((&now["state"], &now["sample"]), (&json!("no_data"), &json!(4)));
        assert_eq!(now["value"], 0.0);
    }
    assert!(!receiver.told_more());
    // Two thin runs together are enough, where the alert looks at two.
    let together = create(&app, &below(&receiver, &json!({ "name": "two", "over": "2 runs" })));
    run(&app, &clock, 2, &together);
    assert_eq!(run(&app, &clock, 2, &together)["state"], "no_data");
}

#[test]
fn answers_outside_a_batch_are_one_run_a_minute_later() {
    let receiver = Receiver::start([]);
    let (app, clock) = runs(&[WITHOUT, WITHOUT]);
    let alert = create(&app, &below(&receiver, &json!({})));
    let mut number = 0;
    for state in ["pending", "firing"] {
        for _ in 0..5 {
            number += 1;
            let path = format!("/scrapers/chatgpt/jobs?prompt=p{number}&track=acme");
            app.ended(app.post(&path).expect(202)["job_id"].as_str().unwrap());
        }
        clock.advance_ms(60_000);
        let now = evaluated(&app, &alert);
        assert_eq!((&now["state"], &now["sample"]), (&json!(state), &json!(5)));
    }
    receiver.told();
    assert_eq!(delivered(&app, &alert)["notice_count"], 1);
}

#[test]
fn paused_alert_is_not_evaluated_and_begins_from_the_start() {
    let receiver = Receiver::start([]);
    let (app, clock) = runs(&[WITHOUT; 6]);
    let alert = create(&app, &below(&receiver, &json!({})));
    let other = create(&app, &below(&receiver, &json!({ "name": "other", "threshold": 0.2 })));
    assert_eq!(run(&app, &clock, 5, &alert)["state"], "pending");
    let pause = |paused: bool| {
        app.send("PATCH", &alert, &[], &json!({ "paused": paused }).to_string()).expect(200)
    };
    assert_eq!(pause(true)["paused"], true);
    let before = app.get(&alert).expect(200);
    run(&app, &clock, 5, &other);
    run(&app, &clock, 5, &other);
    assert_eq!(app.get(&alert).expect(200), before);
    let resumed = pause(false);
    assert_eq!((&resumed["state"], &resumed["paused"]), (&json!("no_data"), &json!(false)));
    assert_eq!(run(&app, &clock, 5, &alert)["state"], "pending");
    assert_eq!(run(&app, &clock, 5, &alert)["state"], "firing");
    // One of each.
    assert_ne!(receiver.told().json()["alert"], receiver.told().json()["alert"]);
    assert_eq!(delivered(&app, &alert)["notice_count"], 1);
}

#[test]
fn threshold_that_is_changed_begins_from_the_start() {
    let receiver = Receiver::start([]);
    let (app, clock) = runs(&[WITH; 6]);
    let alert = create(&app, &below(&receiver, &json!({})));
    run(&app, &clock, 5, &alert);
    let change = json!({ "threshold": null });
    let refused = app.send("PATCH", &alert, &[], &change.to_string());
    assert_eq!(refused.code(), "alert_invalid");
    let change = json!({ "name": "renamed", "over": "2 runs" });
    let changed = app.send("PATCH", &alert, &[], &change.to_string()).expect(200);
    assert_eq!((&changed["state"], &changed["over"]), (&json!("no_data"), &json!("2 runs")));
    run(&app, &clock, 5, &alert);
    let now = run(&app, &clock, 5, &alert);
    assert_eq!((&now["value"], &now["sample"]), (&json!(1.0), &json!(10)));
    assert_eq!(now["name"], "renamed");
}

#[test]
fn domains_that_appear_and_vanish_are_named_once() {
    let receiver = Receiver::start([]);
    let old = &["https://old.example/a"][..];
    let new = &["https://www.new.com/b"][..];
    let mut steps = Vec::new();
    for pages in [old, old, new, new, new] {
        let both: Vec<&str> = pages.iter().copied().chain(["https://stays.org/c"]).collect();
        steps.extend(answers(5, WITH, &both));
    }
    let (app, clock) = manual(Builder::new().scripted("chatgpt", &Scripted::new("script", steps)));
    let watch = |name: &str, when: &str| {
        create(
            &app,
            &json!({ "name": name, "when": when, "tracker": "acme", "over": "1 run",
                "to": { "webhook": receiver.url() } }),
        )
    };
    let appeared = watch("appeared", "domain_appeared");
    let vanished = watch("vanished", "domain_vanished");
    for _ in 0..5 {
        ask(&app, &clock, 5);
        evaluated(&app, &appeared);
        evaluated(&app, &vanished);
    }
    let mut told = [receiver.told().json(), receiver.told().json()];
    told.sort_by_key(|told| told["when"].to_string());
    let rows = |told: &Value| {
        told["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["subject"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&told[0]), [json!("new.com")]);
    assert_eq!(told[0]["rows"][0]["share"], 1.0);
    assert_eq!(rows(&told[1]), [json!("old.example")]);
    assert_eq!(told[1]["rows"][0]["hits"], 0);
    for alert in [&appeared, &vanished] {
        assert_eq!(delivered(&app, alert)["notice_count"], 1);
    }
    assert!(!receiver.told_more());
}

#[test]
fn unhealthy_scraper_is_noticed_after_two_looks() {
    let receiver = Receiver::start([]);
    let steps = (0..6).map(|_| fail(Reason::Unreachable));
    let script = Scripted::new("script", steps);
    let (app, clock) = manual(Builder::new().scripted("chatgpt", &script).set("RETRY__RETRIES", 0));
    let alert = create(
        &app,
        &json!({ "name": "sick", "when": "scraper_unhealthy", "scraper": "chatgpt",
            "to": { "webhook": receiver.url() } }),
    );
    assert_eq!(evaluated(&app, &alert)["state"], "no_data");
    for prompt in 0..5 {
        let job = app.post(&format!("/scrapers/chatgpt/jobs?prompt=p{prompt}")).expect(202);
        app.ended(job["job_id"].as_str().unwrap());
    }
    clock.advance_ms(60_000);
    let now = evaluated(&app, &alert);
    assert_eq!((&now["state"], &now["sample"]), (&json!("pending"), &json!(5)));
    // No other job is needed for the second look.
    clock.advance_ms(60_000);
    assert_eq!(evaluated(&app, &alert)["state"], "firing");
    let told = receiver.told().json();
    let row = json!({ "subject": "chatgpt", "hits": 0, "total": 5, "share": 0.0,
        "cost_usd": null });
    assert_eq!(told["rows"], json!([row]));
    let sentence = "Of the 5 attempts at chatgpt in the last hour 0 % succeeded, less than 50 %.";
    assert_eq!(told["message"], sentence);
    assert_eq!(told["links"]["report"], Value::Null);
    assert_eq!(delivered(&app, &alert)["notice_count"], 1);
}

#[test]
fn budget_is_noticed_once_a_day() {
    let receiver = Receiver::start([]);
    let usage = UpstreamUsage {
        cost: Some(Cost { nano_usd: 600_000_000, from: CostFrom::Provider }),
        ..UpstreamUsage::default()
    };
    let costing = || Step::Answer(Box::new(Answer { usage: usage.clone(), ..answer("x") }));
    let script = Scripted::new("script", (0..6).map(|_| costing()));
    let (app, clock) = manual(Builder::new().scripted("chatgpt", &script));
    let budget = json!({ "name": "spent", "when": "budget_reached", "threshold": 1,
        "to": { "webhook": receiver.url() } });
    let alert = create(&app, &budget);
    let mut number = 0;
    let mut spend = || {
        number += 1;
        let job = app.post(&format!("/scrapers/chatgpt/jobs?prompt=p{number}")).expect(202);
        app.ended(job["job_id"].as_str().unwrap());
        clock.advance_ms(1_000);
        evaluated(&app, &alert)
    };
    assert_eq!(spend()["state"], "ok");
    let now = spend();
    assert_eq!((&now["state"], &now["value"]), (&json!("firing"), &json!(1.2)));
    assert_eq!(spend()["notice_count"], 1);
    let told = receiver.told().json();
    assert_eq!(told["message"], "The jobs of the key have cost 1.2 USD today (UTC).");
    let row = json!({ "subject": "script", "hits": 2, "total": 2, "share": null, "cost_usd": 1.2 });
    assert_eq!(told["rows"], json!([row]));
    clock.advance_ms(86_400_000);
    let over = app.get(&alert).expect(200);
    assert_eq!(over["state"], "ok");
    assert_eq!(spend()["state"], "ok");
    assert_eq!(spend()["notice_count"], 2);
    receiver.told();
    // Without a cap of the key there is no threshold to take from it.
    let mut without = budget.clone();
    without["name"] = json!("cap");
    without["threshold"] = Value::Null;
    let refused = app.post_with("/alerts", &[], &without.to_string());
    assert_eq!(refused.code(), "alert_invalid");
    assert!(refused.text.contains("`usd_per_day`"), "{}", refused.text);
}

#[test]
fn budget_without_a_threshold_is_the_cap_of_the_key_and_other_keys_do_not_count() {
    let receiver = Receiver::start([]);
    let usage = UpstreamUsage {
        cost: Some(Cost { nano_usd: 600_000_000, from: CostFrom::Provider }),
        ..UpstreamUsage::default()
    };
    let costing = || Step::Answer(Box::new(Answer { usage: usage.clone(), ..answer("x") }));
    let script = Scripted::new("script", (0..6).map(|_| costing()));
    let builder = Builder::new().config(&keys("usd_per_day = 1.0")).scripted("chatgpt", &script);
    let (builder, clock) = builder
        .env("ANSWERD_WEBHOOK_SECRET", crate::receiver::SECRET)
        .set("WEBHOOKS__ALLOW_HOSTS", crate::webhooks::ALLOW_LOOPBACK)
        .manual();
    let app = builder.start();
    let budget = json!({ "name": "spent", "when": "budget_reached",
        "to": { "webhook": receiver.url() } });
    app.post_with("/alerts", &A, &budget.to_string()).expect(201);
    for (prompt, key) in [("a", &B), ("b", &B), ("c", &A), ("d", &A)] {
        let path = format!("/scrapers/chatgpt/jobs?prompt={prompt}");
        app.ended(app.post_with(&path, key, "").expect(202)["job_id"].as_str().unwrap());
        clock.advance_ms(1_000);
    }
    let told = receiver.told().json();
    assert_eq!((&told["value"], &told["links"]), (&json!(1.2), &Value::Null));
    until(|| {
        let all = app.get_with("/alerts", &A).expect(200);
        (all["alerts"][0]["state"] == "firing").then_some(())
    });
    assert!(!receiver.told_more());
}
