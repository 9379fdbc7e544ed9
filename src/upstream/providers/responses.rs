//! The shape of OpenAI's Responses API, which xAI, Perplexity, Azure and DeepSeek speak too: what
//! its statuses mean, which of its messages is the answer, and what its search calls consulted.

use serde_json::Value;

use crate::job::{Reason, ScrapeRequest, UpstreamUsage};
use crate::net::HttpRequest;
use crate::upstream::UpstreamError;

use super::account::Account;
use super::error_body::Verdict;
use super::searches::SearchCount;
use super::source_list::{SourceList, source};
use super::token_usage::{cost, count, sum};
use super::{annotations, json_path};

/// DeepSeek lists the id of a call among its queries.
const CALL_ID_QUERY: &str = "ws_call_id=";

/// The content of a finished response.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub markdown: String,
    pub model: Option<String>,
    pub queries: Vec<String>,
    /// How many of the queries are of searches that failed.
    failed_queries: usize,
    /// What was consulted, the cited pages last.
    pub sources: SourceList,
    pub cited: SourceList,
    pub searches: SearchCount,
}

impl Reading {
    /// Returns whether the response names pages, or queries of searches that did not fail.
    pub(crate) fn has_found(&self) -> bool {
        self.queries.len() > self.failed_queries || !self.sources.is_empty()
    }
}

/// Returns what a response used, whatever became of its answer.
pub(crate) fn usage(body: &Value) -> UpstreamUsage {
    let usage = &body["usage"];
    let output = json_path::list(body, "output").iter();
    let calls = output.filter(|item| makes_search(item) && !has_failed(item)).count();
    let is_told = usage.is_object() || calls > 0;
    let tools = &usage["server_side_tool_usage_details"];
    let by_engine = ["web_search_calls", "x_search_calls"].map(|key| count(tools, &[key]));
    let searches = count(&body["tool_usage"], &["web_search", "num_requests"])
        .or_else(|| count(usage, &["tool_calls_details", "search_web", "invocation"]))
        .or_else(|| sum(by_engine))
        .or_else(|| is_told.then_some(calls as u64));
    UpstreamUsage {
        input_tokens: count(usage, &["input_tokens"]),
        output_tokens: count(usage, &["output_tokens"]),
        reasoning_tokens: count(usage, &["output_tokens_details", "reasoning_tokens"]),
        searches,
        cost: cost(usage),
    }
}

/// Returns the id of a response while it is not finished, to look at it again.
///
/// # Errors
/// Returns an error if the response failed, was cut short or canceled, or has no id.
pub(crate) fn pending(
    account: &Account,
    request: &ScrapeRequest,
    body: &Value,
) -> Result<Option<String>, UpstreamError> {
    match json_path::text(body, "status") {
        "failed" => Err(account.failure(request, &body["error"])),
        "cancelled" | "canceled" => Err(account.fail(
            request,
            Verdict::new(Reason::UpstreamError, "canceled its answer"),
            "",
        )),
        "incomplete" => Err(match json_path::word(&body["incomplete_details"], "reason") {
            "content_filter" => account.refused("content_filter"),
            "" => account.incomplete("no reason given"),
            reason => account.incomplete(reason),
        }),
        // A gateway may send no status: the output decides.
        "completed" | "" if !body["output"].is_array() && !body["error"].is_null() => {
            Err(account.failure(request, &body["error"]))
        }
        "completed" | "" => Ok(None),
        // "queued", "in_progress", and what may come: it runs until somebody says that it has ended,
        // and the caller's deadline bounds how long that is waited for.
        _ => {
            let id = json_path::task_name(body, &["id"]);
            let unnamed =
                || account.invalid_response("began an answer without an id to ask for it");
            id.map(Some).ok_or_else(unnamed)
        }
    }
}

/// Returns the request that looks at a response of this id.
pub(crate) fn look_at(account: &Account, id: &str) -> HttpRequest {
    account.get(&format!("/responses/{id}"))
}

/// Reads a finished response.
///
/// # Errors
/// Returns an error if it is of another shape, or holds a refusal or nothing in the place of an
/// answer.
pub(crate) fn read(account: &Account, body: &Value) -> Result<Reading, UpstreamError> {
    let Some(output) = body["output"].as_array() else {
        return Err(account.invalid_response("answered with JSON that has no `output`"));
    };
    let mut reading = Reading { model: json_path::named(body, "model"), ..Reading::default() };
    let mut refused = false;
    for message in answer_messages(output) {
        refused |= read_message(message, &mut reading.markdown, &mut reading.cited);
    }
    if reading.markdown.trim().is_empty() {
        return Err(if refused { account.refused("refusal") } else { account.empty() });
    }
    for item in output {
        read_call(item, &mut reading);
    }
    // xAI's docs name a list of everything consulted, beside the calls.
    for url in json_path::texts(body, "citations") {
        reading.sources.add(source(&url, "", ""));
    }
    for cited in reading.cited.iter() {
        reading.sources.add(source(&cited.url, &cited.title, &cited.snippet));
    }
    Ok(reading)
}

