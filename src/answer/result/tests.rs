use serde_json::Value;

mod extras;

use super::*;
use crate::answer::{Product, Source};
use crate::job::RawRequest;
use crate::tests::fuzz;

fn source(number: u32, url: &str) -> Source {
    Source {
        url: url.to_owned(),
        title: format!("Page {number}"),
        snippet: format!("Snippet {number}"),
        highlights: vec![format!("Highlight {number}")],
        website_name: String::new(),
        favicon: (number == 1).then(|| "https://a.example/favicon.ico".to_owned()),
        date: String::new(),
    }
}

fn lines(lines: &[&str]) -> Option<Vec<String>> {
    Some(lines.iter().map(|line| (*line).to_owned()).collect())
}

/// An answer that has everything.
fn full() -> Answer {
    Answer {
        markdown: "**Ruby** is at 4.0 [1], see [the news](https://www.b.example/news).".to_owned(),
        model: Some("m".to_owned()),
        queries: lines(&["ruby version"]),
        sources: Some(vec![
            source(1, "https://a.example/?utm_source=openai"),
            source(2, "https://x.com/ruby/status/1"),
        ]),
        citations: Some(vec![source(1, "https://a.example/")]),
        related_questions: lines(&["What is new?"]),
        products: Some(vec![Product {
            asin: "B01".to_owned(),
            title: "A book".to_owned(),
            url: "https://shop.example/B01".to_owned(),
            rating: "4.5".to_owned(),
            reviews: "12".to_owned(),
            ..Product::default()
        }]),
        url: Some("https://chat.example/c/1".to_owned()),
        warnings: vec!["A warning.".to_owned()],
        ..Answer::default()
    }
    .normalized()
}

fn request(scraper: &str) -> ScrapeRequest {
    let raw = RawRequest { prompt: Some("Ruby?".to_owned()), ..RawRequest::default() };
    raw.check(scraper, &[]).unwrap()
}

/// The result in the exact shape of the contract.
fn rendered(answer: &Answer, request: &ScrapeRequest) -> Vec<u8> {
    rendered_as(answer, request, false)
}

fn rendered_as(answer: &Answer, request: &ScrapeRequest, has_extras: bool) -> Vec<u8> {
    render(
        answer,
        &ResultFacts {
            request,
            job_id: "11111111-2222-4333-8444-555555555555",
            public_url: "http://127.0.0.1:8080",
            credits_used: 3,
            elapsed_ms: 1_234.567_89,
            upstream: "openai",
            model_asked: Some("m"),
            kind: Kind::Api,
            has_extras,
        },
    )
}

/// A field on each line.
fn shown(json: &[u8]) -> String {
    let object: Value = serde_json::from_slice(json).unwrap();
    let fields = object.as_object().unwrap().iter();
    fields.map(|(name, value)| format!("{name}: {value}\n")).collect()
}

/// The fields from the arrays on; those before are the same for all.
fn own_fields(scraper: &str) -> String {
    let shown = shown(&rendered(&full(), &request(scraper)));
    let start = shown.find("result_markdown").unwrap();
    let arrays = shown[start..].split_once('\n').unwrap().1;
    let end = arrays.find("llm_model").unwrap();
    let provenance = &arrays[arrays.find("provenance").unwrap()..];
    format!("{}{provenance}", &arrays[..end])
}

#[test]
fn chatgpt_in_whole() {
    insta::assert_snapshot!(shown(&rendered(&full(), &request("chatgpt"))), @r#"
    scraper: "chatgpt"
    status: "done"
    job_id: "11111111-2222-4333-8444-555555555555"
    prompt: "Ruby?"
    country: "US"
    result: "Ruby is at 4.0, see the news."
    result_markdown: "**Ruby** is at 4.0 [1], see [the news](https://www.b.example/news)."
    links: [{"url":"https://www.b.example/news","text":"the news"},{"url":"https://a.example/","text":"Page 1"}]
    search_queries: ["ruby version"]
    llm_model: "m"
    credits_used: 3
    elapsed_ms: 1234.568
    cached: false
    markdown_url: "http://127.0.0.1:8080/md/11111111-2222-4333-8444-555555555555.md"
    url: "https://chat.example/c/1"
    warnings: ["A warning."]
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"links":"ok","search_queries":"ok"}}
    "#);
}

#[test]
fn perplexity() {
    insta::assert_snapshot!(own_fields("perplexity"), @r#"
    sources: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1"},{"title":"Page 2","url":"https://x.com/ruby/status/1","snippet":"Snippet 2"}]
    related_questions: ["What is new?"]
    search_queries: ["ruby version"]
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"sources":"ok","related_questions":"ok","search_queries":"ok"}}
    "#);
}

#[test]
fn grok() {
    insta::assert_snapshot!(own_fields("grok"), @r#"
    web_sources: [{"title":"Page 1","url":"https://a.example/","preview":"Snippet 1"}]
    x_results: [{"title":"Page 2","url":"https://x.com/ruby/status/1","preview":"Snippet 2"}]
    search_queries: ["ruby version"]
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"web_sources":"ok","x_results":"ok","search_queries":"ok"}}
    "#);
}

