//! The `db` commands of a shared store, through the real program, beside its processes.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::child::{Served, command, store_directory};
use crate::kill_client::text;
use crate::postgres::PostgresServer;
use crate::webhooks::ALLOW_LOOPBACK;

/// The store in a file, and the database.
pub(crate) struct Stores<'a> {
    pub file: &'a Path,
    pub database: &'a [(&'a str, &'a str)],
}

impl Stores<'_> {
    pub(crate) fn serve(&self, shared: bool, more: &[(&str, &str)]) -> Served {
        let mut settings = vec![
            ("STORE__RETENTION_HOURS", "744"),
            ("SCRAPERS__PRACTICE__WORKERS", "1"),
            ("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK),
        ];
        settings.extend(more);
        settings.extend(self.database.iter().filter(|_| shared));
        Served::start(self.file, &settings)
    }

    /// A `db` command with the settings of the database.
    pub(crate) fn db(&self, task: &[&str]) -> Output {
        let mut command = command(self.file);
        let named = self.database.iter().map(|(name, value)| (format!("ANSWERD_{name}"), value));
        command.envs(named).arg("db").args(task).output().unwrap()
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn post(served: &Served, path: &str, key: Option<&str>, body: &Value) -> Value {
    let (status, answer) = served.send("POST", path, key, &body.to_string()).unwrap();
    assert!(status < 300, "{status} {answer}");
    answer
}

#[test]
fn db_commands_of_a_shared_store_do_what_they_can_or_say_which_tool_does() {
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let file = directory.path().join("data");
    let url = server.url();
    let database = [("STORE__URL", url.as_str()), ("STORE__REQUIRE_STANDBY", "false")];
    let stores = Stores { file: &file, database: &database };
    // There is no store, and none is made.
    for task in ["check", "export", "migrate"] {
        let missing = stores.db(&[task]);
        assert_eq!(missing.status.code(), Some(1), "{task}");
        assert!(said(&missing).contains("has no store"), "{task}: {}", said(&missing));
    }
    let mut served = stores.serve(true, &[]);
    let ask = json!({ "prompt": "What is a job?" });
    let id = text(&post(&served, "/scrapers/practice/jobs", None, &ask), "job_id");
    let (_, job) = served.get(&format!("/jobs/{id}?wait=60")).unwrap();
    assert_eq!(job["status"], "done");
    // The processes run meanwhile.
    let checked = document(&stores.db(&["check", "--json"]));
    assert_eq!((&checked["ok"], &checked["jobs"]), (&json!(true), &json!(1)), "{checked}");
    assert!(checked["hours"].as_u64().unwrap() >= 1 && checked["free_bytes"].is_null());
    let exported = stores.db(&["export"]);
    assert_eq!(document(&exported), job);
    let compacted = document(&stores.db(&["compact", "--json"]));
    assert_eq!(compacted["compacted"], json!(false), "{compacted}");
    let migrated = stores.db(&["migrate"]);
    assert!(String::from_utf8_lossy(&migrated.stdout).contains("of version 1 already"));
    for line in [&["backup", "out.redb"][..], &["restore", "in.redb"]] {
        let refused = stores.db(line);
        assert_eq!(refused.status.code(), Some(2), "{line:?}");
        assert!(said(&refused).contains("`pg_dump`"), "{}", said(&refused));
    }
    assert_eq!(served.terminate(), Some(0));
}
