//! A call that waits at one node for a job that another one runs.

use answerd::clock::Clock;
use serde_json::json;

use super::{node, post, until};
use crate::child::{Served, store_directory};
use crate::kill_client::text;
use crate::postgres::PostgresServer;

/// How long after the start of another process the call may be answered at the most, milliseconds.
const ANSWERED_MS_MAX: u64 = 10_000;

#[test]
fn a_waiting_call_is_answered_though_the_node_that_runs_its_job_dies() {
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let start = |name: &str, latency_ms: &str| -> Served {
        let settings = [
            ("PRACTICE__LATENCY_MS", latency_ms),
            ("SCRAPERS__PRACTICE__WORKERS", "1"),
            ("CACHE__TTL_SECONDS", "0"),
            ("HTTP__GRACE_SECONDS", "0"),
        ];
        node(&server.url(), directory.path(), name, &settings)
    };
    let mut asked = start("asked", "600000");
    // Its only worker has something else to do.
    let ask = json!({ "prompt": "What is a job?" });
    let (status, busy) = post(&asked, "/scrapers/practice/jobs", None, &ask);
    assert_eq!(status, 202, "{busy}");
    let path = format!("/jobs/{}", text(&busy, "job_id"));
    until("the attempt", || asked.get(&path).unwrap().1["phase"] == "running");
    let runs = start("runs", "600000");
    let watch = Clock::System.stopwatch();
    let mut again = std::thread::scope(|scope| {
        let call = "/scrapers/practice?prompt=What+is+an+upstream%3F&timeout=55";
        let called = scope.spawn(|| asked.get(call).unwrap());
        until("the attempt of the call", || {
            let (_, list) = asked.get("/jobs?status=pending").unwrap();
            let jobs = list["jobs"].as_array().unwrap();
            jobs.len() == 2 && jobs.iter().all(|job| job["phase"] == "running")
        });
        runs.kill();
        // Under its name: its jobs are taken up at once, not after 15 s of silence.
        let again = start("runs", "0");
        let began_ms = watch.elapsed_ms();
        let (status, answer) = called.join().unwrap();
        assert_eq!((status, &answer["status"]), (200, &json!("done")), "{answer}");
        let took_ms = watch.elapsed_ms() - began_ms;
        assert!(took_ms < ANSWERED_MS_MAX, "{took_ms}");
        let (_, job) = asked.get(&format!("/jobs/{}", text(&answer, "job_id"))).unwrap();
        assert_eq!(job["attempts"], 2, "{job}");
        again
    });
    assert_eq!(again.terminate(), Some(0));
    assert_eq!(asked.terminate(), Some(0));
}
