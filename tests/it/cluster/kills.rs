//! Kills of processes that share a database.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::{compare_list, node};
use crate::child::{Served, command, store_directory};
use crate::kill_client::{Client, Dice};
use crate::kill_loop::{self, compare_webhooks};
use crate::postgres::PostgresServer;
use crate::receiver::Receiver;

const ROUNDS: u64 = 4;
const NODES: usize = 3;
/// A kill comes after this many answers of a round at most.
const ANSWERS_MAX: usize = 240;

#[test]
fn a_kill_of_a_node_loses_nothing() {
    let rounds = kill_loop::setting("ANSWERD_KILL_ROUNDS", ROUNDS) as usize;
    let seed = kill_loop::setting("ANSWERD_KILL_SEED", 1);
    let mut dice = Dice(seed);
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let start = |number: usize| {
        let name = format!("node-{number}");
        node(&server.url(), directory.path(), &name, &kill_loop::SETTINGS)
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
    check(&server, directory.path());
    for served in &mut nodes {
        assert_eq!(served.terminate(), Some(0));
    }
    check(&server, directory.path());
}

/// `answerd db check` of the database finds nothing.
fn check(server: &PostgresServer, folder: &Path) {
    let mut check = command(&folder.join("check"));
    check.env("ANSWERD_STORE__URL", server.url()).args(["db", "check"]);
    let checked = check.output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
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
        nodes[victim].signal("KILL");
    });
}
