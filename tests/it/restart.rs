//! Stops and starts: what was acknowledged is there once and ends.

use std::collections::HashSet;

use answerd::job::Reason;

use crate::app::{Builder, Gate, Scripted, Step, fail, until};
use crate::child::{Served, answerd, store_directory};

#[test]
fn queued_jobs_run_after_a_restart() {
    let gate = Gate::default();
    let held = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new()
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .set("HTTP__GRACE_SECONDS", 0)
        .scripted("chatgpt", &held)
        .start();
    let ids: Vec<String> = (0..5).map(|n| app.submit("chatgpt", &format!("p{n}"))).collect();
    gate.arrived(1);
    let app = app.restart();
    gate.open();
    for id in &ids {
        let job = app.ended(id);
        assert_eq!(job["status"], "done");
        assert_eq!(job["attempts"], 1, "the attempt that the stop cut off is not spent");
    }
}

#[test]
fn a_running_attempt_may_finish_inside_the_grace_period() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    let id = app.submit("chatgpt", "slow");
    gate.arrived(1);
    app.server().stop();
    // Not ready any more, and polls still answered: that is what a client sees of the stop.
    until(|| (app.get("/readyz").status != 200).then_some(()));
    assert_eq!(app.get("/readyz").code(), "shutting_down");
    let refused = app.post("/scrapers/chatgpt/jobs?prompt=late");
    assert_eq!((refused.status, refused.code().as_str()), (503, "shutting_down"));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["status"], "pending");
    gate.open();
    let app = app.restart();
    let job = app.get(&format!("/jobs/{id}")).expect(200);
    assert_eq!((job["status"].as_str(), job["attempts"].as_u64()), (Some("done"), Some(1)));
    assert_eq!(upstream.asked(), 1);
}

#[test]
fn a_stop_tells_those_who_wait_that_their_job_goes_on() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new().set("HTTP__GRACE_SECONDS", 0).scripted("chatgpt", &upstream).start();
    let id = std::thread::scope(|scope| {
        let call = scope.spawn(|| app.get("/scrapers/chatgpt?prompt=slow"));
        gate.arrived(1);
        app.server().stop();
        let reply = call.join().unwrap();
        assert_eq!((reply.status, reply.code().as_str()), (503, "shutting_down"));
        reply.json()["job_id"].as_str().unwrap().to_owned()
    });
    gate.open();
    let app = app.restart();
    assert_eq!(app.ended(&id)["status"], "done");
}

#[test]
fn a_retry_keeps_its_time_over_a_restart() {
    let upstream = Scripted::new("script", [fail(Reason::Overloaded)]);
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).start();
    let id = app.submit("chatgpt", "again");
    app.until(&id, |job| job["phase"] == "waiting_retry");
    let app = app.restart();
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["phase"], "waiting_retry");
    assert_eq!(upstream.asked(), 1);
    clock.advance_ms(1_000);
    let job = app.ended(&id);
    assert_eq!((job["status"].as_str(), job["attempts"].as_u64()), (Some("done"), Some(2)));
}

#[test]
fn a_stop_over_running_attempts_is_no_error_in_the_log() {
    let (directory, store) = store_directory();
    let path = directory.path().join("log");
    let file = std::fs::File::create(&path).unwrap();
    let settings = [
        ("PRACTICE__LATENCY_MS", "600000"),
        ("HTTP__GRACE_SECONDS", "0"),
        ("SCRAPERS__PRACTICE__WORKERS", "64"),
    ];
    let mut served = Served::start_with(&store, &settings, |command| {
        command.env("ANSWERD_LOG__LEVEL", "info").stderr(file);
    });
    for n in 0..200 {
        served.post(&format!("/scrapers/practice/jobs?prompt=q{n}")).unwrap();
    }
    assert_eq!(served.terminate(), Some(0));
    let log = std::fs::read_to_string(path).unwrap();
    assert!(log.contains("attempt given back at the stop"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn jobs_of_a_scraper_that_is_no_longer_configured_end_with_a_reason() {
    let gate = Gate::default();
    let held = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new()
        .set("SCRAPERS__MINE__WORKERS", 1)
        .set("HTTP__GRACE_SECONDS", 0)
        .set("RETRY__RETRIES", 0)
        .scripted("mine", &held)
        .start();
    let id = app.submit("mine", "x");
    gate.arrived(1);
    let app = app.restart_with(|builder| builder.without("SCRAPERS__MINE"));
    gate.open();
    let job = app.ended(&id);
    assert_eq!(
        (job["status"].as_str(), job["error_code"].as_str()),
        (Some("failed"), Some("no_upstream"))
    );
}

#[test]
fn more_jobs_than_the_channel_holds_all_run_once() {
    const WORKERS: usize = 16;
    const CLIENTS: usize = 32;
    const JOBS_PER_CLIENT: usize = 50;
    let gate = Gate::default();
    let upstream = Scripted::new("script", (0..WORKERS).map(|_| Step::Hold(gate.clone())));
    let app = Builder::new()
        .set("SCRAPERS__CHATGPT__WORKERS", WORKERS)
        .scripted("chatgpt", &upstream)
        .start();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let app = &app;
                scope.spawn(move || -> Vec<String> {
                    (0..JOBS_PER_CLIENT)
                        .map(|n| app.submit("chatgpt", &format!("{client} {n}")))
                        .collect()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    gate.arrived(WORKERS);
    assert!(ids.len() > answerd::engine::QUEUE_ENTRIES_MAX + WORKERS);
    gate.open();
    for id in &ids {
        assert_eq!(app.ended(id)["status"], "done");
    }
    let asked = upstream.asked.lock().unwrap();
    let prompts: HashSet<&str> = asked.iter().map(|request| request.prompt.as_str()).collect();
    assert_eq!((asked.len(), prompts.len()), (ids.len(), ids.len()));
}

#[test]
fn many_submits_share_a_commit() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let before = app.server().writer_stats();
    std::thread::scope(|scope| {
        for client in 0..64 {
            let app = &app;
            scope.spawn(move || {
                for n in 0..20 {
                    app.submit("chatgpt", &format!("{client} {n}"));
                }
            });
        }
    });
    let after = app.server().writer_stats();
    let writes = after.writes - before.writes;
    let commits = after.commits - before.commits;
    assert!(writes >= 64 * 20);
    assert!(writes > 5 * commits, "{writes} writes in {commits} commits");
}

#[test]
fn a_term_signal_ends_the_process_in_order() {
    let (_directory, store) = store_directory();
    let mut served = Served::start(&store, &[]);
    let (status, job) = served.post("/scrapers/practice/jobs?prompt=how+long").unwrap();
    assert_eq!(status, 202);
    assert_eq!(served.terminate(), Some(0));
    let served = Served::start(&store, &[]);
    let id = job["job_id"].as_str().unwrap();
    let (_, job) = served.get(&format!("/jobs/{id}?wait=30")).unwrap();
    assert_eq!(job["status"], "done");
}

#[test]
fn a_second_process_on_the_same_store_is_refused() {
    let (_directory, store) = store_directory();
    let _served = Served::start(&store, &[]);
    let second = answerd(&["serve"], &store);
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(told.contains("in use by another process"), "{told}");
}
