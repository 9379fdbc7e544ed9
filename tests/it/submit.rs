//! Whatever a submit can bring and be refused for. A path with a letter that is percent-encoded is the same
//! path: both are answered alike, and counted alike.

use crate::app::{App, Builder, Gate, Scripted, Step};
use crate::limits::{A, keys};
use regex_lite::Regex;

const PLAIN: &str = "chatgpt";
const ENCODED: &str = "chatgp%74";

/// What a client sees of a submit, without what differs from job to job.
type Seen = (u16, Vec<(String, String)>, String);

fn submit(app: &App, scraper: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Seen {
    let mut reply = app.post_with(&format!("/scrapers/{scraper}/jobs{query}"), headers, body);
    assert_eq!(reply.headers.remove("x-request-id").unwrap().len(), 36);
    reply.headers.remove("date");
    let ids = Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    let without_ids = |text: &str| ids.replace_all(text, "ID").into_owned();
    let headers = reply.headers.into_iter();
    let mut headers: Vec<_> = headers.map(|(name, value)| (name, without_ids(&value))).collect();
    headers.sort();
    (reply.status, headers, without_ids(&reply.text))
}

/// Whatever a submit can bring and be refused for, in an order in which each is reached.
fn story(scraper: &str) -> (Vec<Seen>, Vec<String>) {
    let limits = "monthly_credits = 15\nrequests_per_minute = 11\n";
    let (builder, _clock) = Builder::new().manual();
    // The first job is held, and the others wait behind it: none becomes an answer of the cache.
    let gate = Gate::default();
    let app = builder
        .config(&keys(limits))
        .set("HTTP__BODY_KIB_MAX", 64)
        .set("SCRAPERS__CHATGPT__CREDITS", 3)
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &Scripted::new("script", [Step::Hold(gate.clone())]))
        .start();
    let submit = |query: &str, headers: &[(&str, &str)], body: &str| {
        submit(&app, scraper, query, headers, body)
    };
    let again = [A[0], ("idempotency-key", "once")];
    let seen = vec![
        submit("?prompt=x", &[], ""),
        submit("?prompt=x", &[("x-api-key", "wrong")], ""),
        submit("?prompt=%zz", &[], ""),
        submit("?prompt=%zz", &A, ""),
        submit("", &A, ""),
        submit("?prompt=x&timeout=soon", &A, ""),
        submit("?prompt=x&api_key=secret-a", &[], ""),
        submit("?country=DE", &[("authorization", "Bearer secret-a")], r#"{"prompt":"x"}"#),
        submit("?prompt=x", &A, r#"{"prompt":"x"}"#),
        submit("", &A, "{"),
        submit("", &A, &format!(r#"{{"prompt":"x","other":"{}"}}"#, "y".repeat(64 << 10))),
        submit("?prompt=x", &again, ""),
        submit("?prompt=x", &again, ""),
        submit("?prompt=y", &again, ""),
        submit("?prompt=x&samples=2", &A, ""),
        submit("?prompt=x", &A, ""),
        submit("?prompt=x&label=l&start_within=60&web_search=0", &A, ""),
        submit("?prompt=x&webhook_url=ftp%3A%2F%2Fa.example", &A, ""),
        submit("?prompt=x", &A, ""),
        submit("?prompt=x", &A, ""),
        submit("?prompt=x", &A, ""),
        submit("?prompt=x", &A, ""),
    ];
    let metrics = app.get_with("/metrics", &A).text;
    let counted = |line: &&str| {
        line.starts_with("answerd_http") && line.contains("route=\"/scrapers/{scraper}/jobs\"")
    };
    let counts = metrics.lines().filter(counted).filter(|line| !line.contains("_seconds_"));
    gate.open();
    (seen, counts.map(str::to_owned).collect())
}

#[test]
fn an_encoded_path_is_answered_and_counted_as_the_plain_one() {
    let (plain, plain_counts) = story(PLAIN);
    let (encoded, encoded_counts) = story(ENCODED);
    for (plain, encoded) in plain.iter().zip(&encoded) {
        assert_eq!(plain, encoded);
    }
    assert_eq!(plain_counts, encoded_counts);
    assert!(!plain_counts.is_empty());
    let mut statuses: Vec<u16> = plain.iter().map(|(status, ..)| *status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [202, 400, 401, 413, 422, 429]);
}

#[test]
fn what_is_not_a_submit_is_answered_as_such() {
    let app = Builder::new()
        .config("[http]\ncors_origins = [\"https://a.example\"]\n")
        .scripted("chatgpt", &Scripted::new("script", []))
        .start();
    let path = "/scrapers/chatgpt/jobs?prompt=x";
    let allowed = app.post_with(path, &[("origin", "https://a.example")], "");
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://a.example");
    assert_eq!(app.post("/scrapers/unknown/jobs?prompt=x").code(), "scraper_unknown");
    assert_eq!(app.post("/scrapers//jobs?prompt=x").code(), "not_found");
    assert_eq!(app.post("/scrapers/a/b/jobs?prompt=x").code(), "not_found");
    assert_eq!(app.get(path).status, 405);
    let long = format!("{path}&other={}", "y".repeat(answerd::http::URL_BYTES_MAX));
    assert_eq!(app.post(&long).code(), "url_too_long");
    let named = app.post_with(path, &[("x-request-id", "mine")], "");
    assert_eq!((named.status, named.headers["x-request-id"].as_str()), (202, "mine"));
}
