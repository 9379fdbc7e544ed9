//! A node that cannot be heard: its network loses all that is sent, or its process is stopped.

use std::collections::HashSet;

use super::{LONG_SECONDS, Trial, during, is_long, node, numbers, under_load};
use crate::child::{Served, store_directory};
use crate::kill_loop;
use crate::postgres::PostgresServer;
use crate::proxy::{Door, Proxy};

/// So short that it is as good as nothing.
const SHORT_SECONDS: u64 = 5;
/// When a node that is cut off should say so at the latest, milliseconds.
const READY_MS_MAX: u64 = 12_000;
/// When the jobs of a silent node should have been run by another at the latest, milliseconds.
const TAKEN_MS_MAX: u64 = 25_000;

/// Enough jobs run at any time that some are cut off.
const SLOW: [(&str, &str); 2] =
    [("PRACTICE__LATENCY_MS", "300"), ("SCRAPERS__PRACTICE__WORKERS", "32")];

/// What cuts a node off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Network,
    Process,
}

impl Cause {
    fn set(self, is_cut_off: bool, proxy: &Proxy, served: &Served) {
        match self {
            Cause::Network => proxy.set_door(if is_cut_off { Door::Hole } else { Door::Open }),
            Cause::Process => served.signal(if is_cut_off { "STOP" } else { "CONT" }),
        }
    }
}

/// Cuts the second of two nodes off for some seconds, by one cause after the other, while both are
/// asked. Looks meanwhile.
fn cut_off(
    causes: &[Cause],
    seconds: u64,
    look: &mut dyn FnMut(&PostgresServer, &Served, u64),
) -> Trial {
    let server = PostgresServer::start();
    let proxy = Proxy::start(server.folder());
    let (directory, _) = store_directory();
    let distant = format!("postgres://answerd@127.0.0.1:{}/postgres", proxy.port);
    let settings = [&kill_loop::SETTINGS[..], &SLOW].concat();
    let nodes = [("a", server.url()), ("b", distant)]
        .map(|(name, url)| node(&url, directory.path(), name, &settings));
    let mut trial = Trial::new(server, nodes.into());
    let before = numbers(&trial.server);
    let (server, nodes) = (&trial.server, &trial.nodes);
    under_load(nodes, &mut trial.clients, |load| {
        load.more(30);
        for cause in causes {
            cause.set(true, &proxy, &nodes[1]);
            during(seconds, |elapsed_ms| look(server, &nodes[1], elapsed_ms));
            cause.set(false, &proxy, &nodes[1]);
            trial.back_ms = load.more(1).max(trial.back_ms);
            load.more(30);
        }
    });
    trial.is_same = numbers(&trial.server) == before;
    trial
}

#[test]
fn a_short_silence_of_a_network_or_a_process_is_nothing() {
    let mut trial = cut_off(&[Cause::Network, Cause::Process], SHORT_SECONDS, &mut |_, _, _| {});
    assert!(trial.is_same, "a node was declared dead");
    assert_eq!(trial.refused(), 0);
    eprintln!("{}", trial.end("two silences of 5 s"));
}

#[test]
fn jobs_of_a_node_that_is_cut_off_are_run_by_another_and_end_once() {
    if !is_long() {
        return;
    }
    for cause in [Cause::Network, Cause::Process] {
        let (mut ready_ms, mut taken_ms) = (None, None);
        let mut held: Option<HashSet<String>> = None;
        let mut trial = cut_off(&[cause], LONG_SECONDS, &mut |server, served, elapsed_ms| {
            if cause == Cause::Network && ready_ms.is_none() {
                let (status, _) = served.get("/readyz").unwrap();
                ready_ms = (status == 503).then_some(elapsed_ms);
            }
            let of_b = "SELECT row FROM answerd.queue WHERE node = \
                        (SELECT node FROM answerd.nodes WHERE name = 'b')";
            let unfinished = "SELECT row FROM answerd.queue";
            let rows = |query| server.ask(query).lines().map(str::to_owned).collect();
            let held = held.get_or_insert_with(|| rows(of_b));
            if taken_ms.is_none() {
                let unfinished: HashSet<String> = rows(unfinished);
                taken_ms = held.is_disjoint(&unfinished).then_some(elapsed_ms);
            }
        });
        assert!(held.is_some_and(|held| !held.is_empty()), "it had no jobs");
        assert!(!trial.is_same, "it was not declared dead");
        assert!(taken_ms.is_some_and(|at_ms| at_ms < TAKEN_MS_MAX), "{taken_ms:?}");
        if cause == Cause::Network {
            assert!(ready_ms.is_some_and(|at_ms| at_ms < READY_MS_MAX), "{ready_ms:?}");
        }
        eprintln!("not ready after {ready_ms:?} ms, its jobs had ended after {taken_ms:?} ms");
        eprintln!("{}", trial.end("a silence of 40 s"));
    }
}
