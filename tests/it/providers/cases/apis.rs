//! Those with a shape of their own: Gemini, Anthropic (and DeepSeek behind its shape), Mistral. The
//! bodies are as they were recorded or documented, reduced to what says something.

use serde_json::{Value, json};

use super::{Case, Key, Sent};

pub fn gemini() -> Case {
    let body = json!({"candidates": [{"content": {"role": "model", "parts": [
            {"text": "Let me think.", "thought": true},
            {"text": "Größe: 4.0.6 is stable. "}, {"text": "It came in July."}]},
        "finishReason": "STOP", "groundingMetadata": {
            "webSearchQueries": ["ruby stable", "ruby july"],
            "searchEntryPoint": {"renderedContent": "<style>"},
            "groundingChunks": [
                {"web": {"uri": "https://www.ruby-lang.org/en/", "title": "ruby-lang.org"}},
                {"web": {"uri": "https://endoflife.date/ruby", "title": "endoflife.date"}}],
            "groundingSupports": [
                {"segment": {"partIndex": 1, "endIndex": 25}, "groundingChunkIndices": [0]},
                {"segment": {"text": "It came in July."}, "groundingChunkIndices": [0]}]}}],
        "modelVersion": "gemini-3.6-flash", "responseId": "r"});
    Case {
        name: "gemini",
        scraper: "gemini",
        kind: "gemini",
        base_path: "/v1beta",
        settings: "",
        country: "DE",
        sent: Sent {
            method: "POST",
            path: "/v1beta/models/gemini-3.6-flash:generateContent",
            key: Key::Header("x-goog-api-key"),
            prompt: "/contents/0/parts/0/text",
            country: ("/systemInstruction/parts/0/text", json!("The user is in Germany.")),
        },
        says: vec![body],
        result: json!({
            "result": "Größe: 4.0.6 is stable. It came in July.",
            "result_markdown": "Größe: 4.0.6 is stable. It came in July.",
            "citations": [{"title": "ruby-lang.org", "url": "https://www.ruby-lang.org/en/",
                "snippet": "Größe: 4.0.6 is stable.",
                "highlights": ["Größe: 4.0.6 is stable.", "It came in July."],
                "website_name": "ruby-lang.org", "favicon": null}],
            "search_queries": ["ruby stable", "ruby july"],
            "llm_model": "gemini-3.6-flash",
            "provenance": {"upstream": "local", "kind": "api",
                "fields": {"citations": "ok", "search_queries": "ok"}},
        }),
    }
}

/// A turn that pauses twice: what is searched in one round is found in the next.
pub fn anthropic() -> Case {
    let round = |stop: &str, content: Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant",
            "model": "claude-haiku-5-5-20260801", "content": content, "stop_reason": stop})
    };
    let search = |id: &str, query: &str| json!({"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": query}});
    let found = |id: &str, url: &str, title: &str| {
        json!({"type": "web_search_tool_result", "tool_use_id": id, "content": [
            {"type": "web_search_result", "title": title, "url": url, "page_age": "1 day",
                "encrypted_content": "EqgfCioIARgBIiQ3"}]})
    };
    Case {
        name: "anthropic",
        scraper: "claude",
        kind: "anthropic",
        base_path: "",
        settings: "model = \"claude-haiku-5-5\"",
        country: "DE",
        sent: Sent {
            method: "POST",
            path: "/v1/messages",
            key: Key::Header("x-api-key"),
            prompt: "/messages/0/content",
            country: ("/tools/0/user_location/country", json!("DE")),
        },
        says: vec![
            round("pause_turn", json!([search("s1", "ruby stable")])),
            round(
                "pause_turn",
                json!([found("s1", "https://www.ruby-lang.org/", "Ruby"), search("s2", "ruby 4")]),
            ),
            round(
                "end_turn",
                json!([found("s2", "https://endoflife.date/ruby", "Ruby ends"),
                    {"type": "text", "text": "It is "},
                    {"type": "text", "text": "4.0.6", "citations": [
                        {"type": "web_search_result_location", "url": "https://www.ruby-lang.org/",
                            "title": "Ruby", "cited_text": "The stable version is 4.0.6.",
                            "encrypted_index": "Eo8B"}]},
                    {"type": "text", "text": "."}]),
            ),
        ],
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is 4.0.6.",
            "links": [{"url": "https://www.ruby-lang.org/", "text": "Ruby"}],
            "sources": [
                {"title": "Ruby", "url": "https://www.ruby-lang.org/",
                    "snippet": "The stable version is 4.0.6."},
                {"title": "Ruby ends", "url": "https://endoflife.date/ruby", "snippet": ""}],
            "citations": [{"title": "Ruby", "url": "https://www.ruby-lang.org/",
                "snippet": "The stable version is 4.0.6.",
                "highlights": ["The stable version is 4.0.6."], "website_name": "ruby-lang.org",
                "favicon": null}],
            "search_queries": ["ruby stable", "ruby 4"],
            "llm_model": "claude-haiku-5-5-20260801",
            "provenance": {"upstream": "local", "kind": "api", "fields": {"links": "ok",
                "sources": "ok", "citations": "ok", "search_queries": "ok"}},
        }),
    }
}

