use super::*;
use crate::answer::Search;
use crate::config::UpstreamKind;
use crate::job::Reason;
use crate::upstream::providers::test_support::{
    answer, assert_tolerates_mutations, failure, ok, reply, request, secrets, settings,
};

fn anthropic() -> Anthropic {
    Anthropic::new(&settings(UpstreamKind::Anthropic))
}

fn used(id: &str, query: &str) -> Value {
    json!({"type": "server_tool_use", "id": id, "name": "web_search",
        "input": {"query": query}})
}

fn found(id: &str, url: &str) -> Value {
    json!({"type": "web_search_tool_result", "tool_use_id": id, "content": [
        {"type": "web_search_result", "url": url, "title": "T", "page_age": "2 days ago",
            "encrypted_content": "E=="}]})
}

fn body(stop_reason: &str, content: Value) -> Value {
    json!({"type": "message", "role": "assistant", "model": "claude-haiku-5-5",
        "content": content, "stop_reason": stop_reason})
}

fn ended() -> Value {
    let cited = |passage: &str| {
        json!({"type": "web_search_result_location",
        "url": "https://a.example/", "title": "A", "cited_text": passage,
            "encrypted_index": "I"})
    };
    body(
        "end_turn",
        json!([
        found("2", "https://b.example/"),
        {"type": "text", "text": "Ruby 4.0.6", "citations": [cited("Stable is 4.0.6. "),
            cited("Since July.")]},
        {"type": "text", "text": ", released in July."}]),
    )
}

fn paused() -> Value {
    body(
        "pause_turn",
        json!([
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "I'll search:"},
        used("1", "ruby"), found("1", "https://a.example/"), used("2", "ruby 4")]),
    )
}

#[test]
fn a_search_is_asked_for_in_the_country_of_the_request() {
    let sent = anthropic().request(&request()).unwrap();
    assert_eq!(sent.url, "https://api.anthropic.com/v1/messages");
    assert_eq!(secrets(&sent), [("x-api-key", "key-of-tests")]);
    assert!(
        sent.headers
            .contains(&("anthropic-version".to_owned(), HeaderValue::Plain(VERSION.to_owned())))
    );
    let body = sent.body.unwrap();
    assert_eq!(body["tools"][0]["user_location"]["country"], "DE");
    assert_eq!(body["messages"][0]["content"], request().prompt);
    assert_eq!(body["system"], "Search the web before you answer.");
    let quiet = ScrapeRequest { web_search: false, ..request() };
    let body = anthropic().request(&quiet).unwrap().body.unwrap();
    assert!(body["tools"].is_null());
    assert_eq!(body["system"], "The user is in Germany.");
}

#[test]
fn deepseek_is_an_address_and_is_told_the_place() {
    let mut settings = settings(UpstreamKind::Anthropic);
    settings.base_url = "https://api.deepseek.com/anthropic".to_owned();
    let sent = Anthropic::new(&settings).request(&request()).unwrap();
    assert_eq!(sent.url, "https://api.deepseek.com/anthropic/v1/messages");
    assert!(sent.body.unwrap()["system"].as_str().unwrap().contains("Germany"));
}

#[test]
fn a_paused_turn_goes_on_with_all_that_was_said() {
    let Step::Round(next) = anthropic().reply(&request(), &[ok(&paused())]).unwrap() else {
        panic!()
    };
    let messages = next.body.unwrap()["messages"].clone();
    assert_eq!(messages[1]["role"], "assistant");
    assert_eq!(messages[1]["content"], paused()["content"]);
    let replies = [ok(&paused()), ok(&ended())];
    let Step::Done(answer) = anthropic().reply(&request(), &replies).unwrap() else { panic!() };
    assert_eq!(answer.markdown, "I'll search:\n\nRuby 4.0.6, released in July.");
    assert_eq!(answer.queries.unwrap(), ["ruby", "ruby 4"]);
    let sources = answer.sources.unwrap();
    assert_eq!(sources.len(), 2);
    assert_eq!(
        (sources[0].url.as_str(), sources[0].date.as_str()),
        ("https://a.example/", "2 days ago")
    );
    let search = Search { asked: true, made: Some(true), calls: Some(2), failed: 0 };
    assert_eq!(answer.search, Some(search));
    let citations = answer.citations.unwrap();
    assert_eq!(citations[0].snippet, "Stable is 4.0.6.");
    assert_eq!(citations[0].highlights, ["Stable is 4.0.6.", "Since July."]);
    let rounds: Vec<HttpReply> = (0..ROUNDS_MAX).map(|_| ok(&paused())).collect();
    assert_eq!(anthropic().reply(&request(), &rounds).unwrap_err().reason, Reason::Incomplete);
}

