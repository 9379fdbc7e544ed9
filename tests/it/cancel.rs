//! Cancel: `DELETE /jobs/{id}` ends a job of the caller's, wherever it stands, and gives its
//! credits back. Contract part 2.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use answerd::answer::{Answer, Kind};
use answerd::job::{Reason, ScrapeRequest};
use answerd::upstream::{Call, Upstream, UpstreamError};
use serde_json::Value;

use crate::app::{App, Builder, Gate, Reply, Scripted, Step, fail};
use crate::limits::{A, B, keys};
use crate::providers::server::{Provider, Says};

fn submit(app: &App, prompt: &str) -> Reply {
    app.post_with(&format!("/scrapers/chatgpt/jobs?prompt={prompt}"), &A, "")
}

fn id_of(reply: Reply) -> String {
    reply.expect(202)["job_id"].as_str().unwrap().to_owned()
}

fn cancel(app: &App, id: &str, headers: &[(&str, &str)]) -> Reply {
    app.method_with("DELETE", &format!("/jobs/{id}"), headers)
}

/// One worker, and credits for two jobs at once.
fn app(upstream: &Arc<Scripted>) -> App {
    Builder::new()
        .config(&keys("monthly_credits = 6"))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", upstream)
        .start()
}

#[test]
fn a_running_and_a_queued_job_end_at_once_and_return_their_credits() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = app(&upstream);
    let running = id_of(submit(&app, "running"));
    let queued = id_of(submit(&app, "queued"));
    gate.arrived(1);
    assert_eq!(submit(&app, "more").code(), "credit_limit");

    for id in [&queued, &running] {
        let job = cancel(&app, id, &A).expect(200);
        assert_eq!(job["job_id"], id.as_str());
        assert_eq!((&job["status"], &job["phase"]), (&"failed".into(), &"finished".into()));
        assert_eq!(job["error_code"], "canceled");
        assert_eq!(app.get(&format!("/jobs/{id}")).expect(200), job);
    }
    assert!(upstream.told_to_stop());
    // Both reservations are there again, and no more than that.
    let next = id_of(submit(&app, "next"));
    submit(&app, "last").expect(202);
    assert_eq!(submit(&app, "more").status, 429);

    gate.open();
    assert_eq!(app.ended(&next)["status"], "done", "the worker has finished the late answer");
    let late = app.get(&format!("/jobs/{running}")).expect(200);
    assert_eq!((&late["status"], late.get("result")), (&"failed".into(), None));
    assert!(!upstream.asked.lock().unwrap().iter().any(|asked| asked.prompt == "queued"));
}

#[test]
fn a_job_that_waits_for_a_retry_is_not_tried_again() {
    let upstream = Scripted::new("script", [fail(Reason::Overloaded)]);
    let (builder, clock) = Builder::new().manual();
    let app = builder.scripted("chatgpt", &upstream).start();
    let id = app.submit("chatgpt", "again");
    app.until(&id, |job| job["phase"] == "waiting_retry");
    assert_eq!(cancel(&app, &id, &[]).expect(200)["error_code"], "canceled");
    clock.advance_ms(60_000);
    assert_eq!(app.ended(&app.submit("chatgpt", "other"))["status"], "done");
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["attempts"], 1);
}

#[test]
fn a_finished_job_is_a_conflict_and_stays_as_it_is() {
    let app = app(&Scripted::new("script", []));
    let id = id_of(submit(&app, "quick"));
    let before = app.ended(&id);
    let refused = cancel(&app, &id, &A);
    assert_eq!((refused.status, refused.code().as_str()), (409, "job_finished"));
    assert_eq!(refused.json()["job_id"], id.as_str());
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200), before);
}

#[test]
fn only_the_key_that_made_a_job_cancels_it() {
    let gate = Gate::default();
    let app = app(&Scripted::new("script", [Step::Hold(gate.clone())]));
    let id = id_of(submit(&app, "mine"));
    gate.arrived(1);
    let other = cancel(&app, &id, &B);
    assert_eq!((other.status, other.code().as_str()), (404, "job_not_found"));
    assert_eq!(cancel(&app, &id, &[]).code(), "key_missing");
    for unknown in ["x", "6f1c2d3e-4b5a-4c7d-8e9f-0a1b2c3d4e5f"] {
        assert_eq!(cancel(&app, unknown, &A).code(), "job_not_found", "{unknown}");
    }
    assert_eq!(app.get(&format!("/jobs/{id}")).expect(200)["status"], "pending");
    gate.open();
    assert_eq!(app.ended(&id)["status"], "done");
}

#[test]
fn a_waiting_call_hears_of_the_cancel() {
    let gate = Gate::default();
    let app = app(&Scripted::new("script", [Step::Hold(gate.clone())]));
    let id = id_of(submit(&app, "slow"));
    gate.arrived(1);
    std::thread::scope(|scope| {
        let poll = scope.spawn(|| app.ended(&id));
        cancel(&app, &id, &A).expect(200);
        assert_eq!(poll.join().unwrap()["error_code"], "canceled");
    });
    gate.open();
}

