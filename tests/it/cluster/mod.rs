//! Several processes that share one PostgreSQL database: any of them answers for the jobs of all,
//! and what happens to one of them, to the network or to the database loses nothing that was
//! acknowledged.

mod calls;
mod clocks;
mod failover;
mod kills;
mod outages;
mod partitions;
mod settings;
mod versions;
mod wakes;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use answerd::clock::Clock;
use serde_json::{Value, json};

use crate::child::{Served, store_directory};
use crate::kill_client::{Client, text};
use crate::kill_loop::{self, compare_webhooks};
use crate::postgres::PostgresServer;
use crate::receiver::{Receiver, SECRET};

const CLIENTS: usize = 4;
/// How long a long silence or outage lasts, seconds.
const LONG_SECONDS: u64 = 40;
/// A run with this many rounds of kills or more is a long one.
const LONG_ROUNDS: u64 = 50;
/// How often something is looked at that takes seconds.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The patience of tests with what should be there within seconds, milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// A node of a database, in a folder of its own.
fn node(url: &str, folder: &Path, name: &str, settings: &[(&str, &str)]) -> Served {
    node_with(url, folder, name, settings, |_| {})
}

/// As [`node`], with a change of the command before it runs.
fn node_with(
    url: &str,
    folder: &Path,
    name: &str,
    settings: &[(&str, &str)],
    change: impl FnOnce(&mut Command),
) -> Served {
    let mut all =
        vec![("STORE__URL", url), ("STORE__REQUIRE_STANDBY", "false"), ("NODE__NAME", name)];
    all.extend(settings);
    Served::start_with(&folder.join(name), &all, |command| {
        command.env("ANSWERD_WEBHOOK_SECRET", SECRET);
        change(command);
    })
}

fn post(served: &Served, path: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
    served.send("POST", path, key, &body.to_string()).unwrap()
}

/// Looks again and again until there is an answer. Returns it, and how long it took, milliseconds.
fn found<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> (T, u64) {
    let (watch, looks) = (Clock::System.stopwatch(), crossbeam_channel::tick(LOOK_EVERY));
    loop {
        if let Some(found) = look() {
            return (found, watch.elapsed_ms());
        }
        assert!(watch.elapsed_ms() < PATIENCE_MS, "it never came: {what}");
        let _ = looks.recv();
    }
}

/// Waits until a condition holds. Returns how long it took, milliseconds.
fn until(what: &str, mut holds: impl FnMut() -> bool) -> u64 {
    found(what, || holds().then_some(())).1
}

/// Looks again and again for some seconds, at the milliseconds since they began.
fn during(seconds: u64, mut look: impl FnMut(u64)) {
    let (watch, looks) = (Clock::System.stopwatch(), crossbeam_channel::tick(LOOK_EVERY));
    while watch.elapsed_ms() < seconds * 1_000 {
        look(watch.elapsed_ms());
        let _ = looks.recv();
    }
}

/// Whether what takes a minute is tried too.
fn is_long() -> bool {
    kill_loop::setting("ANSWERD_KILL_ROUNDS", 0) >= LONG_ROUNDS
}

/// The nodes with their names: new numbers are those of nodes that were declared dead.
fn numbers(server: &PostgresServer) -> String {
    server.ask("SELECT name, node FROM answerd.nodes ORDER BY 1")
}

/// Nodes of a database, clients of theirs, and what they saw.
struct Trial {
    server: PostgresServer,
    nodes: Vec<Served>,
    receiver: Receiver,
    clients: Vec<Client>,
    /// How long after the end of what happened all nodes answered again, milliseconds.
    back_ms: u64,
    /// No node was declared dead.
    is_same: bool,
}

impl Trial {
    fn new(server: PostgresServer, nodes: Vec<Served>) -> Trial {
        let seed = kill_loop::setting("ANSWERD_KILL_SEED", 1);
        let receiver = Receiver::start([]);
        let new_client = |name| Client::new(name, seed, receiver.url()).bearing_outages();
        let clients = (0..CLIENTS).map(new_client).collect();
        Trial { server, nodes, receiver, clients, back_ms: 0, is_same: true }
    }

    /// How many answers were refusals.
    fn refused(&self) -> usize {
        self.clients.iter().map(|client| client.refused).sum()
    }

    /// Waits for the end of all jobs, and compares it with what the clients know. Returns what was
    /// seen.
    fn end(&mut self, what: &str) -> String {
        for (client, served) in self.clients.iter_mut().zip(self.nodes.iter().cycle()) {
            client.finish(served).ok().unwrap();
        }
        compare_webhooks(&self.nodes[0], &self.receiver, &self.clients);
        compare_list(&self.nodes[1], &self.clients);
        let jobs: usize = self.clients.iter().map(|client| client.jobs.len()).sum();
        for served in &mut self.nodes {
            assert_eq!(served.terminate(), Some(0));
        }
        format!(
            "{what}: {jobs} jobs acknowledged, 0 lost, 0 doubled; {} answers were 503; all nodes \
             answered {} ms after it",
            self.refused(),
            self.back_ms
        )
    }
}

