//! The shape of chat completions, with what gateways add to it: `annotations` (OpenRouter),
//! `citations` and `search_results` (Perplexity's retired Sonar), `executed_tools` (Groq).

use std::collections::HashMap;

use serde_json::Value;

use crate::answer::{Answer, Place, Search, Source, renumbered};
use crate::job::{Reason, ScrapeRequest, UpstreamUsage};
use crate::upstream::UpstreamError;

use super::account::Account;
use super::error_body::Verdict;
use super::searches::SearchCount;
use super::source_list::{SourceList, source};
use super::token_usage::{cost, count};
use super::{annotations, json_path};

/// Reads a chat completion. Lists that nothing in it speaks of are `None`: most servers cannot
/// search.
///
/// # Errors
/// Returns an error if it holds one, a refusal, a part of an answer, or none.
pub(crate) fn read(
    account: &Account,
    request: &ScrapeRequest,
    body: &Value,
) -> Result<Answer, UpstreamError> {
    let choice = choice(account, request, body)?;
    let message = &choice["message"];
    let parts = &message["content"];
    let markdown = match parts.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let parts = parts.as_array().into_iter().flatten();
            let texts = parts.filter(|part| {
                matches!(json_path::text(part, "type"), "text" | "output_text" | "")
            });
            texts.map(|part| json_path::text(part, "text")).collect()
        }
    };
    ended(account, choice, &markdown)?;
    let mut pages = Pages::read(body, message);
    let mut annotated = SourceList::default();
    annotations::read(json_path::list(message, "annotations"), &mut annotated);
    for page in annotated.iter() {
        pages.sources.add(page.clone());
    }
    let markdown = pages.renumbered(&markdown);
    for page in annotated.into_vec() {
        pages.cited.add(page);
    }
    let cites = pages.cites || message["annotations"].is_array();
    let lists = cites || pages.queries.is_some();
    let search = pages.search(request, body);
    Ok(Answer {
        markdown,
        model: json_path::named(body, "model"),
        queries: pages.queries,
        sources: lists.then(|| pages.sources.into_vec()),
        citations: cites.then(|| pages.cited.into_vec()),
        related_questions: related(body),
        search: Some(search),
        ..Answer::default()
    })
}

/// Returns what a chat completion used.
pub(crate) fn usage(body: &Value) -> UpstreamUsage {
    let usage = &body["usage"];
    UpstreamUsage {
        input_tokens: count(usage, &["prompt_tokens"]),
        output_tokens: count(usage, &["completion_tokens"]),
        reasoning_tokens: count(usage, &["completion_tokens_details", "reasoning_tokens"])
            .or_else(|| count(usage, &["reasoning_tokens"])),
        searches: searches_told(body),
        cost: cost(usage),
    }
}

/// Returns the searches that a gateway has counted: OpenRouter's, and Sonar's.
fn searches_told(body: &Value) -> Option<u64> {
    let usage = &body["usage"];
    ["server_tool_use_details", "server_tool_use"]
        .into_iter()
        .find_map(|key| count(usage, &[key, "web_search_requests"]))
        .or_else(|| count(usage, &["num_search_queries"]))
}

/// The one choice, unless the body holds an error in its place.
fn choice<'a>(
    account: &Account,
    request: &ScrapeRequest,
    body: &'a Value,
) -> Result<&'a Value, UpstreamError> {
    if !body["error"].is_null() {
        return Err(account.failure(request, &body["error"]));
    }
    let Some(choices) = body["choices"].as_array() else {
        return Err(account.invalid_response("answered with JSON that has no `choices`"));
    };
    let Some(choice) = choices.first() else { return Err(account.empty()) };
    if !choice["error"].is_null() {
        return Err(account.failure(request, &choice["error"]));
    }
    if json_path::text(choice, "finish_reason") == "error" {
        let verdict =
            Verdict::new(Reason::UpstreamError, "failed: the model that it asked had an error");
        return Err(account.fail(request, verdict, ""));
    }
    Ok(choice)
}

/// Whether the choice ended as an answer does.
fn ended(account: &Account, choice: &Value, markdown: &str) -> Result<(), UpstreamError> {
    match json_path::text(choice, "finish_reason") {
        "length" => return Err(account.incomplete("length")),
        "content_filter" => return Err(account.refused("content_filter")),
        _ => {}
    }
    if !markdown.trim().is_empty() {
        return Ok(());
    }
    let refusal = json_path::text(&choice["message"], "refusal");
    Err(if refusal.is_empty() { account.empty() } else { account.refused("refusal") })
}

