//! Whatever the level of the log, and whatever the libraries below have to say: no key, no prompt.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::cases::{self, Case, KEY};
use super::server::{Provider, Says};
use crate::child::{Served, store_directory};

/// One word, so that no encoding on the way makes it another.
const PROMPT: &str = "planted-question-81d3";
/// The key of a caller, in the address of the request.
const CALLER: &str = "planted-caller-47aa";

/// Runs jobs against `provider` in a process of its own; gives all that it has printed.
fn printed(case: &Case, provider: &Provider, format: &str) -> String {
    let (directory, store) = store_directory();
    let config = directory.path().join("config.toml");
    let lines = format!(
        "{}[scrapers.{}]\nupstreams = [\"local\"]\n",
        case.upstream("local", provider),
        case.scraper
    );
    std::fs::write(&config, lines).unwrap();
    let log = directory.path().join("log");
    let settings = [
        ("LOG__LEVEL", "trace"),
        ("LOG__FORMAT", format),
        ("RETRY__RETRIES", "1"),
        ("RETRY__BACKOFF_MS", "1"),
    ];
    let mut served = Served::start_with(&store, &settings, |command| {
        command.arg("--config").arg(&config);
        command.env("PLANTED_KEY", KEY).env("RUST_LOG", "trace");
        command.stderr(File::create(&log).unwrap());
    });
    let path = format!(
        "/scrapers/{}/jobs?prompt={PROMPT}&country={}&api_key={CALLER}",
        case.scraper, case.country
    );
    let (status, job) = served.post(&path).unwrap();
    assert_eq!(status, 202, "{job}");
    // What is refused says why, to the caller alone.
    let path = format!("/scrapers/{}/jobs?prompt={PROMPT}&mode=%00", case.scraper);
    assert_eq!(served.post(&path).unwrap().0, 400);
    let mut raw = TcpStream::connect(served.base.strip_prefix("http://").unwrap()).unwrap();
    let request = format!("GET /jobs?prompt={PROMPT} HTTP/9.9\r\nx-api-key: {CALLER}\r\n\r\n");
    raw.write_all(request.as_bytes()).unwrap();
    raw.read_to_end(&mut Vec::new()).unwrap();

    let path = format!("/jobs/{}?wait=30", job["job_id"].as_str().unwrap());
    let (_, job) = served.get(&path).unwrap();
    assert_ne!(job["status"], "pending", "{job}");
    assert_eq!(served.terminate(), Some(0));
    served.printed() + std::fs::read_to_string(&log).unwrap().as_str()
}

#[test]
fn neither_key_nor_prompt_is_printed_at_the_finest_level() {
    let says = || {
        let message = format!("What is {PROMPT}? Not with {KEY}.");
        Says::json(503, &json!({"error": {"message": message}}))
    };
    let mut dead = Provider::always(says());
    dead.kill();
    let rows = [
        (cases::named("openai"), Provider::always(says()), "json"),
        // Key and prompt go into the address.
        (cases::named("serpapi"), Provider::always(says()), "json"),
        (cases::named("serpapi"), Provider::always(Says::Half(vec![b' '; 100])), "text"),
        (cases::named("serpapi"), dead, "json"),
        (
            cases::named("serpapi"),
            Provider::always(cases::named("serpapi").replies().remove(0)),
            "json",
        ),
    ];
    for (case, provider, format) in rows {
        let printed = printed(&case, &provider, format);
        assert!(printed.contains("job started"), "the log is on: {printed}");
        for part in KEY.split(':').chain([KEY, PROMPT, CALLER]) {
            let line = printed.lines().find(|line| line.contains(part));
            assert_eq!(line, None, "{} {format}: {part}", case.name);
        }
    }
}

/// What an upstream writes, in every place from which its words reach a sentence.
const WORDS: &str = "planted-words-90be";

#[test]
fn an_upstreams_own_words_go_to_the_jobs_owner_only() {
    let incomplete = json!({"status": "incomplete", "output": [],
        "incomplete_details": {"reason": WORDS}});
    let task = json!({"status_code": 20000, "tasks": [{"status_code": 40501,
        "status_message": format!("Invalid Field: {WORDS}.")}]});
    let choice = json!({"choices": [{"error": {"code": 502, "message": WORDS}}]});
    let blocked = json!({"promptFeedback": {"blockReason": WORDS}});
    let rows = [
        (cases::named("openai"), 503, json!({"error": {"message": WORDS}})),
        (cases::named("anthropic"), 500, json!({"error": {"type": WORDS, "message": WORDS}})),
        (cases::named("xai"), 400, json!({"code": WORDS, "error": WORDS})),
        (cases::named("perplexity"), 200, incomplete),
        (cases::named("gemini"), 200, blocked),
        (cases::named("compatible"), 200, choice),
        (cases::named("dataforseo"), 200, task),
    ];
    let (directory, store) = store_directory();
    let config = directory.path().join("config.toml");
    let log = directory.path().join("log");
    let mut lines = String::new();
    let mut providers = Vec::new();
    for (number, (case, status, body)) in rows.iter().enumerate() {
        let provider = Provider::always(Says::json(*status, body));
        lines += &case.upstream(&format!("local-{number}"), &provider);
        lines += &format!("[scrapers.row-{number}]\nupstreams = [\"local-{number}\"]\n");
        providers.push(provider);
    }
    std::fs::write(&config, lines).unwrap();
    let settings = [
        ("LOG__LEVEL", "trace"),
        ("RETRY__RETRIES", "4"),
        ("RETRY__BACKOFF_MS", "1"),
        ("RETRY__BACKOFF_MAX_MS", "1"),
    ];
    let mut served = Served::start_with(&store, &settings, |command| {
        command.arg("--config").arg(&config).env("PLANTED_KEY", KEY);
        command.stderr(File::create(&log).unwrap());
    });
    for (number, (case, ..)) in rows.iter().enumerate() {
        let (status, job) = served.post(&format!("/scrapers/row-{number}/jobs?prompt=x")).unwrap();
        assert_eq!(status, 202, "{job}");
        let path = format!("/jobs/{}?wait=60", job["job_id"].as_str().unwrap());
        let job = served.get(&path).unwrap().1;
        assert_eq!(job["status"], "failed", "{}: {job:#}", case.name);
        assert!(job["error"].as_str().unwrap().contains(WORDS), "{}: {job:#}", case.name);
    }
    // The breakers of these are open now: others are refused for what this job has met.
    for number in [0, 1, 5] {
        let path = format!("/scrapers/row-{number}?prompt=y&timeout=10");
        let (status, error) = served.get(&path).unwrap();
        assert!(status >= 500 && !error.to_string().contains(WORDS), "{error}");
    }
    let scrapers = served.get("/scrapers").unwrap().1.to_string();
    assert!(scrapers.contains("upstream_overloaded") && !scrapers.contains(WORDS), "{scrapers}");
    assert_eq!(served.terminate(), Some(0));
    let printed = served.printed() + std::fs::read_to_string(&log).unwrap().as_str();
    assert!(printed.contains("local-0 is overloaded (HTTP 503)."), "{printed}");
    let line = printed.lines().find(|line| line.contains(WORDS));
    assert_eq!(line, None);
}
