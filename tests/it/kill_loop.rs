//! Kills a loaded server at random moments, again and again, with an independent ledger in the
//! clients: what was acknowledged is there once and ends.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use serde_json::Value;

use crate::child::{Served, answerd, store_directory};
use crate::kill_client::{Client, Dice, text};

const ROUNDS: usize = 5;
const SEED: u64 = 1;
const CLIENTS: usize = 4;
/// A kill comes after so many answers of a round at most, and while the next are on their way.
const ANSWERS_MAX: usize = 160;
/// Slow and unsteady enough that jobs run, wait and fail at every kill.
const SETTINGS: [(&str, &str); 7] = [
    ("LOG__LEVEL", "error"),
    ("PRACTICE__LATENCY_MS", "10"),
    ("PRACTICE__FAILURE_PERCENT", "10"),
    ("SCRAPERS__PRACTICE__WORKERS", "8"),
    ("RETRY__RETRIES", "3"),
    ("RETRY__BACKOFF_MS", "100"),
    ("CACHE__TTL_SECONDS", "0"),
];

/// All clients against one server, until it is killed.
fn round(served: &Served, clients: &mut [Client], answers: usize) {
    let (count, killed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (enough, reached) = channel();
    std::thread::scope(|scope| {
        for client in clients {
            let (count, killed) = (&count, &killed);
            let enough: Sender<()> = enough.clone();
            scope.spawn(move || {
                client.live(served, &|| {
                    if count.fetch_add(1, Ordering::Relaxed) == answers {
                        enough.send(()).unwrap();
                    }
                });
                assert!(killed.load(Ordering::Relaxed), "a request failed without a kill");
            });
        }
        drop(enough);
        // An error: every client has failed, and says so when the scope ends.
        let _ = reached.recv();
        killed.store(true, Ordering::Relaxed);
        served.signal_kill();
    });
}

/// A number from the environment, for the long run.
fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_kill_9() {
    let rounds = setting("ANSWERD_KILL_ROUNDS", ROUNDS as u64) as usize;
    let seed = setting("ANSWERD_KILL_SEED", SEED);
    let mut dice = Dice(seed);
    let (_directory, store) = store_directory();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|name| Client::new(name, seed)).collect();
    for _ in 0..rounds {
        let served = Served::start(&store, &SETTINGS);
        round(&served, &mut clients, dice.below(ANSWERS_MAX));
        served.kill();
    }
    let mut served = Served::start(&store, &SETTINGS);
    let mut done = 0;
    for client in &mut clients {
        done += client.finish(&served).ok().unwrap();
    }
    assert_eq!(served.terminate(), Some(0));
    let checked = answerd(&["db", "check"], &store);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    let (known, uncertain) = compare_export(&store, &clients);
    let batches: usize = clients.iter().map(|client| client.batches.len()).sum();
    let repeated: usize = clients.iter().map(|client| client.repeated).sum();
    eprintln!(
        "seed {seed}: {rounds} kills, {known} jobs acknowledged ({batches} batches), {done} done, \
         {repeated} repeated submits, 0 lost, 0 doubled ({uncertain} others were not answered and \
         are there)"
    );
}

/// Every job that is stored is known or was asked for without an answer, and every prompt is there
/// once: how many are known, and how many are not.
fn compare_export(store: &Path, clients: &[Client]) -> (usize, usize) {
    let exported = answerd(&["db", "export"], store);
    let known: HashSet<&String> = clients.iter().flat_map(|client| client.jobs.keys()).collect();
    let uncertain: HashSet<&String> = clients.iter().flat_map(|client| &client.uncertain).collect();
    let (mut found, mut others) = (0, 0);
    let mut prompts = HashSet::new();
    for line in String::from_utf8(exported.stdout).unwrap().lines() {
        let job: Value = serde_json::from_str(line).unwrap();
        let prompt = text(&job, "prompt");
        if known.contains(&text(&job, "job_id")) {
            found += 1;
        } else {
            assert!(uncertain.contains(&prompt), "nobody asked for {job}");
            others += 1;
        }
        assert!(prompts.insert(prompt), "a prompt is there twice: {job}");
    }
    let acknowledged: usize = clients.iter().map(|client| client.jobs.len()).sum();
    assert_eq!((found, known.len()), (acknowledged, acknowledged), "jobs are lost or shared");
    (found, others)
}
