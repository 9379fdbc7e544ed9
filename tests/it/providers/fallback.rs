//! Two upstreams of one scraper: who answers when the first one dies, refuses its key, or has
//! failed too often.

use answerd::upstream::{FAILURES_MAX, REST_MS_MIN};
use serde_json::{Value, json};

use super::cases::{self, Case, KEY};
use super::server::{Provider, Says};
use crate::app::{App, Builder};

/// `chatgpt` with the upstreams `first` (of OpenAI's kind) and `second` (of Mistral's).
fn two(first: &Provider, second: &Provider) -> Builder {
    let cases = [cases::named("openai"), cases::named("mistral")];
    Builder::new()
        .env("PLANTED_KEY", KEY)
        .config(&cases[0].upstream("first", first))
        .config(&cases[1].upstream("second", second))
        .config("[scrapers.chatgpt]\nupstreams = [\"first\", \"second\"]")
}

/// A provider that answers everything.
fn sound(case: &Case) -> Provider {
    Provider::always(case.replies().remove(0))
}

fn refusal() -> Says {
    Says::json(401, &json!({"error": {"message": "No.", "code": "invalid_api_key"}}))
}

#[track_caller]
fn answered_by(job: &Value, upstream: &str) {
    assert_eq!(job["status"], "done", "{job:#}");
    assert_eq!(job["result"]["provenance"]["upstream"], upstream, "{job:#}");
}

/// Asks for something new, so that the cache has no answer.
fn ask(app: &App, number: usize) -> Value {
    app.ended(&app.submit("chatgpt", &format!("question {number}")))
}

#[test]
fn a_provider_killed_mid_run_is_tried_again_and_then_the_next_one_answers() {
    let mut first = Provider::always(Says::Nothing);
    let second = sound(&cases::named("mistral"));
    let (builder, clock) = two(&first, &second).manual();
    let app = builder.start();
    let id = app.submit("chatgpt", "question");
    first.came(1);
    first.kill();

    let job = app.until(&id, |job| job["phase"] == "waiting_retry");
    assert_eq!((&job["attempts"], &job["error_code"]), (&1.into(), &"upstream_unreachable".into()));
    assert!(second.asked().is_empty(), "the one it prefers gets a second chance");
    clock.advance_ms(1_000);
    let job = app.ended(&id);
    answered_by(&job, "second");
    assert_eq!(job["attempts"], 2);
    assert_eq!(job["result"]["llm_model"], "mistral-medium-2508");
    assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
}

#[test]
fn a_refused_key_goes_to_the_next_one_in_the_same_attempt() {
    let (first, second) = (Provider::always(refusal()), sound(&cases::named("mistral")));
    let app = two(&first, &second).start();
    let job = ask(&app, 1);
    answered_by(&job, "second");
    assert_eq!(job["attempts"], 1);
    assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
}

#[test]
fn a_pause_that_a_provider_asks_for_is_filled_by_the_next_one() {
    let pause = Says::json(429, &json!({"error": {"message": "No."}})).with("retry-after", "600");
    let (first, second) = (Provider::always(pause), sound(&cases::named("mistral")));
    let app = two(&first, &second).start();
    let result = app.get("/scrapers/chatgpt?prompt=question&timeout=60").expect(200);
    assert_eq!(result["provenance"]["upstream"], "second");
    assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
}

#[test]
fn an_upstream_without_its_key_is_passed_over() {
    let (first, second) = (sound(&cases::named("openai")), sound(&cases::named("mistral")));
    let app = two(&first, &second).set("UPSTREAMS__FIRST__API_KEY_ENV", "NO_SUCH_KEY").start();
    answered_by(&ask(&app, 1), "second");
    assert!(first.asked().is_empty());
}

#[test]
fn an_upstream_that_keeps_failing_rests_and_is_probed_once() {
    let failures = FAILURES_MAX as usize;
    let answer = cases::named("openai").replies().remove(0);
    let first = Provider::start((0..failures).map(|_| refusal()), answer);
    let second = sound(&cases::named("mistral"));
    let (builder, clock) = two(&first, &second).manual();
    let app = builder.start();
    for number in 0..failures {
        answered_by(&ask(&app, number), "second");
        assert_eq!(first.asked().len(), number + 1);
    }
    // It would answer now, but nobody knows.
    answered_by(&ask(&app, 10), "second");
    clock.advance_ms(REST_MS_MIN - 1);
    answered_by(&ask(&app, 11), "second");
    assert_eq!(first.asked().len(), failures);

    clock.advance_ms(1);
    answered_by(&ask(&app, 12), "first");
    assert_eq!(first.asked().len(), failures + 1);
    answered_by(&ask(&app, 13), "first");
}

#[test]
fn a_probe_that_fails_gives_twice_the_rest() {
    let failures = FAILURES_MAX as usize;
    let (first, second) = (Provider::always(refusal()), sound(&cases::named("mistral")));
    let (builder, clock) = two(&first, &second).manual();
    let app = builder.start();
    (0..failures).for_each(|number| answered_by(&ask(&app, number), "second"));
    clock.advance_ms(REST_MS_MIN);
    answered_by(&ask(&app, 10), "second");
    assert_eq!(first.asked().len(), failures + 1);
    clock.advance_ms(2 * REST_MS_MIN - 1);
    answered_by(&ask(&app, 11), "second");
    assert_eq!(first.asked().len(), failures + 1);
    clock.advance_ms(1);
    answered_by(&ask(&app, 12), "second");
    assert_eq!(first.asked().len(), failures + 2);
}

#[test]
fn when_all_rest_the_job_waits_for_the_first_that_may_be_probed() {
    let failures = FAILURES_MAX as usize;
    let case = cases::named("openai");
    let busy = Says::json(503, &json!({"error": {"message": "Busy."}}));
    let provider = Provider::start((0..failures).map(|_| busy.clone()), case.replies().remove(0));
    let (builder, clock) = case.builder(&provider).set("RETRY__RETRIES", failures + 1).manual();
    let app = builder.set("RETRY__BACKOFF_MS", 2).set("RETRY__BACKOFF_MAX_MS", 2).start();
    let id = case.submit(&app);
    for attempts in 1..=failures {
        app.until(&id, |job| job["phase"] == "waiting_retry" && job["attempts"] == attempts);
        clock.advance_ms(2);
    }
    app.until(&id, |job| job["phase"] == "waiting_retry" && job["error_code"] == "no_upstream");
    assert_eq!(provider.asked().len(), failures);
    clock.advance_ms(REST_MS_MIN);
    answered_by(&app.ended(&id), "local");
    assert_eq!(provider.asked().len(), failures + 1);
}
