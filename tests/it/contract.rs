//! What a ScrapeLLM client sees, field by field and in order: contract 1.4 to 1.8, as a table over
//! every scraper of the catalog.

use answerd::answer::{Answer, Product, Source};
use answerd::catalog;
use serde_json::Value;

use crate::app::{App, Builder, Scripted, Step, answer, fail};
use answerd::job::Reason;

/// The arrays of contract 1.6, with the fields of their items; `""` where items are strings.
const ARRAYS: &[(&str, &[(&str, &str)])] = &[
    ("chatgpt", &[("links", "url,text"), ("search_queries", "")]),
    ("perplexity", &[("sources", "title,url,snippet"), ("related_questions", "")]),
    ("gemini", &[("citations", "title,url,snippet,highlights,website_name,favicon")]),
    ("grok", &[("web_sources", "title,url,preview"), ("x_results", "title,url,preview")]),
    (
        "copilot",
        &[
            ("citations", "title,url,snippet,highlights,website_name,favicon"),
            ("links", "url,text"),
        ],
    ),
    (
        "google_ai_mode",
        &[
            ("citations", "title,url,snippet,highlights,website_name,favicon"),
            ("search_results", "title,url,snippet,website_name"),
        ],
    ),
    (
        "google_ai_overview",
        &[
            ("citations", "title,url,snippet,highlights,website_name,favicon"),
            ("search_results", "title,url,snippet,website_name"),
            ("related_questions", ""),
        ],
    ),
    ("amazon_rufus", &[("products", "asin,title,url,rating,reviews"), ("related_questions", "")]),
    (
        "claude",
        &[
            ("links", "url,text"),
            ("sources", "title,url,snippet"),
            ("citations", "title,url,snippet,highlights,website_name,favicon"),
            ("search_queries", ""),
        ],
    ),
];

/// An answer with something for every array there is.
fn full_answer() -> Answer {
    Answer {
        x_results: Some(vec![Source {
            url: "https://x.com/a/status/1".to_owned(),
            title: "A post".to_owned(),
            snippet: "What it says.".to_owned(),
            ..Source::default()
        }]),
        related_questions: Some(vec!["And then?".to_owned()]),
        products: Some(vec![Product {
            asin: "B000000001".to_owned(),
            title: "A thing".to_owned(),
            url: "https://www.amazon.com/dp/B000000001".to_owned(),
            rating: "4.5".to_owned(),
            reviews: "12".to_owned(),
            ..Product::default()
        }]),
        url: Some("https://chat.example/c/1".to_owned()),
        ..answer("x")
    }
}

fn app_for(scraper: &str, steps: Vec<Step>) -> App {
    Builder::new().scripted(scraper, &Scripted::new("script", steps)).start()
}

/// The same for clients that refuse fields that they do not know.
fn strict_app_for(scraper: &str, steps: Vec<Step>) -> App {
    let app = Builder::new().scripted(scraper, &Scripted::new("script", steps));
    app.set("RESULTS__EXTRA_ARRAYS", false).start()
}

/// What answerd adds to the items of arrays that the contract names.
const ADDED: &[(&str, &str)] = &[
    ("sources", ",position,times,cited,date"),
    ("citations", ",position,times,cited,date"),
    ("products", ",position,price,was,merchant,merchants,image,tag"),
];

