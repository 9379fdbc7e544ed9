//! What answerd adds to the result of the contract.

use serde_json::{Value, json};

use super::{full, rendered, rendered_as, request};
use crate::answer::result::as_cached;
use crate::answer::{Ad, Answer, AppliedPlace, Entity, PlaceBy, Product, Search, Source};
use crate::catalog;
use crate::job::{Cost, Location, UpstreamUsage};

/// The result with all that answerd adds.
fn extended(answer: &Answer, scraper: &str) -> Value {
    serde_json::from_slice(&rendered_as(answer, &request(scraper), true)).unwrap()
}

/// Each page of an array on a line: its address, whether it is cited, its position, how often.
fn cited(result: &Value, array: &str) -> String {
    let pages = result[array].as_array().unwrap().iter();
    let line = |page: &Value| {
        let [url, cited, position, times] =
            ["url", "cited", "position", "times"].map(|field| &page[field]);
        format!("{} {cited} {position} {times}\n", url.as_str().unwrap())
    };
    pages.map(line).collect()
}

fn pages(urls: &[&str]) -> Option<Vec<Source>> {
    let page = |url: &&str| Source { url: (*url).to_owned(), ..Source::default() };
    Some(urls.iter().map(page).collect())
}

#[test]
fn extras_stand_behind_what_the_contract_names() {
    let answer = Answer {
        products: Some(vec![Product {
            asin: "B01".to_owned(),
            title: "A book".to_owned(),
            price: "1.299 €".to_owned(),
            was: "1.399 €".to_owned(),
            merchants: vec!["A".to_owned(), "B".to_owned()],
            ..Product::default()
        }]),
        ads: Some(vec![Ad {
            brand: "Acme".to_owned(),
            title: "Buy".to_owned(),
            url: "https://ad.example/1".to_owned(),
            ..Ad::default()
        }]),
        entities: Some(vec![Entity {
            name: "Ruby".to_owned(),
            r#type: "language".to_owned(),
            url: String::new(),
        }]),
        search: Some(Search { asked: true, made: Some(true), calls: Some(3), failed: 1 }),
        usage: UpstreamUsage {
            input_tokens: Some(12),
            searches: Some(2),
            cost: Cost::told(0.0125),
            ..UpstreamUsage::default()
        },
        place: Some(AppliedPlace {
            country: Some("US".to_owned()),
            location: Location { region: Some("Texas".to_owned()), ..Location::default() },
            by: PlaceBy::Field,
        }),
        ..full()
    }
    .normalized();
    for entry in catalog::SCRAPERS {
        let plain: Value =
            serde_json::from_slice(&rendered(&answer, &request(entry.name))).unwrap();
        let extended = extended(&answer, entry.name);
        let (plain, extended) = (plain.as_object().unwrap(), extended.as_object().unwrap());
        // In the same order, if one looks past what was added.
        let known = extended.keys().filter(|name| plain.contains_key(*name));
        assert!(known.eq(plain.keys()), "{}", entry.name);
        for (name, value) in plain.iter().filter(|(name, _)| *name != "provenance") {
            let Some(items) = value.as_array().filter(|it| it.iter().all(Value::is_object)) else {
                assert_eq!(*value, extended[name], "{}.{name}", entry.name);
                continue;
            };
            for (item, more) in items.iter().zip(extended[name].as_array().unwrap()) {
                let (item, more) = (item.as_object().unwrap(), more.as_object().unwrap());
                let first: Vec<_> = more.iter().take(item.len()).collect();
                assert_eq!(first, item.iter().collect::<Vec<_>>(), "{}.{name}", entry.name);
            }
        }
        for name in ["sources", "citations", "search_queries", "products", "ads", "entities"] {
            let state = &extended["provenance"]["fields"][name];
            assert_eq!(state, "ok", "{}.{name}", entry.name);
            assert!(!extended[name].as_array().unwrap().is_empty(), "{}.{name}", entry.name);
        }
    }
    let result = extended(&answer, "gemini");
    let shown: String = ["sources", "citations", "products", "ads", "entities", "search", "usage"]
        .into_iter()
        .chain(["place"])
        .map(|name| format!("{name}: {}\n", result[name]))
        .collect();
    insta::assert_snapshot!(shown, @r#"
    sources: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1","position":1,"times":1,"cited":true,"date":null},{"title":"Page 2","url":"https://x.com/ruby/status/1","snippet":"Snippet 2","position":null,"times":0,"cited":false,"date":null}]
    citations: [{"title":"Page 1","url":"https://a.example/","snippet":"Snippet 1","highlights":["Highlight 1"],"website_name":"a.example","favicon":"https://a.example/favicon.ico","position":1,"times":1,"cited":true,"date":null}]
    products: [{"asin":"B01","title":"A book","url":"","rating":"","reviews":"","position":1,"price":{"raw":"1.299 €","amount":"1299","currency":"EUR"},"was":"1.399 €","merchant":"A","merchants":["A","B"],"image":"","tag":""}]
    ads: [{"brand":"Acme","title":"Buy","body":"","url":"https://ad.example/1","image":"","position":1}]
    entities: [{"name":"Ruby","type":"language","url":""}]
    search: {"asked":true,"made":true,"calls":3,"failed":1}
    usage: {"input_tokens":12,"output_tokens":null,"reasoning_tokens":null,"searches":2,"cost_usd":0.0125,"cost_from":"provider"}
    place: {"asked":{"country":"US"},"applied":{"country":"US","region":"Texas"},"by":"field"}
    "#);
    assert!(!result["links"].to_string().contains("ad.example"));
}

#[test]
fn what_is_not_told_is_null_and_what_is_unsupported_is_left_out() {
    let answer = Answer { markdown: "Yes.".to_owned(), ..Answer::default() }.normalized();
    let result = extended(&answer, "chatgpt");
    let shown: String = ["sources", "citations", "products", "search", "usage", "place"]
        .map(|name| format!("{name}: {}\n", result.get(name).unwrap_or(&"left out".into())))
        .concat();
    let fields = &result["provenance"]["fields"];
    insta::assert_snapshot!(format!("{shown}fields: {fields}"), @r#"
    sources: []
    citations: []
    products: "left out"
    search: {"asked":true,"made":null,"calls":null,"failed":null}
    usage: {"input_tokens":null,"output_tokens":null,"reasoning_tokens":null,"searches":null,"cost_usd":null,"cost_from":null}
    place: {"asked":{"country":"US"},"applied":{},"by":"none"}
    fields: {"links":"empty","search_queries":"unsupported","sources":"unsupported","citations":"unsupported","products":"unsupported","ads":"unsupported","entities":"unsupported"}
    "#);
}

#[test]
fn pages_that_were_only_consulted_are_no_links() {
    let urls = ["https://a.example/", "https://b.example/", "https://c.example/"];
    let answer = Answer {
        markdown: "Four.".to_owned(),
        sources: pages(&urls),
        citations: Some(Vec::new()),
        ..Answer::default()
    };
    let result = extended(&answer.clone().normalized(), "chatgpt");
    assert_eq!((&result["links"], &result["citations"]), (&json!([]), &json!([])));
    assert_eq!(result["provenance"]["fields"]["links"], "empty");
    assert_eq!(
        cited(&result, "sources"),
        "https://a.example/ false null 0\nhttps://b.example/ false null 0\n\
         https://c.example/ false null 0\n"
    );
    // Nor are they where the upstream says nothing of citations.
    let untold = Answer { citations: None, ..answer }.normalized();
    let result = extended(&untold, "chatgpt");
    assert_eq!(result["links"], json!([]));
    assert!(cited(&result, "sources").starts_with("https://a.example/ null null 0\n"));
    assert_eq!(result["provenance"]["fields"]["citations"], "unsupported");
}

#[test]
fn pages_that_nobody_tells_apart_are_neither_cited_nor_not() {
    let urls = ["https://a.example/", "https://b.example/"];
    let gemini = Answer {
        markdown: "Four.".to_owned(),
        sources: pages(&urls),
        citations: Some(Vec::new()),
        cited_is_untold: true,
        ..Answer::default()
    };
    let result = extended(&gemini.clone().normalized(), "gemini");
    assert_eq!(result["citations"], json!([]));
    assert_eq!(
        cited(&result, "sources"),
        "https://a.example/ null null 0\nhttps://b.example/ null null 0\n"
    );
    // A mark tells of its own page alone.
    let serp = Answer {
        markdown: "Four [2]. Or [5](https://c.example/).".to_owned(),
        citations: pages(&urls),
        ..gemini
    };
    let result = extended(&serp.normalized(), "google_ai_mode");
    for array in ["sources", "citations"] {
        assert_eq!(
            cited(&result, array),
            "https://a.example/ null null 0\nhttps://b.example/ true 1 1\n"
        );
    }
}

#[test]
fn positions_follow_the_text_and_citations_stand_in_their_order() {
    let answer = Answer {
        markdown: "One [3], [two](https://a.example/) [3][9]. `[2]` [See](https://a.example/) [1]"
            .to_owned(),
        sources: pages(&["https://a.example/", "https://b.example/", "https://c.example/"]),
        ..Answer::default()
    };
    let result = extended(&answer.clone().normalized(), "perplexity");
    assert_eq!(
        cited(&result, "sources"),
        "https://a.example/ true 2 3\nhttps://b.example/ false null 0\n\
         https://c.example/ true 1 2\n"
    );
    let cites = "https://c.example/ true 1 2\nhttps://a.example/ true 2 3\n";
    assert_eq!(cited(&result, "citations"), cites);
    // What the upstream cites beyond the text comes after it, with its passages.
    let told = Source {
        url: "https://b.example/".to_owned(),
        highlights: vec!["so".to_owned(), "and so".to_owned()],
        ..Source::default()
    };
    let told = Answer { citations: Some(vec![told]), ..answer.clone() }.normalized();
    let result = extended(&told, "claude");
    assert_eq!(cited(&result, "citations"), format!("{cites}https://b.example/ true 3 2\n"));
    // In JSON, brackets are lists.
    let json = Answer { markdown: "{\"a\": [1]}".to_owned(), ..answer }.normalized();
    assert!(cited(&extended(&json, "claude"), "sources").starts_with("https://a.example/ null"));
}

#[test]
fn a_page_that_was_consulted_five_times_is_one() {
    let same = ["https://a.example/?utm_source=openai", "https://a.example/"];
    let urls: Vec<&str> = same.into_iter().cycle().take(5).collect();
    let answer = Answer { sources: pages(&urls), ..Answer::default() }.normalized();
    assert_eq!(cited(&extended(&answer, "chatgpt"), "sources"), "https://a.example/ null null 0\n");
}

#[test]
fn a_cached_result_used_nothing_and_has_the_form_of_the_settings() {
    let plain = rendered(&full(), &request("chatgpt"));
    let extended = rendered_as(&full(), &request("chatgpt"), true);
    let cached =
        |stored: &[u8], has_extras| as_cached(stored, "id", "https://o.example", 0, has_extras);
    let result: Value = serde_json::from_slice(&cached(&extended, true).unwrap().json).unwrap();
    insta::assert_snapshot!(result["usage"], @r#"{"input_tokens":0,"output_tokens":0,"reasoning_tokens":0,"searches":0,"cost_usd":0.0,"cost_from":null}"#);
    assert_eq!((cached(&extended, false), cached(&plain, true)), (None, None));
}
