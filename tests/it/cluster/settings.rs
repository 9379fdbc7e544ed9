//! Nodes whose settings differ.

use serde_json::json;

use super::{node, post, until};
use crate::child::{Served, store_directory};
use crate::kill_client::text;
use crate::postgres::PostgresServer;

#[test]
fn a_node_that_lacks_a_scraper_leaves_its_jobs_to_the_others() {
    const JOBS: &str = "/scrapers/chatgpt/jobs";
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let start = |latency_ms: &str| -> Served {
        let settings = [
            ("SCRAPERS__CHATGPT__UPSTREAMS", "[\"practice\"]"),
            ("PRACTICE__LATENCY_MS", latency_ms),
            ("HTTP__GRACE_SECONDS", "0"),
        ];
        node(&server.url(), directory.path(), "has", &settings)
    };
    // It has no key for any upstream of the scraper.
    let lacks = node(&server.url(), directory.path(), "lacks", &[]);
    let mut has = start("60000");
    let ask = json!({ "prompt": "What is a job?" });
    let (status, refusal) = post(&lacks, JOBS, None, &ask);
    assert_eq!((status, &refusal["code"]), (503, &json!("scraper_not_configured")), "{refusal}");
    let (status, job) = post(&has, JOBS, None, &ask);
    assert_eq!(status, 202, "{job}");
    let path = format!("/jobs/{}", text(&job, "job_id"));
    until("the attempt", || lacks.get(&path).unwrap().1["phase"] == "running");

    assert_eq!(has.terminate(), Some(0));
    // The job is open, and the other node knows: it looks for open jobs before it beats again.
    let beats = || -> i64 { server.ask("SELECT sum(beat) FROM answerd.nodes").parse().unwrap() };
    assert_eq!(server.ask("SELECT node FROM answerd.queue WHERE node IS NOT NULL"), "");
    let before = beats();
    until("beats", || beats() > before + 3);
    let (status, job) = lacks.get(&path).unwrap();
    assert_eq!((status, &job["status"], &job["phase"]), (200, &json!("pending"), &json!("queued")));

    let _has = start("0");
    let (_, done) = lacks.get(&format!("{path}?wait=60")).unwrap();
    assert_eq!((&done["status"], &done["attempts"]), (&json!("done"), &json!(1)), "{done}");
}