/// The keys of an object in the order in which they were sent.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_scrapers_result_has_the_common_fields_and_its_own_arrays_in_order() {
    for (scraper, arrays) in ARRAYS {
        let app = strict_app_for(scraper, vec![Step::Answer(Box::new(full_answer()))]);
        let result = app.get(&format!("/scrapers/{scraper}?prompt=x")).expect(200);
        let mut expected =
            vec!["scraper", "status", "job_id", "prompt", "country", "result", "result_markdown"];
        expected.extend(arrays.iter().map(|(name, _)| *name));
        if !arrays.iter().any(|(name, _)| *name == "search_queries") {
            expected.push("search_queries");
        }
        expected.extend(["llm_model", "credits_used", "elapsed_ms", "cached", "markdown_url"]);
        let sent = keys(&result);
        assert_eq!(&sent[..expected.len()], expected.as_slice(), "{scraper}");
        assert_eq!(&sent[expected.len()..], ["url"], "{scraper}");
        // A poll says the same, and the store has kept the rest.
        let id = result["job_id"].as_str().unwrap();
        assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["result"], result, "{scraper}");
        let attempts = app.get(&format!("/jobs/{id}/attempts")).expect(200);
        assert_eq!(attempts["attempts"][0]["upstream"], "script", "{scraper}");
        assert!(result["elapsed_ms"].is_f64() && result["credits_used"].is_u64());
        assert_eq!(result["url"], "https://chat.example/c/1");
        for (name, fields) in *arrays {
            let items = result[*name].as_array().unwrap();
            assert!(!items.is_empty(), "{scraper}.{name}");
            for item in items {
                if fields.is_empty() {
                    assert!(item.is_string());
                } else {
                    assert_eq!(keys(item).join(","), *fields, "{scraper}.{name}");
                }
            }
        }
    }
}

#[test]
fn what_is_added_stands_behind_what_the_contract_names() {
    for (scraper, arrays) in ARRAYS {
        let app = app_for(scraper, vec![Step::Answer(Box::new(full_answer()))]);
        let result = app.get(&format!("/scrapers/{scraper}?prompt=x")).expect(200);
        let mut expected = vec!["result_markdown"];
        expected.extend(arrays.iter().map(|(name, _)| *name));
        for name in ["search_queries", "sources", "citations", "products"] {
            if !expected.contains(&name) {
                expected.push(name);
            }
        }
        expected.push("llm_model");
        let sent = keys(&result);
        let start = sent.iter().position(|name| *name == "result_markdown").unwrap();
        assert_eq!(&sent[start..start + expected.len()], expected.as_slice(), "{scraper}");
        let end = ["url", "provenance", "search", "usage", "place"];
        assert_eq!(&sent[sent.len() - end.len()..], end, "{scraper}");
        for (name, fields) in arrays.iter().filter(|(_, fields)| !fields.is_empty()) {
            let added = ADDED.iter().find(|(array, _)| array == name).map_or("", |it| it.1);
            for item in result[*name].as_array().unwrap() {
                assert_eq!(keys(item).join(","), format!("{fields}{added}"), "{scraper}.{name}");
                let contract = item.as_object().unwrap().iter().take(fields.split(',').count());
                assert!(*name != "products" || contract.map(|it| it.1).all(Value::is_string));
            }
        }
    }
}

#[test]
fn a_cached_result_of_the_other_shape_does_not_serve() {
    let builder = Builder::new().scripted("chatgpt", &Scripted::new("script", Vec::new()));
    let app = builder.set("RESULTS__EXTRA_ARRAYS", false).start();
    let get = |app: &App| app.get("/scrapers/chatgpt?prompt=x").expect(200);
    assert_eq!((&get(&app)["cached"], &get(&app)["cached"]), (&false.into(), &true.into()));
    let app = app.restart_with(|builder| builder.set("RESULTS__EXTRA_ARRAYS", true));
    let fresh = get(&app);
    assert_eq!((&fresh["cached"], fresh["sources"].is_array()), (&false.into(), true));
    assert_eq!(get(&app)["cached"], true);
}

