//! Our own limits of an upstream: waiting for them spends no attempt, and the next upstream may
//! answer meanwhile.

use serde_json::Value;

use super::cases::{self, Case, KEY};
use super::server::{Provider, Says};
use crate::app::{App, Builder, Gate};

fn openai(setting: &str, value: i64) -> Case {
    cases::named("openai").setting(setting, value)
}

/// Asks for something of its own, so that the cache has no answer.
fn submit(app: &App, number: usize) -> String {
    app.submit("chatgpt", &format!("question {number}"))
}

/// The job while our own limit holds it back, before any attempt.
#[track_caller]
fn held_back(app: &App, id: &str) {
    let job = app.until(id, |job| job["phase"] == "waiting_retry");
    assert_eq!((&job["error_code"], &job["attempts"]), (&"upstream_at_limit".into(), &0.into()));
}

#[track_caller]
fn done_at_first(job: &Value) {
    assert_eq!((&job["status"], &job["attempts"]), (&"done".into(), &1.into()), "{job:#}");
}

#[test]
fn a_job_waits_for_a_place_without_spending_attempts() {
    let case = openai("in_flight_max", 1);
    let gate = Gate::default();
    let answer = case.replies().remove(0);
    let provider = Provider::start([Says::Held(gate.clone(), answer.clone().into())], answer);
    let (builder, clock) = case.builder(&provider).manual();
    // Without retries, a single attempt spent would be the end.
    let app = builder.set("RETRY__RETRIES", 0).start();
    let first = submit(&app, 1);
    gate.arrived(1);
    let second = submit(&app, 2);
    for _ in 0..5 {
        held_back(&app, &second);
        clock.advance_ms(1_000);
    }
    assert_eq!(provider.asked().len(), 1);
    gate.open();
    done_at_first(&app.ended(&first));
    app.until(&second, |job| job["phase"] != "running");
    clock.advance_ms(1_000);
    done_at_first(&app.ended(&second));
    assert_eq!(provider.asked().len(), 2);
    let attempts = app.get(&format!("/jobs/{second}/attempts")).expect(200);
    assert_eq!(attempts["attempts"].as_array().unwrap().len(), 1, "{attempts:#}");
}

#[test]
fn a_job_waits_for_the_next_minute_without_spending_attempts() {
    let case = openai("requests_per_minute", 1);
    let provider = Provider::always(case.replies().remove(0));
    let (builder, clock) = case.builder(&provider).manual();
    let app = builder.set("RETRY__RETRIES", 0).start();
    done_at_first(&app.ended(&submit(&app, 1)));
    let second = submit(&app, 2);
    held_back(&app, &second);
    clock.advance_ms(59_999);
    held_back(&app, &second);
    assert_eq!(provider.asked().len(), 1);
    clock.advance_ms(1);
    done_at_first(&app.ended(&second));
    assert_eq!(provider.asked().len(), 2);
}

#[test]
fn what_is_over_the_limit_of_one_upstream_goes_to_the_next() {
    let (first, second) = (openai("requests_per_minute", 1), cases::named("mistral"));
    let providers = [&first, &second].map(|case| Provider::always(case.replies().remove(0)));
    let (builder, _clock) = Builder::new()
        .env("PLANTED_KEY", KEY)
        .config(&first.upstream("first", &providers[0]))
        .config(&second.upstream("second", &providers[1]))
        .config("[scrapers.chatgpt]\nupstreams = [\"first\", \"second\"]")
        .manual();
    let app = builder.start();
    for (number, upstream) in ["first", "second", "second"].into_iter().enumerate() {
        let job = app.ended(&submit(&app, number));
        done_at_first(&job);
        assert_eq!(job["result"]["provenance"]["upstream"], upstream);
    }
    let job = app.ended(&submit(&app, 3));
    let id = job["job_id"].as_str().unwrap();
    let attempts = app.get(&format!("/jobs/{id}/attempts")).expect(200);
    let calls = &attempts["attempts"][0]["calls"];
    assert_eq!(calls[0]["passed_over"], "requests_per_minute", "{attempts:#}");
    assert_eq!((&calls[1]["outcome"], &calls[1]["http_status"]), (&"answered".into(), &200.into()));
}
