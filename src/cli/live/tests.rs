//! Live checks against a local server that speaks chat completions.

use std::collections::BTreeMap;

use super::*;
use crate::cli::console::Styled;
use crate::cli::table::Audience;
use crate::cli::test_server::{TestServer, streams};

const KEY: &str = "sk-secret-of-tests";

/// Settings with one upstream at each of these addresses, and no other that is ready.
fn settings(upstreams: &[(&str, &str)]) -> Settings {
    let mut file = String::new();
    for (name, url) in upstreams {
        file.push_str(&format!(
            "[upstreams.{name}]\nkind = \"compatible\"\nbase_url = \"{url}/v1\"\nmodel = \"m\"\n\
             api_key_env = \"KEY_OF_TESTS\"\n"
        ));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    std::fs::write(&path, file).unwrap();
    let environment = BTreeMap::from([("KEY_OF_TESTS".to_owned(), KEY.to_owned())]);
    let mut settings = Settings::load_from(Some(&path), &environment).unwrap();
    let kept = |name: &str| {
        ["practice", "openai"].contains(&name) || upstreams.iter().any(|(known, _)| *known == name)
    };
    settings.upstreams.retain(|name, _| kept(name));
    settings
}

fn answer() -> (u16, String) {
    let body = serde_json::json!({
        "model": "m-2026", "citations": ["https://a.example/", "https://b.example/"],
        "choices": [{"finish_reason": "stop", "message": {"content": "Rust 1.92 [1]."}}],
    });
    (200, body.to_string())
}

/// What was reported, and what was written to stderr.
fn report(settings: &Settings) -> (Report, String) {
    let (mut console, written) = streams(false);
    let report = call_all(settings, PROMPT, &Clock::System, &mut console).unwrap();
    assert_eq!(written.out(), "");
    (report, written.err())
}

/// The table as it is when every call takes as long.
fn table(mut report: Report) -> String {
    for trial in &mut report.trials {
        if let Outcome::Answered { seconds, .. } | Outcome::Failed { seconds, .. } =
            &mut trial.outcome
        {
            *seconds = 1.5;
        }
    }
    report.table().text(Audience::Terminal { columns: 200, now_ms: 0 }, Styled::PLAIN)
}

#[test]
fn an_upstream_that_answers_is_shown_with_what_came_back() {
    let server = TestServer::answering(vec![answer()]);
    let settings = settings(&[("local", server.url())]);
    let (report, told) = report(&settings);
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains(PROMPT), "{}", asked[0]);
    assert_eq!(told, "asking local, for 120 s at most\n");
    assert!(report.all_answered());
    assert_eq!(report.summary(), "1 answered, 0 failed, 1 not ready");
    let document = report.document();
    insta::assert_snapshot!(table(report), @r"
    upstream  kind        state      model   seconds  queries  sources  citations  related  products
    local     compatible  answered   m-2026      1.5        -        2          1        -         -
    openai    openai      not ready  -
              set the variable OPENAI_API_KEY for [upstreams.openai]
    practice  practice    skipped    -
              it is part of the service; `answerd demo` shows it answer
    ");
    assert_eq!(document[0]["state"], "answered");
    assert_eq!(document[0]["model"], "m-2026");
    assert_eq!(document[0]["fields"]["sources"], 2);
    assert_eq!(document[0]["fields"]["products"], serde_json::Value::Null);
    assert!(document[0]["seconds"].as_f64().unwrap() < 60.0);
}

#[test]
fn each_that_does_not_answer_says_what_to_do_and_the_others_are_called_all_the_same() {
    let refusal = format!(r#"{{"error": {{"message": "Incorrect API key provided: {KEY}."}}}}"#);
    let refusing = TestServer::answering(vec![(401, refusal)]);
    let well = TestServer::answering(vec![answer()]);
    // Nothing listens on port 1; a free port could be taken by another test meanwhile.
    let gone = "http://127.0.0.1:1";
    let settings =
        settings(&[("a_refusing", refusing.url()), ("b_gone", gone), ("c_well", well.url())]);
    let (report, told) = report(&settings);
    let asked = refusing.asked();
    assert!(asked[0].contains(KEY), "{}", asked[0]);
    well.asked();
    assert!(!report.all_answered());
    assert_eq!(report.summary(), "1 answered, 2 failed, 1 not ready");
    let document = report.document();
    let table = table(report);
    insta::assert_snapshot!(table, @r"
    upstream    kind        state      model   seconds  queries  sources  citations  related  products
    a_refusing  compatible  failed     m           1.5
                a_refusing refused the key (HTTP 401); look at `api_key_env` of [upstreams.a_refusing]. (upstream_auth)
    b_gone      compatible  failed     m           1.5
                b_gone could not be reached: connection refused. (upstream_unreachable)
                look at `base_url` and `proxy` of [upstreams.b_gone], and at this machine's network
    c_well      compatible  answered   m-2026      1.5        -        2          1        -         -
    openai      openai      not ready  -
                set the variable OPENAI_API_KEY for [upstreams.openai]
    practice    practice    skipped    -
                it is part of the service; `answerd demo` shows it answer
    ");
    assert_eq!(document[0]["code"], "upstream_auth");
    assert_eq!(document[1]["code"], "upstream_unreachable");
    assert_eq!(document[2]["state"], "answered");
    for text in [told, table, document.to_string()] {
        assert!(!text.contains(KEY), "{text}");
    }
}

#[test]
fn without_one_that_is_ready_nobody_is_called() {
    let (report, told) = report(&settings(&[]));
    assert_eq!(told, "");
    assert!(report.all_answered());
    assert_eq!(report.summary(), "no upstream was called: none is ready");
    let document = report.document();
    assert_eq!(document[0]["state"], "not_ready");
    assert!(document[0]["missing"].as_str().unwrap().contains("OPENAI_API_KEY"));
    assert_eq!(document[1]["state"], "skipped");
}

#[test]
fn a_prompt_that_breaks_its_rule_is_wrong_use_and_spends_nothing() {
    let (mut console, written) = streams(false);
    let refused =
        call_all(&settings(&[("b_gone", "http://127.0.0.1:1")]), " ", &Clock::System, &mut console);
    assert!(matches!(refused, Err(CommandError::WrongUse(_))));
    assert_eq!(written.err(), "");
}

#[test]
fn model_that_ends_is_told_below_the_answer() {
    let listed = serde_json::json!({"data": [{"id": "m", "shutdown_date": "2026-12-11"}]});
    let server = TestServer::answering(vec![answer(), (200, listed.to_string())]);
    let (report, _) = report(&settings(&[("local", server.url())]));
    let asked = server.asked();
    assert!(asked[1].starts_with("GET /v1/models HTTP/1.1\r\n"), "{}", asked[1]);
    let told = "the model `m` of [upstreams.local] ends on 2026-12-11: choose another";
    assert_eq!(report.document()[0]["model_warnings"][0], told);
    assert!(table(report).contains(told));
}
