//! A process whose tables a later release has changed to what it cannot use.

use serde_json::json;

use super::{node, post, until};
use crate::child::{command, store_directory};
use crate::kill_client::text;
use crate::postgres::PostgresServer;

const JOBS: &str = "/scrapers/practice/jobs";

#[test]
fn a_node_that_the_tables_are_too_new_for_gives_back_its_jobs_and_ends() {
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let slow = [("PRACTICE__LATENCY_MS", "600000"), ("HTTP__GRACE_SECONDS", "0")];
    let mut old = node(&server.url(), directory.path(), "old", &slow);
    let ask = json!({ "prompt": "What is a job?" });
    let (status, job) = post(&old, JOBS, None, &ask);
    assert_eq!(status, 202, "{job}");
    let path = format!("/jobs/{}", text(&job, "job_id"));
    until("the attempt", || old.get(&path).unwrap().1["phase"] == "running");
    let set = |version: &str| {
        let update = "UPDATE answerd.meta SET value = convert_to('{}', 'UTF8') \
                      WHERE name = 'schema_min'";
        server.ask(&update.replace("{}", version));
    };
    set("9");
    // It ends by itself, and has given back all that it had.
    assert_eq!(old.wait(), Some(1));
    assert_eq!(server.ask("SELECT name FROM answerd.nodes"), "");
    assert_eq!(server.ask("SELECT row FROM answerd.queue WHERE node IS NOT NULL"), "");

    // Another start is refused with the way out.
    let mut again = command(&directory.path().join("again"));
    let url = server.url();
    let variables = [("STORE__URL", url.as_str()), ("STORE__REQUIRE_STANDBY", "false")];
    again.envs(variables.map(|(name, value)| (format!("ANSWERD_{name}"), value)));
    let refused = again.arg("serve").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("install the newer one"), "{said}");
    set("1");
    let mut back = node(&server.url(), directory.path(), "old", &[]);
    let (_, done) = back.get(&format!("{path}?wait=60")).unwrap();
    assert_eq!((&done["status"], &done["attempts"]), (&json!("done"), &json!(2)), "{done}");
    assert_eq!(back.terminate(), Some(0));
}
