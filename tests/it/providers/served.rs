//! What a scraper's upstreams are known not to take: refused at submit where none takes it, and else
//! sent to one that does.

use serde_json::{Value, json};

use super::cases::{self, Case, KEY};
use super::server::{Provider, Says};
use crate::app::{App, Builder, encoded};

/// `chatgpt` with these upstreams, named `first` and `second`.
fn chatgpt(upstreams: &[(&Case, &Provider)]) -> Builder {
    let names = ["first", "second"].into_iter().take(upstreams.len());
    let mut builder = Builder::new().env("PLANTED_KEY", KEY);
    for (name, (case, provider)) in names.clone().zip(upstreams) {
        builder = builder.config(&case.upstream(name, provider));
    }
    let names = names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    builder.config(&format!("[scrapers.chatgpt]\nupstreams = [{names}]"))
}

/// A provider that answers everything.
fn sound(case: &Case) -> Provider {
    Provider::always(case.replies().remove(0))
}

fn listed(app: &App, field: &str) -> Value {
    let list = app.get("/scrapers").expect(200);
    let mut scrapers = list["scrapers"].as_array().unwrap().iter();
    scrapers.find(|scraper| scraper["name"] == "chatgpt").unwrap()[field].clone()
}

fn upstream(app: &App, name: &str) -> Value {
    let upstreams = listed(app, "upstreams");
    let mut upstreams = upstreams.as_array().unwrap().iter();
    upstreams.find(|upstream| upstream["name"] == name).unwrap().clone()
}

#[test]
fn country_that_no_upstream_serves_is_refused_at_submit() {
    let case = cases::named("searchapi");
    let provider = sound(&case);
    let app = chatgpt(&[(&case, &provider)]).start();
    let before = app.server().writer_stats().writes;
    for path in [
        "/scrapers/chatgpt/jobs?prompt=x&country=de",
        "/scrapers/chatgpt/jobs?prompt=x&country=de&samples=2",
    ] {
        let refused = app.post(path);
        assert_eq!((refused.status, refused.code().as_str()), (400, "country_refused"));
        let detail = refused.json()["detail"].clone();
        for word in ["`country`", "`chatgpt`", "only US", "`DE`"] {
            assert!(detail.as_str().unwrap().contains(word), "{detail}");
        }
    }
    let waiting = app.get("/scrapers/chatgpt?prompt=x&country=JP");
    assert_eq!((waiting.status, waiting.code().as_str()), (400, "country_refused"));
    assert_eq!(app.server().writer_stats().writes, before, "a refusal writes nothing");

    let batch = json!({ "scraper": "chatgpt", "prompts": ["x"], "countries": ["DE", "US"] });
    let batch = app.post_with("/batches", &[], &batch.to_string()).expect(202);
    assert_eq!(batch["items"][0]["error"]["code"], "country_refused");
    let served = batch["items"][1]["job_id"].as_str().unwrap();
    assert_eq!(app.ended(served)["status"], "done");

    let refused = listed(&app, "refused_countries");
    let refused: Vec<&str> = refused.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(refused.len() > 200 && refused.contains(&"DE") && !refused.contains(&"US"));
}

#[test]
fn country_that_one_upstream_serves_goes_there_and_no_failure_is_counted() {
    let (limited, other) = (cases::named("searchapi"), cases::named("openai"));
    let (first, second) = (sound(&limited), sound(&other));
    let app = chatgpt(&[(&limited, &first), (&other, &second)]).start();
    assert_eq!(listed(&app, "refused_countries"), json!([]));
    for number in 0..7 {
        let reply = app.post(&format!("/scrapers/chatgpt/jobs?prompt={number}&country=DE"));
        let job = app.ended(reply.expect(202)["job_id"].as_str().unwrap());
        assert_eq!(job["result"]["provenance"]["upstream"], "second", "{job:#}");
        assert_eq!((&job["country"], &job["attempts"]), (&json!("DE"), &json!(1)));
    }
    let passed_over = upstream(&app, "first");
    assert_eq!(
        (&passed_over["breaker"], &passed_over["last_error"]),
        (&json!("closed"), &Value::Null)
    );
    assert!(first.asked().is_empty());
    let job = app.ended(&app.submit("chatgpt", "at home"));
    assert_eq!(job["result"]["provenance"]["upstream"], "first", "{job:#}");
}

