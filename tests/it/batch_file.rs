//! `answerd batch`: a file of prompts, killed half way and run again.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::app::until;
use crate::child::{Served, command, store_directory};

const LINES: usize = 1_000;
const WORKERS: usize = 8;

fn batch(store: &Path, server: &Served, arguments: &[&str]) -> Command {
    let mut command = command(store);
    command.env("ANSWERD_URL", &server.base).arg("batch").args(arguments).stdin(Stdio::null());
    command
}

fn finished(output: Output) -> String {
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    err
}

fn used(server: &Served, what: &str) -> usize {
    let (status, usage) = server.get("/usage").unwrap();
    assert_eq!(status, 200);
    usage["scrapers"]["practice"][what].as_u64().unwrap_or_default() as usize
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_file_that_is_cut_off_twice_ends_with_one_result_for_each_line() {
    let (directory, store) = store_directory();
    let mut text = "own,prompt\n".to_owned();
    for n in 0..LINES {
        writeln!(text, "row {n},How long is job number {n} kept?").unwrap();
    }
    std::fs::write(directory.path().join("prompts.csv"), text).unwrap();
    let arguments = ["prompts.csv", "--scraper", "practice", "--out", "answers.ndjson"];
    // Slow enough to be cut off half way.
    let settings = [("PRACTICE__LATENCY_MS", "20"), ("SCRAPERS__PRACTICE__WORKERS", "8")];

    let server = Served::start(&store, &settings);
    let mut client = batch(&store, &server, &arguments).stderr(Stdio::null()).spawn().unwrap();
    until(|| (used(&server, "done") >= LINES / 3).then_some(()));
    client.kill().unwrap();
    client.wait().unwrap();
    until(|| (used(&server, "done") >= LINES / 2).then_some(()));
    server.kill();
    assert!(!directory.path().join("answers.ndjson").exists(), "a part is not taken for the whole");

    let server = Served::start(&store, &settings);
    assert!(used(&server, "done") < LINES, "it was not cut off half way");
    let told = finished(batch(&store, &server, &arguments).output().unwrap());
    assert!(told.contains("1000 of 1000 ended: 1000 done, 0 failed, 0 refused"), "{told}");
    let written = std::fs::read_to_string(directory.path().join("answers.ndjson")).unwrap();
    let written = rows(&written);
    assert_eq!(written.len(), LINES);
    let mut twice = 0;
    for (n, row) in written.iter().enumerate() {
        let job = &row["job"];
        assert_eq!((&row["index"], &row["input"]["own"]), (&n.into(), &format!("row {n}").into()));
        assert_eq!(job["prompt"], row["input"]["prompt"]);
        assert_eq!(job["status"], "done");
        assert!(job["result"]["result"].as_str().is_some_and(|answer| !answer.is_empty()));
        twice += usize::from(job["attempts"] != 1);
    }
    let ids: HashSet<&str> =
        written.iter().map(|row| row["job"]["job_id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), used(&server, "jobs"), used(&server, "done")), (LINES, LINES, LINES));
    assert!(twice <= WORKERS, "only what ran at the kill runs again; {twice} did");

    // Once more changes nothing, in another format; with --again all of it is submitted again.
    let arguments = ["prompts.csv", "--scraper", "practice", "--out", "answers.csv"];
    finished(batch(&store, &server, &arguments).output().unwrap());
    let csv = std::fs::read_to_string(directory.path().join("answers.csv")).unwrap();
    assert!(csv.starts_with("own,prompt,job_id,status,result,"), "{}", &csv[..80]);
    assert_eq!(used(&server, "jobs"), LINES);
}

#[test]
fn lines_that_are_refused_or_fail_are_told_in_their_place() {
    let (directory, store) = store_directory();
    let lines = [
        r#"{"prompt":"What is a job?","id":1}"#,
        r#"{"prompt":" ","id":2}"#,
        r#"{"prompt":"What is a batch?","scraper":"grok","id":3}"#,
        r#"{"prompt":"What is a credit?","id":4}"#,
    ];
    std::fs::write(directory.path().join("prompts.jsonl"), lines.join("\n")).unwrap();
    // One job at a time fits into the queue: what has no room goes out again.
    let settings = [("QUEUE__JOBS_MAX", "1"), ("SCRAPERS__PRACTICE__WORKERS", "1")];
    let server = Served::start(&store, &settings);
    let ran = batch(&store, &server, &["prompts.jsonl", "--scraper", "practice"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let written = rows(&String::from_utf8(ran.stdout).unwrap());
    let told: Vec<(&Value, &Value, &Value)> = written
        .iter()
        .map(|row| (&row["input"]["id"], &row["job"]["status"], &row["error"]["code"]))
        .collect();
    assert_eq!(
        told,
        [
            (&1.into(), &"done".into(), &Value::Null),
            (&2.into(), &Value::Null, &"prompt_blank".into()),
            (&3.into(), &Value::Null, &"scraper_not_configured".into()),
            (&4.into(), &"done".into(), &Value::Null),
        ]
    );
    let wrong = batch(&store, &server, &["none.csv"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("none.csv"));
}

#[test]
fn csv_output_escapes_what_a_spreadsheet_would_run() {
    let (directory, store) = store_directory();
    let text = "=own,change,prompt\n=1+1,-5,What is a job?\n";
    std::fs::write(directory.path().join("prompts.csv"), text).unwrap();
    let server = Served::start(&store, &[]);
    let written = |more: &[&str]| {
        let arguments = ["prompts.csv", "--scraper", "practice", "--out", "answers.csv"];
        finished(batch(&store, &server, &[&arguments, more].concat()).output().unwrap());
        std::fs::read_to_string(directory.path().join("answers.csv")).unwrap()
    };
    let escaped = written(&[]);
    assert!(escaped.starts_with("'=own,change,prompt,job_id,"), "{escaped}");
    assert!(escaped.contains("\r\n'=1+1,'-5,What is a job?,"), "{escaped}");
    let kept = written(&["--formulas", "keep"]);
    assert!(kept.starts_with("=own,change,") && kept.contains("\r\n=1+1,-5,What"), "{kept}");
    let wrong = batch(&store, &server, &["prompts.csv", "--formulas", "run"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("--formulas"));
}

#[test]
fn interrupted_batch_says_what_was_done_and_how_to_continue() {
    let (directory, store) = store_directory();
    std::fs::write(directory.path().join("p.csv"), "Prompt;\nWhat is a job?;\nWhy?;\n").unwrap();
    // No job ends while this runs.
    let server = Served::start(&store, &[("PRACTICE__LATENCY_MS", "600000")]);
    let arguments = ["p.csv", "--scraper", "practice", "--out", "answers.csv"];
    let client =
        batch(&store, &server, &arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
    let client = client.unwrap();
    until(|| (used(&server, "jobs") == 2).then_some(()));
    let id = client.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let ended = client.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("2 of 2 lines were submitted; 0 are done"), "{told}");
    assert!(told.contains("the same command continues where it stopped"), "{told}");
    // The file that was begun is not left behind.
    let left: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "p.csv" && name != "data")
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn batch_without_a_scraper_is_refused_before_anything_is_sent() {
    let (directory, store) = store_directory();
    std::fs::write(directory.path().join("p.csv"), "prompt,scraper\na,practice\nb,\nc,\n").unwrap();
    let mut line = command(&store);
    // No server has this address.
    line.env("ANSWERD_URL", "http://127.0.0.1:1").args(["batch", "p.csv"]);
    let refused = line.output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("2 of 3 prompts name no scraper, the first is number 2"), "{told}");
    assert!(told.contains("--scraper"), "{told}");
}
