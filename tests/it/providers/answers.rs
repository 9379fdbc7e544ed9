//! A job through every kind of provider to its result: each array of its scraper as the body has
//! it, and what the provider heard.

use serde_json::{Value, json};

use super::cases::{self, Case, PROMPT};
use super::server::{Provider, Says};

/// Everything in a result that does not depend on the provider.
const COMMON: &[&str] = &[
    "scraper",
    "status",
    "job_id",
    "prompt",
    "country",
    "credits_used",
    "elapsed_ms",
    "cached",
    "markdown_url",
];

#[test]
fn every_api_fills_the_arrays_of_its_scraper_as_its_body_has_them() {
    cases::apis().iter().for_each(check);
}

#[test]
fn every_vendor_fills_the_arrays_of_its_scraper_as_its_body_has_them() {
    cases::vendors().iter().for_each(check);
}

fn check(case: &Case) {
    let name = case.name;
    let provider = Provider::start(case.replies(), Says::json(500, &Value::Null));
    let app = case.builder(&provider).start();
    let job = app.ended(&case.submit(&app));
    assert_eq!(job["status"], "done", "{name}: {job:#}");

    let result = &job["result"];
    assert_eq!((&result["prompt"], &result["country"]), (&PROMPT.into(), &case.country.into()));
    let mut own = result.clone();
    own.as_object_mut().unwrap().retain(|field, _| !COMMON.contains(&field.as_str()));
    assert_eq!(own, case.result, "{name}: {own:#}");

    let asked = provider.asked();
    assert_eq!(asked.len(), case.says.len(), "{name}");
    case.sent.check(&asked[0], name);
}

#[test]
fn a_turn_that_pauses_is_sent_back_whole() {
    let case = cases::anthropic();
    let provider = Provider::start(case.replies(), Says::json(500, &Value::Null));
    let app = case.builder(&provider).start();
    assert_eq!(app.ended(&case.submit(&app))["status"], "done");
    let rounds: Vec<Value> = provider.asked().iter().map(|asked| asked.json()).collect();
    let [first, second, third] = rounds.as_slice() else { panic!("three rounds") };
    assert_eq!(first["messages"].as_array().unwrap().len(), 1);
    let said = |round: usize| case.says[round]["content"].as_array().unwrap().clone();
    assert_eq!(second["messages"][1]["role"], "assistant");
    assert_eq!(second["messages"][1]["content"], Value::from(said(0)));
    assert_eq!(third["messages"][1]["content"], Value::from([said(0), said(1)].concat()));
    for round in [second, third] {
        assert_eq!(round["tools"], first["tools"]);
        assert_eq!(round["messages"][0], first["messages"][0]);
    }
    for asked in provider.asked() {
        assert_eq!(asked.headers["anthropic-version"], "2023-06-01");
    }
}

#[test]
fn without_web_search_no_search_is_asked_for() {
    for case in cases::apis() {
        let provider = Provider::start(case.replies(), Says::json(500, &Value::Null));
        let app = case.builder(&provider).start();
        let path = format!("/scrapers/{}/jobs?prompt=hello&web_search=false", case.scraper);
        let id = app.post(&path).expect(202)["job_id"].as_str().unwrap().to_owned();
        assert_eq!(app.ended(&id)["status"], "done", "{}", case.name);
        let sent = provider.asked()[0].json();
        assert!(sent.get("tools").is_none(), "{}: {sent:#}", case.name);
        let hint = "The user is in the United States.";
        assert!(sent.to_string().contains(hint), "{}: {sent}", case.name);
    }
}

#[test]
fn an_answer_without_a_search_is_legal_and_says_so() {
    let openai = json!({"status": "completed", "model": "m", "output": [{"type": "message",
        "content": [{"type": "output_text", "text": "Four.", "annotations": []}]}]});
    let gemini = json!({"candidates": [{"content": {"parts": [{"text": "Four."}]},
        "finishReason": "STOP"}]});
    let anthropic =
        json!({"content": [{"type": "text", "text": "Four."}], "stop_reason": "end_turn"});
    let mistral = json!({"outputs": [{"type": "message.output", "content": "Four."}]});
    for (case, body) in [
        (cases::openai(), &openai),
        (cases::perplexity(), &openai),
        (cases::xai(), &openai),
        (cases::gemini(), &gemini),
        (cases::anthropic(), &anthropic),
        (cases::mistral(), &mistral),
    ] {
        let provider = Provider::always(Says::json(200, body));
        let app = case.builder(&provider).start();
        let job = app.ended(&case.submit(&app));
        let result = &job["result"];
        assert_eq!(result["result"], "Four.", "{}: {job:#}", case.name);
        assert_eq!(result["warnings"], json!(["The engine made no search."]), "{}", case.name);
        let fields = result["provenance"]["fields"].as_object().unwrap();
        for (field, state) in fields {
            assert_eq!(result[field], json!([]), "{}: {field}", case.name);
            let cannot = field == "related_questions";
            let expected = if cannot { "unsupported" } else { "empty" };
            assert_eq!(state, expected, "{}: {field}", case.name);
        }
    }
}

#[test]
fn one_broken_character_costs_no_second_call() {
    let case = cases::compatible();
    let rows: [(&[u8], &[u8], &str); 3] = [
        (b"", b"Red \\ud800 it is.", "Red \u{fffd} it is."),
        (b"", b"Caf\xc3, 4.", "Caf\u{fffd}, 4."),
        (b"\xef\xbb\xbf", b"Four.", "Four."),
    ];
    for (mark, text, read) in rows {
        let head = br#"{"model": "m", "choices": [{"message": {"content": ""#;
        let body = [mark, head, text, br#""}}]}"#].concat();
        let says = Says::text(200, "application/json", body);
        let provider = Provider::start([says], Says::json(500, &Value::Null));
        let app = case.builder(&provider).start();
        let job = app.ended(&case.submit(&app));
        assert_eq!((&job["status"], &job["attempts"]), (&"done".into(), &1.into()), "{job:#}");
        assert_eq!(job["result"]["result_markdown"], read, "{job:#}");
        assert_eq!(provider.asked().len(), 1);
    }
}

#[test]
fn posts_on_x_stay_among_the_sources_of_a_scraper_of_ones_own() {
    let case = Case { scraper: "posts", ..cases::xai() };
    let provider = Provider::start(case.replies(), Says::json(500, &Value::Null));
    let app = case.builder(&provider).start();
    let job = app.ended(&case.submit(&app));
    let sources = job["result"]["sources"].as_array().unwrap_or_else(|| panic!("{job:#}"));
    let urls: Vec<&str> = sources.iter().map(|page| page["url"].as_str().unwrap()).collect();
    let expected = [
        "https://www.ruby-lang.org/",
        "https://x.com/matz/status/1",
        "https://endoflife.date/ruby",
    ];
    assert_eq!(urls, expected);
}
