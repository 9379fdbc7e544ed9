//! What is no alert is refused with the rule; alerts are a key's own; a thousand cost nothing.

use serde_json::{Value, json};

use super::{below, create, manual};
use crate::app::{Builder, until};
use crate::child::{Served, answerd, store_directory};
use crate::limits::{A, B, keys};
use crate::receiver::{Receiver, SECRET};
use crate::webhooks::ALLOW_LOOPBACK;

#[test]
fn what_is_no_alert_is_refused_with_parameter_rule_and_value() {
    let receiver = Receiver::start([]);
    let (app, _clock) = manual(Builder::new());
    create(&app, &below(&receiver, &json!({ "name": "taken" })));
    let to = |webhook: &str| json!({ "webhook": webhook });
    let cases = [
        (json!({ "name": null }), "alert_invalid", "`name` is required: 1 to 100 characters"),
        (json!({ "name": "" }), "alert_invalid", "`name` must be 1 to 100 characters"),
        (json!({ "name": "taken" }), "alert_name_taken", "`taken`"),
        (json!({ "when": null }), "alert_invalid", "`when` is required: one of `mention_rate"),
        (json!({ "when": "rain" }), "alert_invalid", "`budget_reached`; given: `rain`"),
        (json!({ "tracker": null }), "alert_invalid", "`tracker` is required with `mention"),
        (json!({ "tracker": "A b" }), "alert_invalid", "`tracker` must be the name of a tracker"),
        (json!({ "tracker": "none" }), "tracker_not_found", "`none`"),
        (
            json!({ "brand": "Initech" }),
            "alert_invalid",
            "`brand` must be a brand of the tracker `acme`: Acme, Globex; given: `Initech`",
        ),
        (json!({ "brand": 1 }), "alert_invalid", "`brand` must be a text that is not empty"),
        (json!({ "scraper": "gone" }), "scraper_unknown", "`gone`"),
        (json!({ "threshold": null }), "alert_invalid", "`threshold` is required with"),
        (
            json!({ "threshold": 0 }),
            "alert_invalid",
            "above 0 and below 1, such as 0.3; given: `0`",
        ),
        (json!({ "threshold": 1 }), "alert_invalid", "given: `1`"),
        (json!({ "threshold": "0.3" }), "alert_invalid", "`threshold` must be a share"),
        (
            json!({ "over": "forever" }),
            "alert_invalid",
            "`over` must be `1 runs` to `10 runs` or `1 days` to `90 days`; given: `forever`",
        ),
        (json!({ "over": 3 }), "alert_invalid", "given: `3`"),
        (json!({ "to": null }), "alert_invalid", "`to` is required: an object with `webhook`"),
        (json!({ "to": "https://a.example" }), "alert_invalid", "`to` must be an object"),
        (json!({ "to": {} }), "alert_invalid", "`to.webhook` must be an http(s) address"),
        (
            json!({ "to": to("ftp://a.example") }),
            "alert_invalid",
            "`to.webhook` must be an http(s)",
        ),
        (json!({ "to": to("http://10.0.0.1/") }), "alert_invalid", "public address"),
        (
            json!({ "to": { "webhook": receiver.url(), "format": "email" } }),
            "alert_invalid",
            "`to.format` must be `standard`, `slack` or `discord`; given: `email`",
        ),
        (
            json!({ "to": { "webhook": receiver.url(), "channel": "x" } }),
            "alert_invalid",
            "given: `channel`",
        ),
        (json!({ "paused": 1 }), "alert_invalid", "`paused` must be `true` or `false`"),
        (json!({ "treshold": 0.3 }), "alert_invalid", "no field `treshold`"),
        (
            json!({ "when": "scraper_unhealthy", "threshold": null }),
            "alert_invalid",
            "`tracker` must be left out with `scraper_unhealthy`; given: `acme`",
        ),
        (
            json!({ "when": "scraper_unhealthy", "tracker": null, "over": null }),
            "alert_invalid",
            "`scraper` is required with `scraper_unhealthy`",
        ),
        (
            json!({ "when": "budget_reached", "tracker": null }),
            "alert_invalid",
            "`over` must be left out with `budget_reached`",
        ),
        (
            json!({ "when": "budget_reached", "tracker": null, "over": null, "threshold": -1 }),
            "alert_invalid",
            "US dollars in a day, above 0 and at most 1000000, such as 5; given: `-1`",
        ),
    ];
    for (change, code, words) in cases {
        let body = below(&receiver, &json!({ "name": "new" }));
        let mut body = body;
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = app.post_with("/alerts", &[], &body.to_string());
        assert_eq!(reply.code(), code, "{change}: {}", reply.text);
        assert!(reply.text.contains(words), "{change}: {}", reply.text);
    }
    assert_eq!(app.post_with("/alerts", &[], "[]").code(), "body_invalid");
    let all = app.get("/alerts").expect(200);
    assert_eq!(all["alerts"].as_array().unwrap().len(), 1);
    let alert = format!("/alerts/{}", all["alerts"][0]["alert_id"].as_str().unwrap());
    for (change, words) in [
        (json!({ "when": "domain_appeared" }), "`when` cannot be changed"),
        (json!({ "threshold": 7 }), "given: `7`"),
        (json!({ "colour": 7 }), "no field `colour`"),
    ] {
        let reply = app.send("PATCH", &alert, &[], &change.to_string());
        assert_eq!(reply.code(), "alert_invalid", "{change}");
        assert!(reply.text.contains(words), "{change}: {}", reply.text);
    }
    assert_eq!(app.get("/alerts/none").code(), "alert_not_found");
}

