//! Those whose bodies have the shape of OpenAI's Responses API: OpenAI, Azure, Perplexity, xAI.
//! The bodies are as they were recorded, reduced to what says something.

use serde_json::{Value, json};

use super::{Case, Key, Sent, characters_of};

fn citation(text: &str, mark: &str, url: &str, title: &str) -> Value {
    let (start, end) = characters_of(mark, text);
    json!({"type": "url_citation", "start_index": start, "end_index": end, "title": title,
        "url": url})
}

pub fn openai() -> Case {
    const URL: &str = "https://www.ruby-lang.org/en/downloads/?utm_source=openai";
    let mark = format!("([ruby-lang.org]({URL}))");
    let text = format!("Größe 🦀: **Ruby 4.0.6** is stable. {mark}\n\n- Released in *July*.");
    let body = json!({"id": "resp_1", "object": "response", "status": "completed", "error": null,
        "incomplete_details": null, "model": "gpt-6-luna-2026-05-01", "output": [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {
            "type": "search", "query": "ruby stable", "queries": ["ruby stable", "ruby 4.0"],
            "sources": [{"type": "url", "url": "https://endoflife.date/ruby"},
                {"type": "api", "name": "oai-weather"}]}},
        {"type": "web_search_call", "id": "ws_2", "status": "completed", "action": {
            "type": "open_page", "url": "https://www.ruby-lang.org/en/downloads/"}},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": text, "annotations": [
                citation(&text, &mark, URL, "Download Ruby")]}]}],
        "usage": {"total_tokens": 100}});
    Case {
        name: "openai",
        scraper: "chatgpt",
        kind: "openai",
        base_path: "/v1",
        settings: "",
        country: "DE",
        sent: Sent {
            method: "POST",
            path: "/v1/responses",
            key: Key::Bearer,
            prompt: "/input/0/content",
            country: ("/tools/0/user_location/country", json!("DE")),
        },
        says: vec![body],
        result: json!({
            "result": "Größe 🦀: Ruby 4.0.6 is stable.\n\n- Released in July.",
            "result_markdown": text.replace("?utm_source=openai", ""),
            "links": [
                {"url": "https://www.ruby-lang.org/en/downloads/", "text": "Download Ruby"}],
            "search_queries": ["ruby stable", "ruby 4.0"],
            "llm_model": "gpt-6-luna-2026-05-01",
            "provenance": {"upstream": "local", "kind": "api",
                "fields": {"links": "ok", "search_queries": "ok"}},
        }),
    }
}

/// The same under Azure's address, with Azure's header.
pub fn azure() -> Case {
    Case {
        name: "azure",
        scraper: "copilot",
        base_path: "/openai/v1",
        settings: "auth_header = \"api-key\"\nmodel = \"our-deployment\"",
        sent: Sent { path: "/openai/v1/responses", key: Key::Header("api-key"), ..openai().sent },
        result: json!({
            "result": openai().result["result"],
            "result_markdown": openai().result["result_markdown"],
            "citations": [{"title": "Download Ruby",
                "url": "https://www.ruby-lang.org/en/downloads/", "snippet": "", "highlights": [],
                "website_name": "ruby-lang.org", "favicon": null}],
            "links": openai().result["links"],
            "search_queries": ["ruby stable", "ruby 4.0"],
            "llm_model": "gpt-6-luna-2026-05-01",
            "provenance": {"upstream": "local", "kind": "api",
                "fields": {"citations": "ok", "links": "ok", "search_queries": "ok"}},
        }),
        ..openai()
    }
}

