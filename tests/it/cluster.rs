//! Several processes that share one PostgreSQL database: any of them answers for the jobs of all, and
//! a kill of one loses nothing of what it has acknowledged.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};

use crate::child::{Served, store_directory};
use crate::kill_client::{Client, Dice, text};
use crate::kill_loop::{self, compare_webhooks};
use crate::postgres::PostgresServer;
use crate::receiver::{Receiver, SECRET};

const ROUNDS: u64 = 4;
const NODES: usize = 3;
/// A kill comes after this many answers of a round at most.
const ANSWERS_MAX: usize = 240;

/// A node of the database's, in a folder of its own.
fn node(server: &PostgresServer, folder: &Path, name: &str, settings: &[(&str, &str)]) -> Served {
    let url = server.url();
    let mut all = vec![
        ("STORE__URL", url.as_str()),
        ("STORE__REQUIRE_STANDBY", "false"),
        ("NODE__NAME", name),
    ];
    all.extend(settings);
    Served::start_with(&folder.join(name), &all, |command| {
        command.env("ANSWERD_WEBHOOK_SECRET", SECRET);
    })
}

fn post(served: &Served, path: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
    served.send("POST", path, key, &body.to_string()).unwrap()
}

#[test]
fn each_node_answers_for_the_jobs_of_all() {
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let nodes = ["a", "b"].map(|name| node(&server, directory.path(), name, &[]));
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

#[test]
fn a_kill_of_a_node_loses_nothing() {
    let rounds = kill_loop::setting("ANSWERD_KILL_ROUNDS", ROUNDS) as usize;
    let seed = kill_loop::setting("ANSWERD_KILL_SEED", 1);
    let mut dice = Dice(seed);
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let start = |number: usize| {
        let name = format!("node-{number}");
        node(&server, directory.path(), &name, &kill_loop::SETTINGS)
    };
    let receiver = Receiver::start([]);
    let mut nodes: Vec<Served> = (0..NODES).map(start).collect();
    let new_client = |name| Client::new(name, seed, receiver.url());
    let mut clients: Vec<Client> = (0..NODES + 1).map(new_client).collect();
    for round in 0..rounds {
        let victim = dice.below(NODES);
        // Each client asks another node in each round.
        round_of(&nodes, &mut clients, round, victim, dice.below(ANSWERS_MAX));
        std::mem::replace(&mut nodes[victim], start(victim)).kill();
    }
    for (at, client) in clients.iter_mut().enumerate() {
        client.finish(&nodes[at % NODES]).ok().unwrap();
    }
    compare_webhooks(&nodes[0], &receiver, &clients);
    compare_list(&nodes[1], &clients);
    for served in &mut nodes {
        assert_eq!(served.terminate(), Some(0));
    }
}

/// All clients against all nodes, until one is killed.
fn round_of(nodes: &[Served], clients: &mut [Client], round: usize, victim: usize, answers: usize) {
    let (count, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (enough, reached) = channel();
    std::thread::scope(|scope| {
        for (at, client) in clients.iter_mut().enumerate() {
            let asked = (at + round) % NODES;
            let (count, stop) = (&count, &stop);
            let enough: Sender<()> = enough.clone();
            scope.spawn(move || {
                let gone = client.live(&nodes[asked], stop, &|| {
                    if count.fetch_add(1, Ordering::Relaxed) == answers {
                        let _ = enough.send(());
                    }
                });
                let killed = stop.load(Ordering::Relaxed) && asked == victim;
                assert!(!gone || killed, "a request failed without a kill");
            });
        }
        drop(enough);
        let _ = reached.recv();
        stop.store(true, Ordering::Relaxed);
        nodes[victim].signal_kill();
    });
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
