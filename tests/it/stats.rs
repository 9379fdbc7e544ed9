//! `GET /stats`, its stream of events, and the attempts of a job.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use answerd::job::Reason;
use serde_json::{Value, json};

use crate::app::{App, Builder, Gate, START_MS, Scripted, Step, fail};
use crate::limits::{A, B, keys};

fn chatgpt(document: &Value) -> &Value {
    let scrapers = document["scrapers"].as_array().unwrap();
    scrapers.iter().find(|scraper| scraper["name"] == "chatgpt").unwrap()
}

fn stats(app: &App) -> Value {
    app.get_with("/stats", &A).expect(200)
}

#[test]
fn the_day_is_told_in_buckets_and_goes_on_after_a_restart() {
    let upstream = Scripted::new("script", [fail(Reason::Refused)]);
    let (builder, clock) = Builder::new().config(&keys("")).manual();
    let app = builder.set("CACHE__TTL_SECONDS", 7200).scripted("chatgpt", &upstream).start();
    assert_eq!(app.get("/stats").code(), "key_missing");
    let submit = |prompt: &str| {
        let path = format!("/scrapers/chatgpt/jobs?prompt={prompt}");
        let job = app.post_with(&path, &B, "").expect(202);
        app.ended(job["job_id"].as_str().unwrap());
    };
    submit("refused");
    submit("answered");
    clock.advance_ms(600_000);
    submit("answered"); // from the cache: a job, but no attempt
    let document = stats(&app);
    assert_eq!(document["since"], "2026-05-11T12:00:00+00:00");
    assert_eq!(document["now"], "2026-05-11T12:10:00+00:00");
    let buckets = chatgpt(&document)["buckets"].as_array().unwrap();
    assert_eq!(buckets.len(), 2, "{buckets:#?}");
    assert_eq!(buckets[0]["at"], "2026-05-11T12:00:00+00:00");
    let counts = |bucket: &Value| {
        ["submitted", "done", "failed", "canceled", "attempts_succeeded", "attempts_failed"]
            .map(|name| bucket[name].as_u64().unwrap())
    };
    assert_eq!(counts(&buckets[0]), [2, 1, 1, 0, 1, 1]);
    assert_eq!(counts(&buckets[1]), [1, 1, 0, 0, 0, 0]);
    assert!(buckets[0]["p50_seconds"].is_number() && buckets[1]["p50_seconds"].is_null());
    let health = |app: &App| {
        let scrapers = app.get("/scrapers").expect(200);
        chatgpt(&scrapers)["health"].clone()
    };
    let health_before = health(&app);
    assert_eq!(health_before["attempts"], 2);
    let app = app.restart();
    assert_eq!(stats(&app), document);
    assert_eq!(health(&app), health_before);
    clock.advance_ms(24 * 3_600_000);
    assert_eq!(chatgpt(&stats(&app))["buckets"], json!([]));
}

#[test]
fn a_canceled_job_is_no_failure() {
    let gate = Gate::default();
    let app = Builder::new()
        .scripted("chatgpt", &Scripted::new("script", [Step::Hold(gate.clone())]))
        .start();
    let id = app.submit("chatgpt", "x");
    gate.arrived(1);
    app.method("DELETE", &format!("/jobs/{id}")).expect(200);
    let document = stats(&app);
    let bucket = chatgpt(&document)["buckets"].as_array().unwrap().last().unwrap();
    assert_eq!((&bucket["failed"], &bucket["canceled"]), (&json!(0), &json!(1)));
    gate.open();
}

/// The next event of a stream.
fn next(lines: &mut impl Iterator<Item = String>) -> Option<Value> {
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned))?;
    Some(serde_json::from_str(&data).unwrap())
}

#[test]
fn a_stream_tells_what_has_changed_and_ends_with_the_service() {
    let gate = Gate::default();
    let app = Builder::new()
        .set("HTTP__GRACE_SECONDS", 0)
        .scripted("chatgpt", &Scripted::new("script", [Step::Hold(gate.clone())]))
        .start();
    let mut lines = app.lines("/stats/events", &[]);
    let first = next(&mut lines).unwrap();
    assert_eq!(chatgpt(&first)["queue"], json!({ "waiting": 0, "running": 0 }));
    assert_eq!(chatgpt(&first)["bucket"], Value::Null);
    assert_eq!(chatgpt(&first)["upstreams"][0]["breaker"], "closed");
    let id = app.submit("chatgpt", "x");
    gate.arrived(1);
    let running = std::iter::from_fn(|| next(&mut lines))
        .find(|event| chatgpt(event)["queue"]["running"] == 1)
        .unwrap();
    assert_eq!(chatgpt(&running)["bucket"]["submitted"], 1);
    gate.open();
    app.ended(&id);
    let ended = std::iter::from_fn(|| next(&mut lines))
        .find(|event| chatgpt(event)["queue"]["running"] == 0)
        .unwrap();
    assert_eq!(chatgpt(&ended)["bucket"]["done"], 1);
    assert_eq!(chatgpt(&ended)["health"]["attempts"], 1);
    app.server().stop();
    assert!(next(&mut lines).is_none());
}

