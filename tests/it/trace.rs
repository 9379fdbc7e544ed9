//! What an attempt did with each upstream, live and afterwards, and the place of a job that waits.

use std::sync::Arc;

use answerd::job::Reason;
use serde_json::{Value, json};

use crate::app::{App, Builder, Gate, Scripted, Step, fail};
use crate::limits::{A, B, keys};

fn attempts(app: &App, id: &str) -> Value {
    app.get(&format!("/jobs/{id}/attempts")).expect(200)
}

/// Two upstreams of `chatgpt`, called in this order.
fn two(one: &Arc<Scripted>, other: &Arc<Scripted>) -> Builder {
    Builder::new()
        .scripted("chatgpt", one)
        .scripted("chatgpt", other)
        .set("SCRAPERS__CHATGPT__UPSTREAMS", "[\"one\", \"other\"]")
}

/// How each call of an attempt went: the upstream, the outcome and the word for it.
fn outcomes(attempt: &Value) -> Vec<String> {
    let calls = attempt["calls"].as_array().unwrap().iter();
    let said = |call: &Value| {
        let word = call["passed_over"].as_str().or(call["error_code"].as_str()).unwrap_or("-");
        format!(
            "{} {} {word}",
            call["upstream"].as_str().unwrap(),
            call["outcome"].as_str().unwrap()
        )
    };
    calls.map(said).collect()
}

#[test]
fn success_after_a_skipped_upstream_shows_the_skip_and_keeps_it_over_a_restart() {
    let (one, other) = (Scripted::new("one", []), Scripted::new("other", []));
    let (builder, _clock) =
        two(&one, &other).set("UPSTREAMS__ONE__REQUESTS_PER_MINUTE", 1).manual();
    let app = builder.start();
    let first = app.submit("chatgpt", "first");
    app.ended(&first);
    assert_eq!(outcomes(&attempts(&app, &first)["attempts"][0]), ["one answered -"]);
    let second = app.submit("chatgpt", "second");
    let job = app.ended(&second);
    assert_eq!((&job["status"], &job["attempts"]), (&"done".into(), &1.into()));
    let told = attempts(&app, &second);
    let attempt = &told["attempts"][0];
    assert_eq!(outcomes(attempt), ["one passed_over requests_per_minute", "other answered -"]);
    assert_eq!(attempt["calls"][0]["wait_seconds"], 60.0);
    assert_eq!(attempt["calls"][0]["seconds"], Value::Null);
    assert_eq!(attempt["calls"][1]["after_seconds"], 0.0);
    assert!(attempt["calls"][1]["seconds"].is_number());
    assert_eq!(
        (&attempt["backoff_seconds"], &attempt["queue_seconds"]),
        (&0.0.into(), &0.0.into())
    );
    assert_eq!((&told["running"], &told["waiting"]), (&Value::Null, &Value::Null));
    let app = app.restart();
    assert_eq!(attempts(&app, &second)["attempts"], told["attempts"]);
}

#[test]
fn upstreams_that_a_request_leaves_out_are_named_with_the_reason() {
    let (one, other) = (Scripted::new("one", []), Scripted::new("other", []));
    let app = two(&one, &other).set("UPSTREAMS__OTHER__MODELS_ALLOWED", "[\"big\"]").start();
    let job = app.post("/scrapers/chatgpt/jobs?prompt=x&model=big").expect(202);
    let id = job["job_id"].as_str().unwrap();
    app.ended(id);
    let told = attempts(&app, id);
    assert_eq!(outcomes(&told["attempts"][0]), ["one passed_over model", "other answered -"]);
    assert_eq!(told["attempts"][0]["calls"][0]["wait_seconds"], Value::Null);
}

#[test]
fn retries_show_the_backoff_and_each_call_of_each_attempt() {
    let one = Scripted::new("one", [fail(Reason::Overloaded), fail(Reason::Unreachable)]);
    let other = Scripted::new("other", []);
    let (builder, clock) = two(&one, &other).manual();
    let app = builder.start();
    let id = app.submit("chatgpt", "x");
    app.until(&id, |job| job["phase"] == "waiting_retry");
    let waiting = attempts(&app, &id)["waiting"].clone();
    assert!(waiting["due_at"].is_string() && waiting["position"].is_null(), "{waiting:#}");
    assert!(waiting["starts_in_seconds"].as_f64().unwrap() > 0.0, "{waiting:#}");
    clock.advance_ms(60_000);
    app.ended(&id);
    let told = attempts(&app, &id);
    assert_eq!(outcomes(&told["attempts"][0]), ["one failed upstream_overloaded"]);
    let second = &told["attempts"][1];
    assert_eq!(outcomes(second), ["one failed upstream_unreachable", "other answered -"]);
    let wait = second["backoff_seconds"].as_f64().unwrap();
    assert!(wait > 0.0 && wait < 60.0, "{second:#}");
    assert_eq!(second["queue_seconds"].as_f64().unwrap(), 60.0 - wait);
}

#[test]
fn running_attempt_shows_its_calls_while_it_runs() {
    let gate = Gate::default();
    let one = Scripted::new("one", [fail(Reason::Auth)]);
    let other = Scripted::new("other", [Step::Hold(gate.clone())]);
    let (builder, clock) = two(&one, &other).config(&keys("")).manual();
    let app = builder.start();
    let job = app.post_with("/scrapers/chatgpt/jobs?prompt=x", &A, "").expect(202);
    let path = format!("/jobs/{}/attempts", job["job_id"].as_str().unwrap());
    gate.arrived(1);
    clock.advance_ms(2_500);
    let told = app.get_with(&path, &A).expect(200);
    let running = &told["running"];
    assert_eq!((&running["attempt"], &running["seconds"]), (&1.into(), &2.5.into()), "{told:#}");
    assert_eq!(outcomes(running), ["one failed upstream_auth", "other running -"]);
    assert_eq!(running["calls"][1]["seconds"], 2.5);
    assert_eq!((&told["attempts"], &told["waiting"]), (&json!([]), &Value::Null));
    assert_eq!(app.get_with(&path, &B).code(), "job_not_found");
    gate.open();
    app.ended(job["job_id"].as_str().unwrap());
    let told = app.get_with(&path, &A).expect(200);
    assert_eq!((&told["running"], told["attempts"].as_array().unwrap().len()), (&Value::Null, 1));
}

#[test]
fn waiting_jobs_have_their_place_in_the_queue() {
    let gate = Gate::default();
    let script = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app =
        Builder::new().set("SCRAPERS__CHATGPT__WORKERS", 1).scripted("chatgpt", &script).start();
    let held = app.submit("chatgpt", "held");
    gate.arrived(1);
    let ids: Vec<String> = (0..3).map(|n| app.submit("chatgpt", &format!("job {n}"))).collect();
    let place = |id: &str| attempts(&app, id)["waiting"].clone();
    for (at, id) in ids.iter().enumerate() {
        let waiting = place(id);
        assert_eq!((&waiting["position"], &waiting["waiting"]), (&(at + 1).into(), &3.into()));
        assert_eq!(waiting["due_at"], Value::Null);
    }
    let path = "/scrapers/chatgpt/jobs?prompt=ahead&interactive=true";
    let ahead = app.post(path).expect(202)["job_id"].as_str().unwrap().to_owned();
    assert_eq!((&place(&ahead)["position"], &place(&ids[0])["position"]), (&1.into(), &2.into()));
    assert_eq!(attempts(&app, &held)["waiting"], Value::Null);
    gate.open();
    for id in &ids {
        app.ended(id);
        assert_eq!(place(id), Value::Null);
    }
}
