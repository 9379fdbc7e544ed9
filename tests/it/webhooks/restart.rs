//! Deliveries over restarts, kills, and the expiry of their jobs.

use answerd::clock::Clock;
use answerd::store::Store;

use super::{ALLOW_LOOPBACK, after_attempts, builder, manual, submit};
use crate::app::{Gate, Scripted, until};
use crate::child::Served;
use crate::limits::A;
use crate::receiver::{Does, Receiver, SECRET};

#[test]
fn a_delivery_outlives_its_job_and_the_job_stays_for_it() {
    let receiver = Receiver::start((0..4).map(|_| Does::Status(500, "")));
    let (builder, clock) = manual(&Scripted::new("script", []));
    let app = builder.set("STORE__RETENTION_HOURS", 1).start();
    let id = submit(&app, "hello", &receiver.url());
    let polled = app.ended(&id);
    for attempts in 1..=4 {
        receiver.told();
        after_attempts(&app, &id, attempts);
        // To a second before the job's expiry, and then over it.
        clock.advance_ms([5_500, 330_000, 1_980_000, 1_284_499][attempts as usize - 1]);
    }
    assert_eq!(app.get(&format!("/jobs/{id}")).status, 200);
    clock.advance_ms(1);
    assert_eq!(app.get(&format!("/jobs/{id}")).code(), "job_not_found");
    assert_eq!(app.get_with(&format!("/jobs/{id}/webhook"), &A).code(), "job_not_found");
    assert_eq!(app.post_with(&format!("/jobs/{id}/webhook"), &A, "").code(), "job_not_found");
    // The sweep has passed by then, over a restart too.
    clock.advance_ms(60_000);
    let app = app.restart();
    clock.advance_ms(7_920_000);
    let told = receiver.told();
    assert_eq!((told.json(), told.id()), (polled, format!("msg_{id}").as_str()));
    // Delivered, the job goes with the next sweep: ten minutes after a start, which cannot know that
    // the clock is right.
    let new = submit(&app, "new", &receiver.url());
    app.ended(&new);
    let directory = app.directory.clone();
    let app = app.restart();
    let swept = (0..4).any(|_| {
        clock.advance_ms(660_000);
        (0..2_000).any(|_| app.get_with("/metrics", &A).text.contains("answerd_store_jobs 1\n"))
    });
    assert!(swept, "the delivered job is still there");
    drop(app);
    let report = Store::check(&directory.path().join("data")).unwrap();
    assert_eq!((report.problems.len(), report.jobs, report.results), (0, 1, 1));
}

/// Three tries fail in one process, the second dies with the fourth unanswered, the third delivers.
#[test]
fn a_delivery_gets_through_a_killed_process() {
    let gate = Gate::default();
    let failures = (0..3).map(|_| Does::Status(503, ""));
    let receiver = Receiver::start(failures.chain([Does::Hang(gate.clone())]));
    // So that the fourth try is due when the real processes start.
    let (first, clock) = Clock::manual(Clock::System.now_ms() - 2_500_000);
    let builder = builder(&Scripted::new("script", []));
    let app = builder.at(first).start();
    let directory = app.directory.clone();
    let store = app.store_path();
    let id = submit(&app, "hello", &receiver.url());
    for (attempts, wait_ms) in [(1, 5_500), (2, 330_000), (3, 0)] {
        receiver.told();
        after_attempts(&app, &id, attempts);
        clock.advance_ms(wait_ms);
    }
    drop(app);

    let start = || {
        let settings = [("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK)];
        Served::start_with(&store, &settings, |command| {
            command.env("ANSWERD_WEBHOOK_SECRET", SECRET);
            // A proxy would take the request to where nobody judges the address.
            for proxy in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
                command.env(proxy, "http://127.0.0.1:1");
            }
        })
    };
    let killed = start();
    let unanswered = receiver.told();
    gate.arrived(1);
    killed.kill();
    gate.open();
    let mut served = start();
    let told = receiver.told();
    assert_eq!(told.id(), format!("msg_{id}"));
    assert_eq!((told.id(), &told.body), (unanswered.id(), &unanswered.body));
    assert_eq!(told.signed_by(SECRET), 1);
    let status = until(|| {
        let (_, status) = served.get(&format!("/jobs/{id}/webhook")).unwrap();
        (status["state"] == "delivered").then_some(status)
    });
    // The one that the kill cut off is not known to have been made.
    assert_eq!(status["attempts"], 4);
    assert!(!receiver.told_more());
    assert_eq!(served.terminate(), Some(0));
    let report = Store::check(&store).unwrap();
    assert_eq!((report.problems.len(), report.jobs), (0, 1));
    drop(directory);
}

#[test]
fn a_stop_cuts_a_delivery_off_and_the_next_start_makes_it_again() {
    let gate = Gate::default();
    let receiver = Receiver::start([Does::Hang(gate.clone())]);
    let app = builder(&Scripted::new("script", [])).set("HTTP__GRACE_SECONDS", 0).start();
    let id = submit(&app, "hello", &receiver.url());
    receiver.told();
    gate.arrived(1);
    let app = app.restart();
    assert_eq!(receiver.told().id(), format!("msg_{id}"));
    assert_eq!(after_attempts(&app, &id, 1)["state"], "delivered");
    gate.open();
}