/// Returns the messages that are the answer: the final ones where phases are given, else all after
/// the last search that has a message after it. Earlier ones narrate the search.
fn answer_messages(output: &[Value]) -> Vec<&Value> {
    let messages: Vec<(usize, &Value)> = output
        .iter()
        .enumerate()
        .filter(|(_, item)| json_path::text(item, "type") == "message" && says_something(item))
        .filter(|(_, item)| matches!(json_path::text(item, "role"), "assistant" | ""))
        .collect();
    let of_phase = |phase: &str, from: usize| -> Vec<&Value> {
        let in_phase = messages.iter().filter(|(_, item)| json_path::text(item, "phase") == phase);
        in_phase.filter(|(at, _)| *at >= from).map(|(_, item)| *item).collect()
    };
    let mut answer = of_phase("final_answer", 0);
    if answer.is_empty() {
        let last = messages.iter().rfind(|(_, item)| json_path::text(item, "phase").is_empty());
        let before = &output[..last.map_or(0, |(at, _)| *at)];
        answer = of_phase("", before.iter().rposition(is_search).map_or(0, |at| at + 1));
    }
    if answer.is_empty() {
        // Commentary is an answer only when there is nothing else.
        answer.extend(messages.last().map(|(_, item)| *item));
    }
    answer
}

/// Whether an item is a search or the opening of a page, under any of the names it has.
fn is_search(item: &Value) -> bool {
    match json_path::text(item, "type") {
        "web_search_call" | "x_search_call" | "search_results" | "fetch_url_results" => true,
        "custom_tool_call" => json_path::text(item, "name").contains("search"),
        _ => false,
    }
}

fn has_failed(item: &Value) -> bool {
    json_path::text(item, "status") == "failed"
}

/// Whether an item is a search itself, and not the opening of a page that it found.
fn makes_search(item: &Value) -> bool {
    let opens = matches!(
        json_path::text(&item["action"], "type"),
        "open_page" | "open" | "find_in_page" | "find"
    );
    is_search(item) && !opens && json_path::text(item, "type") != "fetch_url_results"
}

