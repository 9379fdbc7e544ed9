//! The SERP vendors: bodies in the shapes of their documentation, reduced to what says something.

use serde_json::{Value, json};

use super::{Case, Key, Sent};

/// The body that SearchApi.io gives for any of its engines.
fn searchapi_body() -> Value {
    json!({"search_metadata": {"id": "s", "status": "Success"},
        "markdown": "It is **4.0.6**.[1]",
        "text_blocks": [{"type": "paragraph", "answer": "It is 4.0.6."}],
        "reference_links": [{"index": 1, "title": "Ruby", "link": "https://www.ruby-lang.org/",
            "source": "Ruby's site", "snippet": "The stable version is 4.0.6."}],
        "web_results": [{"title": "Ruby ends", "link": "https://endoflife.date/ruby",
            "snippet": "4.0", "source": "endoflife.date"}],
        "related_questions": ["What is new?", {"question": "When is 4.1?"}],
        "response_metadata": {"model": "gpt-6"}})
}

pub fn searchapi_chatgpt() -> Case {
    Case {
        name: "searchapi chatgpt",
        scraper: "chatgpt",
        kind: "searchapi",
        base_path: "/api/v1",
        settings: "model = \"chatgpt\"",
        country: "US",
        sent: Sent {
            method: "GET",
            path: "/api/v1/search",
            key: Key::Bearer,
            prompt: "q",
            country: ("web_search", json!("true")),
        },
        says: vec![searchapi_body()],
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is **4.0.6**.[1]",
            "links": [{"url": "https://www.ruby-lang.org/", "text": "Ruby"}],
            "search_queries": [],
            "llm_model": "gpt-6",
            "provenance": {"upstream": "local", "kind": "serp",
                "fields": {"links": "ok", "search_queries": "unsupported"}},
        }),
    }
}

pub fn searchapi_perplexity() -> Case {
    Case {
        name: "searchapi perplexity",
        scraper: "perplexity",
        settings: "model = \"perplexity\"",
        sent: Sent { country: ("engine", json!("perplexity")), ..searchapi_chatgpt().sent },
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is **4.0.6**.[1]",
            "sources": [
                {"title": "Ruby", "url": "https://www.ruby-lang.org/",
                    "snippet": "The stable version is 4.0.6."},
                {"title": "Ruby ends", "url": "https://endoflife.date/ruby", "snippet": "4.0"}],
            "related_questions": ["What is new?", "When is 4.1?"],
            "llm_model": "gpt-6",
            "provenance": {"upstream": "local", "kind": "serp",
                "fields": {"sources": "ok", "related_questions": "ok"}},
        }),
        ..searchapi_chatgpt()
    }
}

pub fn searchapi_ai_mode() -> Case {
    Case {
        name: "searchapi google_ai_mode",
        scraper: "google_ai_mode",
        settings: "model = \"google_ai_mode\"",
        country: "DE",
        sent: Sent { country: ("location", json!("Germany")), ..searchapi_chatgpt().sent },
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is **4.0.6**.[1]",
            "citations": [{"title": "Ruby", "url": "https://www.ruby-lang.org/",
                "snippet": "The stable version is 4.0.6.", "highlights": [],
                "website_name": "Ruby's site", "favicon": null}],
            "search_results": [
                {"title": "Ruby", "url": "https://www.ruby-lang.org/",
                    "snippet": "The stable version is 4.0.6.", "website_name": "Ruby's site"},
                {"title": "Ruby ends", "url": "https://endoflife.date/ruby", "snippet": "4.0",
                    "website_name": "endoflife.date"}],
            "llm_model": "gpt-6",
            "provenance": {"upstream": "local", "kind": "serp",
                "fields": {"citations": "ok", "search_results": "ok"}},
        }),
        ..searchapi_chatgpt()
    }
}

/// No Markdown comes along: it is made of the blocks. Its key has no other place than the query.
pub fn serpapi() -> Case {
    let body = json!({"search_metadata": {"id": "s", "status": "Success"},
        "text_blocks": [
            {"type": "heading", "snippet": "Ruby"},
            {"type": "paragraph", "snippet": "It is 4.0.6.", "reference_indexes": [0]},
            {"type": "list", "list": [{"title": "July", "snippet": "of 2026"}]}],
        "references": [
            {"index": 0, "title": "Ruby", "link": "https://www.ruby-lang.org/",
                "snippet": "The stable version is 4.0.6.", "source": "Ruby"},
            {"index": 1, "title": "Ruby ends", "link": "https://endoflife.date/ruby",
                "source": "endoflife.date"}],
        "shopping_results": [{"title": "A Ruby book", "product_link": "https://shop.example/1",
            "rating": 4.5, "reviews": 120}]});
    Case {
        name: "serpapi",
        scraper: "google_ai_mode",
        kind: "serpapi",
        base_path: "",
        settings: "",
        country: "GB",
        sent: Sent {
            method: "GET",
            path: "/search.json",
            key: Key::Query("api_key"),
            prompt: "q",
            country: ("gl", json!("uk")),
        },
        says: vec![body],
        result: json!({
            "result": "Ruby\n\nIt is 4.0.6.\n\n- July of 2026",
            "result_markdown": "## Ruby\n\nIt is 4.0.6.\n\n- **July** of 2026",
            "citations": [
                {"title": "Ruby", "url": "https://www.ruby-lang.org/",
                    "snippet": "The stable version is 4.0.6.", "highlights": [],
                    "website_name": "Ruby", "favicon": null},
                {"title": "Ruby ends", "url": "https://endoflife.date/ruby", "snippet": "",
                    "highlights": [], "website_name": "endoflife.date", "favicon": null}],
            "search_results": [
                {"title": "Ruby", "url": "https://www.ruby-lang.org/",
                    "snippet": "The stable version is 4.0.6.", "website_name": "Ruby"},
                {"title": "Ruby ends", "url": "https://endoflife.date/ruby", "snippet": "",
                    "website_name": "endoflife.date"}],
            "llm_model": null,
            "provenance": {"upstream": "local", "kind": "serp",
                "fields": {"citations": "ok", "search_results": "ok"}},
        }),
    }
}

