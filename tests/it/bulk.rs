//! Actions on all jobs that match a filter, and the list of batches. Contract part 2.

use answerd::job::Reason;
use serde_json::{Value, json};

use crate::app::{App, Builder, Gate, Scripted, Step, fail};
use crate::limits::{A, B, keys};

fn submit(app: &App, headers: &[(&str, &str)], query: &str) -> String {
    let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), headers, "");
    reply.expect(202)["job_id"].as_str().unwrap().to_owned()
}

fn act(app: &App, path: &str, status: u16) -> Value {
    app.post_with(path, &A, "").expect(status)
}

fn open(upstream: &std::sync::Arc<Scripted>) -> App {
    Builder::new()
        .config(&keys(""))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", upstream)
        .start()
}

#[test]
fn what_has_failed_is_submitted_again_as_one_batch() {
    let refused = || fail(Reason::Refused);
    let upstream = Scripted::new("script", [refused(), refused(), refused()]);
    let app = open(&upstream);
    let first = submit(&app, &A, "prompt=one&label=l&country=DE&timeout=77&retain_hours=2");
    let other = submit(&app, &A, "prompt=other&label=m");
    let theirs = submit(&app, &B, "prompt=theirs&label=l");
    for id in [&first, &other, &theirs] {
        assert_eq!(app.ended(id)["status"], "failed");
    }
    app.ended(&submit(&app, &A, "prompt=fine&label=l"));

    let counted = act(&app, "/jobs/retry?label=l&dry_run=true", 200);
    let nothing = json!({
        "dry_run": true, "matched": 1, "changed": 0, "batch_id": null, "next_cursor": null,
    });
    assert_eq!(counted, nothing);
    let sent = A.into_iter().chain([("idempotency-key", "once")]).collect::<Vec<_>>();
    let reply = app.post_with("/jobs/retry?label=l", &sent, "");
    let location = reply.headers["location"].clone();
    let done = reply.expect(202);
    assert_eq!((&done["matched"], &done["changed"]), (&1.into(), &1.into()));
    let batch = app.get(&format!("{location}?wait=30")).expect(200);
    assert_eq!((&batch["batch_id"], &batch["label"]), (&done["batch_id"], &json!("l")));
    let again = app.ended(batch["items"][0]["job_id"].as_str().unwrap());
    assert_eq!(again["status"], "done");
    for field in ["prompt", "country", "label"] {
        assert_eq!(again[field], app.ended(&first)[field]);
    }
    let asked = |id: &str| {
        let mut body = app.get_with(&format!("/jobs/{id}/attempts"), &A).expect(200);
        body["parameters"].take()
    };
    assert_eq!(asked(again["job_id"].as_str().unwrap()), asked(&first));
    let hours = |job: &Value| {
        let at = |name: &str| answerd::clock::parse_moment(job[name].as_str().unwrap()).unwrap();
        (at("expires_at").first_ms - at("created_at").first_ms) / 3_600_000
    };
    assert_eq!(hours(&again), 2, "it is kept no longer than it was to be");

    let repeated = app.post_with("/jobs/retry?label=l", &sent, "");
    assert_eq!(repeated.headers["idempotency-replayed"], "true");
    assert_eq!(repeated.expect(202)["batch_id"], done["batch_id"]);
    let by_code = act(&app, "/jobs/retry?error_code=answer_refused&country=us", 202);
    assert_eq!(by_code["matched"], 1, "only the other one: {by_code}");
    assert_eq!(act(&app, "/jobs/retry?label=none", 200)["matched"], 0);
}

#[test]
fn what_waits_is_canceled_by_a_filter_and_the_rest_stays() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = open(&upstream);
    let running = submit(&app, &A, "prompt=runs&label=keep");
    gate.arrived(1);
    let waiting: Vec<String> =
        (0..3).map(|n| submit(&app, &A, &format!("prompt=p{n}&label=drop"))).collect();
    let theirs = submit(&app, &B, "prompt=theirs&label=drop");
    assert_eq!(act(&app, "/jobs/cancel?label=drop&dry_run=true", 200)["matched"], 3);
    let done = act(&app, "/jobs/cancel?label=drop", 200);
    assert_eq!((&done["matched"], &done["changed"]), (&3.into(), &3.into()));
    for id in &waiting {
        assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["error_code"], "canceled");
    }
    for id in [&running, &theirs] {
        assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["status"], "pending");
    }
    gate.open();
    assert_eq!(app.ended(&running)["status"], "done");
    assert_eq!(app.ended(&theirs)["status"], "done");
}