#[test]
fn copilot() {
    insta::assert_snapshot!(own_fields("copilot"), @r#"
    citations: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1","highlights":["Highlight 1"],"website_name":"a.example","favicon":"https://a.example/favicon.ico"}]
    links: [{"url":"https://www.b.example/news","text":"the news"},{"url":"https://a.example/","text":"Page 1"}]
    search_queries: ["ruby version"]
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"citations":"ok","links":"ok","search_queries":"ok"}}
    "#);
}

#[test]
fn gemini() {
    insta::assert_snapshot!(own_fields("gemini"), @r#"
    citations: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1","highlights":["Highlight 1"],"website_name":"a.example","favicon":"https://a.example/favicon.ico"}]
    search_queries: ["ruby version"]
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"citations":"ok","search_queries":"ok"}}
    "#);
}

#[test]
fn google_ai_mode() {
    insta::assert_snapshot!(own_fields("google_ai_mode"), @r#"
    citations: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1","highlights":["Highlight 1"],"website_name":"a.example","favicon":"https://a.example/favicon.ico"}]
    search_results: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1","website_name":"a.example"},{"title":"Page 2","url":"https://x.com/ruby/status/1","snippet":"Snippet 2","website_name":"x.com"}]
    search_queries: ["ruby version"]
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"citations":"ok","search_results":"ok","search_queries":"ok"}}
    "#);
}

#[test]
fn amazon_rufus() {
    insta::assert_snapshot!(own_fields("amazon_rufus"), @r#"
    products: [{"asin":"B01","title":"A book","url":"https://shop.example/B01","rating":"4.5","reviews":"12"}]
    related_questions: ["What is new?"]
    search_queries: ["ruby version"]
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"products":"ok","related_questions":"ok","search_queries":"ok"}}
    "#);
}

#[test]
fn claude_and_all_with_the_general_arrays() {
    insta::assert_snapshot!(own_fields("claude"), @r#"
    links: [{"url":"https://www.b.example/news","text":"the news"},{"url":"https://a.example/","text":"Page 1"}]
    sources: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1"},{"title":"Page 2","url":"https://x.com/ruby/status/1","snippet":"Snippet 2"}]
    citations: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1","highlights":["Highlight 1"],"website_name":"a.example","favicon":"https://a.example/favicon.ico"}]
    search_queries: ["ruby version"]
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"links":"ok","sources":"ok","citations":"ok","search_queries":"ok"}}
    "#);
    for scraper in ["mistral", "deepseek", "one_of_my_own"] {
        assert_eq!(own_fields(scraper), own_fields("claude"));
    }
}

#[test]
fn practice() {
    insta::assert_snapshot!(own_fields("practice"), @r#"
    links: [{"url":"https://www.b.example/news","text":"the news"},{"url":"https://a.example/","text":"Page 1"}]
    sources: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1"},{"title":"Page 2","url":"https://x.com/ruby/status/1","snippet":"Snippet 2"}]
    citations: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1","highlights":["Highlight 1"],"website_name":"a.example","favicon":"https://a.example/favicon.ico"}]
    search_queries: ["ruby version"]
    related_questions: ["What is new?"]
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"links":"ok","sources":"ok","citations":"ok","search_queries":"ok","related_questions":"ok"}}
    "#);
}