/// The nearest there is to a shop's assistant.
pub fn serpapi_products() -> Case {
    Case {
        name: "serpapi products",
        scraper: "amazon_rufus",
        result: json!({
            "result": serpapi().result["result"],
            "result_markdown": serpapi().result["result_markdown"],
            "products": [{"asin": "", "title": "A Ruby book", "url": "https://shop.example/1",
                "rating": "4.5", "reviews": "120"}],
            "related_questions": [],
            "llm_model": null,
            "provenance": {"upstream": "local", "kind": "serp",
                "fields": {"products": "ok", "related_questions": "unsupported"}},
        }),
        ..serpapi()
    }
}

pub fn dataforseo() -> Case {
    let body = json!({"version": "0.1", "status_code": 20000, "status_message": "Ok.", "tasks": [{
        "id": "t", "status_code": 20000, "status_message": "Ok.", "result": [{
            "keyword": "k", "check_url": "https://www.google.com/search?q=ruby&udm=50", "items": [{
                "type": "ai_overview", "markdown": "It is **4.0.6**. [[1]](https://www.ruby-lang.org/)",
                "items": [{"type": "ai_overview_element", "text": "It is 4.0.6.", "references": [
                    {"type": "ai_overview_reference", "source": "endoflife.date",
                        "domain": "endoflife.date", "url": "https://endoflife.date/ruby",
                        "title": "Ruby ends", "text": "4.0"}]}],
                "references": [{"type": "ai_overview_reference", "source": "Ruby",
                    "domain": "www.ruby-lang.org", "url": "https://www.ruby-lang.org/",
                    "title": "Ruby", "text": "The stable version is 4.0.6."}]}]}]}]});
    let pages = [
        ("Ruby", "https://www.ruby-lang.org/", "The stable version is 4.0.6.", "Ruby"),
        ("Ruby ends", "https://endoflife.date/ruby", "4.0", "endoflife.date"),
    ];
    let citations = pages.map(|(title, url, snippet, website_name)| {
        json!({"title": title, "url": url, "snippet": snippet, "highlights": [],
            "website_name": website_name, "favicon": null})
    });
    let found = pages.map(|(title, url, snippet, website_name)| {
        json!({"title": title, "url": url, "snippet": snippet, "website_name": website_name})
    });
    Case {
        name: "dataforseo",
        scraper: "google_ai_mode",
        kind: "dataforseo",
        base_path: "",
        settings: "",
        country: "DE",
        sent: Sent {
            method: "POST",
            path: "/v3/serp/google/ai_mode/live/advanced",
            key: Key::Basic,
            prompt: "/0/keyword",
            country: ("/0/location_code", json!(2276)),
        },
        says: vec![body],
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is **4.0.6**. [[1]](https://www.ruby-lang.org/)",
            "citations": citations,
            "search_results": found,
            "llm_model": null,
            "url": "https://www.google.com/search?q=ruby&udm=50",
            "provenance": {"upstream": "local", "kind": "serp",
                "fields": {"citations": "ok", "search_results": "ok"}},
        }),
    }
}

pub fn dataforseo_chatgpt() -> Case {
    let body = json!({"status_code": 20000, "tasks": [{"status_code": 20000, "result": [{
        "model": "gpt-6", "check_url": "https://chatgpt.com/?q=ruby",
        "markdown": "It is **4.0.6**.", "fan_out_queries": ["ruby stable", "ruby 4"],
        "sources": [{"type": "chat_gpt_source", "title": "Ruby",
            "url": "https://www.ruby-lang.org/?utm_source=chatgpt.com", "snippet": "4.0.6",
            "domain": "www.ruby-lang.org", "source_name": "Ruby"}],
        "search_results": [{"title": "Ruby ends", "url": "https://endoflife.date/ruby",
            "description": "4.0"}],
        "items": [{"type": "chat_gpt_text", "markdown": "It is **4.0.6**."}]}]}]});
    Case {
        name: "dataforseo chatgpt",
        scraper: "chatgpt",
        settings: "model = \"chatgpt\"",
        sent: Sent {
            path: "/v3/ai_optimization/chat_gpt/llm_scraper/live/advanced",
            ..dataforseo().sent
        },
        says: vec![body],
        result: json!({
            "result": "It is 4.0.6.",
            "result_markdown": "It is **4.0.6**.",
            "links": [{"url": "https://www.ruby-lang.org/", "text": "Ruby"}],
            "search_queries": ["ruby stable", "ruby 4"],
            "llm_model": "gpt-6",
            "url": "https://chatgpt.com/?q=ruby",
            "provenance": {"upstream": "local", "kind": "serp",
                "fields": {"links": "ok", "search_queries": "ok"}},
        }),
        ..dataforseo()
    }
}