#[test]
fn canceled_jobs_are_listed_and_retried_apart_from_other_failed_ones() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [fail(Reason::Refused), Step::Hold(gate.clone())]);
    let app = open(&upstream);
    let failed = submit(&app, &A, "prompt=failed&label=l");
    app.ended(&failed);
    let canceled = submit(&app, &A, "prompt=canceled&label=l");
    gate.arrived(1);
    app.method_with("DELETE", &format!("/jobs/{canceled}"), &A).expect(200);
    let ids = |query: &str| -> Vec<Value> {
        let mut page = app.get_with(&format!("/jobs?{query}"), &A).expect(200);
        let jobs = page["jobs"].as_array_mut().unwrap().iter_mut();
        jobs.map(|job| job["job_id"].take()).collect()
    };
    assert_eq!(ids("status=failed"), [canceled.clone(), failed.clone()]);
    assert_eq!(ids("status=failed&canceled=false"), [failed]);
    assert_eq!(ids("canceled=true"), [canceled]);
    for (query, matched) in [("", 2), ("&canceled=false", 1), ("&canceled=true", 1)] {
        let counted = act(&app, &format!("/jobs/retry?label=l&dry_run=true{query}"), 200);
        assert_eq!(counted["matched"], matched, "{query}");
    }
    let again = act(&app, "/jobs/retry?label=l&canceled=true", 202);
    let batch = app.get(&format!("/batches/{}", again["batch_id"].as_str().unwrap())).expect(200);
    let job = batch["items"][0]["job_id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/jobs/{job}")).expect(200)["prompt"], "canceled");
    gate.open();
}

#[test]
fn jobs_that_are_named_are_retried_or_canceled_and_no_others() {
    let gate = Gate::default();
    let refused = || fail(Reason::Refused);
    let upstream =
        Scripted::new("script", [refused(), refused(), refused(), Step::Hold(gate.clone())]);
    let app = open(&upstream);
    let failed: Vec<String> =
        (0..3).map(|n| submit(&app, &A, &format!("prompt=p{n}&label=l"))).collect();
    failed.iter().for_each(|id| drop(app.ended(id)));
    let pending = submit(&app, &A, "prompt=pending");
    gate.arrived(1);
    let theirs = submit(&app, &B, "prompt=theirs");
    let ids = format!("{},{pending},%20{},{}", failed[0], failed[2], failed[0]);
    let done = act(&app, &format!("/jobs/retry?ids={ids}"), 202);
    assert_eq!((&done["matched"], &done["changed"]), (&2.into(), &2.into()), "{done}");
    let batch = done["batch_id"].as_str().unwrap();
    let again = app.get(&format!("/batches/{batch}")).expect(200);
    let prompt = |item: usize| {
        let id = again["items"][item]["job_id"].as_str().unwrap();
        app.get(&format!("/jobs/{id}")).expect(200)["prompt"].take()
    };
    assert_eq!([prompt(0), prompt(1)], ["p0", "p2"].map(Value::from));
    // The parameter may be there several times, as some clients write a list.
    let counted = act(&app, &format!("/jobs/cancel?ids={pending}&ids={ids}&dry_run=true"), 200);
    assert_eq!((&counted["matched"], &counted["changed"]), (&1.into(), &0.into()));
    // One that is not there or another key's is named, and nothing is changed.
    for gone in [&theirs, "00000000-0000-4000-8000-000000000000"] {
        let reply = app.post_with(&format!("/jobs/cancel?ids={pending},{gone}"), &A, "");
        assert_eq!((reply.status, reply.code().as_str()), (404, "job_not_found"));
        assert_eq!(reply.json()["job_id"], gone);
    }
    assert_eq!(app.get(&format!("/jobs/{pending}")).expect(200)["status"], "pending");
    assert_eq!(act(&app, &format!("/jobs/cancel?ids={pending}"), 200)["changed"], 1);
    let many = vec![pending.as_str(); 1_001].join(",");
    for query in [
        format!("ids={pending}&label=l"),
        "ids=".to_owned(),
        "ids=1".to_owned(),
        format!("ids={many}"),
    ] {
        let reply = app.post_with(&format!("/jobs/cancel?{query}"), &A, "");
        assert_eq!((reply.status, reply.code().as_str()), (400, "parameter_invalid"));
        assert!(reply.json()["detail"].as_str().unwrap().contains("`ids`"), "{reply:?}");
    }
    gate.open();
}

