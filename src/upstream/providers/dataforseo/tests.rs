//! What is sent and what is read.

use super::*;
use crate::config::{Secret, UpstreamKind};
use crate::upstream::providers::test_support::{
    answer, assert_tolerates_mutations, failure, request, secrets, settings,
};

fn dataforseo(model: &str) -> Dataforseo {
    let mut settings = settings(UpstreamKind::Dataforseo);
    settings.model = model.to_owned();
    settings.api_key = Some(Secret::new("me@example.com:key-of-tests"));
    Dataforseo::new(&settings)
}

fn envelope(result: Value) -> Value {
    json!({"version": "0.1", "status_code": 20000, "status_message": "Ok.",
        "tasks": [{"id": "t", "status_code": 20000, "status_message": "Ok.",
            "result": [result]}]})
}

fn overview() -> Value {
    envelope(json!({"keyword": "k", "check_url": "https://www.google.com/search?q=k&udm=50",
            "items": [
        {"type": "organic", "title": "no"},
        {"type": "ai_overview", "markdown": "Ruby **4.0.6**.",
         "items": [{"type": "ai_overview_element", "text": "Ruby", "references": [
            {"source": "B", "url": "https://b.example/", "title": "B", "text": "t"}]}],
         "references": [{"type": "ai_overview_reference", "source": "Ruby",
             "domain": "a.example",
            "url": "https://a.example/", "title": "A", "text": "s"}]}]}))
}

fn conversation() -> Value {
    envelope(
        json!({"model": "gpt-5-3", "markdown": "Buy **this**.", "fan_out_queries": ["best ring",
            ""],
        "sources": [{"title": "A", "snippet": "s", "domain": "a.example",
            "url": "https://a.example/"}],
        "search_results": [{"title": "B", "url": "https://b.example/", "description": "d"}],
        "items": [{"type": "chat_gpt_text", "markdown": "Buy **this**.", "sources": null},
            {"type": "chat_gpt_products", "items": [{"title": "Ring",
                "url": "https://shop.example/",
                "rating": {"value": 4.5, "votes_count": 12}}]}]}),
    )
}

#[test]
fn the_country_is_a_number_and_the_keyword_is_escaped() {
    let asked = ScrapeRequest { prompt: "100% C++".to_owned(), ..request() };
    let sent = dataforseo("").request(&asked).unwrap();
    assert_eq!(sent.url, "https://api.dataforseo.com/v3/serp/google/ai_mode/live/advanced");
    assert_eq!(secrets(&sent), [("authorization", "Basic bWVAZXhhbXBsZS5jb206a2V5LW9mLXRlc3Rz")]);
    assert_eq!(
        sent.body.unwrap(),
        json!([{"keyword": "100%25 C%2B%2B", "location_code": 2276, "language_code": "de"}])
    );
    let sent = dataforseo("chatgpt").request(&request()).unwrap();
    assert!(sent.url.ends_with("/chat_gpt/llm_scraper/live/advanced"));
    assert_eq!(sent.body.unwrap()[0]["force_web_search"], true);
    assert_eq!(dataforseo("bing").request(&request()).unwrap_err().reason, Reason::BadRequest);
}

#[test]
fn prompt_limits_are_those_of_each_page() {
    for (model, chars_max) in [
        ("google_ai_mode", 700),
        ("google_ai_overview", 700),
        ("chatgpt", 2_000),
        ("gemini", 2_000),
    ] {
        let limits = dataforseo(model).limits();
        let prompt = |chars: usize| {
            let request = ScrapeRequest { prompt: "%".repeat(chars), ..request() };
            limits.check(model, &request).map_err(|error| error.reason)
        };
        assert_eq!(prompt(chars_max), Ok(()));
        assert_eq!(prompt(chars_max + 1), Err(Reason::BadRequest));
    }
}

