//! The loss of the primary or of the standby.

use answerd::clock::Clock;
use serde_json::json;

use super::{Trial, found, node, post, under_load, until};
use crate::child::store_directory;
use crate::kill_client::text;
use crate::kill_loop;
use crate::postgres::PostgresServer;

#[test]
fn a_kill_of_the_primary_loses_nothing_that_its_standby_has() {
    let primary = PostgresServer::start();
    let standby = primary.start_synchronous_standby();
    let url = format!("{}&host={}", primary.url(), standby.folder());
    let (directory, _) = store_directory();
    let nodes = ["a", "b"].map(|name| node(&url, directory.path(), name, &kill_loop::SETTINGS));
    let mut trial = Trial::new(primary, nodes.into());
    let watch = Clock::System.stopwatch();
    under_load(&trial.nodes, &mut trial.clients, |load| {
        load.more(30);
        trial.server.kill();
        let killed_ms = watch.elapsed_ms();
        standby.promote();
        eprintln!("the promotion took {} ms", watch.elapsed_ms() - killed_ms);
        trial.back_ms = load.more(1);
        load.more(30);
    });
    eprintln!("{}", trial.end("a kill of the primary"));
}

#[test]
fn submits_stop_while_the_standby_is_gone_and_polls_go_on() {
    const JOBS: &str = "/scrapers/practice/jobs";
    let primary = PostgresServer::start();
    let standby = primary.start_synchronous_standby();
    let (directory, _) = store_directory();
    let settings = [("STORE__REQUIRE_STANDBY", "true"), ("STORE__PATIENCE_SECONDS", "3")];
    let mut served = node(&primary.url(), directory.path(), "a", &settings);
    let ask = json!({ "prompt": "What is a job?" });
    let (status, job) = post(&served, JOBS, None, &ask);
    assert_eq!(status, 202, "{job}");
    let path = format!("/jobs/{}", text(&job, "job_id"));
    let (_, done) = served.get(&format!("{path}?wait=60")).unwrap();
    assert_eq!(done["status"], "done", "{done}");

    standby.kill();
    let (refusal, refused_ms) = found("a refusal", || {
        let (status, refusal) = post(&served, JOBS, None, &ask);
        (status == 503).then_some(refusal)
    });
    assert_eq!(refusal["code"], "storage_failed", "{refusal}");
    let (reason, reason_ms) = found("a reason", || {
        assert_eq!(served.get(&path).unwrap(), (200, done.clone()));
        let (status, reason) = served.get("/readyz").unwrap();
        let is_named = status == 503 && text(&reason, "detail").contains("no synchronous standby");
        is_named.then_some(reason)
    });
    let (status, refusal) = post(&served, JOBS, None, &ask);
    assert_eq!((status, &refusal), (503, &reason));

    standby.start_again();
    let back_ms = until("the end of the outage", || served.get("/readyz").unwrap().0 == 200);
    let (status, job) = post(&served, JOBS, None, &ask);
    assert_eq!(status, 202, "{job}");
    let (_, again) = served.get(&format!("/jobs/{}?wait=60", text(&job, "job_id"))).unwrap();
    assert_eq!(again["status"], "done", "{again}");
    eprintln!(
        "without a standby: refused after {refused_ms} ms, with the reason {reason_ms} ms later; \
         {back_ms} ms after its start jobs are taken"
    );
    standby.kill();
    let ((), refused_again_ms) =
        found("a refusal", || (post(&served, JOBS, None, &ask).0 == 503).then_some(()));
    assert!(refused_again_ms >= 1_000, "nothing waits for the standby");
    assert_eq!(served.terminate(), Some(0));
}