/// Clients that ask all the time, each the same node.
struct Load {
    /// The answers of each node that were no refusals.
    answers: Vec<AtomicUsize>,
    stop: AtomicBool,
}

impl Load {
    /// Waits until each node has answered so often once more. Returns how long it took,
    /// milliseconds.
    fn more(&self, answers: usize) -> u64 {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let enough: Vec<usize> = self.answers.iter().map(|it| count(it) + answers).collect();
        until("answers of each node", || {
            self.answers.iter().zip(&enough).all(|(it, enough)| count(it) >= *enough)
        })
    }
}

/// Ends the load when what happens meanwhile is over, or has failed.
struct Stop<'a>(&'a Load);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

/// Lets clients ask all the time while something happens.
fn under_load(nodes: &[Served], clients: &mut [Client], happens: impl FnOnce(&Load)) {
    let answers = nodes.iter().map(|_| AtomicUsize::new(0)).collect();
    let load = Load { answers, stop: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        let stop = Stop(&load);
        for (at, client) in clients.iter_mut().enumerate() {
            let (place, load) = (at % nodes.len(), &load);
            scope.spawn(move || {
                let gone = client.live(&nodes[place], &load.stop, &|| {
                    load.answers[place].fetch_add(1, Ordering::Relaxed);
                });
                assert!(!gone, "a request was not answered");
            });
        }
        happens(&load);
        drop(stop);
    });
}

#[test]
fn each_node_answers_for_the_jobs_of_all() {
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let nodes = ["a", "b"].map(|name| node(&server.url(), directory.path(), name, &[]));
    let [a, b] = &nodes;
    let ask = json!({ "prompt": "What is a job?" });
    let (status, job) = post(a, "/scrapers/practice/jobs", Some("k-1"), &ask);
    assert_eq!(status, 202, "{job}");
    let id = text(&job, "job_id");
    // The same key at another node is the same job.
    let (_, again) = post(b, "/scrapers/practice/jobs", Some("k-1"), &ask);
    assert_eq!(text(&again, "job_id"), id);
    let (status, done) = b.get(&format!("/jobs/{id}?wait=60")).unwrap();
    assert_eq!((status, &done["status"]), (200, &json!("done")), "{done}");
    let (_, same) = a.get(&format!("/jobs/{id}")).unwrap();
    assert_eq!(same["result"], done["result"]);
    let batch = json!({ "scraper": "practice", "prompts": ["one", "two", "three"] });
    let (status, batch) = post(a, "/batches", None, &batch);
    assert_eq!(status, 202, "{batch}");
    let batch_id = text(&batch, "batch_id");
    let (_, ended) = b.get(&format!("/batches/{batch_id}?wait=60")).unwrap();
    assert_eq!(ended["counts"]["done"], 3, "{ended}");
    let (_, list) = b.get("/jobs?limit=10").unwrap();
    assert_eq!(list["jobs"].as_array().unwrap().len(), 4, "{list}");
    let (_, batches) = b.get("/batches?limit=10").unwrap();
    assert_eq!(batches["batches"].as_array().unwrap().len(), 1, "{batches}");
    for mut served in nodes {
        assert_eq!(served.terminate(), Some(0));
    }
}

/// Every job that is listed is known or was asked for without an answer, and every prompt is there
/// once.
fn compare_list(served: &Served, clients: &[Client]) {
    let known: HashSet<&String> = clients.iter().flat_map(|client| client.jobs.keys()).collect();
    let uncertain: HashSet<&String> =
        clients.iter().flat_map(|client| client.uncertain.keys()).collect();
    let (mut found, mut prompts) = (BTreeSet::new(), HashSet::new());
    let mut path = "/jobs?limit=100".to_owned();
    loop {
        let (_, page) = served.get(&path).unwrap();
        for job in page["jobs"].as_array().unwrap() {
            let (id, prompt) = (text(job, "job_id"), text(job, "prompt"));
            assert!(known.contains(&id) || uncertain.contains(&prompt), "nobody asked for {job}");
            assert!(prompts.insert(prompt), "a prompt is there twice: {job}");
            found.insert(id);
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/jobs?limit=100&cursor={next}");
    }
    let lost: Vec<_> = known.iter().filter(|id| !found.contains(**id)).collect();
    assert!(lost.is_empty(), "jobs are lost: {lost:?}");
}