#[test]
fn a_stream_is_silent_while_nothing_changes() {
    let (builder, clock) = Builder::new().manual();
    let app = builder.start();
    let mut lines = app.lines("/stats/events", &[]);
    next(&mut lines).unwrap();
    let (tell, told) = crossbeam_channel::unbounded();
    let reader = std::thread::spawn(move || lines.by_ref().for_each(|line| drop(tell.send(line))));
    // The server may read the clock before or after it is moved, so it is moved until it was heard.
    let heard: Vec<String> = (0..1_000)
        .filter_map(|_| {
            clock.advance_ms(1_000);
            told.recv_timeout(Duration::from_millis(20)).ok()
        })
        .filter(|line| !line.is_empty())
        .take(1)
        .collect();
    assert_eq!(heard, [": keep-alive"]);
    app.server().stop();
    reader.join().unwrap();
}

/// What a stream is answered with; the connection is closed at once.
fn status_line(app: &App) -> String {
    let mut connection = TcpStream::connect(app.base.trim_start_matches("http://")).unwrap();
    connection.write_all(b"GET /stats/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    BufReader::new(connection).lines().next().unwrap().unwrap()
}

#[test]
fn streams_are_bounded_and_give_their_place_back() {
    let (builder, clock) = Builder::new().manual();
    let app = builder.start();
    let mut open: Vec<_> = (0..64).map(|_| app.lines("/stats/events", &[])).collect();
    let refused = app.get("/stats/events");
    assert_eq!((refused.status, refused.code().as_str()), (429, "streams_full"));
    assert_eq!(refused.headers["retry-after"], "15");
    open.pop();
    // The server sees the connection's end when a keep-alive does not reach it.
    let free = (0..1_000).any(|_| {
        clock.advance_ms(15_000);
        status_line(&app) == "HTTP/1.1 200 OK"
    });
    assert!(free);
}

#[test]
fn the_attempts_of_a_job_are_told_one_by_one() {
    let steps = [fail(Reason::Overloaded), fail(Reason::Unreachable)];
    let (builder, clock) = Builder::new().config(&keys("")).manual();
    let app = builder.scripted("chatgpt", &Scripted::new("script", steps)).start();
    let job = app.post_with("/scrapers/chatgpt/jobs?prompt=x", &A, "").expect(202);
    let id = job["job_id"].as_str().unwrap();
    for attempts in 1..=2 {
        app.until(id, |job| job["attempts"] == attempts && job["phase"] == "waiting_retry");
        clock.advance_ms(60_000);
    }
    app.ended(id);
    let path = format!("/jobs/{id}/attempts");
    let told = app.get_with(&path, &A).expect(200);
    let codes: Vec<&Value> =
        told["attempts"].as_array().unwrap().iter().map(|end| &end["error_code"]).collect();
    assert_eq!(
        codes,
        [&json!("upstream_overloaded"), &json!("upstream_unreachable"), &Value::Null]
    );
    assert_eq!(told["attempts"][0]["attempt"], 1);
    for end in told["attempts"].as_array().unwrap() {
        assert_eq!(end["upstream"], "script");
    }
    assert_eq!(told["attempts"][0]["error"], "The script says no.");
    assert_eq!(told["attempts"][1]["started_at"], "2026-05-11T12:01:00+00:00");
    assert!(told["attempts"][2]["seconds"].is_number());
    assert_eq!(START_MS % 300_000, 0, "buckets begin where the clock does");
    assert_eq!(app.get(&path).code(), "key_missing");
    assert_eq!(app.get_with(&path, &B).code(), "job_not_found");
    let app = app.restart();
    assert_eq!(app.get_with(&path, &A).expect(200), told);
}

#[test]
fn the_list_is_searched_by_label_and_prompt() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    for query in ["prompt=Rust+and+Ruby&label=Nightly+run", "prompt=Python", "prompt=The+NIGHT"] {
        app.post(&format!("/scrapers/chatgpt/jobs?{query}")).expect(202);
    }
    let found = |search: &str| {
        let page = app.get(&format!("/jobs?search={search}")).expect(200);
        page["jobs"].as_array().unwrap().len()
    };
    assert_eq!((found("night"), found("nIGHTLY"), found("ruby"), found("none")), (2, 1, 1, 0));
    assert_eq!(app.get("/jobs?search=").code(), "search_invalid");
    assert_eq!(app.get(&format!("/jobs?search={}", "x".repeat(201))).code(), "search_invalid");
}
