//! Every case in `cases` through the real service to its job, and bodies that are no JSON of a kind.

use serde_json::{Value, json};

use super::cases::{self, Case, KEY, pattern};
use super::server::{Asked, Provider, Says};
use crate::app::{App, Builder};

/// Runs only the cases whose names contain this.
const FILTER: &str = "CASE";

#[test]
fn every_case_ends_as_its_files_say() {
    let filter = std::env::var(FILTER).unwrap_or_default();
    let mut left = cases::all();
    left.retain(|case| case.name.contains(&filter));
    assert!(!left.is_empty(), "no case is called {filter}");
    let mut differences = Vec::new();
    while !left.is_empty() {
        // A server has one upstream for each scraper: so many cases run at once.
        let mut round: Vec<Case> = Vec::new();
        left = left
            .into_iter()
            .filter_map(|case| {
                let is_taken = round.iter().any(|other| other.scraper == case.scraper);
                if is_taken {
                    Some(case)
                } else {
                    round.push(case);
                    None
                }
            })
            .collect();
        run(&round, &mut differences);
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

/// Runs cases on one server, each with an upstream of its own that has the case's name.
fn run(cases: &[Case], differences: &mut Vec<String>) {
    let providers: Vec<Provider> = cases.iter().map(Case::provider).collect();
    let mut builder = Builder::new().env("PLANTED_KEY", KEY).set("RETRY__RETRIES", 0);
    for (case, provider) in cases.iter().zip(&providers) {
        builder = builder.config(&case.upstream(&case.name, provider));
        builder = builder.config(&case.scraper(&case.name));
    }
    let app = builder.start();
    let ids: Vec<String> = cases.iter().map(|case| case.submit(&app)).collect();
    for ((case, provider), id) in cases.iter().zip(&providers).zip(&ids) {
        let found = check(case, &app.ended(id), &provider.asked());
        differences.extend(found.into_iter().map(|found| format!("{}: {found}", case.name)));
    }
}

/// Returns what is not as the case says.
fn check(case: &Case, job: &Value, asked: &[Asked]) -> Vec<String> {
    let mut expected = case.expected.clone();
    // Every job is held to its prompt, and every answer to its warnings.
    expected["job"]["prompt"] = case.prompt.as_str().into();
    expected["job"]["country"] = case.country.as_str().into();
    if let Some(result) = expected["job"]["result"].as_object_mut() {
        result.entry("warnings").or_insert(Value::Null);
    }
    let sent: Vec<Value> = asked.iter().map(heard).collect();
    if expected["sent"].is_null() {
        expected["sent"] = vec![json!({}); case.replies().len()].into();
    }
    let mut found = pattern::differences(&expected, &json!({"job": job, "sent": sent}));
    let is_key_in_query = expected["sent"][0]["query"].to_string().contains(KEY);
    if !is_key_in_query && asked.iter().any(|asked| asked.target.contains("planted")) {
        found.push("the key stands in the address".to_owned());
    }
    found
}

/// A request as `sent` describes it.
fn heard(asked: &Asked) -> Value {
    let body = if asked.body.is_empty() { Value::Null } else { asked.json() };
    json!({
        "method": asked.method,
        "path": asked.path(),
        "query": asked.query(),
        "headers": asked.headers,
        "body": body,
    })
}

#[test]
fn one_broken_character_costs_no_second_call() {
    let case = cases::named("compatible");
    let rows: [(&[u8], &[u8], &str); 3] = [
        (b"", b"Red \\ud800 it is.", "Red \u{fffd} it is."),
        (b"", b"Caf\xc3, 4.", "Caf\u{fffd}, 4."),
        (b"\xef\xbb\xbf", b"Four.", "Four."),
    ];
    for (mark, text, read) in rows {
        let head = br#"{"model": "m", "choices": [{"message": {"content": ""#;
        let body = [mark, head, text, br#""}}]}"#].concat();
        let says = Says::text(200, "application/json", body);
        let provider = Provider::start([says], Says::json(500, &Value::Null));
        let app: App = case.builder(&provider).start();
        let job = app.ended(&case.submit(&app));
        assert_eq!((&job["status"], &job["attempts"]), (&"done".into(), &1.into()), "{job:#}");
        assert_eq!(job["result"]["result_markdown"], read, "{job:#}");
        assert_eq!(provider.asked().len(), 1);
    }
}

#[test]
fn result_of_45_sources_with_addresses_of_400_bytes_is_whole() {
    let url = |n: usize| {
        let start = format!("https://site-{n}.example/");
        format!("{start}{}", "x".repeat(400 - start.len()))
    };
    let urls: Vec<String> = (0..45).map(url).collect();
    let sources: Vec<Value> = urls.iter().map(|url| json!({"type": "url", "url": url})).collect();
    let mut text = String::new();
    let mut annotations = Vec::new();
    for (n, url) in urls.iter().enumerate() {
        let begins = text.chars().count();
        text.push_str(&format!("([site {n}]({url}))"));
        annotations.push(json!({"type": "url_citation", "url": url, "title": format!("Site {n}"),
            "start_index": begins, "end_index": text.chars().count()}));
        text.push_str(" Fact. ");
    }
    let body = json!({"id": "r", "status": "completed", "model": "m", "output": [
        {"type": "web_search_call", "status": "completed", "action":
            {"type": "search", "query": "facts", "sources": sources}},
        {"type": "message", "role": "assistant", "content":
            [{"type": "output_text", "text": text, "annotations": annotations}]}]});
    let case = cases::named("openai");
    let provider = Provider::always(Says::json(200, &body));
    let app = case.builder(&provider).start();
    let id = case.submit(&app);
    let job = app.ended(&id);
    for list in ["sources", "citations"] {
        let listed = job["result"][list].as_array().unwrap();
        let listed: Vec<&str> = listed.iter().map(|page| page["url"].as_str().unwrap()).collect();
        assert_eq!(listed, urls, "{list}");
    }
    let positions = job["result"]["citations"].as_array().unwrap().iter();
    let positions: Vec<u64> = positions.map(|page| page["position"].as_u64().unwrap()).collect();
    assert_eq!(positions, Vec::from_iter(1..=45));
    assert_eq!(job["result"]["links"].as_array().unwrap().len(), 45);
    let app = app.restart();
    assert_eq!(app.ended(&id), job);
}