#[test]
fn place_below_the_country_is_a_name() {
    let mut asked = request();
    asked.country = "US".to_owned();
    asked.location.region = Some("Texas".to_owned());
    asked.location.city = Some("Austin".to_owned());
    asked.location.language = Some("es".to_owned());
    asked.location.device = Some(crate::job::Device::Mobile);
    let sent = dataforseo("google_ai_overview").request(&asked).unwrap();
    assert!(sent.url.ends_with("/v3/serp/google/organic/live/advanced"));
    let task = sent.body.unwrap()[0].clone();
    assert_eq!(task["location_name"], "Austin,Texas,United States");
    assert_eq!((&task["language_code"], &task["device"]), (&json!("es"), &json!("mobile")));
    assert_eq!(task["load_async_ai_overview"], true);
    assert_eq!(task["location_code"], Value::Null);
    let sent = dataforseo("gemini").request(&asked).unwrap();
    assert!(sent.url.ends_with("/ai_optimization/gemini/llm_scraper/live/advanced"));
    let task = sent.body.unwrap()[0].clone();
    assert_eq!((&task["device"], &task["force_web_search"]), (&Value::Null, &Value::Null));
    let refused = json!({"tasks": [{"status_code": 40501,
        "status_message": "Invalid Field: 'location_name'."}]});
    let reply = crate::upstream::providers::test_support::ok(&refused);
    let error = dataforseo("gemini").reply(&asked, &[reply]).unwrap_err();
    assert_eq!(error.reason, Reason::PlaceUnsupported, "{error}");
}

#[test]
fn page_without_an_overview_is_an_answer_and_one_that_was_not_loaded_is_none() {
    let items = |overview: Value| {
        envelope(json!({"items": [overview,
            {"type": "organic", "title": "B", "url": "https://b.example/"},
            {"type": "people_also_ask", "items": [{"title": "Why?"}, {}]}]}))
    };
    let ask = dataforseo("google_ai_overview");
    let absent = answer(&ask, &items(json!({"type": "video"})));
    assert_eq!((absent.markdown.as_str(), absent.present), ("", Some(false)));
    assert_eq!(absent.sources.unwrap()[0].url, "https://b.example/");
    assert_eq!(absent.related_questions.unwrap(), ["Why?"]);
    let there = answer(
        &ask,
        &items(json!({"type": "ai_overview", "markdown": "Red.",
        "references": [{"url": "https://a.example/", "title": "A"}]})),
    )
    .normalized();
    assert_eq!((there.markdown.as_str(), there.present), ("Red.", Some(true)));
    assert_eq!((there.citations.unwrap().len(), there.sources.unwrap().len()), (1, 2));
    let unloaded = items(json!({"type": "ai_overview", "asynchronous_ai_overview": true}));
    assert_eq!(failure(&ask, 200, &unloaded).reason, Reason::Empty);
    assert_tolerates_mutations(&ask, &[unloaded, items(json!({}))]);
}

#[test]
fn cost_and_brands_are_read() {
    let mut body = conversation();
    body["cost"] = json!(0.004);
    body["tasks"][0]["result"][0]["brand_entities"] =
        json!([{"title": "Acme", "category": "Rings", "urls": [{"url": "https://acme.example/"}]}]);
    let answer = answer(&dataforseo("gemini"), &body);
    assert_eq!(answer.usage.cost.unwrap().nano_usd, 4_000_000);
    assert_eq!(answer.entities.unwrap()[0].url, "https://acme.example/");
    let mut empty = envelope(json!({"items": []}));
    empty["tasks"][0]["cost"] = json!(0.002);
    let error = failure(&dataforseo("gemini"), 200, &empty);
    assert_eq!(error.usage.unwrap().cost.unwrap().usd(), 0.002);
    let mut silent = conversation();
    silent["tasks"][0]["result"][0]["fan_out_queries"] = json!(null);
    let of = |model: &str| super::super::test_support::answer(&dataforseo(model), &silent);
    assert_eq!((of("gemini").queries, of("chatgpt").queries), (None, Some(Vec::new())));
    assert_eq!(of("gemini").search.unwrap().made, None);
}

#[test]
fn an_overview_has_its_references() {
    let answer = answer(&dataforseo(""), &overview()).normalized();
    assert_eq!(answer.markdown, "Ruby **4.0.6**.");
    let citations = answer.citations.unwrap();
    assert_eq!((citations.len(), citations[0].url.as_str()), (2, "https://a.example/"));
    assert_eq!((citations[0].website_name.as_str(), citations[0].snippet.as_str()), ("Ruby", "s"));
    assert!(answer.url.unwrap().contains("udm=50"));
    assert_eq!((answer.queries, answer.products), (None, None));
}

