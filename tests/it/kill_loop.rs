//! Kills a loaded server at random moments, again and again, with an independent ledger in the
//! clients: what was acknowledged is there once and ends, and its webhook tells its end.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use serde_json::Value;

use crate::app::until;
use crate::child::{Served, answerd, store_directory};
use crate::kill_client::{Client, Dice, text};
use crate::receiver::{Does, Receiver, SECRET, Told};
use crate::webhooks::ALLOW_LOOPBACK;

const ROUNDS: usize = 5;
const SEED: u64 = 1;
const CLIENTS: usize = 4;
/// A kill comes after this many answers of a round at most, and while the next are on their way.
const ANSWERS_MAX: usize = 160;
/// So many webhooks are refused at first, and are due again five seconds later: few enough that none
/// is refused twice, after which it would be due in five minutes.
const REFUSED_WEBHOOKS: usize = 3;
/// Slow and unsteady enough that jobs run, wait and fail at every kill.
pub(crate) const SETTINGS: [(&str, &str); 8] = [
    ("LOG__LEVEL", "error"),
    ("PRACTICE__LATENCY_MS", "10"),
    ("PRACTICE__FAILURE_PERCENT", "10"),
    ("SCRAPERS__PRACTICE__WORKERS", "8"),
    ("RETRY__RETRIES", "3"),
    ("RETRY__BACKOFF_MS", "100"),
    ("CACHE__TTL_SECONDS", "0"),
    ("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK),
];

fn start(store: &Path) -> Served {
    Served::start_with(store, &SETTINGS, |command| {
        command.env("ANSWERD_WEBHOOK_SECRET", SECRET);
    })
}

/// All clients against one server, until it is killed.
fn round(served: &Served, clients: &mut [Client], answers: usize) {
    let (count, killed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (enough, reached) = channel();
    std::thread::scope(|scope| {
        for client in clients {
            let (count, killed) = (&count, &killed);
            let enough: Sender<()> = enough.clone();
            scope.spawn(move || {
                let gone = client.live(served, &AtomicBool::new(false), &|| {
                    if count.fetch_add(1, Ordering::Relaxed) == answers {
                        enough.send(()).unwrap();
                    }
                });
                assert!(gone && killed.load(Ordering::Relaxed), "a request failed without a kill");
            });
        }
        drop(enough);
        // An error: every client has failed, and says so when the scope ends.
        let _ = reached.recv();
        killed.store(true, Ordering::Relaxed);
        served.signal("KILL");
    });
}

/// A number from the environment, for the long run.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
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
    let receiver = Receiver::start((0..REFUSED_WEBHOOKS).map(|_| Does::Status(503, "")));
    let new_client = |name| Client::new(name, seed, receiver.url());
    let mut clients: Vec<Client> = (0..CLIENTS).map(new_client).collect();
    for _ in 0..rounds {
        let served = start(&store);
        round(&served, &mut clients, dice.below(ANSWERS_MAX));
        served.kill();
    }
    let mut served = start(&store);
    let mut done = 0;
    for client in &mut clients {
        done += client.finish(&served).ok().unwrap();
    }
    let (webhooks, deliveries) = compare_webhooks(&served, &receiver, &clients);
    assert_eq!(served.terminate(), Some(0));
    let checked = answerd(&["db", "check"], &store);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    let (known, uncertain) = compare_export(&store, &clients);
    let batches: usize = clients.iter().map(|client| client.batches.len()).sum();
    let repeated: usize = clients.iter().map(|client| client.repeated).sum();
    eprintln!(
        "seed {seed}: {rounds} kills, {known} jobs acknowledged ({batches} batches), {done} done, \
         {repeated} repeated submits, 0 lost, 0 doubled ({uncertain} others were not answered and \
         are there); {webhooks} webhooks in {deliveries} deliveries, 0 lost, 0 wrong"
    );
}

/// Every job that is stored is known or was asked for without an answer, and every prompt is there
/// once: how many are known, and how many are not.
fn compare_export(store: &Path, clients: &[Client]) -> (usize, usize) {
    let exported = answerd(&["db", "export"], store);
    let known: HashSet<&String> = clients.iter().flat_map(|client| client.jobs.keys()).collect();
    let uncertain: HashSet<&String> =
        clients.iter().flat_map(|client| client.uncertain.keys()).collect();
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

/// Whoever was acknowledged with a webhook is told of its end, at least once, under one id, and
/// nobody else is: how many were told, and in how many deliveries.
pub(crate) fn compare_webhooks(
    served: &Served,
    receiver: &Receiver,
    clients: &[Client],
) -> (usize, usize) {
    let to_tell: BTreeMap<&String, &Value> =
        clients.iter().flat_map(|client| &client.to_tell).collect();
    let uncertain = |prompt: &str| {
        clients.iter().any(|client| client.uncertain.get(prompt).is_some_and(|hooked| *hooked))
    };
    let mut deliveries: BTreeMap<String, usize> = BTreeMap::new();
    let mut hear = |told: Told| {
        assert_eq!(told.signed_by(SECRET), 1, "{}", told.head);
        let body = told.json();
        let id = text(&body, if body["job_id"].is_string() { "job_id" } else { "batch_id" });
        assert_eq!(told.id(), format!("msg_{id}"));
        match to_tell.get(&id) {
            Some(end) => assert_eq!(body, **end, "what was told is not how it ended"),
            None => assert!(uncertain(&text(&body, "prompt")), "nobody asked for {body}"),
        }
        *deliveries.entry(id.clone()).or_default() += 1;
        id
    };
    let mut untold: HashSet<&String> = to_tell.keys().copied().collect();
    while !untold.is_empty() {
        untold.remove(&hear(receiver.told()));
    }
    for (id, end) in &to_tell {
        let kind = if end["job_id"].is_string() { "jobs" } else { "batches" };
        let status = until(|| {
            let (_, status) = served.get(&format!("/{kind}/{id}/webhook")).unwrap();
            (status["state"] != "pending").then_some(status)
        });
        assert_eq!(status["state"], "delivered", "{status}");
    }
    while receiver.told_more() {
        hear(receiver.told());
    }
    (deliveries.len(), deliveries.values().sum())
}