#[test]
fn an_action_without_a_filter_or_with_a_misspelt_one_changes_nothing() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = open(&upstream);
    let id = submit(&app, &A, "prompt=x");
    for (path, code, says) in [
        ("/jobs/cancel", "filter_missing", "`batch`"),
        ("/jobs/cancel?status=pending", "filter_missing", "`batch`"),
        ("/jobs/retry?canceled=false", "filter_missing", "`batch`"),
        ("/jobs/retry?label=x&canceled=perhaps", "parameter_invalid", "`perhaps`"),
        ("/jobs/cancel?lable=x", "parameter_invalid", "`lable`"),
        ("/jobs/cancel?label=x&dry_run=perhaps", "parameter_invalid", "`perhaps`"),
        ("/jobs/cancel?status=failed&label=x", "status_invalid", "`failed`"),
        ("/jobs/retry?status=pending&label=x", "status_invalid", "`pending`"),
        ("/jobs/retry?error_code=slow", "error_code_invalid", "`slow`"),
        ("/jobs/retry?batch=1", "batch_id_invalid", "`1`"),
    ] {
        let reply = app.post_with(path, &A, "");
        assert_eq!(reply.status, 400, "{path}");
        assert_eq!(reply.code(), code, "{path}");
        assert!(reply.json()["detail"].as_str().unwrap().contains(says), "{path}: {reply:?}");
    }
    assert_eq!(app.post_with("/jobs/cancel?label=x", &[], "").code(), "key_missing");
    gate.open();
    assert_eq!(app.ended(&id)["status"], "done");
}

#[test]
fn a_key_lists_its_own_batches_newest_first_in_pages() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = open(&upstream);
    let batch = |label: &str, headers: &[(&str, &str)]| {
        let body = json!({ "label": label, "scraper": "chatgpt", "items": [{ "prompt": "x" }] });
        let batch = app.post_with("/batches", headers, &body.to_string()).expect(202);
        batch["batch_id"].as_str().unwrap().to_owned()
    };
    let ids: Vec<String> = (0..3).map(|n| batch(&format!("b{n}"), &A)).collect();
    batch("theirs", &B);
    let list = |query: &str| app.get_with(&format!("/batches?{query}"), &A).expect(200);
    let labels = |page: &Value| -> Vec<String> {
        let batches = page["batches"].as_array().unwrap().iter();
        batches.map(|batch| batch["label"].as_str().unwrap().to_owned()).collect()
    };
    let first = list("limit=2");
    assert_eq!(labels(&first), ["b2", "b1"]);
    assert!(first["batches"][0]["items"].is_null() && first["batches"][0]["counts"]["items"] == 1);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(labels(&list(&format!("limit=2&cursor={cursor}"))), ["b0"]);
    assert_eq!(labels(&list("label=b1")), ["b1"]);
    gate.open();
    for id in &ids {
        app.get(&format!("/batches/{id}?wait=30")).expect(200);
    }
    assert_eq!(labels(&list("status=done")).len(), 3);
    assert!(labels(&list("status=pending")).is_empty());
    assert_eq!(labels(&list("until=2001-01-01")), Vec::<String>::new());
    assert_eq!(app.get_with("/batches?status=failed", &A).code(), "status_invalid");
    assert_eq!(app.get("/batches").code(), "key_missing");
}

#[test]
fn the_jobs_of_a_batch_are_found_by_its_id_whatever_came_after_it() {
    let app = open(&Scripted::new("script", []));
    let body = json!({ "scraper": "chatgpt", "prompts": ["a", "b", "c"] });
    let batch = app.post_with("/batches", &A, &body.to_string()).expect(202);
    let id = batch["batch_id"].as_str().unwrap();
    submit(&app, &A, "prompt=later");
    let list = |query: &str| app.get_with(&format!("/jobs?batch={id}&{query}"), &A).expect(200);
    let prompts = |page: &Value| -> Vec<String> {
        let jobs = page["jobs"].as_array().unwrap().iter();
        jobs.map(|job| job["prompt"].as_str().unwrap().to_owned()).collect()
    };
    let first = list("limit=2");
    assert_eq!(prompts(&first), ["c", "b"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = list(&format!("limit=2&cursor={cursor}"));
    assert_eq!(prompts(&second), ["a"]);
    let all = list("limit=3");
    assert_eq!(prompts(&all), ["c", "b", "a"]);
    if let Some(cursor) = all["next_cursor"].as_str() {
        assert!(prompts(&list(&format!("cursor={cursor}"))).is_empty());
    }
    let job = batch["items"][0]["job_id"].as_str().unwrap();
    let none = app.get_with(&format!("/jobs?batch={job}"), &A).expect(200);
    assert_eq!(none["jobs"], json!([]), "a job's id is no batch's");
}
