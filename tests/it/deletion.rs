//! Jobs that go before their time: those of a label, and those that ask to be kept for a shorter time.

use answerd::job::Reason;
use serde_json::{Value, json};

use crate::app::{App, Builder, Gate, Scripted, Step, fail};
use crate::limits::{A, B, keys};
use crate::providers::cases;
use crate::providers::server::Provider;

fn submit(app: &App, key: &[(&str, &str)], query: &str) -> String {
    let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), key, "");
    reply.expect(202)["job_id"].as_str().unwrap().to_owned()
}

fn delete(app: &App, query: &str) -> Value {
    app.method_with("DELETE", &format!("/jobs?{query}"), &A).expect(200)
}

fn counts(deletion: &Value) -> [u64; 7] {
    let fields =
        ["jobs", "results", "raw", "evidence", "cache_entries", "webhooks_pending", "unfinished"];
    fields.map(|field| deletion[field].as_u64().unwrap())
}

#[test]
fn finished_jobs_of_a_label_go_with_all_that_was_kept_of_them() {
    let gate = Gate::default();
    let upstream = Scripted::new("s", [fail(Reason::Refused), Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .config(&keys(""))
        .env("ANSWERD_WEBHOOK_SECRET", crate::receiver::SECRET)
        .set("WEBHOOKS__ALLOW_HOSTS", "[\"127.0.0.1\"]")
        .set("RETRY__RETRIES", 0)
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .start();
    // No server has this address, so that the webhook stays pending.
    let hook = "webhook_url=http%3A%2F%2F127.0.0.1%3A1%2Fhook";
    let failed = submit(&app, &A, &format!("prompt=failed&label=gone&{hook}"));
    app.ended(&failed);
    crate::app::until(|| {
        let status = app.get_with(&format!("/jobs/{failed}/webhook"), &A).expect(200);
        (status["attempts"] == 1).then_some(())
    });
    let running = submit(&app, &A, "prompt=running&label=gone");
    gate.arrived(1);
    gate.open();
    app.ended(&running);
    let long = "long".repeat(400);
    let done = submit(&app, &A, &format!("prompt={long}&label=gone"));
    app.ended(&done);
    let cached = submit(&app, &A, &format!("prompt={long}&label=gone"));
    let kept = submit(&app, &A, &format!("prompt={long}&label=gone2"));
    let theirs = submit(&app, &B, "prompt=theirs&label=gone");
    app.ended(&theirs);
    let before = upstream.asked();

    let counted = delete(&app, "label=gone&dry_run=true");
    assert_eq!(counts(&counted), [4, 3, 0, 0, 2, 1, 0], "{counted:#}");
    assert_eq!((&counted["label"], &counted["dry_run"]), (&json!("gone"), &json!(true)));
    assert_eq!(app.ended(&done)["status"], "done", "it was only counted");
    let mut deleted = delete(&app, "label=gone");
    assert_eq!(deleted["dry_run"], false);
    deleted["dry_run"] = true.into();
    assert_eq!(deleted, counted);
    for id in [&failed, &running, &done, &cached] {
        assert_eq!(app.get(&format!("/jobs/{id}")).code(), "job_not_found");
    }
    assert_eq!(app.get(&format!("/md/{done}.md")).code(), "job_not_found");
    assert_eq!(app.ended(&kept)["result"]["cached"], true);
    assert_eq!(app.ended(&theirs)["status"], "done");
    assert_eq!(counts(&delete(&app, "label=gone")), [0; 7]);
    let jobs = app.get_with("/jobs", &A).expect(200);
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "{jobs:#}");

    // What was deleted answers nobody any more.
    app.ended(&submit(&app, &A, &format!("prompt={long}")));
    assert_eq!(upstream.asked(), before + 1);
    let app = app.restart();
    assert_eq!(app.get(&format!("/jobs/{done}")).code(), "job_not_found");
    clock.advance_ms(86_400_000);
}

#[test]
fn jobs_that_are_named_are_deleted_and_no_others() {
    let gate = Gate::default();
    let upstream = Scripted::new("s", [fail(Reason::Refused)]);
    let app = Builder::new()
        .config(&keys(""))
        .scripted("chatgpt", &upstream)
        .scripted("grok", &Scripted::new("s2", [Step::Hold(gate.clone())]))
        .start();
    let failed = submit(&app, &A, "prompt=failed&label=l");
    app.ended(&failed);
    let done = submit(&app, &A, "prompt=done");
    let kept = submit(&app, &A, "prompt=kept&label=l");
    let theirs = submit(&app, &B, "prompt=theirs");
    for id in [&done, &kept, &theirs] {
        app.ended(id);
    }
    let running = app.post_with("/scrapers/grok/jobs?prompt=x", &A, "").expect(202);
    let running = running["job_id"].as_str().unwrap();
    gate.arrived(1);
    let ids = format!("ids={failed},{done},{running},{done}");
    let counted = delete(&app, &format!("{ids}&dry_run=true"));
    assert_eq!(counts(&counted), [2, 1, 0, 0, 1, 0, 1], "{counted:#}");
    assert_eq!(counted["label"], Value::Null);
    let refused = app.method_with("DELETE", &format!("/jobs?ids={failed},{theirs}"), &A);
    assert_eq!((refused.status, refused.code().as_str()), (404, "job_not_found"));
    assert_eq!(refused.json()["job_id"], theirs.as_str());
    assert_eq!(app.ended(&failed)["status"], "failed", "nothing is deleted then");
    assert_eq!(counts(&delete(&app, &ids)), counts(&counted));
    for id in [&failed, &done] {
        assert_eq!(app.get(&format!("/jobs/{id}")).code(), "job_not_found");
    }
    gate.open();
    for id in [&kept, &theirs, running] {
        assert_eq!(app.ended(id)["status"], "done");
    }
}

#[test]
fn jobs_that_have_not_ended_stay_and_are_counted() {
    let gate = Gate::default();
    let upstream = Scripted::new("s", [Step::Hold(gate.clone())]);
    let app = Builder::new().config(&keys("")).scripted("chatgpt", &upstream).start();
    let id = submit(&app, &A, "prompt=x&label=l");
    gate.arrived(1);
    assert_eq!(counts(&delete(&app, "label=l")), [0, 0, 0, 0, 0, 0, 1]);
    gate.open();
    assert_eq!(app.ended(&id)["status"], "done");
    assert_eq!(counts(&delete(&app, "label=l"))[0], 1);
}

#[test]
fn more_jobs_than_one_step_takes_are_deleted() {
    let app = Builder::new().config(&keys("")).scripted("chatgpt", &Scripted::new("s", [])).start();
    let items: Vec<Value> = (0..600).map(|n| json!({ "prompt": format!("p{n}") })).collect();
    let batch = json!({ "scraper": "chatgpt", "label": "many", "items": items }).to_string();
    let batch = app.post_with("/batches", &A, &batch).expect(202);
    let path = format!("/batches/{}", batch["batch_id"].as_str().unwrap());
    let ended = app.get(&format!("{path}?wait=30&fields=status")).expect(200);
    assert_eq!(ended["counts"]["done"], 600, "{ended:#}");
    assert_eq!(counts(&delete(&app, "label=many"))[..2], [600, 600]);
    let after = app.get(&path).expect(200);
    assert_eq!((&after["counts"]["done"], &after["items"]), (&json!(600), &json!([])), "{after:#}");
}

#[test]
fn a_deletion_that_does_not_say_what_is_refused() {
    let app = Builder::new().config(&keys("")).start();
    for (query, code) in [
        ("", "label_missing"),
        ("label=", "label_missing"),
        ("dry_run=true", "label_missing"),
        ("label=a&label=b", "parameter_repeated"),
        ("ids=1", "parameter_invalid"),
        ("label=a&ids=0d2c7b54-8a3e-4f1b-b6b1-2f3a9c7d5e10", "parameter_invalid"),
        ("label=a&dry_run=perhaps", "parameter_invalid"),
        ("label=a&dryrun=true", "parameter_invalid"),
        ("label=a%00", "label_invalid"),
    ] {
        let reply = app.method_with("DELETE", &format!("/jobs?{query}"), &A);
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{query}");
    }
    assert_eq!(app.method("DELETE", "/jobs?label=a").code(), "key_missing");
}

#[test]
fn a_job_expires_with_its_raw_replies_after_the_hours_that_it_asks_for() {
    const HOUR_MS: u64 = 3_600_000;
    let case = cases::named("compatible");
    let provider = Provider::always(case.replies().remove(0));
    let (builder, clock) = case.builder(&provider).manual();
    let app = builder.start();
    let path = format!("/scrapers/{}/jobs?prompt=x", case.scraper);
    let submit = |more: &str| app.post(&format!("{path}{more}"));
    let id = |more: &str| submit(more).expect(202)["job_id"].as_str().unwrap().to_owned();
    let (short, long) = (id("&retain_hours=1&raw=true"), id("&raw=true"));
    assert_eq!(app.ended(&short)["expires_at"], "2026-05-11T13:00:00+00:00");
    assert_eq!(app.ended(&long)["expires_at"], "2026-05-12T12:00:00+00:00");
    let raw = |id: &str| app.get(&format!("/jobs/{id}/raw"));
    clock.advance_ms(HOUR_MS - 1);
    assert_eq!((raw(&short).status, raw(&long).status), (200, 200));
    clock.advance_ms(1);
    assert_eq!(app.get(&format!("/jobs/{short}")).code(), "job_not_found");
    assert_eq!((raw(&short).code().as_str(), raw(&long).status), ("job_not_found", 200));

    for (more, detail) in [
        ("&retain_hours=25", "1 to 24 hours, as long as this service keeps jobs; given: `25`."),
        ("&retain_hours=0", "given: `0`"),
        ("&retain_hours=2161", "given: `2161`"),
    ] {
        let reply = submit(more);
        assert_eq!((reply.status, reply.code().as_str()), (400, "retain_hours_invalid"), "{more}");
        let told = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(told.ends_with(detail) || told.contains(detail), "{told}");
    }
    let batch = submit("&samples=2&retain_hours=2").expect(202);
    let batch = app.get(&format!("/batches/{}", batch["batch_id"].as_str().unwrap())).expect(200);
    assert_eq!(batch["expires_at"], "2026-05-11T15:00:00+00:00");
}
