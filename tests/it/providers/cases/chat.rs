//! Those with chat completions: a model on the same machine, and gateways that add what they found.
//! The bodies are as they were recorded, reduced to what says something.

use serde_json::json;

use super::{Case, Key, Sent, characters_of, perplexity};

/// A model on the same machine, which thinks aloud and cannot search.
pub fn compatible() -> Case {
    let body = json!({"id": "c", "object": "chat.completion", "model": "qwen3:0.6b", "choices": [{
        "index": 0, "finish_reason": "stop", "message": {"role": "assistant",
            "content": "<think>\nWhich one?\n</think>\n\n# Ruby\n\n`4.0.6`, see [there](https://www.ruby-lang.org/)."}}],
        "usage": {"total_tokens": 9}});
    Case {
        name: "compatible",
        scraper: "house",
        kind: "compatible",
        base_path: "/v1",
        settings: "model = \"qwen3:0.6b\"",
        country: "DE",
        sent: Sent {
            method: "POST",
            path: "/v1/chat/completions",
            key: Key::Bearer,
            prompt: "/messages/1/content",
            country: ("/messages/0/content", json!("The user is in Germany.")),
        },
        says: vec![body],
        result: json!({
            "result": "Ruby\n\n4.0.6, see there.",
            "result_markdown": "# Ruby\n\n`4.0.6`, see [there](https://www.ruby-lang.org/).",
            "links": [{"url": "https://www.ruby-lang.org/", "text": "there"}],
            "sources": [],
            "citations": [],
            "search_queries": [],
            "llm_model": "qwen3:0.6b",
            "provenance": {"upstream": "local", "kind": "api", "fields": {"links": "ok",
                "sources": "unsupported", "citations": "unsupported",
                "search_queries": "unsupported"}},
        }),
    }
}

/// A gateway that searches by itself and says what it found.
pub fn openrouter() -> Case {
    let text = "It is 4.0.6 [ruby-lang.org](https://www.ruby-lang.org/).";
    let mark = "[ruby-lang.org](https://www.ruby-lang.org/)";
    let (start, end) = characters_of(mark, text);
    let body = json!({"model": "some/model:online", "choices": [{"finish_reason": "stop",
        "message": {"role": "assistant", "content": text, "annotations": [
            {"type": "url_citation", "url_citation": {"url": "https://www.ruby-lang.org/",
                "title": "Ruby", "content": "4.0.6 is stable.", "start_index": start,
                "end_index": end}},
            {"type": "url_citation", "url_citation": {"url": "https://endoflife.date/ruby",
                "title": "Ruby ends", "start_index": 0, "end_index": 0}}]}}]});
    Case {
        name: "openrouter",
        says: vec![body],
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": text,
            "links": [
                {"url": "https://www.ruby-lang.org/", "text": "Ruby"},
                {"url": "https://endoflife.date/ruby", "text": "Ruby ends"}],
            "sources": [
                {"title": "Ruby", "url": "https://www.ruby-lang.org/",
                    "snippet": "4.0.6 is stable."},
                {"title": "Ruby ends", "url": "https://endoflife.date/ruby", "snippet": ""}],
            "citations": [
                {"title": "Ruby", "url": "https://www.ruby-lang.org/",
                    "snippet": "4.0.6 is stable.", "highlights": [],
                    "website_name": "ruby-lang.org", "favicon": null},
                {"title": "Ruby ends", "url": "https://endoflife.date/ruby", "snippet": "",
                    "highlights": [], "website_name": "endoflife.date", "favicon": null}],
            "search_queries": [],
            "llm_model": "some/model:online",
            "provenance": {"upstream": "local", "kind": "api", "fields": {"links": "ok",
                "sources": "ok", "citations": "ok", "search_queries": "unsupported"}},
        }),
        ..compatible()
    }
}

/// A gateway that still answers as the retired Sonar API did.
pub fn sonar_gateway() -> Case {
    let body = json!({"id": "1", "model": "sonar-pro", "citations": ["https://www.ruby-lang.org/",
            "https://endoflife.date/ruby"],
        "search_results": [{"title": "Ruby", "url": "https://www.ruby-lang.org/",
            "date": "2026-07-01", "snippet": "4.0.6"}],
        "related_questions": ["What is new in Ruby 4?"],
        "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "It is 4.0.6[2]."}}]});
    Case {
        name: "sonar gateway",
        says: vec![body],
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is 4.0.6[2].",
            "sources": [
                {"title": "Ruby", "url": "https://www.ruby-lang.org/", "snippet": "4.0.6"},
                {"title": "endoflife.date", "url": "https://endoflife.date/ruby", "snippet": ""}],
            "related_questions": ["What is new in Ruby 4?"],
            "llm_model": "sonar-pro",
            "provenance": {"upstream": "local", "kind": "api",
                "fields": {"sources": "ok", "related_questions": "ok"}},
        }),
        ..perplexity()
    }
}
