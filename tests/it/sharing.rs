//! Jobs that ask for the same at the same time share one scrape. Contract 1.9, part 2.

use answerd::job::Reason;
use serde_json::Value;

use crate::app::{App, Builder, Gate, Scripted, Step, fail, until};
use crate::limits::{A, keys};

fn submit(app: &App, query: &str) -> String {
    let reply = app.post_with(&format!("/scrapers/chatgpt/jobs?{query}"), &A, "");
    reply.expect(202)["job_id"].as_str().unwrap().to_owned()
}

/// Waits until every job submitted before has been taken up: the free worker takes them in order.
fn taken_up(app: &App, marker: &str) {
    assert_eq!(app.ended(&submit(app, &format!("prompt={marker}")))["status"], "done");
}

fn shared() -> (std::sync::Arc<Scripted>, Gate, Builder) {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let builder = Builder::new()
        .config(&keys("monthly_credits = 100"))
        .set("SCRAPERS__CHATGPT__WORKERS", 2)
        .scripted("chatgpt", &upstream);
    (upstream, gate, builder)
}

fn asked_for(upstream: &Scripted, prompt: &str) -> usize {
    upstream.asked.lock().unwrap().iter().filter(|asked| asked.prompt == prompt).count()
}

#[test]
fn jobs_that_ask_for_the_same_share_one_scrape() {
    let (upstream, gate, builder) = shared();
    let app = builder.start();
    let first = submit(&app, "prompt=same");
    gate.arrived(1);
    let others: Vec<String> =
        (0..5).map(|n| submit(&app, &format!("prompt=same&label={n}"))).collect();
    let own = submit(&app, "prompt=same&bypass_cache=1");
    taken_up(&app, "marker");
    assert_eq!(app.ended(&own)["result"]["cached"], false, "it asked by itself");
    for id in &others {
        let job = app.get(&format!("/jobs/{id}")).expect(200);
        assert_eq!((&job["status"], &job["attempts"]), (&"pending".into(), &0.into()));
    }
    gate.open();
    let answer = app.ended(&first);
    assert_eq!((&answer["result"]["cached"], &answer["attempts"]), (&false.into(), &1.into()));
    for (n, id) in others.iter().enumerate() {
        let job = app.ended(id);
        assert_eq!((&job["status"], &job["attempts"]), (&"done".into(), &0.into()));
        assert_eq!(job["label"], n.to_string());
        assert_eq!(job["result"]["job_id"], id.as_str());
        assert_eq!(
            (&job["result"]["cached"], &job["result"]["credits_used"]),
            (&true.into(), &0.into())
        );
        assert!(job["result"]["cached_at"].is_string());
        assert_eq!(job["result"]["result"], answer["result"]["result"]);
    }
    assert_eq!(asked_for(&upstream, "same"), 2, "once for all, and once for the bypass");
    let usage = app.get_with("/usage", &A).expect(200);
    assert_eq!((&usage["used"], &usage["reserved"]), (&9.into(), &0.into()));
}

#[test]
fn a_failed_attempt_leaves_the_question_to_the_next() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone()), fail(Reason::Refused)]);
    let app = Builder::new()
        .config(&keys(""))
        .set("SCRAPERS__CHATGPT__WORKERS", 2)
        .scripted("chatgpt", &upstream)
        .start();
    // The first holds a worker; of the two that ask for the same, the first fails for good.
    let held = submit(&app, "prompt=held");
    gate.arrived(1);
    let (failing, next) = (submit(&app, "prompt=same"), submit(&app, "prompt=same"));
    assert_eq!(app.ended(&failing)["status"], "failed");
    let next = app.ended(&next);
    assert_eq!((&next["status"], &next["result"]["cached"]), (&"done".into(), &false.into()));
    gate.open();
    app.ended(&held);
}

#[test]
fn a_queued_job_is_answered_by_what_the_cache_has_come_to_hold() {
    let gate = Gate::default();
    let upstream = Scripted::new("script", [Step::Hold(gate.clone())]);
    let app = Builder::new()
        .config(&keys(""))
        .set("SCRAPERS__CHATGPT__WORKERS", 1)
        .scripted("chatgpt", &upstream)
        .start();
    let first = submit(&app, "prompt=same");
    gate.arrived(1);
    // The only worker is held: this one waits in the queue until the answer is there.
    let queued = submit(&app, "prompt=same");
    gate.open();
    app.ended(&first);
    assert_eq!(app.ended(&queued)["result"]["cached"], true);
    assert_eq!(upstream.asked(), 1);
}

#[test]
fn one_that_waits_for_another_can_be_canceled_and_keeps_its_own_time_out() {
    let (upstream, gate, builder) = shared();
    let (builder, clock) = builder.manual();
    let app = builder.start();
    let first = submit(&app, "prompt=same&timeout=600");
    gate.arrived(1);
    let unwanted = submit(&app, "prompt=same");
    taken_up(&app, "marker");
    let canceled = app.method_with("DELETE", &format!("/jobs/{unwanted}"), &A).expect(200);
    assert_eq!(canceled["error_code"], "canceled");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| app.get_with("/scrapers/chatgpt?prompt=same&timeout=10", &A));
        // It has been taken up when the list shows it, and the marker behind it is done.
        until(|| (pending(&app) >= 2).then_some(()));
        taken_up(&app, "another");
        clock.advance_ms(10_000);
        let reply = call.join().unwrap();
        assert_eq!((reply.status, reply.code().as_str()), (408, "timeout"));
    });
    gate.open();
    assert_eq!(app.ended(&first)["status"], "done");
    assert_eq!(asked_for(&upstream, "same"), 1);
}

fn pending(app: &App) -> usize {
    let list: Value = app.get_with("/jobs?status=pending", &A).expect(200);
    list["jobs"].as_array().unwrap().len()
}

#[test]
fn those_that_wait_for_another_survive_a_restart() {
    let (upstream, gate, builder) = shared();
    let app = builder.set("HTTP__GRACE_SECONDS", 0).start();
    let first = submit(&app, "prompt=same");
    gate.arrived(1);
    let second = submit(&app, "prompt=same");
    taken_up(&app, "marker");
    let app = app.restart();
    let (first, second) = (app.ended(&first), app.ended(&second));
    gate.open();
    assert_eq!((&first["status"], &second["status"]), (&"done".into(), &"done".into()));
    assert_eq!(asked_for(&upstream, "same"), 2, "the one that was cut off, and one for both");
}