pub fn perplexity() -> Case {
    let body = json!({"object": "response", "status": "completed", "model": "openai/gpt-6-luna",
        "error": null, "output": [
        {"type": "search_results", "queries": ["ruby stable", "ruby release"], "results": [
            {"id": 3, "url": "https://www.ruby-lang.org/", "title": "Ruby",
                "snippet": "The stable version is 4.0.6.", "source": "web"},
            {"id": 7, "url": "https://endoflife.date/ruby", "title": "Ruby", "snippet": "4.0 ..."}]},
        {"type": "fetch_url_results", "contents": [
            {"url": "https://github.com/ruby/ruby", "title": "ruby/ruby", "snippet": "Source."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text",
            "text": "It is **4.0.6**.[7][3] See `a[3]`.", "annotations": []}]}]});
    Case {
        name: "perplexity",
        scraper: "perplexity",
        kind: "perplexity",
        base_path: "/v1",
        settings: "",
        country: "FR",
        sent: Sent {
            method: "POST",
            path: "/v1/agent",
            key: Key::Bearer,
            prompt: "/input",
            country: ("/tools/0/user_location/country", json!("FR")),
        },
        says: vec![body],
        result: json!({
            "result": "It is 4.0.6. See a[3].",
            "result_markdown": "It is **4.0.6**.[2][1] See `a[3]`.",
            "sources": [
                {"title": "Ruby", "url": "https://www.ruby-lang.org/",
                    "snippet": "The stable version is 4.0.6."},
                {"title": "Ruby", "url": "https://endoflife.date/ruby", "snippet": "4.0 ..."},
                {"title": "ruby/ruby", "url": "https://github.com/ruby/ruby", "snippet": "Source."}],
            "related_questions": [],
            "search_queries": ["ruby stable", "ruby release"],
            "llm_model": "openai/gpt-6-luna",
            "provenance": {"upstream": "local", "kind": "api", "fields": {"sources": "ok",
                "related_questions": "unsupported", "search_queries": "ok"}},
        }),
    }
}

pub fn xai() -> Case {
    let text =
        "**4.0.6** it is.[[1]](https://www.ruby-lang.org/)[[2]](https://x.com/matz/status/1)";
    let first = "[[1]](https://www.ruby-lang.org/)";
    let second = "[[2]](https://x.com/matz/status/1)";
    let body = json!({"id": "r", "object": "response", "status": "completed", "model": "grok-4.5",
        "error": null, "output": [
        {"type": "web_search_call", "status": "completed", "action": {"type": "search",
            "query": "ruby stable", "sources": [
                {"type": "url", "url": "https://endoflife.date/ruby"},
                {"type": "url", "url": "https://www.ruby-lang.org/"}]}},
        {"type": "custom_tool_call", "name": "x_keyword_search", "call_id": "c",
            "input": "{\"query\":\"from:matz ruby\",\"limit\":10}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text,
            "annotations": [
                citation(text, first, "https://www.ruby-lang.org/", "1"),
                citation(text, second, "https://x.com/matz/status/1", "2")]}]}]});
    Case {
        name: "xai",
        scraper: "grok",
        kind: "xai",
        base_path: "/v1",
        settings: "",
        country: "GB",
        sent: Sent {
            method: "POST",
            path: "/v1/responses",
            key: Key::Bearer,
            prompt: "/input/1/content",
            country: ("/input/0/content", json!("The user is in the United Kingdom.")),
        },
        says: vec![body],
        result: json!({
            "result": "4.0.6 it is.",
            "result_markdown": text,
            "web_sources": [
                {"title": "ruby-lang.org", "url": "https://www.ruby-lang.org/", "preview": ""},
                {"title": "endoflife.date", "url": "https://endoflife.date/ruby", "preview": ""}],
            "x_results": [
                {"title": "x.com", "url": "https://x.com/matz/status/1", "preview": ""}],
            "search_queries": ["ruby stable", "from:matz ruby"],
            "llm_model": "grok-4.5",
            "provenance": {"upstream": "local", "kind": "api", "fields": {"web_sources": "ok",
                "x_results": "ok", "search_queries": "ok"}},
        }),
    }
}

pub fn xai_of_2025() -> Case {
    let body = json!({"id": "r", "status": "completed", "model": "grok-4-fast", "output": [
        {"type": "web_search_call", "name": "web_search", "status": "completed",
            "arguments": "{\"query\":\"what is ruby\",\"num_results\":5}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text",
            "text": "It is 4.0.6.", "annotations": [
                {"type": "url_citation", "url": "https://www.ruby-lang.org/"}]}]}]});
    Case {
        name: "xai of 2025",
        says: vec![body],
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is 4.0.6.",
            "web_sources": [
                {"title": "ruby-lang.org", "url": "https://www.ruby-lang.org/", "preview": ""}],
            "x_results": [],
            "search_queries": ["what is ruby"],
            "llm_model": "grok-4-fast",
            "provenance": {"upstream": "local", "kind": "api", "fields": {"web_sources": "ok",
                "x_results": "empty", "search_queries": "ok"}},
        }),
        ..xai()
    }
}
