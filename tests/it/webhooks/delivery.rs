//! What is told of which end, and when it is told again.

use answerd::clock::rfc3339_seconds;
use answerd::job::Reason;
use serde_json::Value;

use super::{after_attempts, builder, manual, submit};
use crate::app::{Gate, START_MS, Scripted, Step, encoded, fail, until};
use crate::limits::{A, B, keys};
use crate::receiver::{Does, OTHER_SECRET, Receiver, SECRET};

#[test]
fn the_end_of_a_job_is_told_once_signed_by_both_secrets() {
    let receiver = Receiver::start([]);
    let (builder, _clock) = manual(&Scripted::new("script", []));
    let app = builder.env("ANSWERD_WEBHOOK_SECRET_PREVIOUS", OTHER_SECRET).start();
    let id = submit(&app, "hello", &receiver.url());
    let told = receiver.told();
    assert!(told.head.starts_with("POST /hook?token=t-0 HTTP/1.1\r\n"), "{told:?}");
    assert_eq!(told.headers["content-type"], "application/json");
    assert_eq!(told.id(), format!("msg_{id}"));
    assert_eq!(told.at_ms(), START_MS);
    assert_eq!(told.headers["webhook-signature"].split(' ').count(), 2);
    assert_eq!((told.signed_by(SECRET), told.signed_by(OTHER_SECRET)), (1, 1));
    let polled = app.get(&format!("/jobs/{id}"));
    assert_eq!(String::from_utf8(told.body.clone()).unwrap(), polled.text);
    assert_eq!(told.json()["status"], "done");

    let status = after_attempts(&app, &id, 1);
    assert_eq!(status["state"], "delivered");
    assert_eq!(status["url"], receiver.url());
    assert_eq!(status["webhook_id"], format!("msg_{id}"));
    assert_eq!(status["log"][0]["status"], 204);
    assert_eq!(status["log"][0]["at"], rfc3339_seconds(START_MS));
    assert!(status["next_attempt_at"].is_null() && status["reason"].is_null(), "{status}");
    assert!(!receiver.told_more());
}

#[test]
fn every_kind_of_end_is_told() {
    let receiver = Receiver::start([]);
    let gate = Gate::default();
    let upstream =
        Scripted::new("script", [fail(Reason::Refused), Step::Panic, Step::Hold(gate.clone())]);
    let (builder, clock) = manual(&upstream);
    let app = builder.set("SCRAPERS__CHATGPT__WORKERS", 1).set("RETRY__RETRIES", 0).start();
    let app = &app;
    let told = |id: &str| {
        let told = receiver.told();
        assert_eq!(told.id(), format!("msg_{id}"));
        assert_eq!(told.signed_by(SECRET), 1);
        let job = told.json();
        (job["status"].as_str().unwrap().to_owned(), job["error_code"].clone())
    };
    for code in ["answer_refused", "attempt_panicked"] {
        let id = submit(app, code, &receiver.url());
        assert_eq!(told(&id), ("failed".to_owned(), code.into()));
    }
    let running = submit(app, "running", &receiver.url());
    gate.arrived(1);
    let canceled = submit(app, "canceled", &receiver.url());
    app.method_with("DELETE", &format!("/jobs/{canceled}"), &A);
    assert_eq!(told(&canceled), ("failed".to_owned(), "canceled".into()));
    let late = format!("prompt=late&start_within=5&webhook_url={}", encoded(&receiver.url()));
    let late = app.post(&format!("/scrapers/chatgpt/jobs?{late}")).expect(202);
    // A call that waits takes a webhook too.
    std::thread::scope(|scope| {
        let path = format!(
            "/scrapers/chatgpt?prompt=waits&timeout=10&webhook_url={}",
            encoded(&receiver.url())
        );
        let call = scope.spawn(move || app.get(&path));
        until(|| {
            let listed = app.get("/jobs?status=pending").expect(200);
            (listed["jobs"].as_array().unwrap().len() == 3).then_some(())
        });
        clock.advance_ms(5_000);
        let code = "not_started_in_time".into();
        assert_eq!(told(late["job_id"].as_str().unwrap()), ("failed".to_owned(), code));
        clock.advance_ms(5_000);
        let timed_out = call.join().unwrap();
        assert_eq!(timed_out.status, 408);
        let id = timed_out.json()["job_id"].as_str().unwrap().to_owned();
        assert_eq!(told(&id), ("failed".to_owned(), "timeout".into()));
    });
    gate.open();
    assert_eq!(told(&running), ("done".to_owned(), Value::Null));
    let cached = submit(app, "running", &receiver.url());
    assert_eq!(told(&cached), ("done".to_owned(), Value::Null));
}

#[test]
fn a_receiver_that_fails_thrice_is_told_at_the_specifications_times() {
    let receiver = Receiver::start([
        Does::Status(500, ""),
        Does::HangUp,
        Does::Status(302, "location: http://127.0.0.1:1/inside\r\n"),
    ]);
    let (builder, clock) = manual(&Scripted::new("script", []));
    let app = builder.start();
    let id = submit(&app, "hello", &receiver.url());
    let mut bodies = Vec::new();
    let mut tried_ms = START_MS;
    for (attempts, wait_ms) in [(1, 5_000), (2, 300_000), (3, 1_800_000)] {
        let told = receiver.told();
        assert_eq!((told.id(), told.at_ms()), (format!("msg_{id}").as_str(), tried_ms));
        assert_eq!(told.signed_by(SECRET), 1);
        bodies.push(told.body);
        let status = after_attempts(&app, &id, attempts);
        assert_eq!(status["state"], "pending");
        let due: Vec<String> = (0..=wait_ms / 10_000)
            .map(|jitter| rfc3339_seconds(tried_ms + wait_ms + jitter * 1_000))
            .collect();
        let next = status["next_attempt_at"].as_str().unwrap().to_owned();
        assert!(due.contains(&next), "{next} is not one of {due:?}");
        clock.advance_ms(wait_ms - 1_000);
        assert!(!receiver.told_more());
        clock.advance_ms(1_000 + wait_ms / 10);
        tried_ms += wait_ms + wait_ms / 10;
        // Attempts are told by the second.
        tried_ms = tried_ms / 1000 * 1000;
    }
    bodies.push(receiver.told().body);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let status = after_attempts(&app, &id, 4);
    assert_eq!(status["state"], "delivered");
    let log: Vec<Value> = status["log"].as_array().unwrap().clone();
    assert_eq!((&log[0]["status"], &log[2]["status"]), (&500.into(), &302.into()));
    assert_eq!(log[1]["error"], "unreachable");
}

