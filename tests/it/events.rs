//! `GET /jobs/{id}/events`: the transitions of a job as they happen.

use std::time::Duration;

use answerd::job::Reason;
use answerd::upstream::UpstreamError;
use serde_json::Value;

use crate::app::{Builder, Gate, Scripted, Step, fail};

/// The next event: its number, its name and its job.
fn next(lines: &mut impl Iterator<Item = String>) -> Option<(u64, String, Value)> {
    let (mut id, mut name) = (None, None);
    for line in lines {
        if let Some(given) = line.strip_prefix("id: ") {
            id = Some(given.parse().unwrap());
        } else if let Some(given) = line.strip_prefix("event: ") {
            name = Some(given.to_owned());
        } else if let Some(data) = line.strip_prefix("data: ") {
            return Some((id.unwrap(), name.unwrap(), serde_json::from_str(data).unwrap()));
        }
    }
    None
}

#[test]
fn every_transition_is_told_once_in_order_until_the_end() {
    let gates = [Gate::default(), Gate::default()];
    let error = UpstreamError::new(Reason::Overloaded, "Busy.").retry_after_ms(Some(60_000));
    let steps = [Step::Hold(gates[0].clone()), Step::Fail(error), Step::Hold(gates[1].clone())];
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &Scripted::new("script", steps))
        .start();
    app.submit("chatgpt", "before");
    gates[0].arrived(1);
    let id = app.submit("chatgpt", "line\nbreak");
    let path = format!("/jobs/{id}/events");
    let mut lines = app.lines(&path, &[]);
    let (queued, name, job) = next(&mut lines).unwrap();
    assert_eq!((queued, name.as_str(), &job["phase"]), (1, "queued", &"queued".into()));
    gates[0].open();
    // Its first attempt may be over before it is told.
    let mut seen = next(&mut lines).unwrap();
    if seen.1 == "running" {
        assert_eq!(seen.0, 3);
        seen = next(&mut lines).unwrap();
    }
    assert_eq!((seen.0, seen.1.as_str()), (4, "retry"));
    assert_eq!(seen.2["error_code"], "upstream_overloaded");
    clock.advance_ms(60_000);
    gates[1].arrived(1);
    let (running, name, _) = next(&mut lines).unwrap();
    assert_eq!((running, name.as_str()), (6, "running"));
    // A second stream begins with what it has not seen.
    let mut second = app.lines(&path, &[("last-event-id", "4")]);
    assert_eq!(next(&mut second).unwrap().0, 6);
    let mut third = app.lines(&path, &[("last-event-id", "6")]);
    gates[1].open();
    for lines in [&mut lines, &mut second, &mut third] {
        let (number, name, job) = next(lines).unwrap();
        assert_eq!((number, name.as_str(), &job["status"]), (8, "done", &"done".into()));
        assert!(job.get("result").is_none());
        assert!(next(lines).is_none(), "the stream has ended");
    }
    let over = app.get_with(&path, &[("last-event-id", "8")]);
    assert_eq!((over.status, over.text.as_str()), (204, ""));
    let app = app.restart();
    assert_eq!(next(&mut app.lines(&path, &[])).unwrap().0, 8, "the same after a restart");
}

#[test]
fn a_failed_job_ends_the_stream_and_an_unknown_one_has_none() {
    let app =
        Builder::new().scripted("chatgpt", &Scripted::new("script", [fail(Reason::Quota)])).start();
    let id = app.submit("chatgpt", "x");
    app.ended(&id);
    let reply = app.get(&format!("/jobs/{id}/events"));
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    assert!(reply.text.starts_with("id: 5\nevent: failed\ndata: {"), "{reply:?}");
    assert!(reply.text.ends_with("}\n\n"));
    let unknown = app.get("/jobs/none/events");
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "job_not_found"));
}

#[test]
fn a_silent_stream_shows_that_it_is_alive_and_ends_with_the_service() {
    let gate = Gate::default();
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .set("HTTP__GRACE_SECONDS", 0)
        .scripted("chatgpt", &Scripted::new("script", [Step::Hold(gate.clone())]))
        .start();
    let id = app.submit("chatgpt", "x");
    gate.arrived(1);
    let mut lines = app.lines(&format!("/jobs/{id}/events"), &[("last-event-id", "3")]);
    let (tell, told) = crossbeam_channel::unbounded();
    let reader = std::thread::spawn(move || lines.by_ref().for_each(|line| drop(tell.send(line))));
    // The server may read the clock before or after it is moved, so it is moved until it was heard.
    let alive = (0..1_000).find_map(|_| {
        clock.advance_ms(15_000);
        told.recv_timeout(Duration::from_millis(20)).ok()
    });
    assert_eq!(alive.as_deref(), Some(": keep-alive"));
    app.server().stop();
    reader.join().unwrap();
    gate.open();
}
