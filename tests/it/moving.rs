//! `answerd db move`: a store in a file becomes a shared one, through real commands and servers,
//! and every id answers as before.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::until;
use crate::child::{Served, answerd, store_directory};
use crate::kill_client::text;
use crate::postgres::PostgresServer;
use crate::receiver::{Does, Receiver, SECRET};
use crate::shared_db::{Stores, document, post, said};

/// With it webhooks are sent.
const SIGNING: (&str, &str) = ("WEBHOOK_SECRET", SECRET);
/// Longer than the test: what runs does not end by itself.
const SLOW: (&str, &str) = ("PRACTICE__LATENCY_MS", "600000");

/// What a server answers of all that has ended, without cursors; `more` are paths beside the others.
fn answers(served: &Served, ended: &[String], more: &[String]) -> Vec<(String, Value)> {
    let mut paths: Vec<String> = [
        "/reports?tracker=made-up&by=day",
        "/trackers",
        "/trackers/made-up",
        "/schedules",
        "/alerts",
        "/usage",
        "/jobs?limit=100&status=done",
        "/batches?limit=100",
    ]
    .map(str::to_owned)
    .into();
    paths.extend(ended.iter().map(|id| format!("/jobs/{id}")));
    paths.extend_from_slice(more);
    let answer = |path: String| {
        let (status, mut answer) = served.get(&path).unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
        answer.as_object_mut().unwrap().remove("next_cursor");
        (path, answer)
    };
    paths.into_iter().map(answer).collect()
}

/// The ids of all jobs that are done, page by page.
fn done(served: &Served) -> Vec<String> {
    let mut ids = Vec::new();
    let mut path = "/jobs?limit=200&status=done".to_owned();
    loop {
        let (_, page) = served.get(&path).unwrap();
        ids.extend(page["jobs"].as_array().unwrap().iter().map(|job| text(job, "job_id")));
        let Some(next) = page["next_cursor"].as_str() else { return ids };
        path = format!("/jobs?limit=200&status=done&cursor={next}");
    }
}

/// Exports the results that are new since the last call.
fn export(served: &Served, out: &Path) -> usize {
    let out = out.to_str().unwrap();
    let line = ["export", "--url", &served.base, "--out", out];
    let exported = answerd(&line, Path::new(out));
    assert!(exported.status.success(), "{}", said(&exported));
    std::fs::read_to_string(out).unwrap().lines().count()
}

#[test]
fn store_moves_to_a_database_with_all_that_it_has() {
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let file = directory.path().join("demo");
    let line = ["demo", "--tracked", "--once", "--json", "--data", file.to_str().unwrap()];
    let demo = answerd(&line, &file);
    assert!(demo.status.success(), "{}", said(&demo));
    let url = server.url();
    let database =
        [("STORE__URL", url.as_str()), ("STORE__REQUIRE_STANDBY", "false"), ("NODE__NAME", "a")];
    let stores = Stores { file: &file, database: &database };

    // A job whose webhook is refused once, jobs that have ended, and a notice.
    let receiver = Receiver::start([Does::Status(500, "")]);
    let served = stores.serve(false, &[SIGNING]);
    let ask = json!({ "prompt": "What is a job?", "webhook_url": receiver.url() });
    let told = text(&post(&served, "/scrapers/practice/jobs", Some("k-1"), &ask), "job_id");
    assert_eq!(served.get(&format!("/jobs/{told}?wait=30")).unwrap().1["status"], "done");
    let first = receiver.told();
    until(|| {
        let (_, webhook) = served.get(&format!("/jobs/{told}/webhook")).unwrap();
        (webhook["attempts"] == 1).then_some(())
    });
    served.kill();
    let served = stores.serve(false, &[SLOW]);
    let waits = json!({ "prompt": "Runs" });
    let running = text(&post(&served, "/scrapers/practice/jobs", None, &waits), "job_id");
    until(|| {
        let (_, job) = served.get(&format!("/jobs/{running}")).unwrap();
        (job["attempts"] == 1).then_some(())
    });
    let waits = json!({ "prompt": "Waits" });
    let waiting = text(&post(&served, "/scrapers/practice/jobs", Some("k-2"), &waits), "job_id");
    let batch = json!({ "scraper": "practice", "prompts": ["one", "two"] });
    let batch = text(&post(&served, "/batches", None, &batch), "batch_id");
    let (exported, ended) = (directory.path().join("rows.ndjson"), done(&served));
    let rows = export(&served, &exported);
    assert!(rows > 700 && ended.len() > 700, "{rows} {}", ended.len());
    // A list that a client has read half of.
    let (_, page) = served.get("/jobs?limit=100&status=done").unwrap();
    let more = [format!("/jobs?limit=100&status=done&cursor={}", text(&page, "next_cursor"))];
    let before = answers(&served, &ended, &more);

    // While a process has either store, nothing is moved.
    let in_use = stores.db(&["move"]);
    assert_eq!(in_use.status.code(), Some(1));
    assert!(said(&in_use).contains("in use by another process"), "{}", said(&in_use));
    served.kill();
    let mut trial = stores.serve(true, &[]);
    let in_use = stores.db(&["move"]);
    assert!(said(&in_use).contains("the process a has the store"), "{}", said(&in_use));
    assert_eq!(trial.terminate(), Some(0));

    let moved = document(&stores.db(&["move", "--json"]));
    assert_eq!((&moved["unfinished"], &moved["left"]), (&json!(4), &json!([])), "{moved}");
    assert_eq!(moved["jobs"], ended.len() + 4, "{moved}");
    assert_eq!(document(&stores.db(&["check", "--json"]))["problems"], json!([]));
    let again = stores.db(&["move"]);
    assert!(said(&again).contains("has or had jobs"), "{}", said(&again));

    let served = stores.serve(true, &[SLOW, SIGNING]);
    for (before, after) in before.iter().zip(answers(&served, &ended, &more)) {
        assert_eq!(*before, after);
    }
    assert_eq!(done(&served), ended);
    // The webhook that was due is sent, under its id, and no other one again.
    let second = receiver.told();
    assert_eq!((first.id(), &first.body), (second.id(), &second.body));
    assert_eq!(export(&served, &exported), rows);
    served.kill();
    let mut served = stores.serve(true, &[]);
    let path = "/scrapers/practice/jobs";
    assert_eq!(text(&post(&served, path, Some("k-2"), &waits), "job_id"), waiting);
    for id in [&running, &waiting] {
        let (_, job) = served.get(&format!("/jobs/{id}?wait=60")).unwrap();
        assert_eq!(job["status"], "done", "{job}");
    }
    let (_, batch) = served.get(&format!("/batches/{batch}?wait=60")).unwrap();
    assert_eq!(batch["counts"]["done"], 2, "{batch}");
    assert_eq!(export(&served, &exported), rows + 4);
    assert_eq!(served.terminate(), Some(0));
    assert_eq!(document(&stores.db(&["check", "--json"]))["problems"], json!([]));
}

#[test]
fn move_without_a_database_is_refused() {
    let (_directory, file) = store_directory();
    let plain = answerd(&["db", "move"], &file);
    assert_eq!(plain.status.code(), Some(2));
    assert!(said(&plain).contains("`store.url`"), "{}", said(&plain));
}