#[test]
fn a_receiver_that_has_gone_is_left_alone_and_one_that_is_busy_too() {
    let gone = Receiver::start([Does::Status(410, "")]);
    let busy = Receiver::start([
        Does::Status(429, "retry-after: 3600\r\n"),
        // An hour again, as a date.
        Does::Status(
            503,
            "date: Mon, 11 May 2026 13:00:00 GMT\r\n\
             retry-after: Mon, 11 May 2026 14:00:00 GMT\r\n",
        ),
    ]);
    let (builder, clock) = manual(&Scripted::new("script", []));
    let app = builder.start();
    let told_off = submit(&app, "gone", &gone.url());
    gone.told();
    let status = after_attempts(&app, &told_off, 1);
    assert_eq!((&status["state"], &status["reason"]), (&"failed".into(), &"gone".into()));
    assert!(status["next_attempt_at"].is_null());

    let put_off = submit(&app, "busy", &busy.url());
    busy.told();
    let status = after_attempts(&app, &put_off, 1);
    assert_eq!(status["next_attempt_at"], rfc3339_seconds(START_MS + 3_600_000));
    for attempts in 2..=3 {
        clock.advance_ms(3_599_999);
        assert!(!busy.told_more());
        clock.advance_ms(1);
        busy.told();
        after_attempts(&app, &put_off, attempts);
    }
    assert_eq!(after_attempts(&app, &put_off, 3)["state"], "delivered");
    assert!(!gone.told_more());
}

#[test]
fn a_receiver_that_hangs_does_not_delay_others() {
    let gate = Gate::default();
    let hung = Receiver::start((0..20).map(|_| Does::Hang(gate.clone())));
    let prompt_one = Receiver::start([]);
    let upstream = Scripted::new("script", []);
    let app = builder(&upstream).set("WEBHOOKS__WORKERS", 8).start();
    let waiting: Vec<String> =
        (0..20).map(|n| submit(&app, &format!("hung {n}"), &hung.url())).collect();
    gate.arrived(2);
    for n in 0..10 {
        let id = submit(&app, &format!("prompt {n}"), &prompt_one.url());
        assert_eq!(prompt_one.told().id(), format!("msg_{id}"));
    }
    let in_flight = waiting.iter().filter(|_| hung.told_more().then(|| hung.told()).is_some());
    assert_eq!(in_flight.count(), 2, "a quarter of eight");
    gate.open();
    for id in &waiting {
        assert_eq!(after_attempts(&app, id, 1)["state"], "delivered");
    }
}

/// Eight of eight threads would be at these receivers, two at each, for a minute.
#[test]
fn receivers_that_hang_leave_threads_to_other_accounts() {
    let gate = Gate::default();
    let hung: Vec<Receiver> =
        (0..4).map(|_| Receiver::start((0..5).map(|_| Does::Hang(gate.clone())))).collect();
    let prompt_one = Receiver::start([]);
    let app = builder(&Scripted::new("script", []))
        .config(&keys(""))
        .set("WEBHOOKS__WORKERS", 8)
        .set("WEBHOOKS__TIMEOUT_SECONDS", 60)
        .start();
    let submit = |prompt: &str, url: &str, key: &[(&str, &str)]| {
        let path = format!("prompt={prompt}&webhook_url={}", encoded(url));
        let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{path}"), key, "");
        reply.expect(202)["job_id"].as_str().unwrap().to_owned()
    };
    for n in 0..20 {
        submit(&format!("hung+{n}"), &hung[n % hung.len()].url(), &A);
    }
    gate.arrived(6);
    for n in 0..3 {
        let id = submit(&format!("prompt+{n}"), &prompt_one.url(), &B);
        assert_eq!(prompt_one.told().id(), format!("msg_{id}"));
    }
    gate.open();
}

#[test]
fn a_receiver_that_never_answers_is_given_up_in_time() {
    let gate = Gate::default();
    let hung = Receiver::start([Does::Hang(gate.clone())]);
    let app = builder(&Scripted::new("script", [])).set("WEBHOOKS__TIMEOUT_SECONDS", 1).start();
    let id = submit(&app, "hello", &hung.url());
    let status = after_attempts(&app, &id, 1);
    assert_eq!(status["log"][0]["error"], "timeout");
    let took_ms = status["log"][0]["took_ms"].as_u64().unwrap();
    assert!((1_000..5_000).contains(&took_ms), "{took_ms}");
    gate.open();
}

#[test]
fn a_response_without_an_end_is_not_read_to_it() {
    let receiver = Receiver::start([Does::Endless]);
    let (builder, _clock) = manual(&Scripted::new("script", []));
    let app = builder.start();
    let id = submit(&app, "hello", &receiver.url());
    assert_eq!(after_attempts(&app, &id, 1)["state"], "delivered");
}