/// A builder with one worker, and the scraper whose upstream never answers.
fn hanging(provider: &Provider) -> [(&'static str, Builder); 2] {
    let upstream = format!(
        "[upstreams.local]\nkind = \"compatible\"\nbase_url = \"{}\"\nmodel = \"m\"\n\
         [scrapers.chatgpt]\nupstreams = [\"local\"]\nworkers = 1",
        provider.url("/v1")
    );
    let practice =
        Builder::new().set("PRACTICE__LATENCY_MS", 60_000).set("SCRAPERS__PRACTICE__WORKERS", 1);
    [("chatgpt", Builder::new().config(&upstream)), ("practice", practice)]
}

#[test]
fn canceled_job_frees_its_worker_at_once() {
    let provider = Provider::always(Says::Nothing);
    for (scraper, builder) in hanging(&provider) {
        let app = builder.set("HTTP__GRACE_SECONDS", 0).start();
        // More than there are workers, and no more than may be left with their calls.
        for n in 0..3 {
            let id = app.submit(scraper, &format!("canceled {n}"));
            app.until(&id, |job| job["phase"] == "running");
            cancel(&app, &id, &[]).expect(200);
        }
        let next = app.submit(scraper, "next");
        app.until(&next, |job| job["phase"] == "running");
    }
}

#[test]
fn job_whose_caller_has_gone_frees_its_worker_after_its_timeout() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let (builder, clock) = Builder::new().manual();
    let app = builder.set("SCRAPERS__CHATGPT__WORKERS", 1).scripted("chatgpt", &upstream).start();
    let mut caller = TcpStream::connect(app.base.strip_prefix("http://").unwrap()).unwrap();
    let asked = "GET /scrapers/chatgpt?prompt=left&timeout=10 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    caller.write_all(asked.as_bytes()).unwrap();
    gate.arrived(1);
    drop(caller);
    let next = app.submit("chatgpt", "next");
    clock.advance_ms(11_000);
    assert_eq!(app.ended(&next)["status"], "done");
    let left = app.get("/jobs?status=failed").expect(200)["jobs"][0].clone();
    assert_eq!((&left["prompt"], &left["error_code"]), (&"left".into(), &"timeout".into()));
    gate.open();
}

#[test]
fn jobs_that_wait_for_a_canceled_ones_answer_go_on() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app =
        Builder::new().set("SCRAPERS__CHATGPT__WORKERS", 2).scripted("chatgpt", &upstream).start();
    let leader = app.submit("chatgpt", "same");
    gate.arrived(1);
    let follower = app.submit("chatgpt", "same");
    // The free worker has taken the follower before this one.
    assert_eq!(app.ended(&app.submit("chatgpt", "other"))["status"], "done");
    cancel(&app, &leader, &[]).expect(200);
    assert_eq!(app.ended(&follower)["status"], "done");
    gate.open();
}

/// Hangs until it is told to stop, and takes that for a time-out.
struct Stubborn;

impl Upstream for Stubborn {
    fn name(&self) -> &str {
        "stubborn"
    }

    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn ask(&self, request: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError> {
        if request.country == "DE" {
            return Err(UpstreamError::new(Reason::CountryUnsupported, "Not in DE."));
        }
        while !call.is_canceled() {
            std::thread::yield_now();
        }
        Err(UpstreamError::new(Reason::UpstreamTimeout, "Nothing came."))
    }
}

#[test]
fn cancels_and_refused_countries_are_not_the_upstreams_failures() {
    let app = Builder::new()
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .upstream("chatgpt", "stubborn", Arc::new(Stubborn))
        .start();
    for n in 0..6 {
        let id = app.submit("chatgpt", &format!("canceled {n}"));
        app.until(&id, |job| job["phase"] == "running");
        cancel(&app, &id, &[]).expect(200);
        let refused = app.post(&format!("/scrapers/chatgpt/jobs?prompt={n}&country=DE"));
        let refused = app.ended(refused.expect(202)["job_id"].as_str().unwrap());
        assert_eq!(refused["error_code"], "country_unsupported");
    }
    let scrapers = app.get("/scrapers").expect(200);
    let known = scrapers["scrapers"].as_array().unwrap();
    let known = known.iter().find(|scraper| scraper["name"] == "chatgpt").unwrap();
    assert_eq!(known["health"]["attempts"], 0, "{known:#}");
    let upstream = &known["upstreams"][0];
    assert_eq!((&upstream["breaker"], &upstream["last_error"]), (&"closed".into(), &Value::Null));
    let metrics = app.get("/metrics").text;
    for family in ["answerd_attempts_failed_total{", "answerd_upstream_errors_total{"] {
        assert!(!metrics.contains(family), "{metrics}");
    }
    let stats = app.get("/stats").expect(200);
    let known = stats["scrapers"].as_array().unwrap();
    let known = known.iter().find(|scraper| scraper["name"] == "chatgpt").unwrap();
    for bucket in known["buckets"].as_array().unwrap() {
        assert_eq!(bucket["attempts_failed"], 0, "{bucket:#}");
    }
}