fn says_something(message: &Value) -> bool {
    match &message["content"] {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(parts) => {
            parts.iter().any(|part| !json_path::first_text(part, &["text", "refusal"]).is_empty())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

/// Appends a message's text; gives whether it holds a refusal.
fn read_message(message: &Value, markdown: &mut String, cited: &mut SourceList) -> bool {
    if !markdown.is_empty() {
        markdown.push_str("\n\n");
    }
    if let Value::String(text) = &message["content"] {
        markdown.push_str(text);
        return false;
    }
    let mut refused = false;
    for part in json_path::list(message, "content") {
        match json_path::text(part, "type") {
            "output_text" | "text" => {
                annotations::read(json_path::list(part, "annotations"), cited);
                markdown.push_str(json_path::text(part, "text"));
            }
            "refusal" => refused = true,
            // Reasoning and whatever comes next.
            _ => {}
        }
    }
    refused
}

/// Reads a search call: OpenAI's `action`, xAI's older `arguments` and its tools' `input`.
fn read_call(item: &Value, reading: &mut Reading) {
    if makes_search(item) {
        reading.searches.add(has_failed(item));
    }
    // The pages of Perplexity's items are its adapter's to read.
    if !json_path::text(item, "type").ends_with("_call") || !is_search(item) {
        return;
    }
    let action = &item["action"];
    let known = reading.queries.len();
    for arguments in [action, &item["arguments"], &item["input"]] {
        let queries = json_path::queries(arguments);
        reading.queries.extend(queries.into_iter().filter(|one| !one.starts_with(CALL_ID_QUERY)));
    }
    if has_failed(item) {
        reading.failed_queries += reading.queries.len() - known;
        return;
    }
    for list in [json_path::list(action, "sources"), json_path::list(item, "results")] {
        for page in list {
            let snippet = json_path::first_text(page, &["snippet", "content", "text"]);
            reading.sources.add(source(
                json_path::text(page, "url"),
                json_path::text(page, "title"),
                snippet,
            ));
        }
    }
    // `open_page` and `find_in_page`.
    reading.sources.add(source(json_path::text(action, "url"), "", ""));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::upstream::providers::test_support::{account, request};

    fn body(output: Value) -> Value {
        json!({"id": "resp_1", "status": "completed", "model": "m", "output": output})
    }

    fn message(text: &str) -> Value {
        json!({"type": "message", "role": "assistant",
               "content": [{"type": "output_text", "text": text, "annotations": []}]})
    }

    fn phased(text: &str, phase: &str) -> Value {
        let mut message = message(text);
        message["phase"] = json!(phase);
        message
    }

    fn markdown(output: Value) -> String {
        read(&account(), &body(output)).unwrap().markdown
    }

    #[test]
    fn the_answer_is_the_final_message_and_not_what_narrates_the_search() {
        let one = [phased("Let me look.", "commentary"), phased("Four.", "final_answer")];
        assert_eq!(markdown(json!(one)), "Four.");
        assert_eq!(markdown(json!([message("Four."), message(" ")])), "Four.");
        assert_eq!(markdown(json!([message("Four."), phased("Done.", "commentary")])), "Four.");
        assert_eq!(markdown(json!([phased("Four.", "commentary")])), "Four.");
        let two = [phased("Four.", "final_answer"), phased("Five.", "final_answer")];
        assert_eq!(markdown(json!(two)), "Four.\n\nFive.");
        let parts = json!([{"type": "message", "content": [
            {"type": "reasoning_text", "text": "hm"},
            {"type": "output_text", "text": "Fo"}, {"type": "output_text", "text": "ur."}]}]);
        assert_eq!(markdown(parts), "Four.");
        assert_eq!(markdown(json!([{"type": "message", "content": "Four."}])), "Four.");
    }

    #[test]
    fn without_phases_all_text_after_the_last_search_is_the_answer() {
        let call = json!({"type": "web_search_call", "status": "completed"});
        let tool = json!({"type": "custom_tool_call", "name": "x_keyword_search"});
        let thought = json!({"type": "reasoning", "summary": []});
        let look = message("Let me look.");
        let (four, close) = (message("Four."), message("Shall I go on?"));
        let whole = "Four.\n\nShall I go on?";
        assert_eq!(markdown(json!([look, call, four, thought, close])), whole);
        assert_eq!(markdown(json!([call, look, tool, four, close])), whole);
        assert_eq!(markdown(json!([four, close])), whole);
        // What was said before a search is the answer only where nothing comes after it.
        assert_eq!(markdown(json!([four, close, call])), whole);
        assert_eq!(markdown(json!([look, call, four, close, call, tool])), whole);
        let commentary = phased("Done.", "commentary");
        assert_eq!(markdown(json!([look, call, four, close, commentary])), whole);
    }

    #[test]
    fn a_failed_search_is_no_search() {
        let failed = json!({"type": "web_search_call", "status": "failed",
            "action": {"type": "search", "query": "a"}});
        let reading = read(&account(), &body(json!([failed, message("Four.")]))).unwrap();
        assert_eq!(reading.searches, SearchCount { calls: 1, failed: 1 });
        assert!(!reading.has_found());
        assert_eq!(reading.queries, ["a"]);
        let made = json!({"type": "web_search_call", "status": "completed",
            "action": {"type": "search", "query": "b"}});
        let reading = read(&account(), &body(json!([failed, made, message("Four.")]))).unwrap();
        assert_eq!(reading.searches, SearchCount { calls: 2, failed: 1 });
        assert_eq!(reading.queries, ["a", "b"]);
        assert!(reading.has_found());
    }

    #[test]
    fn a_response_runs_until_it_is_said_to_have_ended() {
        let request = request();
        for status in ["queued", "in_progress", "starting", "searching"] {
            // What is there so far is no answer yet.
            let begun = json!({"id": "resp_1", "status": status, "output": [message("Fo")]});
            let begun = pending(&account(), &request, &begun);
            assert_eq!(begun, Ok(Some("resp_1".to_owned())), "{status}");
        }
        for ended in [json!({"status": "completed", "output": []}), json!({"output": []})] {
            assert_eq!(pending(&account(), &request, &ended), Ok(None));
        }
    }

    #[test]
    fn calls_of_every_generation_are_read() {
        let reading = read(&account(), &body(json!([
            {"type": "reasoning", "summary": []},
            {"type": "web_search_call", "action": {"type": "search", "query": "a",
                "queries": ["a", "b", "ws_call_id=call_1"], "sources": [
                {"type": "url", "url": "https://a.example/"},
                {"type": "api", "name": "oai-weather"}]}},
            {"type": "web_search_call", "action": {"type": "search", "query": ""}},
            {"type": "web_search_call", "action": {"type": "open_page",
                "url": "https://b.example/"}},
            {"type": "web_search_call"},
            {"type": "web_search_call", "action": {"type": "dance", "with": 3}},
            {"type": "web_search_call", "name": "web_search", "arguments": "{\"query\":\"c\"}"},
            {"type": "custom_tool_call", "name": "x_keyword_search", "input": "{\"query\":\"d\"}"},
            {"type": "custom_tool_call", "name": "play", "input": "{\"query\":\"e\"}"},
            message("Four."),
        ])))
        .unwrap();
        assert_eq!(reading.queries, ["a", "b", "c", "d"]);
        let urls: Vec<&str> = reading.sources.iter().map(|page| page.url.as_str()).collect();
        assert_eq!(urls, ["https://a.example/", "https://b.example/"]);
        assert!(reading.cited.is_empty());
        assert_eq!(reading.searches, SearchCount { calls: 6, failed: 0 });
    }

    #[test]
    fn usage_is_read_in_the_words_of_every_provider() {
        let tokens = json!({"input_tokens": 10, "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 5}});
        let with = |more: Value| {
            let mut body = body(json!([{"type": "web_search_call"},
                {"type": "web_search_call", "action": {"type": "open_page", "url": "u"}}]));
            body["usage"] = tokens.clone();
            for (pointer, value) in more.as_object().unwrap() {
                let place = match pointer.split_once('.') {
                    Some((outer, inner)) => &mut body[outer][inner],
                    None => &mut body[pointer.as_str()],
                };
                *place = value.clone();
            }
            usage(&body)
        };
        let plain = with(json!({}));
        assert_eq!((plain.input_tokens, plain.output_tokens), (Some(10), Some(7)));
        assert_eq!((plain.reasoning_tokens, plain.searches), (Some(5), Some(1)));
        assert_eq!(plain.cost, None);
        let openai = with(json!({"tool_usage": {"web_search": {"num_requests": 4}}}));
        assert_eq!(openai.searches, Some(4));
        let xai =
            with(json!({"usage.cost_in_usd_ticks": 50, "usage.server_side_tool_usage_details":
            {"web_search_calls": 2, "x_search_calls": 3}}));
        assert_eq!((xai.searches, xai.cost.unwrap().nano_usd), (Some(5), 5));
        let perplexity = with(json!({"usage.cost": {"currency": "USD", "total_cost": 0.001},
            "usage.tool_calls_details": {"search_web": {"invocation": 2}}}));
        assert_eq!((perplexity.searches, perplexity.cost.unwrap().nano_usd), (Some(2), 1_000_000));
        assert_eq!(usage(&json!({"status": "failed"})), UpstreamUsage::default());
    }

    #[test]
    fn a_200_can_be_a_failure() {
        let request = request();
        let reason = |body: Value| pending(&account(), &request, &body).unwrap_err().reason;
        assert_eq!(
            reason(json!({"status": "failed", "error": {"code": "server_error",
            "message": "x"}})),
            Reason::UpstreamError
        );
        assert_eq!(
            reason(json!({"status": "failed", "error": {"code": "rate_limit_exceeded",
            "message": "x"}})),
            Reason::UpstreamRateLimited
        );
        assert_eq!(reason(json!({"status": "failed", "error": null})), Reason::UpstreamError);
        assert_eq!(reason(json!({"status": "cancelled"})), Reason::UpstreamError);
        assert_eq!(
            reason(json!({"status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"}})),
            Reason::Incomplete
        );
        assert_eq!(
            reason(json!({"status": "incomplete",
            "incomplete_details": {"reason": "content_filter"}})),
            Reason::Refused
        );
        assert_eq!(reason(json!({"error": {"message": "x"}})), Reason::UpstreamError);
        assert_eq!(reason(json!({"status": "queued", "id": "../keys"})), Reason::InvalidResponse);
        assert_eq!(reason(json!({"status": "queued"})), Reason::InvalidResponse);
        let done = json!({"status": "completed", "error": null, "output": []});
        assert_eq!(pending(&account(), &request, &done), Ok(None));
    }

    #[test]
    fn a_refusal_is_told_apart_from_nothing() {
        let reason = |output: Value| read(&account(), &body(output)).unwrap_err().reason;
        let refusal = json!([{"type": "message", "content": [
            {"type": "refusal", "refusal": "I can't help with that."}]}]);
        assert_eq!(reason(refusal), Reason::Refused);
        assert_eq!(reason(json!([])), Reason::Empty);
        assert_eq!(reason(json!([{"type": "reasoning"}])), Reason::Empty);
        assert_eq!(reason(json!("text")), Reason::InvalidResponse);
        assert_eq!(read(&account(), &json!({})).unwrap_err().reason, Reason::InvalidResponse);
    }
}