#[test]
fn alerts_are_the_key_s_own_and_go_with_their_notices() {
    let receiver = Receiver::start([]);
    let app = Builder::new()
        .config(&keys(""))
        .env("ANSWERD_WEBHOOK_SECRET", SECRET)
        .set("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK)
        .start();
    let brands = r#"{"brands":[{"name":"Acme"}]}"#;
    app.put("/trackers/acme", &A, brands).expect(200);
    let alert = below(&receiver, &json!({})).to_string();
    let made = app.post_with("/alerts", &A, &alert).expect(201);
    let path = format!("/alerts/{}", made["alert_id"].as_str().unwrap());
    // The other key has no such tracker, and sees no such alert.
    assert_eq!(app.post_with("/alerts", &B, &alert).code(), "tracker_not_found");
    assert_eq!(app.get_with("/alerts", &B).expect(200), json!({ "alerts": [] }));
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/test")),
        ("PATCH", path.clone()),
    ] {
        let reply = app.send(method, &path, &B, "{}");
        assert_eq!(reply.code(), "alert_not_found", "{method}");
    }
    app.put("/trackers/acme", &B, brands).expect(200);
    app.post_with("/alerts", &B, &alert).expect(201);
    let sent = app.post_with(&format!("{path}/test"), &A, "").expect(202);
    assert_eq!(receiver.told().id(), sent["webhook_id"].as_str().unwrap());
    until(|| {
        let shown = app.get_with(&path, &A).expect(200);
        (shown["notices"][0]["state"] == "delivered").then_some(())
    });
    let removed = app.method_with("DELETE", &path, &A).expect(200);
    assert_eq!(removed["notices"].as_array().unwrap().len(), 1);
    assert_eq!(app.get_with(&path, &A).code(), "alert_not_found");
    let all = app.get_with("/alerts", &B).expect(200);
    assert_eq!(all["alerts"].as_array().unwrap().len(), 1);
}

/// A thousand alerts of which nothing changes make the scheduler neither write nor wake.
#[test]
fn a_thousand_idle_alerts_cost_nothing() {
    let receiver = Receiver::start([]);
    let (app, clock) = manual(Builder::new());
    for number in 0..1_000 {
        create(&app, &below(&receiver, &json!({ "name": format!("alert {number}") })));
    }
    let more = below(&receiver, &json!({ "name": "one too many" }));
    let full = app.post_with("/alerts", &[], &more.to_string());
    assert_eq!((full.status, full.code()), (409, "alerts_full".to_owned()));
    let passes = || app.server().service().heartbeat().unwrap();
    let commits = app.server().writer_stats().commits;
    let before = passes();
    clock.advance_ms(3_600_000);
    let after = passes();
    // One pass when the clock moves, and one for each question.
    assert!(after - before <= 4, "{} passes", after - before);
    // The counts of the hour are saved.
    assert!(app.server().writer_stats().commits - commits <= 2);
}

#[test]
fn alert_commands_make_show_test_and_remove_one() {
    let receiver = Receiver::start([]);
    let (_directory, store) = store_directory();
    let settings = [("WEBHOOK_SECRET", SECRET), ("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK)];
    let mut served = Served::start(&store, &settings);
    let brands: Value = json!({ "brands": [{ "name": "Acme" }] });
    assert_eq!(served.put("/trackers/acme", &brands).unwrap().0, 200);
    let base = served.base.clone();
    let at = |line: &[&str]| {
        let output = answerd(&[&["alert"], line, &["--url", base.as_str()]].concat(), &store);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let url = receiver.url();
    let add = ["add", "fewer", "--when", "mention-rate-below", "--tracker", "acme"];
    let rest = ["--threshold", "0.3", "--over", "7 days", "--webhook", &url, "--format", "slack"];
    let (code, id, note) = at(&[&add[..], &rest[..]].concat());
    assert_eq!((code, id.trim().len()), (0, 36), "{note}");
    assert!(note.contains("no links: set `public_url`"), "{note}");
    let (code, listed, _) = at(&["list"]);
    assert_eq!(code, 0);
    let line = "no_data\tfewer\tmention_rate_below 0.3 acme over 7 days";
    assert!(listed.contains(line), "{listed}");
    let (code, notice, _) = at(&["test", "fewer"]);
    assert_eq!((code, notice.trim().len()), (0, 36));
    assert!(receiver.told().json()["text"].as_str().unwrap().contains("Test of the alert"));
    let shown = until(|| {
        let (_, shown, _) = at(&["show", "fewer"]);
        shown.contains("  delivered  ").then_some(shown)
    });
    assert!(shown.contains("nothing has happened"), "{shown}");
    assert!(at(&["pause", id.trim()]).1.contains("\tpaused\t"));
    assert!(at(&["resume", "fewer"]).1.contains("\tno_data\t"));
    let (code, _, error) = at(&[&add[..], &rest[..]].concat());
    assert_eq!(code, 1);
    assert!(error.contains("has the name `fewer`"), "{error}");
    assert_eq!(at(&["rm", "fewer"]).0, 0);
    let (code, _, error) = at(&["show", "fewer"]);
    assert_eq!(code, 1);
    assert!(error.contains("Alert not found"), "{error}");
    assert_eq!(served.terminate(), Some(0));
}
