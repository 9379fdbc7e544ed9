//! Input that cannot be served is refused before anything is spent on it, by the name of what is wrong
//! with it; and so is a start with a setting that cannot be meant.

use serde_json::{Value, json};

use crate::app::App;
use crate::child::command;
use crate::limits::{A, keys};
use crate::providers::cases;

/// A request, the code that refuses it, and what the sentence must name beside the parameter.
const WRONG: &[(&str, &str, &str)] = &[
    ("country=US&city=Atlantis", "city_invalid", "`Atlantis`"),
    ("country=DE&city=Austin", "city_invalid", "a city in DE"),
    ("region=%5BTexas%5D", "region_invalid", "`[Texas]`"),
    ("language=klingon", "language_invalid", "`klingon`"),
    ("timezone=America%2FAustin", "timezone_invalid", "`America/Austin`"),
    ("device=watch", "device_invalid", "`watch`"),
    ("country=XX", "country_invalid", "`XX`"),
    ("model=gpt-9", "model_refused", "`gpt-6-astra`"),
    ("model=a%20b", "model_invalid", "`a b`"),
    ("kind=browser", "kind_refused", "`api`"),
    ("kind=web", "kind_invalid", "`web`"),
    ("web_search=false&require_search=true", "require_search_invalid", "`web_search`"),
    ("timeout=0", "timeout_invalid", "`0`"),
    ("retain_hours=0", "retain_hours_invalid", "`0`"),
];

/// What a refusal must leave as it was: the writes of the store, and the account's usage.
fn spent(app: &App) -> (u64, Value) {
    (app.server().writer_stats().writes, app.get_with("/usage", &A).expect(200))
}

#[test]
fn wrong_input_is_refused_by_name_and_nothing_is_spent() {
    let case = cases::named("openai").setting("models_allowed", vec!["gpt-6-astra"]);
    let provider = case.provider();
    let app = case.builder(&provider).config(&keys("monthly_credits = 30")).start();
    let before = spent(&app);
    for (query, code, names) in WRONG {
        let parameter = query.rsplit('&').next().unwrap().split('=').next().unwrap();
        let path = |more: &str| format!("/scrapers/chatgpt{more}?prompt=x&{query}");
        for reply in [
            app.post_with(&path("/jobs"), &A, ""),
            app.post_with(&format!("{}&samples=2", path("/jobs")), &A, ""),
            app.get_with(&path(""), &A),
        ] {
            assert_eq!((reply.status, reply.code().as_str()), (400, *code), "{query}: {reply:?}");
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(&format!("`{parameter}`")), "{query}: {detail}");
            assert!(detail.contains(names), "{query}: {detail}");
        }
    }
    // The kind of the practice engine is none that can be asked for, so none is offered.
    let practice = app.post_with("/scrapers/practice/jobs?prompt=x&kind=api", &A, "");
    assert_eq!((practice.status, practice.code().as_str()), (400, "kind_refused"));
    let detail = practice.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("left out") && !detail.contains("has: "), "{detail}");
    assert_eq!(spent(&app), before);
    assert!(provider.asked().is_empty());

    // Of a batch, the item alone is refused, and costs nothing beside one that is not.
    let items = json!({"scraper": "chatgpt", "items": [
        {"prompt": "x", "city": "Atlantis"}, {"prompt": "x", "model": "gpt-9"},
        {"prompt": "x", "kind": "browser"}, {"prompt": "x"}]});
    let batch = app.post_with("/batches", &A, &items.to_string()).expect(202);
    let codes: Vec<&Value> =
        batch["items"].as_array().unwrap().iter().map(|item| &item["error"]["code"]).collect();
    assert_eq!(json!(codes), json!(["city_invalid", "model_refused", "kind_refused", null]));
    app.ended(batch["items"][3]["job_id"].as_str().unwrap());
    assert_eq!(provider.asked().len(), 1);
    let credits = |usage: &Value| usage["used"].as_u64().unwrap();
    assert_eq!(credits(&spent(&app).1) - credits(&before.1), 3);
}

#[test]
fn start_with_a_cap_of_zero_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("data");
    let upstream = "[upstreams.openai]\nusd_per_day = 0\n".to_owned();
    let key = keys("usd_per_day = 0.0");
    for (lines, place) in [(upstream, "in [upstreams.openai]"), (key, "of the key `a`")] {
        std::fs::write(directory.path().join("config.toml"), lines).unwrap();
        for line in ["check", "serve"] {
            let refused = command(&store).arg(line).output().unwrap();
            assert_eq!(refused.status.code(), Some(2), "{line}: {refused:?}");
            let told = [refused.stdout, refused.stderr].concat();
            let told = String::from_utf8(told).unwrap();
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            for names in [&format!("`usd_per_day` {place}"), "above 0", "leave it out"] {
                assert!(told.contains(names), "{line}: {told}");
            }
        }
        assert!(!store.exists(), "nothing is made by a start that is refused");
    }
}