/// The pages that a gateway lists beside the text.
struct Pages {
    sources: SourceList,
    cited: SourceList,
    queries: Option<Vec<String>>,
    /// Where the page of mark `[n]` stands in `sources`.
    marks: HashMap<usize, usize>,
    /// Whether the body speaks of citations at all.
    cites: bool,
    /// The searches that the message lists.
    listed: SearchCount,
}

impl Pages {
    fn read(body: &Value, message: &Value) -> Pages {
        let mut pages = Pages {
            sources: SourceList::default(),
            cited: SourceList::default(),
            queries: None,
            marks: HashMap::new(),
            cites: false,
            listed: SearchCount::default(),
        };
        // Proxies put them into the message.
        let holder = if body["citations"].is_array() || body["search_results"].is_array() {
            body
        } else {
            message
        };
        let results = json_path::list(holder, "search_results");
        let citations = json_path::list(holder, "citations");
        pages.cites = holder["citations"].is_array() || holder["search_results"].is_array();
        // The marks count the citations where there are any, else the results.
        let marked = if citations.is_empty() { results } else { citations };
        for (at, page) in marked.iter().enumerate() {
            let url = page.as_str().unwrap_or_else(|| json_path::text(page, "url"));
            if let Some(place) = pages.sources.add(found(url, page)) {
                pages.marks.insert(at + 1, place);
            }
        }
        for page in results {
            pages.sources.add(found(json_path::text(page, "url"), page));
        }
        pages.tools(message);
        pages
    }

    /// Groq's compound models: the searches they ran.
    fn tools(&mut self, message: &Value) {
        for tool in json_path::list(message, "executed_tools") {
            let queries = self.queries.get_or_insert_default();
            queries.extend(json_path::queries(&tool["arguments"]));
            if json_path::text(tool, "type").contains("search") {
                self.listed.add(false);
            }
            for page in json_path::list(&tool["search_results"], "results") {
                self.sources.add(found(json_path::text(page, "url"), page));
            }
        }
    }

    /// Returns what is known of the searches. A server that lists none may have made some.
    fn search(&self, request: &ScrapeRequest, body: &Value) -> Search {
        let has_found = !self.sources.is_empty();
        let told = searches_told(body).map(|told| u32::try_from(told).unwrap_or(u32::MAX));
        match (told, self.listed) {
            (Some(calls), _) => SearchCount { calls, failed: 0 }.told(request, has_found),
            (None, listed) if listed.calls > 0 || has_found => listed.told(request, has_found),
            (None, listed) => Search { made: None, calls: None, ..listed.told(request, false) },
        }
    }

    /// The text with its marks naming `sources`; what they name is cited.
    fn renumbered(&mut self, markdown: &str) -> String {
        let Pages { sources, cited, marks, .. } = self;
        // Where only annotations tell of pages, marks can but count those.
        if marks.is_empty() {
            return markdown.to_owned();
        }
        renumbered(markdown, sources.len(), |number| {
            let known = marks.get(&number).and_then(|place| Some((place, sources.get(*place)?)));
            let Some((place, page)) = known else { return Place::Unknown };
            cited.add(page.clone());
            Place::At(place + 1)
        })
    }
}

fn found(url: &str, page: &Value) -> Source {
    Source {
        date: json_path::first_text(page, &["date", "last_updated"]).to_owned(),
        ..source(
            url,
            json_path::text(page, "title"),
            json_path::first_text(page, &["snippet", "content"]),
        )
    }
}

