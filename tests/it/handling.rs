//! How a job is handled, apart from what is asked: its label, its start deadline, its idempotency
//! key. Contract part 2.

use answerd::job::Reason;

use crate::app::{App, Builder, Gate, Reply, Scripted, Step, answer, encoded, fail};
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

/// The answer to a call that waits.
fn call(app: &App, query: &str, headers: &[(&str, &str)]) -> Reply {
    app.get_with(&format!("/scrapers/chatgpt?{query}"), headers)
}

#[test]
fn repeated_waiting_call_gets_the_first_ones_result() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new()
        .config(&keys(""))
        .set("CACHE__TTL_SECONDS", 0)
        .scripted("chatgpt", &upstream)
        .start();
    let key = [A[0], ("idempotency-key", "call-1")];
    let query = "prompt=once&timeout=60";
    std::thread::scope(|scope| {
        let first = scope.spawn(|| call(&app, query, &key));
        gate.arrived(1);
        let again = scope.spawn(|| call(&app, query, &key));
        // The repeated one waits as well; nothing of it can be seen before it ends.
        assert_eq!(call(&app, "prompt=other", &key).code(), "idempotency_key_reused");
        gate.open();
        let (first, again) = (first.join().unwrap(), again.join().unwrap());
        assert_eq!((first.status, again.status), (200, 200), "{again:?}");
        assert_eq!(first.text, again.text);
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert!(!first.headers.contains_key("idempotency-replayed"));
    });
    let other = call(&app, "prompt=other", &key);
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    assert_eq!(call(&app, query, &[A[0], ("idempotency-key", "a b")]).status, 400);
    assert_eq!(upstream.asked(), 1);
    let fresh = call(&app, query, &[A[0], ("idempotency-key", "call-2")]);
    assert_eq!((fresh.status, upstream.asked()), (200, 2), "{fresh:?}");
}

#[test]
fn repeated_waiting_call_does_not_end_a_queued_job() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    let key = [("idempotency-key", "k")];
    let query = "prompt=queued&timeout=10";
    let job = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), &key, "").expect(202);
    gate.arrived(1);
    let late = call(&app, query, &key);
    assert_eq!((late.status, late.code().as_str()), (408, "timeout"));
    assert_eq!(late.json()["job_id"], job["job_id"]);
    gate.open();
    assert_eq!(app.ended(job["job_id"].as_str().unwrap())["status"], "done");
}

#[test]
fn interactive_job_goes_ahead_of_a_batch_and_the_batch_goes_on() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app =
        Builder::new().set("SCRAPERS__CHATGPT__WORKERS", 1).scripted("chatgpt", &upstream).start();
    app.submit("chatgpt", "running");
    gate.arrived(1);
    let prompts: Vec<String> = (0..20).map(|n| format!("batch {n}")).collect();
    let body = serde_json::json!({ "prompts": prompts, "scraper": "chatgpt" }).to_string();
    app.post_with("/batches", &[], &body).expect(202);
    let last = app.submit("chatgpt", "last");
    let typed = serde_json::json!({
        "prompts": ["typed 9", "typed 10"], "scraper": "chatgpt", "interactive": true,
    });
    app.post_with("/batches", &[], &typed.to_string()).expect(202);
    for n in 0..6 {
        let body = format!(r#"{{"prompt":"typed {n}","interactive":true}}"#);
        app.post_with("/scrapers/chatgpt/jobs", &[], &body).expect(202);
    }
    app.post("/scrapers/chatgpt/jobs?prompt=typed+8&interactive=1").expect(202);
    gate.open();
    app.ended(&last);
    let asked = upstream.asked.lock().unwrap();
    let asked: Vec<&str> = asked.iter().skip(1).map(|asked| asked.prompt.as_str()).collect();
    let typed: Vec<usize> = (0..asked.len()).filter(|at| asked[*at].starts_with("typed")).collect();
    assert_eq!(typed.len(), 9);
    // Nine of them, and one of the batch after every third at least.
    assert!(typed[8] <= 9 + 3, "{asked:?}");
    assert!(asked[..4].iter().any(|prompt| prompt.starts_with("batch")), "{asked:?}");
}

#[test]
fn only_small_batches_are_interactive() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let sampled = app.post("/scrapers/chatgpt/jobs?prompt=x&samples=2&interactive=true");
    sampled.expect(202);
    let of = |prompts: usize| {
        let prompts: Vec<String> = (0..prompts).map(|n| n.to_string()).collect();
        let body = serde_json::json!({
            "prompts": prompts, "scraper": "chatgpt", "interactive": true,
        });
        app.post_with("/batches", &[], &body.to_string())
    };
    assert_eq!(of(20).expect(202)["counts"]["refused"], 0);
    let large = of(21);
    assert_eq!((large.status, large.code().as_str()), (400, "parameter_invalid"));
    let body =
        r#"{"items":[{"prompt":"x"},{"prompt":"y","interactive":true}],"scraper":"chatgpt"}"#;
    let batch = app.post_with("/batches", &[], body).expect(202);
    let items = batch["items"].as_array().unwrap();
    let refused: Vec<_> = items.iter().filter(|item| item["error"].is_object()).collect();
    assert_eq!(refused.len(), 1, "{batch:#}");
    assert_eq!(refused[0]["error"]["code"], "item_invalid", "{batch:#}");
    let wrong = app.post("/scrapers/chatgpt/jobs?prompt=x&interactive=soon");
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "parameter_invalid"));
}

#[test]
fn waiting_call_is_refused_at_once_while_every_upstream_is_paused() {
    let script = (0..5).map(|_| fail(Reason::Unreachable));
    let upstream = Scripted::new(
        "script",
        [Step::Answer(Box::new(answer("known")))].into_iter().chain(script),
    );
    let (builder, clock) = Builder::new().manual();
    let app = builder.set("RETRY__RETRIES", 0).scripted("chatgpt", &upstream).start();
    let key = [("idempotency-key", "before")];
    let known = call(&app, "prompt=known&timeout=20", &key);
    assert_eq!(known.status, 200);
    for n in 0..5 {
        app.ended(&app.submit("chatgpt", &format!("fails {n}")));
    }
    let refused = call(&app, "prompt=new&timeout=20", &[]);
    assert_eq!((refused.status, refused.code().as_str()), (503, "upstreams_paused"));
    assert_eq!(refused.headers["retry-after"], "30");
    // What needs no upstream is served, and what can wait is taken.
    assert_eq!(call(&app, "prompt=known&timeout=20", &[]).json()["cached"], true);
    assert_eq!(call(&app, "prompt=known&timeout=20", &key).text, known.text);
    app.submit("chatgpt", "queued");
    clock.advance_ms(30_000);
    assert_eq!(call(&app, "prompt=new&timeout=20", &[]).status, 200);
}
