//! Nodes on machines whose clocks are wrong: all of them go by that of the database.

use std::fs;
use std::path::{Path, PathBuf};

use answerd::clock::{Clock, parse_moment};
use serde_json::json;

use super::{node_with, numbers, post, until};
use crate::child::{Served, store_directory};
use crate::kill_client::text;
use crate::postgres::PostgresServer;

const JOBS: &str = "/scrapers/practice/jobs";
const START_WITHIN_MS: u64 = 2_000;
/// How late an end may be at the most on a busy machine, milliseconds.
const LATE_MS_MAX: u64 = 2_500;
/// When a node's silence makes it dead at the earliest and when its jobs should run again at the
/// latest, milliseconds.
const DEAD_MS: u64 = 14_000;
const TAKEN_MS_MAX: u64 = 25_000;

/// A node on a machine whose clock the test sets.
struct Machine {
    served: Served,
    clock: PathBuf,
}

impl Machine {
    fn start(url: &str, folder: &Path, name: &str, offset: &str) -> Machine {
        let clock = folder.join(format!("{name}.clock"));
        fs::write(&clock, offset).unwrap();
        let settings = [
            // Jobs that do not end by themselves, and that are kept for less than the clocks differ.
            ("PRACTICE__LATENCY_MS", "600000"),
            ("SCRAPERS__PRACTICE__WORKERS", "1"),
            ("STORE__RETENTION_HOURS", "1"),
            ("CACHE__TTL_SECONDS", "0"),
            ("HTTP__GRACE_SECONDS", "0"),
        ];
        let served = node_with(url, folder, name, &settings, |command| {
            command
                .env("LD_PRELOAD", library())
                .env("FAKETIME_TIMESTAMP_FILE", &clock)
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("NO_FAKE_STAT", "1");
        });
        Machine { served, clock }
    }

    /// Sets its clock, as an operator would while the node runs.
    fn set(&self, offset: &str) {
        let new = self.clock.with_extension("new");
        fs::write(&new, offset).unwrap();
        fs::rename(&new, &self.clock).unwrap();
    }

    fn submit(&self, start_within_ms: Option<u64>) -> (String, u64) {
        let seconds = start_within_ms.map(|ms| ms / 1_000);
        let ask = json!({ "prompt": "What is a job?", "start_within": seconds });
        let (status, job) = post(&self.served, JOBS, None, &ask);
        assert_eq!(status, 202, "{job}");
        let created = parse_moment(&text(&job, "created_at")).unwrap();
        let expires = parse_moment(&text(&job, "expires_at")).unwrap();
        assert_eq!(expires.first_ms - created.first_ms, 3_600_000);
        (text(&job, "job_id"), created.first_ms)
    }

    fn phase(&self, id: &str) -> String {
        let (status, job) = self.served.get(&format!("/jobs/{id}")).unwrap();
        assert_eq!(status, 200, "{job}");
        text(&job, "phase")
    }
}

/// The library that changes what a program reads of the clock.
fn library() -> PathBuf {
    let found = fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok);
    let found = found.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    let known = [PathBuf::from("/usr/lib/faketime/libfaketimeMT.so.1")];
    let mut all = found.chain(known).filter(|path| path.exists());
    all.next().expect("libfaketime is missing: sudo apt-get install faketime")
}

/// A job that comes to one node, and that no worker is free for, has the database's time at both,
/// and ends at its start deadline.
fn is_on_time(server: &PostgresServer, at: &Machine, other: &Machine) {
    let watch = Clock::System.stopwatch();
    let (id, created_ms) = at.submit(Some(START_WITHIN_MS));
    let database = server.ask("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8");
    let database_ms: u64 = database.parse().unwrap();
    assert!(database_ms.abs_diff(created_ms) < 3_000, "{database_ms} {created_ms}");
    let (status, job) = other.served.get(&format!("/jobs/{id}?wait=30")).unwrap();
    let took_ms = watch.elapsed_ms();
    assert_eq!((status, &job["error_code"]), (200, &json!("not_started_in_time")), "{job}");
    let on_time = START_WITHIN_MS - 100..START_WITHIN_MS + LATE_MS_MAX;
    assert!(on_time.contains(&took_ms), "it ended after {took_ms} ms");
}

#[test]
fn jobs_leases_and_deaths_go_by_the_clock_of_the_database() {
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let start = |name, offset| Machine::start(&server.url(), directory.path(), name, offset);
    let machines = [start("ahead", "+2h"), start("behind", "-2h")];
    let [ahead, behind] = &machines;
    let before = numbers(&server);
    let held = [ahead.submit(None).0, ahead.submit(None).0];
    until("both attempts", || {
        let runs = |machine: &Machine| held.iter().all(|id| machine.phase(id) == "running");
        machines.iter().all(runs)
    });
    is_on_time(&server, ahead, behind);
    is_on_time(&server, behind, ahead);
    // While they run, the clock of each machine is set.
    ahead.set("-5m");
    behind.set("+5m");
    is_on_time(&server, ahead, behind);
    is_on_time(&server, behind, ahead);
    assert_eq!(numbers(&server), before, "a node was declared dead");
    for machine in &machines {
        assert!(held.iter().all(|id| machine.phase(id) == "running"));
        let (_, nodes) = machine.served.get("/nodes").unwrap();
        for node in nodes["nodes"].as_array().unwrap() {
            assert!(node["beat_seconds"].as_f64().unwrap() < 5.0, "{node}");
        }
    }

    // The job of one that dies is run by the other one, which then leads.
    let canceled = ahead.served.send("DELETE", &format!("/jobs/{}", held[0]), None, "").unwrap();
    assert_eq!(canceled.0, 200, "{}", canceled.1);
    let holds = "SELECT name FROM answerd.queue JOIN answerd.nodes USING (node)";
    let mut name = String::new();
    until("the end of the other attempt", || {
        name = server.ask(holds);
        !name.is_empty() && !name.contains('\n')
    });
    let [ahead, behind] = machines;
    let (dies, mut lives) = if name == "ahead" { (ahead, behind) } else { (behind, ahead) };
    let watch = Clock::System.stopwatch();
    dies.served.kill();
    let path = format!("/jobs/{}", held[1]);
    until("another attempt", || {
        let (_, job) = lives.served.get(&path).unwrap();
        job["attempts"] == 2 && job["phase"] == "running"
    });
    let taken_ms = watch.elapsed_ms();
    assert!((DEAD_MS..TAKEN_MS_MAX).contains(&taken_ms), "it was taken after {taken_ms} ms");
    is_on_time(&server, &lives, &lives);
    assert_eq!(lives.served.terminate(), Some(0));
}