/// Anthropic's shape at another address, which takes no place: it is told in words.
pub fn deepseek() -> Case {
    let body = json!({"id": "m", "type": "message", "role": "assistant", "model": "deepseek-flash",
        "content": [
            {"type": "server_tool_use", "id": "s", "name": "deepseek_web_search",
                "input": {"queries": ["ruby stable", "ruby 4"]}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": [
                {"type": "web_search_result", "title": "Ruby",
                    "url": "https://www.ruby-lang.org/#ws_call_id=ws_1"}]},
            {"type": "text", "text": "It is 4.0.6."}],
        "stop_reason": "end_turn"});
    Case {
        name: "deepseek",
        scraper: "deepseek",
        base_path: "/anthropic",
        settings: "model = \"deepseek-flash\"",
        sent: Sent {
            path: "/anthropic/v1/messages",
            country: (
                "/system",
                json!("Search the web before you answer. The user is in Germany."),
            ),
            ..anthropic().sent
        },
        says: vec![body],
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is 4.0.6.",
            "links": [],
            "sources": [{"title": "Ruby", "url": "https://www.ruby-lang.org/", "snippet": ""}],
            "citations": [],
            "search_queries": ["ruby stable", "ruby 4"],
            "llm_model": "deepseek-flash",
            "provenance": {"upstream": "local", "kind": "api", "fields": {"links": "empty",
                "sources": "ok", "citations": "empty", "search_queries": "ok"}},
        }),
        ..anthropic()
    }
}

pub fn mistral() -> Case {
    let body = json!({"object": "conversation.response", "conversation_id": "conv_1", "outputs": [
        {"type": "tool.execution", "name": "web_search", "arguments": "{\"query\":\"ruby stable\"}"},
        {"type": "message.output", "model": "mistral-medium-2508", "content": [
            {"type": "text", "text": "It is 4.0.6"},
            {"type": "tool_reference", "tool": "web_search", "title": "Ruby",
                "url": "https://www.ruby-lang.org/",
                "favicon": "https://www.ruby-lang.org/favicon.ico",
                "description": "The stable version.", "source": "brave"},
            {"type": "text", "text": "."}]}]});
    Case {
        name: "mistral",
        scraper: "mistral",
        kind: "mistral",
        base_path: "/v1",
        settings: "",
        country: "FR",
        sent: Sent {
            method: "POST",
            path: "/v1/conversations",
            key: Key::Bearer,
            prompt: "/inputs/0/content",
            country: ("/instructions", json!("The user is in France.")),
        },
        says: vec![body],
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is 4.0.6.",
            "links": [{"url": "https://www.ruby-lang.org/", "text": "Ruby"}],
            "sources": [{"title": "Ruby", "url": "https://www.ruby-lang.org/",
                "snippet": "The stable version."}],
            "citations": [{"title": "Ruby", "url": "https://www.ruby-lang.org/",
                "snippet": "The stable version.", "highlights": [], "website_name": "ruby-lang.org",
                "favicon": "https://www.ruby-lang.org/favicon.ico"}],
            "search_queries": ["ruby stable"],
            "llm_model": "mistral-medium-2508",
            "provenance": {"upstream": "local", "kind": "api", "fields": {"links": "ok",
                "sources": "ok", "citations": "ok", "search_queries": "ok"}},
        }),
    }
}