#[test]
fn prompt_that_is_too_long_for_every_upstream_is_refused_at_submit() {
    let case = cases::named("dataforseo-chatgpt");
    let provider = sound(&case);
    let app = chatgpt(&[(&case, &provider)]).start();
    assert_eq!(listed(&app, "parameters")["prompt"]["length_max"], 2_000);
    let path =
        |chars: usize| format!("/scrapers/chatgpt/jobs?prompt={}", encoded(&"ü".repeat(chars)));
    let refused = app.post(&path(2_001));
    assert_eq!((refused.status, refused.code().as_str()), (400, "prompt_too_long"));
    let detail = refused.json()["detail"].clone();
    assert!(detail.as_str().unwrap().contains("1 to 2000 characters"), "{detail}");
    let job = app.ended(app.post(&path(2_000)).expect(202)["job_id"].as_str().unwrap());
    assert_eq!(job["status"], "done", "{job:#}");
}

#[test]
fn prompt_that_is_too_long_for_one_upstream_goes_to_the_next() {
    let (limited, other) = (cases::named("dataforseo-chatgpt"), cases::named("openai"));
    let (first, second) = (sound(&limited), sound(&other));
    let app = chatgpt(&[(&limited, &first), (&other, &second)]).start();
    let job = app.ended(&app.submit("chatgpt", &"x".repeat(2_001)));
    assert_eq!(job["result"]["provenance"]["upstream"], "second", "{job:#}");
    assert!(first.asked().is_empty());
}

/// The job was taken when an upstream served it, which is gone now.
#[test]
fn queued_job_that_no_upstream_serves_any_more_fails_with_its_reason() {
    let (limited, other) = (cases::named("searchapi"), cases::named("openai"));
    let first = sound(&limited);
    let second = Provider::always(Says::json(503, &json!({"error": {"message": "Busy."}})));
    let (builder, clock) = chatgpt(&[(&limited, &first), (&other, &second)]).manual();
    let app = builder.start();
    let reply = app.post("/scrapers/chatgpt/jobs?prompt=x&country=DE").expect(202);
    let id = reply["job_id"].as_str().unwrap().to_owned();
    app.until(&id, |job| job["phase"] == "waiting_retry");
    let app =
        app.restart_with(|builder| builder.set("UPSTREAMS__SECOND__API_KEY_ENV", "NO_SUCH_KEY"));
    clock.advance_ms(60_000);
    let job = app.ended(&id);
    assert_eq!(job["error_code"], "country_unsupported", "{job:#}");
    assert!(first.asked().is_empty());
}

#[test]
fn strict_place_goes_to_the_first_upstream_with_a_field_for_all_of_it() {
    let (worded, fielded) = (cases::named("mistral"), cases::named("openai"));
    let (first, second) = (sound(&worded), sound(&fielded));
    let app = chatgpt(&[(&worded, &first), (&fielded, &second)]).start();
    let ask = |query: &str| {
        let path = format!("/scrapers/chatgpt/jobs?country=US&city=Austin&{query}");
        app.ended(app.post(&path).expect(202)["job_id"].as_str().unwrap())
    };
    let told = ask("prompt=one");
    assert_eq!(told["result"]["provenance"]["upstream"], "first", "{told:#}");
    assert_eq!(told["result"]["place"]["by"], "instruction", "{told:#}");
    assert_eq!(first.asked().len(), 1);

    let applied = ask("prompt=two&strict_place=true");
    assert_eq!(applied["result"]["provenance"]["upstream"], "second", "{applied:#}");
    assert_eq!(applied["attempts"], 1);
    assert_eq!(applied["result"]["place"]["by"], "field", "{applied:#}");
    assert_eq!(applied["result"]["place"]["applied"]["city"], "Austin", "{applied:#}");

    // Neither has a field for the device.
    let refused = ask("prompt=three&strict_place=true&device=mobile");
    assert_eq!(refused["status"], "failed", "{refused:#}");
    assert_eq!(refused["error_code"], "place_unsupported", "{refused:#}");
    assert_eq!(first.asked().len(), 1, "nothing is sent to an upstream that cannot apply it");
}