#[test]
fn a_bare_answer_has_every_array_and_says_what_is_unsupported() {
    let answer = Answer { markdown: "Yes.".to_owned(), ..Answer::default() }.normalized();
    insta::assert_snapshot!(shown(&rendered(&answer, &request("grok"))), @r#"
    scraper: "grok"
    status: "done"
    job_id: "11111111-2222-4333-8444-555555555555"
    prompt: "Ruby?"
    country: "US"
    result: "Yes."
    result_markdown: "Yes."
    web_sources: []
    x_results: []
    llm_model: null
    credits_used: 3
    elapsed_ms: 1234.568
    cached: false
    markdown_url: "http://127.0.0.1:8080/md/11111111-2222-4333-8444-555555555555.md"
    provenance: {"upstream":"openai","kind":"api","model_asked":"m","fields":{"web_sources":"unsupported","x_results":"unsupported"}}
    "#);
}

#[test]
fn lists_that_are_empty_are_not_unsupported() {
    let answer = Answer {
        sources: Some(vec![]),
        citations: Some(vec![]),
        queries: Some(vec![]),
        x_results: Some(vec![]),
        ..Answer::default()
    };
    for entry in catalog::SCRAPERS {
        let result: Value =
            serde_json::from_slice(&rendered(&answer, &request(entry.name))).unwrap();
        let fields = result["provenance"]["fields"].as_object().unwrap();
        for (name, state) in fields {
            let from_nothing = ["related_questions", "products"].contains(&name.as_str());
            assert_eq!(state, if from_nothing { "unsupported" } else { "empty" }, "{name}");
            assert_eq!(result[name], Value::Array(vec![]), "{name}");
        }
    }
}

#[test]
fn posts_on_x_are_never_lost() {
    let post = source(3, "https://x.com/ruby/status/3");
    let answer = Answer {
        x_results: Some(vec![post.clone()]),
        sources: Some(vec![source(4, "https://twitter.com/a/status/4"), post]),
        ..Answer::default()
    }
    .normalized();
    let result: Value = serde_json::from_slice(&rendered(&answer, &request("grok"))).unwrap();
    let urls: Vec<_> = result["x_results"].as_array().unwrap().iter().map(|p| &p["url"]).collect();
    assert_eq!(urls, ["https://x.com/ruby/status/3", "https://twitter.com/a/status/4"]);
    assert_eq!(result["web_sources"], Value::Array(vec![]));
}

#[test]
fn the_token_tree_comes_when_asked_for_and_only_where_it_is_offered() {
    for (scraper, offered) in [("chatgpt", true), ("practice", true), ("grok", false)] {
        let asked = ScrapeRequest { markdown_json: true, ..request(scraper) };
        let result: Value = serde_json::from_slice(&rendered(&full(), &asked)).unwrap();
        assert_eq!(result["markdown_json"][0]["type"] == "paragraph", offered, "{scraper}");
        assert!(offered || result.get("markdown_json").is_none());
    }
}

#[test]
fn times_always_have_a_fraction() {
    for (elapsed_ms, written) in
        [(12.0, "12.0"), (0.000_4, "0.0"), (f64::NAN, "0.0"), (1e9, "1000000000.0")]
    {
        assert_eq!(serde_json::to_string(&milliseconds(elapsed_ms)).unwrap(), written);
    }
}

#[test]
fn a_cached_result_differs_in_what_is_its_own_and_nothing_else() {
    let stored = rendered(&full(), &request("chatgpt"));
    let id = "99999999-8888-4777-8666-555555555555";
    let as_cached =
        |stored: &[u8]| as_cached(stored, id, "https://other.example", 1_778_500_800_000, false);
    let cached = as_cached(&stored).unwrap().json;
    let changed: Vec<String> = {
        let before = shown(&stored);
        let before: Vec<&str> = before.lines().collect();
        shown(&cached).lines().filter(|line| !before.contains(line)).map(str::to_owned).collect()
    };
    insta::assert_snapshot!(changed.join("\n"), @r#"
    job_id: "99999999-8888-4777-8666-555555555555"
    credits_used: 0
    cached: true
    markdown_url: "https://other.example/md/99999999-8888-4777-8666-555555555555.md"
    cached_at: "2026-05-11T12:00:00+00:00"
    "#);
    let names = |json: &[u8]| {
        let object: Value = serde_json::from_slice(json).unwrap();
        object.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let mut expected = names(&stored);
    let at = expected.iter().position(|name| name == "markdown_url").unwrap();
    expected.insert(at + 1, "cached_at".to_owned());
    assert_eq!(names(&cached), expected);
    assert_eq!(as_cached(&cached).unwrap().json, cached);
}

#[test]
fn what_is_no_result_cannot_be_served_from_the_cache() {
    for stored in ["", "{}", "[]", "null", "{\"job_id\":1", "{\"job_id\":\"a\",\"cached\":false}"] {
        assert_eq!(
            as_cached(stored.as_bytes(), "id", "http://a.example", 0, false),
            None,
            "{stored}"
        );
    }
    let with_rest = [rendered(&full(), &request("grok")), b"x".to_vec()].concat();
    assert_eq!(as_cached(&with_rest, "id", "http://a.example", 0, false), None);
}

#[test]
fn fuzzed_answers_become_one_sound_object() {
    let examples = [
        "# Title\n\n**Ruby** is at 4.0 [1], see [the news](https://www.b.example/news).\n\n- a\n  - b",
        "| a | b |\n| - | - |\n| 1 | 2 |\n\n```rust\nfn main() {}\n```\n\n> quoted [2][3] ^x^",
        "1. one\n2. two\n\n![image](https://i.example/x.png) <b>bold</b> &amp; https://c.example/",
    ];
    fuzz::text("answer", &examples, |markdown| {
        let answer = Answer { markdown: markdown.to_owned(), ..full() }.normalized();
        let request = ScrapeRequest { markdown_json: true, ..request("chatgpt") };
        let json = rendered_as(&answer, &request, true);
        let object: Value = serde_json::from_slice(&json).unwrap();
        let text = object["result"].as_str().unwrap();
        assert!(!text.contains('\0') && text.len() <= 8 * markdown.len() + 64, "{text:?}");
        for link in object["links"].as_array().into_iter().flatten() {
            assert!(link["url"].as_str().unwrap().starts_with("http"), "{link}");
        }
    });
}