fn related(body: &Value) -> Option<Vec<String>> {
    body["related_questions"].as_array()?;
    Some(json_path::texts(body, "related_questions"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::upstream::providers::test_support::{account, request};

    fn chat(message: Value) -> Value {
        json!({"model": "m", "choices": [{"index": 0, "finish_reason": "stop",
            "message": message}]})
    }

    fn answer(body: &Value) -> Answer {
        read(&account(), &request(), body).unwrap()
    }

    #[test]
    fn a_plain_server_can_give_no_lists() {
        let answer =
            answer(&chat(json!({"role": "assistant", "content": "Paris.", "reasoning": "hm"})));
        assert_eq!((answer.markdown.as_str(), answer.model.as_deref()), ("Paris.", Some("m")));
        assert_eq!((answer.queries, answer.sources, answer.citations), (None, None, None));
        assert_eq!(answer.search.unwrap(), Search { asked: true, ..Search::default() });
    }

    #[test]
    fn content_may_be_parts() {
        let parts = json!([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "Par"}, {"type": "text", "text": "is."}]);
        assert_eq!(answer(&chat(json!({"content": parts}))).markdown, "Paris.");
    }

    #[test]
    fn marks_count_the_citations_and_name_the_sources() {
        let mut body = chat(json!({"content": "One.[1] Two.[3]"}));
        body["citations"] =
            json!(["https://a.example/", "https://b.example/", "https://a.example/"]);
        body["search_results"] = json!([{"url": "https://b.example/", "title": "B", "snippet": "s"},
            {"url": "https://c.example/", "title": "C"}]);
        body["related_questions"] = json!(["And then?", ""]);
        let answer = answer(&body);
        assert_eq!(answer.markdown, "One.[1] Two.[1]");
        let sources = answer.sources.unwrap();
        assert_eq!(sources.len(), 3);
        assert_eq!((sources[1].title.as_str(), sources[1].snippet.as_str()), ("B", "s"));
        assert_eq!(answer.citations.unwrap().len(), 1);
        assert_eq!(answer.related_questions.unwrap(), ["And then?"]);
        assert_eq!(answer.queries, None);
    }

    #[test]
    fn annotations_and_tools_are_read() {
        let content = "See ([a](https://a.example/)).";
        let annotations = json!([{"type": "url_citation",
            "url_citation": {"url": "https://a.example/", "title": "A", "content": "passage"}}]);
        let tools = json!([{"type": "search", "arguments": "{\"query\": \"q\"}", "output": "…",
            "search_results": {"results": [{"url": "https://b.example/", "title": "B",
                "content": "c", "score": 0.9}]}}]);
        let answer = answer(&chat(
            json!({"content": content, "annotations": annotations, "executed_tools": tools}),
        ));
        assert_eq!(answer.markdown, "See ([a](https://a.example/)).");
        assert_eq!(answer.queries.unwrap(), ["q"]);
        let urls: Vec<String> = answer.sources.unwrap().into_iter().map(|page| page.url).collect();
        assert_eq!(urls, ["https://b.example/", "https://a.example/"]);
        assert_eq!(answer.citations.unwrap()[0].snippet, "passage");
    }

    #[test]
    fn searches_are_told_by_count_by_tools_or_by_pages() {
        let found = |calls| Search { asked: true, made: Some(true), calls, failed: 0 };
        let mut body = chat(json!({"content": "Four."}));
        body["usage"] = json!({"prompt_tokens": 10, "completion_tokens": 7, "cost": 0.002,
            "completion_tokens_details": {"reasoning_tokens": 3},
            "server_tool_use_details": {"web_search_requests": 2}});
        let counted = answer(&body);
        assert_eq!(counted.search, Some(found(Some(2))));
        let usage = usage(&body);
        assert_eq!((usage.input_tokens, usage.output_tokens), (Some(10), Some(7)));
        assert_eq!((usage.reasoning_tokens, usage.searches), (Some(3), Some(2)));
        assert_eq!(usage.cost.unwrap().nano_usd, 2_000_000);
        body["usage"]["server_tool_use_details"]["web_search_requests"] = json!(0);
        let none = Search { made: Some(false), ..found(Some(0)) };
        assert_eq!(answer(&body).search, Some(none));
        let tools = json!([{"type": "search", "arguments": "{}"}, {"type": "python"}]);
        let listed = answer(&chat(json!({"content": "Four.", "executed_tools": tools})));
        assert_eq!(listed.search, Some(found(Some(1))));
        let pages = json!([{"type": "url_citation", "url": "https://a.example/"}]);
        let cited = answer(&chat(json!({"content": "Four.", "annotations": pages})));
        assert_eq!(cited.search, Some(found(None)));
    }

    #[test]
    fn a_200_can_be_a_failure() {
        let reason = |body: Value| read(&account(), &request(), &body).unwrap_err().reason;
        let ended =
            |how: &str| json!({"choices": [{"finish_reason": how, "message": {"content": "Pa"}}]});
        assert_eq!(reason(ended("length")), Reason::Incomplete);
        assert_eq!(reason(ended("content_filter")), Reason::Refused);
        assert_eq!(reason(ended("error")), Reason::UpstreamError);
        assert_eq!(reason(chat(json!({"content": null, "refusal": "I can't."}))), Reason::Refused);
        assert_eq!(reason(chat(json!({"content": null, "tool_calls": []}))), Reason::Empty);
        assert_eq!(reason(json!({"choices": []})), Reason::Empty);
        assert_eq!(
            reason(json!({"error": {"code": 429, "message": "x"}})),
            Reason::UpstreamRateLimited
        );
        assert_eq!(
            reason(json!({"choices": [{"error": {"code": 502, "message": "x"}}]})),
            Reason::UpstreamError
        );
        assert_eq!(reason(json!({})), Reason::InvalidResponse);
        assert_eq!(reason(Value::Null), Reason::InvalidResponse);
    }
}