#[test]
fn arrays_are_there_when_there_is_nothing_and_say_why() {
    for entry in catalog::SCRAPERS {
        let bare = Answer { markdown: "Nothing more.".to_owned(), ..Answer::default() };
        let app = app_for(entry.name, vec![Step::Answer(Box::new(bare))]);
        let result = app.get(&format!("/scrapers/{}?prompt=x", entry.name)).expect(200);
        for array in entry.arrays {
            assert_eq!(result[array.name()], Value::Array(Vec::new()), "{}", entry.name);
            let field = &result["provenance"]["fields"][array.name()];
            assert!(field == "unsupported" || field == "empty", "{}: {field}", entry.name);
        }
        assert_eq!(result["llm_model"], Value::Null);
        assert_eq!(result["provenance"]["upstream"], "script");
        assert_eq!(result["provenance"]["kind"], "api");
    }
}

#[test]
fn the_job_object_has_its_fields_in_order_in_every_state() {
    let app =
        app_for("chatgpt", vec![Step::Answer(Box::new(full_answer())), fail(Reason::Refused)]);
    let head = ["job_id", "status", "scraper", "prompt", "country"];
    let tail = ["created_at", "completed_at"];
    let pending = app.post("/scrapers/chatgpt/jobs?prompt=x").expect(202);
    assert_eq!(&keys(&pending)[..7], [&head[..], &tail].concat());
    let id = pending["job_id"].as_str().unwrap();
    let done = app.ended(id);
    assert_eq!(&keys(&done)[..8], [&head[..], &["result"], &tail].concat());
    let failed = app.ended(&app.submit("chatgpt", "y"));
    assert_eq!(&keys(&failed)[..8], [&head[..], &["error"], &tail].concat());
    for job in [&done, &failed] {
        for time in ["created_at", "completed_at"] {
            let time = job[time].as_str().unwrap();
            assert!(time.len() == 25 && time.ends_with("+00:00"), "{time}");
        }
    }
}

#[test]
fn parameters_reach_the_upstream_as_they_were_meant() {
    let upstream = Scripted::new("script", []);
    let app = Builder::new().scripted("grok", &upstream).start();
    app.get(
        "/scrapers/grok?prompt=caf%C3%A9+%26+t%C3%A9&country=gb&web_search=False&mode=deep\
         &timeout=60.0&bypass_cache=1&unknown=1",
    )
    .expect(200);
    let asked = upstream.asked.lock().unwrap()[0].clone();
    assert_eq!(asked.prompt, "café & té");
    assert_eq!((asked.country.as_str(), asked.mode.as_deref()), ("GB", Some("deep")));
    assert!(!asked.web_search && asked.bypass_cache);
    assert_eq!(asked.timeout_ms, 60_000);
}

#[test]
fn markdown_json_is_a_token_tree_where_it_is_asked_for() {
    let app = app_for("chatgpt", Vec::new());
    let plain = app.get("/scrapers/chatgpt?prompt=x").expect(200);
    assert!(plain.get("markdown_json").is_none());
    let tree = app.get("/scrapers/chatgpt?prompt=x&markdown_json=true").expect(200);
    assert_eq!(tree["cached"], false, "another result, so another cache entry");
    assert_eq!(tree["markdown_json"][0]["type"], "paragraph");
}

#[test]
fn no_string_of_a_result_holds_nul() {
    let mut answer = full_answer();
    answer.markdown = "a\0b".to_owned();
    answer.model = Some("m\0".to_owned());
    answer.queries = Some(vec!["q\0".to_owned()]);
    let app = app_for("chatgpt", vec![Step::Answer(Box::new(answer))]);
    let reply = app.get("/scrapers/chatgpt?prompt=x");
    assert!(!reply.text.contains("\\u0000") && !reply.text.contains('\0'), "{reply:?}");
    assert_eq!(reply.expect(200)["result_markdown"], "ab");
}

#[test]
fn health_and_readiness_are_answered() {
    let app = app_for("chatgpt", Vec::new());
    assert_eq!(app.get("/healthz").expect(200)["status"], "ok");
    assert_eq!(app.get("/readyz").expect(200)["status"], "ready");
    let probed = app.method("HEAD", "/readyz");
    assert_eq!((probed.status, probed.text.as_str()), (200, ""));
}
