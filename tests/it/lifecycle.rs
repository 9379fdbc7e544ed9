//! The life of a job: submit, run, end; retries, panics, time-outs, the cache, credits, expiry.

use answerd::clock::rfc3339_seconds;
use answerd::job::Reason;
use answerd::upstream::UpstreamError;

use crate::app::{Builder, Gate, START_MS, Scripted, Step, fail};

#[test]
fn a_job_goes_from_submit_to_done() {
    let upstream = Scripted::new("script", []);
    let (builder, _clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).start();

    let reply = app.post("/scrapers/chatgpt/jobs?prompt=hello+world&country=de");
    let id = reply.json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(reply.headers["location"], format!("/jobs/{id}"));
    assert_eq!(reply.headers["retry-after"], "2");
    let pending = reply.expect(202);
    assert_eq!(pending["status"], "pending");
    assert_eq!(pending["completed_at"], serde_json::Value::Null);

    let job = app.ended(&id);
    assert_eq!(job["status"], "done");
    assert_eq!(job["created_at"], "2026-05-11T12:00:00+00:00");
    assert_eq!(job["expires_at"], rfc3339_seconds(START_MS + 86_400_000));
    assert_eq!(job["result"]["job_id"], id.as_str());
    assert_eq!(job["result"]["country"], "DE");
    assert_eq!(job["result"]["credits_used"], 3);
    assert_eq!(job["result"]["markdown_url"], format!("{}/md/{id}.md", app.base));
    let markdown = app.get(&format!("/md/{id}.md"));
    assert_eq!(markdown.headers["content-type"], "text/markdown; charset=utf-8");
    assert_eq!(markdown.text, job["result"]["result_markdown"].as_str().unwrap());
    assert_eq!(upstream.asked(), 1);
}

#[test]
fn an_interactive_call_waits_and_can_be_polled_after() {
    let app = Builder::new().scripted("chatgpt", &Scripted::new("script", [])).start();
    let result = app.get("/scrapers/chatgpt?prompt=hello").expect(200);
    assert_eq!(result["status"], "done");
    let id = result["job_id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["result"], result);
}

#[test]
fn an_attempt_that_fails_is_tried_again_when_its_time_has_come() {
    let upstream = Scripted::new("script", [fail(Reason::Overloaded), fail(Reason::Overloaded)]);
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).start();
    let id = app.submit("chatgpt", "again");
    // The first wait is at most a second, the second at most two.
    for attempts in [1, 2] {
        let job =
            app.until(&id, |job| job["phase"] == "waiting_retry" && job["attempts"] == attempts);
        assert_eq!(job["status"], "pending");
        assert_eq!(job["error_code"], "upstream_overloaded");
        clock.advance_ms(attempts * 1_000);
    }
    let job = app.ended(&id);
    assert_eq!((job["status"].as_str(), job["attempts"].as_u64()), (Some("done"), Some(3)));
    assert_eq!(upstream.asked(), 3);
}

#[test]
fn what_cannot_improve_fails_at_once_with_its_reason() {
    let upstream = Scripted::new("script", [fail(Reason::Quota)]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    let id = app.submit("chatgpt", "no");
    let job = app.ended(&id);
    assert_eq!(job["status"], "failed");
    assert_eq!(job["error"], "The script says no.");
    assert_eq!(job["error_code"], "upstream_quota");
    assert_eq!(job["attempts"], 1);
    assert!(job.get("result").is_none());
    assert_eq!(app.get(&format!("/md/{id}.md")).status, 404);
}

#[test]
fn a_panic_fails_one_attempt_and_nothing_else() {
    let upstream = Scripted::new("script", [Step::Panic]);
    let app = Builder::new()
        .set("RETRY__RETRIES", 0)
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .start();
    let job = app.ended(&app.submit("chatgpt", "boom"));
    assert_eq!(job["error_code"], "attempt_panicked");
    let job = app.ended(&app.submit("chatgpt", "fine"));
    assert_eq!(job["status"], "done", "the worker lives on");
}

#[test]
fn an_interactive_call_ends_at_its_timeout_and_a_late_answer_changes_nothing() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).set("SCRAPERS__CHATGPT__WORKERS", 1).start();
    let id = std::thread::scope(|scope| {
        let call = scope.spawn(|| app.get("/scrapers/chatgpt?prompt=slow&timeout=10"));
        gate.arrived(1);
        clock.advance_ms(9_750);
        let reply = call.join().unwrap();
        assert_eq!(reply.code(), "timeout");
        assert_eq!(reply.status, 408);
        reply.json()["job_id"].as_str().unwrap().to_owned()
    });
    gate.open();
    // The worker is free again, and has thrown the late answer away.
    assert_eq!(app.ended(&app.submit("chatgpt", "next"))["status"], "done");
    let job = app.get(&format!("/jobs/{id}")).expect(200);
    assert_eq!(
        (job["status"].as_str(), job["error_code"].as_str()),
        (Some("failed"), Some("timeout"))
    );
}

