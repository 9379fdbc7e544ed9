//! `GET /scrapers`: what there is, what it lacks, and how it has fared.

use answerd::answer::Answer;
use answerd::job::Reason;
use serde_json::{Value, json};

use crate::app::{App, Builder, Gate, Scripted, Step, answer, fail};

fn scraper(app: &App, name: &str) -> Value {
    let list = app.get("/scrapers").expect(200);
    let scrapers = list["scrapers"].as_array().unwrap();
    scrapers.iter().find(|scraper| scraper["name"] == name).unwrap().clone()
}

#[test]
fn every_scraper_is_listed_with_what_it_takes_and_what_it_lacks() {
    let app = Builder::new()
        .config("[http]\nauth = \"keys\"")
        .config("[[keys]]\nname = \"a\"")
        .config(&format!("hash = \"sha256:{}\"", "0".repeat(64)))
        .config("[scrapers.own]\nupstreams = [\"practice\"]\ncredits = 7")
        .start();
    let list = app.get("/scrapers").expect(200);
    let names: Vec<&str> =
        list["scrapers"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!((names[0], *names.last().unwrap(), names.len()), ("chatgpt", "own", 13));

    let grok = scraper(&app, "grok");
    assert_eq!((&grok["configured"], &grok["credits"]), (&json!(false), &json!(3)));
    assert!(grok["missing"].as_str().unwrap().contains("XAI_API_KEY"));
    assert_eq!(grok["refused_countries"], json!(["JP", "TW"]));
    assert_eq!(grok["upstreams"][0]["configured"], false);
    assert_eq!(grok["parameters"]["timeout"]["maximum"], 600.0);
    assert!(grok["parameters"].get("markdown_json").is_none());

    let own = scraper(&app, "own");
    assert_eq!((&own["configured"], &own["credits"]), (&json!(true), &json!(7)));
    assert_eq!((&own["missing"], &own["workers"]), (&Value::Null, &json!(8)));
    assert_eq!(own["upstreams"][0]["breaker"], "closed");
    assert_eq!(own["upstreams"][0]["last_error"], Value::Null);
    assert_eq!(own["health"]["success_rate"], Value::Null);
}

#[test]
fn health_tells_of_the_last_hour() {
    let held = Gate::default();
    let bare = Answer { markdown: "Nothing more.".to_owned(), ..Answer::default() };
    let upstream = Scripted::new(
        "script",
        [
            Step::Answer(Box::new(answer("a"))),
            Step::Answer(Box::new(bare)),
            fail(Reason::Refused),
            Step::Hold(held.clone()),
        ],
    );
    let (builder, clock) = Builder::new().manual();
    let app = builder.set("SCRAPERS__CHATGPT__WORKERS", 1).scripted("chatgpt", &upstream).start();
    for prompt in ["a", "b", "c"] {
        app.ended(&app.submit("chatgpt", prompt));
    }
    app.submit("chatgpt", "held");
    held.arrived(1);
    let waiting = app.submit("chatgpt", "waiting");
    let busy = scraper(&app, "chatgpt");
    clock.advance_ms(8_000);
    held.open();
    app.ended(&waiting);
    assert_eq!(busy["queue"], json!({ "waiting": 1, "running": 1 }));
    assert_eq!(busy["health"]["attempts"], 3);

    let status = scraper(&app, "chatgpt");
    let health = &status["health"];
    assert_eq!((&health["attempts"], &health["succeeded"]), (&json!(5), &json!(4)));
    assert_eq!(health["success_rate"], 0.8);
    assert_eq!(health["non_empty"]["search_queries"], 0.75);
    let p95_seconds = health["p95_seconds"].as_f64().unwrap();
    assert!((7.5..=8.5).contains(&p95_seconds), "{p95_seconds}");
    let last = &status["upstreams"][0]["last_error"];
    assert_eq!(
        (&last["code"], &last["error"]),
        (&json!("answer_refused"), &json!("The script says no."))
    );

    clock.advance_ms(3_660_000);
    assert_eq!(scraper(&app, "chatgpt")["health"]["attempts"], 0);
}
