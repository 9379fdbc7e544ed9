//! Cancel: `DELETE /jobs/{id}` ends a job of the caller's, wherever it stands, and gives its
//! credits back. Contract part 2.

use answerd::job::Reason;

use crate::app::{App, Builder, Gate, Reply, Scripted, Step, fail};
use crate::limits::{A, B, keys};

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
fn app(upstream: &std::sync::Arc<Scripted>) -> App {
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