#[test]
fn search_is_forced_in_the_first_round_alone() {
    let settings =
        config::Upstream { force_search: Some(true), ..settings(UpstreamKind::Anthropic) };
    let anthropic = Anthropic::new(&settings);
    let first = anthropic.request(&request()).unwrap().body.unwrap();
    assert_eq!(first["tool_choice"], json!({"type": "tool", "name": "web_search"}));
    let Ok(Step::Round(next)) = anthropic.reply(&request(), &[ok(&paused())]) else { panic!() };
    assert!(next.body.unwrap()["tool_choice"].is_null());
}

#[test]
fn usage_of_every_round_is_added_even_when_the_last_one_fails() {
    let with = |mut body: Value, searches: u64| {
        body["usage"] = json!({"input_tokens": 100, "cache_read_input_tokens": 10,
            "output_tokens": 20, "server_tool_use": {"web_search_requests": searches}});
        body
    };
    let (paused, ended) = (with(paused(), 2), with(ended(), 1));
    let replies = [ok(&paused), ok(&ended)];
    let usage = anthropic().usage(&replies);
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(220), Some(40)));
    assert_eq!(usage.searches, Some(3));
    let busy = json!({"type": "error", "error": {"type": "overloaded_error"}});
    let replies = [ok(&paused), reply(529, &[], &busy)];
    assert_eq!(anthropic().usage(&replies).searches, Some(2));
    let cut = with(body("max_tokens", json!([{"type": "text", "text": "Ru"}])), 0);
    assert_eq!(failure(&anthropic(), 200, &cut).usage.unwrap().output_tokens, Some(20));
    assert_eq!(failure(&anthropic(), 529, &busy).usage, None);
}

#[test]
fn a_failed_search_is_told_and_the_answer_stands() {
    let content = json!([used("1", "ruby"),
        {"type": "web_search_tool_result", "tool_use_id": "1", "content":
            {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}},
        {"type": "text", "text": "Four."}]);
    let answer = answer(&anthropic(), &body("end_turn", content));
    assert_eq!(answer.warnings, ["A search failed: max_uses_exceeded."]);
    assert_eq!(answer.sources, Some(Vec::new()));
    let search = Search { asked: true, made: Some(false), calls: Some(1), failed: 1 };
    assert_eq!(answer.search, Some(search));
}

#[test]
fn a_200_can_be_a_failure() {
    let reason = |body: Value| failure(&anthropic(), 200, &body).reason;
    let mut refusal = body("refusal", json!([]));
    refusal["stop_details"] =
        json!({"category": "cyber", "explanation": "Blocked under the policy."});
    assert_eq!(
        failure(&anthropic(), 200, &refusal).for_owner(),
        "test declined to answer this prompt: Blocked under the policy."
    );
    assert_eq!(reason(body("refusal", json!([]))), Reason::Refused);
    assert_eq!(
        reason(body("max_tokens", json!([{"type": "text", "text": "Ru"}]))),
        Reason::Incomplete
    );
    assert_eq!(reason(body("end_turn", json!([]))), Reason::Empty);
    assert_eq!(
        reason(json!({"type": "error", "error": {"type": "overloaded_error",
                "message": "Overloaded"}})),
        Reason::Overloaded
    );
    assert_eq!(reason(json!({"hello": 1})), Reason::InvalidResponse);
}

#[test]
fn errors_are_told_apart() {
    let error = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "No."}});
    assert_eq!(failure(&anthropic(), 401, &error("authentication_error")).reason, Reason::Auth);
    assert_eq!(failure(&anthropic(), 529, &error("overloaded_error")).reason, Reason::Overloaded);
    assert_eq!(failure(&anthropic(), 413, &error("request_too_large")).reason, Reason::BadRequest);
    let limited = reply(429, &[("retry-after", "3")], &error("rate_limit_error"));
    let error = anthropic().reply(&request(), &[limited]).unwrap_err();
    assert_eq!((error.reason, error.retry_after_ms), (Reason::UpstreamRateLimited, Some(3_000)));
    let deepseek = json!({"error": {"message": "Insufficient Balance", "type": "unknown_error"}});
    assert_eq!(failure(&anthropic(), 402, &deepseek).reason, Reason::Quota);
}

#[test]
fn no_search_is_told() {
    let answer =
        answer(&anthropic(), &body("end_turn", json!([{"type": "text", "text": "Four."}])));
    assert_eq!(answer.warnings, ["The engine made no search."]);
    assert_eq!(answer.queries, Some(Vec::new()));
}

#[test]
fn fuzzed_replies_never_panic() {
    assert_tolerates_mutations(&anthropic(), &[paused(), ended()]);
}