#[test]
fn parts_that_unfold_are_read_where_there_is_no_markdown() {
    let component = |title: &str, text: &str, url: &str| {
        json!({"type": "ai_overview_expanded_component", "title": title, "text": text,
            "references": [{"url": url, "title": title}]})
    };
    let body = envelope(json!({"items": [{"type": "ai_overview", "items": [
        {"type": "ai_overview_element", "title": "Ruby", "text": "Ruby is red."},
        {"type": "ai_overview_expanded_element", "title": "Versions", "text": "There are two.",
         "components": [component("4.0", "The newest.", "https://a.example/"),
            component("", "", "https://b.example/"),
            component("3.4", "3.4 is older.", "https://c.example/")]},
        {"type": "ai_overview_table_element", "table": {"table_header": ["a", "b"],
            "table_content": [["1", "2"]]}},
        {"type": "ai_overview_expanded_element", "components": [
            {"type": "ai_overview_expanded_component", "markdown": "**Last** one."}]}]}]}));
    let answer = answer(&dataforseo(""), &body);
    assert_eq!(
        answer.markdown,
        "Ruby is red.\n\n**Versions**\n\nThere are two.\n\n**4.0**\n\nThe newest.\n\n\
         3.4 is older.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n**Last** one."
    );
    assert_eq!(answer.sources.unwrap().len(), 3);
}

#[test]
fn marks_count_the_references_that_come_again_and_those_without_an_address() {
    let reference = |name: &str| json!({"url": format!("https://{name}.example/"), "title": name});
    let body = envelope(json!({"items": [{"type": "ai_overview", "markdown": "One.[3] Two.[5]",
        "references": [reference("a"), reference("b"), reference("a"), {"title": "Lost"},
            reference("c")]}]}));
    let answer = answer(&dataforseo(""), &body).normalized();
    assert_eq!(answer.markdown, "One.[1] Two.[3]");
    let titles: Vec<String> = answer.sources.unwrap().into_iter().map(|page| page.title).collect();
    assert_eq!(titles, ["a", "b", "c"]);
    assert_eq!(answer.warnings, ["A reference without an address was left out: Lost"]);
}

#[test]
fn a_conversation_has_its_queries_and_products() {
    let answer = answer(&dataforseo("chatgpt"), &conversation()).normalized();
    assert_eq!(
        (answer.markdown.as_str(), answer.model.as_deref()),
        ("Buy **this**.", Some("gpt-5-3"))
    );
    assert_eq!(answer.queries.unwrap(), ["best ring"]);
    assert_eq!((answer.citations.unwrap().len(), answer.sources.unwrap().len()), (1, 2));
    let products = answer.products.unwrap();
    assert_eq!((products[0].title.as_str(), products[0].reviews.as_str()), ("Ring", "12"));
}

#[test]
fn failures_are_told_apart() {
    let task = |code: u64, message: &str| {
        json!({"status_code": 20000,
        "tasks": [{"status_code": code, "status_message": message, "result": null}]})
    };
    let reason = |body: Value| failure(&dataforseo(""), 200, &body).reason;
    assert_eq!(reason(task(40_100, "You are not Authorized.")), Reason::Auth);
    assert_eq!(reason(task(40_210, "Insufficient Funds.")), Reason::Quota);
    assert_eq!(reason(task(40_202, "Rate limit.")), Reason::UpstreamRateLimited);
    assert_eq!(reason(task(40_102, "No Search Results.")), Reason::Empty);
    assert_eq!(reason(task(40_501, "Invalid Field: 'location_code'.")), Reason::CountryUnsupported);
    assert_eq!(reason(task(40_501, "Invalid Field: 'keyword'.")), Reason::BadRequest);
    assert_eq!(reason(task(50_000, "Internal Error.")), Reason::UpstreamError);
    assert_eq!(reason(task(20_000, "Ok.")), Reason::Empty);
    assert_eq!(reason(json!({"status_code": 40_200, "tasks": []})), Reason::Quota);
    assert_eq!(reason(json!({"status_code": 20_000, "tasks": null})), Reason::InvalidResponse);
    assert_eq!(reason(envelope(json!({"items": []}))), Reason::Empty);
    assert_eq!(
        failure(&dataforseo(""), 401, &json!({"status_code": 40100, "status_message": "x"})).reason,
        Reason::Auth
    );
}

#[test]
fn fuzzed_replies_never_panic() {
    assert_tolerates_mutations(&dataforseo(""), &[overview()]);
    assert_tolerates_mutations(&dataforseo("chatgpt"), &[conversation()]);
}
