//! `GET /metrics` of a real server after real jobs: what is there, what it counts, and that the guide
//! tells all of it and nothing else.

mod alerts;

use std::collections::{BTreeMap, BTreeSet};

use answerd::job::Reason;

use crate::app::{App, Builder, Gate, Scripted, Step, fail, is_shared, until};
use crate::receiver::{Does, Receiver};
use crate::webhooks;

const GUIDE: &str = include_str!("../../../src/docs/monitoring.md");
/// An upstream that nobody listens for: the port is reserved (RFC 6335) and closed.
pub(crate) const GONE: &str = "[upstreams.gone]\nkind = \"compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
                    model = \"m\"\napi_key_env = \"\"\n[scrapers.gone]\nupstreams = [\"gone\"]";

/// Samples by their whole left side, and the kinds of the families. Refuses what the format does not
/// allow: a sample of no family, a family twice, a value that is no number.
pub(crate) fn scrape(app: &App) -> (BTreeMap<String, f64>, BTreeMap<String, String>) {
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

pub(crate) fn family(sample: &str) -> &str {
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
        ("answerd_worker_pickup_seconds_count{scraper=\"practice\"}", 2.0),
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

/// Whether the app's metrics are these now.
#[track_caller]
fn expect(app: &App, wanted: &[(&str, f64)]) {
    let (samples, _) = scrape(app);
    for (sample, wanted) in wanted {
        assert_eq!(samples.get(*sample), Some(wanted), "{sample}: {samples:#?}");
    }
}

#[test]
fn waits_and_runs_fall_into_their_buckets() {
    let gate = Gate::default();
    let upstream = Scripted::new("scripted", [Step::Hold(gate.clone())]);
    let builder =
        Builder::new().scripted("chatgpt", &upstream).set("SCRAPERS__CHATGPT__WORKERS", 1);
    let (builder, clock) = builder.manual();
    let app = builder.start();
    let first = app.submit("chatgpt", "first");
    gate.arrived(1);
    let second = app.submit("chatgpt", "second");
    clock.advance_ms(3_000);
    gate.open();
    app.ended(&first);
    app.ended(&second);
    expect(
        &app,
        &[
            ("answerd_job_queue_delay_seconds_bucket{scraper=\"chatgpt\",le=\"0.01\"}", 1.0),
            ("answerd_job_queue_delay_seconds_bucket{scraper=\"chatgpt\",le=\"1\"}", 1.0),
            ("answerd_job_queue_delay_seconds_bucket{scraper=\"chatgpt\",le=\"5\"}", 2.0),
            ("answerd_job_queue_delay_seconds_sum{scraper=\"chatgpt\"}", 3.0),
            ("answerd_attempt_seconds_bucket{scraper=\"chatgpt\",le=\"2.5\"}", 1.0),
            ("answerd_attempt_seconds_bucket{scraper=\"chatgpt\",le=\"5\"}", 2.0),
            ("answerd_upstream_call_seconds_bucket{upstream=\"scripted\",le=\"2.5\"}", 1.0),
            ("answerd_upstream_call_seconds_count{upstream=\"scripted\"}", 2.0),
        ],
    );
}

#[test]
fn calls_are_counted_by_how_they_ended() {
    let steps = [fail(Reason::Overloaded), Step::Panic, fail(Reason::Overloaded)];
    let upstream = Scripted::new("scripted", steps);
    let builder = Builder::new().scripted("chatgpt", &upstream).set("RETRY__RETRIES", 0);
    let app = builder.start();
    for prompt in ["one", "two", "three", "four"] {
        app.ended(&app.submit("chatgpt", prompt));
    }
    expect(
        &app,
        &[
            (
                "answerd_upstream_errors_total{upstream=\"scripted\",code=\"upstream_overloaded\"}",
                2.0,
            ),
            ("answerd_upstream_errors_total{upstream=\"scripted\",code=\"attempt_panicked\"}", 1.0),
            ("answerd_upstream_call_seconds_count{upstream=\"scripted\"}", 4.0),
        ],
    );
}

#[test]
fn what_the_cache_answers_is_a_hit_and_the_rest_a_miss() {
    let app = Builder::new().start();
    for prompt in ["one", "one", "two", "one"] {
        app.ended(&app.submit("practice", prompt));
    }
    let bypassing = app.post("/scrapers/practice/jobs?prompt=one&bypass_cache=true").expect(202);
    app.ended(bypassing["job_id"].as_str().unwrap());
    expect(
        &app,
        &[
            ("answerd_cache_lookups_total{scraper=\"practice\",result=\"hit\"}", 2.0),
            ("answerd_cache_lookups_total{scraper=\"practice\",result=\"miss\"}", 2.0),
            ("answerd_jobs_ended_total{scraper=\"practice\",end=\"done\"}", 5.0),
        ],
    );
    // A database counts its rows some moments later.
    until(|| (scrape(&app).0["answerd_store_jobs"] == 5.0).then_some(()));
}

#[test]
fn the_store_tells_its_batches_and_its_room() {
    let app = Builder::new().start();
    app.ended(&app.submit("practice", "one"));
    let (samples, _) = scrape(&app);
    let value = |sample: &str| samples[sample];
    assert!(value("answerd_store_batch_writes_sum") >= 3.0, "a submit, a start, an end");
    assert_eq!(value("answerd_store_batch_writes_count"), value("answerd_store_commits_total"));
    assert_eq!(
        value("answerd_store_batch_writes_bucket{le=\"1024\"}"),
        value("answerd_store_commits_total"),
        "no batch is larger than it may be"
    );
    if is_shared() {
        // Of the machine of the database it knows nothing.
        assert!(!samples.contains_key("answerd_store_free_bytes"));
        return;
    }
    assert!(value("answerd_store_free_bytes") > 1e6 && value("answerd_store_bytes") > 1e4);
}

#[test]
fn what_is_free_inside_the_file_is_told_from_the_second_scrape_on() {
    let (builder, clock) = Builder::new().in_a_file().manual();
    let app = builder.start();
    // What is free, as it was found last, and what is in use then.
    let found = || {
        until(|| {
            let (samples, _) = scrape(&app);
            let free = *samples.get("answerd_store_free_page_bytes")?;
            Some((free, samples["answerd_store_bytes"] - free))
        })
    };
    assert!(!scrape(&app).0.contains_key("answerd_store_free_page_bytes"), "before the first walk");
    let (free, empty) = found();
    assert!(free > 0.0 && empty > 0.0, "{free} free, {empty} in use");
    let prompt = "long ".repeat(700);
    for n in 0..40 {
        app.ended(&app.submit("practice", &format!("{n} {prompt}")));
    }
    clock.advance_ms(299_999);
    assert_eq!(found().0, free, "not looked for again");
    clock.advance_ms(1);
    // Another job each time, because as much may be free as before.
    let full = until(|| {
        app.ended(&app.submit("practice", &prompt));
        clock.advance_ms(300_000);
        let (now_free, used) = found();
        (now_free != free).then_some(used)
    });
    assert!(full - empty > 40.0 * 3_500.0, "{empty} to {full}");
    clock.advance_ms(25 * 3_600_000);
    until(|| {
        clock.advance_ms(300_000);
        (found().1 < full / 2.0).then_some(())
    });
}

#[test]
fn webhooks_are_counted_by_what_became_of_them() {
    let receiver = Receiver::start([Does::Status(500, ""), Does::Status(410, "")]);
    let upstream = Scripted::new("scripted", []);
    let app = webhooks::builder(&upstream).start();
    let counted = |delivered: f64, pending: f64, failed: f64, waiting: f64| {
        until(|| {
            let (samples, _) = scrape(&app);
            let attempts = |status: &str| {
                samples[&format!("answerd_webhook_attempts_total{{status=\"{status}\"}}")]
            };
            let now = (attempts("delivered"), attempts("pending"), attempts("failed"));
            let waits = samples["answerd_webhooks_pending"];
            (now == (delivered, pending, failed) && waits == waiting).then_some(())
        });
    };
    webhooks::submit(&app, "refused for now", &receiver.url());
    counted(0.0, 1.0, 0.0, 1.0);
    webhooks::submit(&app, "refused for good", &receiver.url());
    counted(0.0, 1.0, 1.0, 1.0);
    webhooks::submit(&app, "taken", &receiver.url());
    counted(1.0, 1.0, 1.0, 1.0);
}

#[test]
fn requests_are_counted_by_route_and_never_by_path() {
    let app = Builder::new().start();
    let id = app.submit("practice", "one");
    app.ended(&id);
    assert_eq!(app.get("/jobs/none").status, 404);
    assert_eq!(app.method("TRACE", &format!("/jobs/{id}")).status, 405);
    assert_eq!(app.method("HEAD", "/healthz").status, 200);
    for path in ["/nothing/of/the/kind", "/wp-login.php"] {
        assert_eq!(app.get(path).status, 404);
    }
    assert_eq!(app.get("/docs/limits").status, 200);
    let requests = |route: &str, method: &str, status: &str| {
        format!(
            "answerd_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}"
        )
    };
    let wanted = [
        (requests("/scrapers/{scraper}/jobs", "POST", "2xx"), 1.0),
        (requests("/jobs/{job_id}", "GET", "2xx"), 1.0),
        (requests("/jobs/{job_id}", "GET", "4xx"), 1.0),
        (requests("/jobs/{job_id}", "other", "4xx"), 1.0),
        (requests("/healthz", "HEAD", "2xx"), 1.0),
        (requests("/docs/{page}", "GET", "2xx"), 1.0),
        (requests("none", "GET", "4xx"), 2.0),
        ("answerd_http_request_seconds_count{route=\"/jobs/{job_id}\"}".to_owned(), 3.0),
        ("answerd_http_request_seconds_bucket{route=\"none\",le=\"+Inf\"}".to_owned(), 2.0),
    ];
    let wanted: Vec<(&str, f64)> =
        wanted.iter().map(|(sample, value)| (sample.as_str(), *value)).collect();
    expect(&app, &wanted);
    let text = app.get("/metrics").text;
    assert!(!text.contains(&id) && !text.contains("wp-login"), "{text}");
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
    let told: BTreeSet<&str> = GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| !name.starts_with("Answerd"))
        .collect();
    assert_eq!(told, real);
    // In a sentence as well: anything that looks like one of ours.
    let words = GUIDE.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in words.filter(|word| word.starts_with("answerd_") || word.starts_with("process_")) {
        assert!(real.contains(family(word)), "the guide names {word}");
    }
}
