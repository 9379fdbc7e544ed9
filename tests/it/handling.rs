//! How a job is handled, apart from what is asked: its label, its start deadline, its idempotency
//! key. Contract part 2.

use answerd::job::Reason;

use crate::app::{App, Builder, Gate, Reply, Scripted, Step, encoded, fail};
use crate::limits::{A, B, keys};

#[test]
fn a_label_is_echoed_and_outlives_a_restart() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let label = "Run 7: \"ü\"";
    let path = format!("/scrapers/chatgpt/jobs?prompt=x&label={}", encoded(label));
    let job = app.post(&path).expect(202);
    assert_eq!(job["label"], label);
    let body = r#"{"prompt":"y","label":"in the body"}"#;
    let other = app.post_with("/scrapers/chatgpt/jobs", &[], body).expect(202);
    assert_eq!(other["label"], "in the body");
    assert!(app.post("/scrapers/chatgpt/jobs?prompt=z").expect(202)["label"].is_null());
    let id = job["job_id"].as_str().unwrap();
    app.ended(id);
    let app = app.restart();
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["label"], label);
    // The label is the job's and not the question's: another one is served from the cache.
    let again = app.post("/scrapers/chatgpt/jobs?prompt=x&label=again").expect(202);
    assert_eq!((&again["status"], &again["label"]), (&"done".into(), &"again".into()));
}

#[test]
fn wrong_labels_and_deadlines_are_refused_on_both_paths() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let long = format!("label={}", "x".repeat(201));
    for (query, code) in [
        (long.as_str(), "label_invalid"),
        ("label=a%0ab", "label_invalid"),
        ("label=a&label=b", "parameter_repeated"),
        ("start_within=0.5", "start_within_invalid"),
        ("start_within=86401", "start_within_invalid"),
        ("start_within=soon", "parameter_invalid"),
    ] {
        for reply in [
            app.get(&format!("/scrapers/chatgpt?prompt=x&{query}")),
            app.post(&format!("/scrapers/chatgpt/jobs?prompt=x&{query}")),
        ] {
            assert_eq!((reply.status, reply.code().as_str()), (400, code), "{query}");
        }
    }
    let both = app.post_with("/scrapers/chatgpt/jobs?label=a", &[], r#"{"label":"b"}"#);
    assert_eq!(both.code(), "parameter_conflict");
}

fn submit(app: &App, query: &str) -> String {
    let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), &A, "");
    reply.expect(202)["job_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_job_that_has_not_started_in_time_fails_at_that_moment() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .config(&keys("monthly_credits = 9"))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .start();
    let running = submit(&app, "prompt=running&start_within=5");
    gate.arrived(1);
    let late = submit(&app, "prompt=late&start_within=5");
    let patient = submit(&app, "prompt=patient&start_within=6");
    clock.advance_ms(4_999);
    assert_eq!(app.get(&format!("/jobs/{late}")).expect(200)["phase"], "queued");
    clock.advance_ms(1);
    let job = app.ended(&late);
    assert_eq!((&job["status"], &job["attempts"]), (&"failed".into(), &0.into()));
    assert_eq!(job["error_code"], "not_started_in_time");
    assert_eq!(job["completed_at"], "2026-05-11T12:00:05+00:00");
    // Its credits are back: the allowance covers three.
    submit(&app, "prompt=another");
    gate.open();
    assert_eq!(app.ended(&running)["status"], "done", "it had started");
    assert_eq!(app.ended(&patient)["status"], "done");
    assert!(!upstream.asked.lock().unwrap().iter().any(|asked| asked.prompt == "late"));
}

#[test]
fn a_deadline_that_passes_while_the_service_is_down_holds() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .set("HTTP__GRACE_SECONDS", 0)
        .scripted("chatgpt", &upstream)
        .start();
    app.submit("chatgpt", "running");
    gate.arrived(1);
    let reply = app.post("/scrapers/chatgpt/jobs?prompt=late&start_within=5").expect(202);
    let app = app.restart_with(|builder| {
        clock.advance_ms(5_000);
        builder
    });
    gate.open();
    let job = app.ended(reply["job_id"].as_str().unwrap());
    assert_eq!(job["error_code"], "not_started_in_time");
}

#[test]
fn a_retry_has_no_start_deadline() {
    let upstream = Scripted::new("script", [fail(Reason::Overloaded)]);
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).start();
    let reply = app.post("/scrapers/chatgpt/jobs?prompt=again&start_within=1").expect(202);
    let id = reply["job_id"].as_str().unwrap();
    app.until(id, |job| job["phase"] == "waiting_retry");
    clock.advance_ms(60_000);
    assert_eq!(app.ended(id)["status"], "done");
}

fn keyed(app: &App, key: &str, query: &str) -> Reply {
    let headers = [A[0], ("idempotency-key", key)];
    app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), &headers, "")
}

#[test]
fn a_repeated_submit_gives_the_job_that_there_is() {
    let upstream = Scripted::new("script", []);
    let (builder, clock) = Builder::new().manual();
    let app = builder.config(&keys("monthly_credits = 3")).scripted("chatgpt", &upstream).start();
    let first = keyed(&app, "k-1", "prompt=x&country=de");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let id = first.expect(202)["job_id"].as_str().unwrap().to_owned();
    let done = app.ended(&id);

    let again = keyed(&app, "k-1", "country=DE&prompt=x&unknown=1");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.headers["location"], format!("/jobs/{id}"));
    assert_eq!(again.expect(202), done, "as it is now, and above the allowance");
    let other = keyed(&app, "k-1", "prompt=y");
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    // Another account's key of the same name is another key.
    let headers = [B[0], ("idempotency-key", "k-1")];
    let theirs = app.post_with("/scrapers/chatgpt/jobs?prompt=y", &headers, "").expect(202);
    assert_ne!(theirs["job_id"], id.as_str());

    let app = app.restart();
    assert_eq!(keyed(&app, "k-1", "prompt=x&country=de").expect(202)["job_id"], id.as_str());
    // The key is remembered as long as the job.
    clock.advance_ms(86_400_000);
    let fresh = keyed(&app, "k-1", "prompt=x&country=de");
    assert!(!fresh.headers.contains_key("idempotency-replayed"), "{fresh:?}");
}

#[test]
fn concurrent_duplicates_are_one_job() {
    let upstream = Scripted::new("script", []);
    let app = Builder::new().config(&keys("")).scripted("chatgpt", &upstream).start();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| keyed(&app, "same", "prompt=x&bypass_cache=1").expect(202)))
            .collect();
        let jobs = calls.into_iter().map(|call| call.join().unwrap());
        jobs.map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    app.ended(&ids[0]);
    assert_eq!(upstream.asked(), 1);
}

#[test]
fn keys_that_are_none_are_refused() {
    let app = Builder::new().config(&keys("")).scripted("chatgpt", &Scripted::new("s", [])).start();
    keyed(&app, &"k".repeat(255), "prompt=x").expect(202);
    for wrong in ["", "a b", &"k".repeat(256)] {
        let refused = keyed(&app, wrong, "prompt=x");
        assert_eq!((refused.status, refused.code().as_str()), (400, "idempotency_key_invalid"));
    }
}
