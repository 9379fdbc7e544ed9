//! The place of a request: what is refused at once, which upstreams a strict one passes over, and what
//! the cache tells apart.

use serde_json::json;

use crate::app::{App, Builder, Scripted, encoded};
use crate::providers::cases;

fn end(app: &App, scraper: &str, query: &str) -> serde_json::Value {
    let reply = app.post(&format!("/scrapers/{scraper}/jobs?prompt=x&{query}")).expect(202);
    app.ended(reply["job_id"].as_str().unwrap())
}

#[test]
fn a_place_that_breaks_its_rule_is_refused_with_what_is_near() {
    let app = Builder::new().start();
    for (query, code, detail) in [
        ("language=xx", "language_invalid", "a known language"),
        ("language=german", "language_invalid", "given: `german`"),
        ("timezone=Europe%2FBerln", "timezone_invalid", "such as `Europe/Berlin`"),
        ("city=%3Cb%3E", "city_invalid", "the name of a place"),
        ("region=a%0Ab", "region_invalid", "the name of a place"),
        ("device=watch", "device_invalid", "`desktop` or `mobile`"),
    ] {
        let reply = app.post(&format!("/scrapers/practice/jobs?prompt=x&{query}"));
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{query}");
        assert!(reply.text.contains(detail), "{query}: {}", reply.text);
    }
    let items = json!({ "scraper": "practice", "items": [
        { "prompt": "a", "city": "München", "country": "DE" }, { "prompt": "b", "language": "tlh-x" },
    ] });
    let batch = app.post_with("/batches", &[], &items.to_string()).expect(202);
    assert_eq!(batch["counts"]["refused"], 1, "{batch:#}");
    assert_eq!(batch["items"][1]["error"]["code"], "language_invalid", "{batch:#}");
}

#[test]
fn a_strict_place_passes_over_upstreams_that_cannot_apply_it() {
    let case = cases::named("openai");
    let provider = case.provider();
    let app = case
        .builder(&provider)
        .config("[scrapers.both]\nupstreams = [\"practice\", \"local\"]")
        .config("[scrapers.alone]\nupstreams = [\"practice\"]")
        .start();
    let austin = "country=US&region=Texas&city=Austin&timezone=America%2FChicago";
    let loose = end(&app, "both", austin);
    assert_eq!(loose["result"]["provenance"]["upstream"], "practice", "{loose:#}");
    let strict = end(&app, "both", &format!("{austin}&strict_place=true"));
    assert_eq!(strict["result"]["provenance"]["upstream"], "local", "{strict:#}");
    let sent = provider.asked()[0].json();
    let place = &sent["tools"][0]["user_location"];
    assert_eq!((&place["city"], &place["region"]), (&json!("Austin"), &json!("Texas")), "{sent:#}");

    // The language has no field there, so that nobody is left.
    let none = end(&app, "both", &format!("{austin}&language=es&strict_place=true"));
    assert_eq!(
        (&none["status"], &none["error_code"]),
        (&json!("failed"), &json!("place_unsupported"))
    );
    let alone = end(&app, "alone", "strict_place=true");
    assert_eq!(alone["error_code"], "place_unsupported", "{alone:#}");
    assert_eq!(provider.asked().len(), 1);
}

#[test]
fn the_cache_tells_places_apart() {
    let upstream = Scripted::new("s", []);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    let munich = encoded("München");
    let decomposed = encoded("Mu\u{308}nchen");
    for (query, asked) in [
        ("city=Springfield".to_owned(), 1),
        ("city=Springfield".to_owned(), 1),
        ("city=Springfield&region=Illinois".to_owned(), 2),
        ("region=Springfield".to_owned(), 3),
        (format!("country=DE&city={munich}"), 4),
        (format!("country=DE&city=%20{decomposed}"), 4),
        ("language=pt-BR".to_owned(), 5),
        ("language=PT-br".to_owned(), 5),
        ("device=mobile".to_owned(), 6),
        ("strict_place=true".to_owned(), 7),
        (String::new(), 8),
    ] {
        assert_eq!(end(&app, "chatgpt", &query)["status"], "done", "{query}");
        assert_eq!(upstream.asked(), asked, "{query}");
    }
}