#[test]
fn an_identical_request_is_served_from_the_cache_for_nothing() {
    let upstream = Scripted::new("script", []);
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).start();
    let first = app.get("/scrapers/chatgpt?prompt=same").expect(200);
    clock.advance_ms(1_000);
    let second = app.post("/scrapers/chatgpt/jobs?prompt=same").expect(202);
    assert_eq!(second["status"], "done", "born done");
    let result = &second["result"];
    assert_eq!(result["cached"], true);
    assert_eq!(result["cached_at"], "2026-05-11T12:00:00+00:00");
    assert_eq!(result["credits_used"], 0);
    assert_eq!(result["result"], first["result"]);
    assert_ne!(result["job_id"], first["job_id"]);
    assert_eq!(result["job_id"], second["job_id"]);
    assert_eq!(upstream.asked(), 1);

    let fresh = app.get("/scrapers/chatgpt?prompt=same&bypass_cache=true").expect(200);
    assert_eq!(fresh["cached"], false);
    assert_eq!(upstream.asked(), 2);
    // The fresh answer was stored: it is the one that serves until its own hour is over.
    clock.advance_ms(3_600_000);
    assert_eq!(app.get("/scrapers/chatgpt?prompt=same").expect(200)["cached"], true);
    clock.advance_ms(1);
    assert_eq!(app.get("/scrapers/chatgpt?prompt=same").expect(200)["cached"], false);
}

#[test]
fn the_cache_is_there_again_after_a_restart() {
    let upstream = Scripted::new("script", []);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    app.get("/scrapers/chatgpt?prompt=same").expect(200);
    let app = app.restart();
    assert_eq!(app.get("/scrapers/chatgpt?prompt=same").expect(200)["cached"], true);
    assert_eq!(upstream.asked(), 1);
}

#[test]
fn a_job_ceases_to_exist_at_the_exact_moment() {
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &Scripted::new("script", [])).start();
    let id = app.submit("chatgpt", "brief");
    app.ended(&id);
    clock.advance_ms(86_400_000 - 1);
    assert_eq!(app.get(&format!("/jobs/{id}")).status, 200);
    assert_eq!(app.get(&format!("/md/{id}.md")).status, 200);
    clock.advance_ms(1);
    let gone = app.get(&format!("/jobs/{id}"));
    assert_eq!(
        gone.json()["detail"],
        "Job not found. It may have expired (jobs are retained for 24 hours) or the ID is invalid."
    );
    assert_eq!(gone.status, 404);
    assert_eq!(app.get(&format!("/md/{id}.md")).status, 404);
}

#[test]
fn an_upstreams_own_wait_is_kept() {
    let error =
        UpstreamError::new(Reason::UpstreamRateLimited, "Slow down.").retry_after_ms(Some(60_000));
    let upstream = Scripted::new("script", [Step::Fail(error)]);
    let app = Builder::new().scripted("chatgpt", &upstream).start();
    // It would be due behind the client's deadline, so the call fails now, not then.
    let reply = app.get("/scrapers/chatgpt?prompt=x&timeout=30");
    assert_eq!((reply.status, reply.code().as_str()), (500, "upstream_rate_limited"));
    assert_eq!(upstream.asked(), 1);
}
