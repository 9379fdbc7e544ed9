//! `GET /metrics` of a real server after real jobs: what is there, what it counts, and that the guide
//! tells all of it and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::{App, Builder};

const GUIDE: &str = include_str!("../../src/docs/monitoring.md");
/// An upstream that nobody listens for: the port is reserved (RFC 6335) and closed.
const GONE: &str = "[upstreams.gone]\nkind = \"compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
                    model = \"m\"\napi_key_env = \"\"\n[scrapers.gone]\nupstreams = [\"gone\"]";

/// Samples by their whole left side, and the kinds of the families. Refuses what the format does not
/// allow: a sample of no family, a family twice, a value that is no number.
fn scrape(app: &App) -> (BTreeMap<String, f64>, BTreeMap<String, String>) {
    let reply = app.get("/metrics");
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let (mut samples, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    for line in reply.text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let family = family(sample);
            assert!(kinds.contains_key(family), "{sample} belongs to no family");
            assert!(samples.insert(sample.to_owned(), value.parse().unwrap()).is_none());
        }
    }
    (samples, kinds)
}

fn family(sample: &str) -> &str {
    let name = sample.split('{').next().unwrap();
    ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name)
}

#[test]
fn what_was_done_is_counted() {
    let app = Builder::new().config(GONE).set("RETRY__RETRIES", "0").start();
    for prompt in ["one", "two"] {
        app.ended(&app.submit("practice", prompt));
    }
    assert_eq!(app.ended(&app.submit("gone", "three"))["error_code"], "upstream_unreachable");
    let (samples, kinds) = scrape(&app);
    let value = |sample: &str| samples.get(sample).copied();
    for (sample, wanted) in [
        ("answerd_ready", 1.0),
        ("answerd_jobs_submitted_total{scraper=\"practice\"}", 2.0),
        ("answerd_jobs_ended_total{scraper=\"practice\",end=\"done\"}", 2.0),
        ("answerd_jobs_ended_total{scraper=\"gone\",end=\"failed\"}", 1.0),
        ("answerd_attempts_failed_total{scraper=\"gone\",code=\"upstream_unreachable\"}", 1.0),
        ("answerd_attempt_seconds_bucket{scraper=\"practice\",le=\"+Inf\"}", 2.0),
        ("answerd_attempt_seconds_count{scraper=\"practice\"}", 2.0),
        ("answerd_jobs_waiting{scraper=\"practice\"}", 0.0),
        ("answerd_upstream_in_flight{upstream=\"gone\"}", 0.0),
    ] {
        assert_eq!(value(sample), Some(wanted), "{sample}");
    }
    assert!(value("answerd_store_commits_total").unwrap() >= 3.0);
    assert!(value("process_resident_memory_bytes").unwrap() > 1e6);
    let buckets =
        samples.iter().filter(|(sample, _)| sample.contains("_bucket{scraper=\"practice\""));
    assert!(buckets.clone().count() > 5 && buckets.clone().all(|(_, count)| *count <= 2.0));
    for (name, kind) in &kinds {
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
    }
}

#[test]
fn an_upstream_that_rests_shows() {
    let app = Builder::new().config(GONE).set("RETRY__RETRIES", "0").start();
    let available = "answerd_upstream_available{upstream=\"gone\"}";
    app.ended(&app.submit("gone", "first"));
    assert_eq!(scrape(&app).0[available], 1.0);
    let mut prompts = 0;
    while scrape(&app).0[available] > 0.0 {
        prompts += 1;
        assert!(prompts < 100, "it never rests");
        app.ended(&app.submit("gone", &format!("again {prompts}")));
    }
}

#[test]
fn a_key_is_needed_where_keys_are() {
    let hash: String =
        answerd::config::key_hash("own").iter().map(|byte| format!("{byte:02x}")).collect();
    let app =
        Builder::new().config(&format!("[[keys]]\nname = \"a\"\nhash = \"sha256:{hash}\"")).start();
    assert_eq!(app.get("/metrics").status, 401);
    assert_eq!(app.get_with("/metrics", &[("authorization", "Bearer own")]).status, 200);
}

#[test]
fn the_guide_names_every_metric_and_no_other() {
    let app = Builder::new().config(GONE).set("RETRY__RETRIES", "0").start();
    app.ended(&app.submit("gone", "three"));
    let (_, kinds) = scrape(&app);
    let real: BTreeSet<&str> = kinds.keys().map(String::as_str).collect();
    let told: BTreeSet<&str> =
        GUIDE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(told, real);
    // What alerts ask for: anything that looks like one of ours.
    let words = GUIDE.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in words.filter(|word| word.starts_with("answerd_") || word.starts_with("process_")) {
        assert!(real.contains(family(word)), "the guide names {word}");
    }
}
