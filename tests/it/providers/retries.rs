//! What passes: retries, a provider's own wait, and a head that does not come.

use serde_json::{Value, json};

use super::cases;
use super::server::{Provider, Says};
use crate::app::App;

#[test]
fn what_passes_is_tried_again_until_it_has_passed() {
    for case in cases::every_kind() {
        let body = json!({"error": {"message": "Try again."}});
        let mut script: Vec<Says> = [500, 503, 529].map(|status| Says::json(status, &body)).into();
        script.extend(case.replies());
        let provider = Provider::start(script, Says::json(500, &body));
        let app = case.builder(&provider).set("RETRY__BACKOFF_MS", 1).start();
        let job = app.ended(&case.submit(&app));
        assert_eq!((&job["status"], &job["attempts"]), (&"done".into(), &4.into()), "{job:#}");
        assert_eq!(provider.asked().len(), 3 + case.replies().len(), "{}", case.name);
    }
}

/// The job while it waits for its next attempt.
fn waiting(app: &App, id: &str) -> Value {
    app.until(id, |job| job["phase"] == "waiting_retry")
}

#[test]
fn a_providers_own_wait_is_kept_to_the_millisecond() {
    let limited = json!({"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}});
    let with_delay = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
        "details": [{"retryDelay": "34.4s"}]}});
    let openai = || cases::named("openai");
    let rows = [
        (openai(), Says::json(429, &limited).with("retry-after", "7"), 7_000),
        (openai(), Says::json(429, &limited).with("retry-after-ms", "2500"), 2_500),
        (
            openai(),
            Says::json(503, &limited)
                .with("retry-after", "Mon, 11 May 2026 12:00:20 GMT")
                .with("date", "Mon, 11 May 2026 12:00:00 GMT"),
            20_000,
        ),
        (cases::named("gemini"), Says::json(429, &with_delay), 34_400),
    ];
    for (case, says, wait_ms) in rows {
        // A second job, due a millisecond before, shows that the timer has looked.
        let before = Says::json(429, &limited).with("retry-after-ms", &format!("{}", wait_ms - 1));
        let script = [says, before].into_iter().chain(case.replies()).chain(case.replies());
        let provider = Provider::start(script, Says::json(500, &Value::Null));
        let (builder, clock) = case.builder(&provider).manual();
        let app = builder.start();
        let id = case.submit(&app);
        let job = waiting(&app, &id);
        assert_eq!(job["error_code"], "upstream_rate_limited", "{wait_ms}: {job:#}");
        // Another question: the answer to the same one would serve both.
        let sooner = case.submit_prompt(&app, "another");
        waiting(&app, &sooner);

        clock.advance_ms(wait_ms - 1);
        assert_eq!(app.ended(&sooner)["status"], "done", "{wait_ms}");
        assert_eq!(waiting(&app, &id)["attempts"], 1);
        assert_eq!(provider.asked().len(), 3, "{wait_ms}");
        clock.advance_ms(1);
        let job = app.ended(&id);
        assert_eq!((&job["status"], &job["attempts"]), (&"done".into(), &2.into()), "{wait_ms}");
    }
}

#[test]
fn a_head_that_does_not_come_ends_the_attempt_in_time() {
    let provider = Provider::always(Says::Nothing);
    let case = cases::named("openai").setting("timeout_seconds", 1);
    let app = case.builder(&provider).set("RETRY__RETRIES", 0).start();
    let job = app.ended(&case.submit(&app));
    assert_eq!(job["error_code"], "upstream_timeout");
    assert_eq!(job["error"], "local did not answer in time.");
    assert_eq!(provider.asked().len(), 1);
}
