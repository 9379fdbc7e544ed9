//! Polling that costs little: tags and 304, the job without its result, and when to come again.

use answerd::job::Reason;
use answerd::upstream::UpstreamError;

use crate::app::{App, Builder, Gate, Reply, Scripted, Step};

fn poll(app: &App, id: &str, tag: &str) -> Reply {
    app.get_with(&format!("/jobs/{id}"), &[("if-none-match", tag)])
}

#[test]
fn a_poll_of_what_is_known_is_a_304_until_the_next_transition() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    let id = app.submit("chatgpt", "x");
    gate.arrived(1);
    let running = app.get(&format!("/jobs/{id}"));
    let tag = running.headers["etag"].clone();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"a\", W/\"b\",{tag}"), "*".into()] {
        let same = poll(&app, &id, &known);
        assert_eq!((same.status, same.text.as_str()), (304, ""), "{known}");
        assert_eq!(same.headers["etag"], tag);
        assert_eq!(same.headers["retry-after"], "2");
    }
    for unknown in ["\"other\"", "W/\"other\"", "no tag", ""] {
        assert_eq!(poll(&app, &id, unknown).status, 200, "{unknown}");
    }
    gate.open();
    let done = app.get_with(&format!("/jobs/{id}?wait=30"), &[("if-none-match", tag.as_str())]);
    let (done_tag, waits) =
        (done.headers["etag"].clone(), done.headers.contains_key("retry-after"));
    assert!(done_tag != tag && !waits, "waited first, compared second");
    assert_eq!(done.expect(200)["status"], "done");
    assert_eq!(poll(&app, &id, &done_tag).status, 304);
    let app = app.restart();
    assert_eq!(poll(&app, &id, &done_tag).status, 304, "the same after a restart");
    assert_eq!(poll(&app, "none", "*").status, 404);
}

#[test]
fn every_transition_has_a_tag_of_its_own() {
    let gate = Gate::default();
    let error = UpstreamError::new(Reason::Overloaded, "Busy.").retry_after_ms(Some(5_000));
    let upstream = Scripted::new("script", [Step::Fail(error), Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).start();
    let submitted = app.submit("chatgpt", "x");
    let path = format!("/jobs/{submitted}");
    app.until(&submitted, |job| job["phase"] == "waiting_retry");
    let waiting = app.get(&path);
    assert_eq!(waiting.headers["retry-after"], "6", "when the retry is due, and a run");
    clock.advance_ms(5_000);
    gate.arrived(1);
    let running = app.get(&path);
    gate.open();
    app.ended(&submitted);
    let done = app.get(&path);
    let status = app.get(&format!("{path}?fields=status"));
    let tags = [&waiting, &running, &done, &status].map(|reply| reply.headers["etag"].clone());
    for (at, tag) in tags.iter().enumerate() {
        assert!(!tags[..at].contains(tag), "{tags:?}");
    }
}

#[test]
fn the_result_is_left_out_where_only_the_status_is_asked_for() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let id = app.submit("chatgpt", "x");
    let mut whole = app.ended(&id);
    for fields in ["status", "status,status", "status,%20status"] {
        let status = app.get(&format!("/jobs/{id}?fields={fields}")).expect(200);
        whole.as_object_mut().unwrap().shift_remove("result");
        assert_eq!(status, whole, "all of the job object but its result");
    }
    for fields in ["result", "status,prompt", "", "status,"] {
        let refused = app.get(&format!("/jobs/{id}?fields={fields}"));
        assert_eq!((refused.status, refused.code().as_str()), (400, "fields_invalid"), "{fields}");
    }
}

#[test]
fn the_wait_between_polls_grows_with_the_queue_and_the_time_of_a_run() {
    let (first, second) = (Gate::default(), Gate::default());
    let steps = [Step::Hold(first.clone()), Step::Hold(second.clone())];
    let (builder, clock) = Builder::new().manual();
    let app = builder
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &Scripted::new("script", steps))
        .start();
    let wait = |id: &str| app.get(&format!("/jobs/{id}")).headers["retry-after"].clone();
    let slow = app.submit("chatgpt", "0");
    first.arrived(1);
    assert_eq!(wait(&slow), "2", "nothing is known yet");
    clock.advance_ms(9_000);
    first.open();
    app.ended(&slow);
    let jobs: Vec<String> = (1..10).map(|at| app.submit("chatgpt", &at.to_string())).collect();
    second.arrived(1);
    let waits = [0, 1, 8].map(|at: usize| wait(&jobs[at]));
    second.open();
    // The first of them runs, one is ahead of the second, and no wait is longer than a minute.
    assert_eq!(waits, ["9", "18", "60"]);
}

/// An empty query, or a fraction of a second to wait, changes nothing.
#[test]
fn every_form_of_a_poll_is_answered_alike() {
    let gate = Gate::default();
    let upstream =
        Scripted::new("script", [Step::Hold(gate.clone()), crate::app::fail(Reason::Auth)]);
    let origins = "[http]\ncors_origins = [\"https://a.example\"]\n";
    let app = Builder::new().config(origins).scripted("chatgpt", &upstream).start();
    let at_once = [("", "?"), ("?wait=0", "?wait=0.0")];
    let of_what_has_ended = [("", "?"), ("?wait=0", "?wait=0.0"), ("?wait=60", "?wait=60.0")];
    let alike = |id: &str, status: u16, queries: &[(&str, &str)]| {
        for (plain, routed) in queries {
            let [plain, routed] = [plain, routed].map(|query| {
                let mut reply = app.get(&format!("/jobs/{id}{query}"));
                assert_eq!(reply.headers.remove("x-request-id").unwrap().len(), 36);
                reply.headers.remove("date");
                (reply.status, reply.headers, reply.text)
            });
            assert_eq!(plain, routed);
            assert_eq!(plain.0, status);
        }
    };
    let held = app.submit("chatgpt", "held");
    gate.arrived(1);
    alike(&held, 200, &at_once);
    gate.open();
    app.ended(&held);
    alike(&held, 200, &of_what_has_ended);
    let failed = app.submit("chatgpt", "failed");
    app.ended(&failed);
    alike(&failed, 200, &of_what_has_ended);
    alike(
        &failed,
        400,
        &[("?wait=61", "?wait=61&"), ("?wait=", "?wait=&"), ("?wait=-1", "?wait=-1&")],
    );
    for unknown in ["00000000-0000-4000-8000-000000000000", "no-id-but-as-long-as-one-would-be-36"]
    {
        alike(unknown, 404, &of_what_has_ended);
    }
    let path = format!("/jobs/{held}");
    let named = app.get_with(&path, &[("x-request-id", "mine")]);
    assert_eq!(named.headers["x-request-id"], "mine");
    let allowed = app.get_with(&path, &[("origin", "https://a.example")]);
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://a.example");
    assert_eq!(app.get_with(&path, &[("prefer", "wait=1")]).status, 200);
    assert_eq!(app.method("POST", &path).status, 405);
    assert_eq!(app.method("HEAD", &path).status, 200);
}
