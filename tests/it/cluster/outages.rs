//! A database that is away for all nodes.

use answerd::clock::Clock;

use super::{LONG_SECONDS, Trial, during, is_long, node, numbers, under_load};
use crate::child::store_directory;
use crate::kill_loop;
use crate::postgres::PostgresServer;

/// After a process has stopped, which takes as long.
const SHORT_SECONDS: u64 = 5;
/// When a node should say that it takes no jobs at the latest, milliseconds.
const READY_MS_MAX: u64 = 5_000;

#[test]
fn a_database_that_is_away_makes_no_node_dead_and_no_job_run_twice() {
    let server = PostgresServer::start();
    let (directory, _) = store_directory();
    let own = [("PRACTICE__FAILURE_PERCENT", "0"), ("STORE__PATIENCE_SECONDS", "2")];
    let settings = [&kill_loop::SETTINGS[..], &own].concat();
    let start = |name| node(&server.url(), directory.path(), name, &settings);
    let mut stops = start("c");
    let nodes = ["a", "b"].map(start);
    let mut trial = Trial::new(server, nodes.into());
    let (server, nodes) = (&trial.server, &trial.nodes);
    let before = numbers(server);
    let seconds = if is_long() { LONG_SECONDS } else { SHORT_SECONDS };
    let watch = Clock::System.stopwatch();
    under_load(nodes, &mut trial.clients, |load| {
        load.more(30);
        server.stop();
        let gone_ms = watch.elapsed_ms();
        // A process stops in order all the same.
        assert_eq!(stops.terminate(), Some(0));
        eprintln!("a process stopped in {} ms", watch.elapsed_ms() - gone_ms);
        during(seconds, |elapsed_ms| {
            for served in nodes {
                assert_eq!(served.get("/healthz").unwrap().0, 200);
                let (status, reason) = served.get("/readyz").unwrap();
                assert!(status == 503 || elapsed_ms < READY_MS_MAX, "{reason}");
            }
        });
        server.start_again();
        trial.back_ms = load.more(1);
        load.more(30);
    });
    // That of the process that has stopped goes when its silence is noticed.
    let number_of =
        |name: &str, all: &str| all.lines().find(|line| line.starts_with(name)).map(str::to_owned);
    let after = numbers(&trial.server);
    for name in ["a", "b"] {
        assert_eq!(number_of(name, &after), number_of(name, &before));
    }
    eprintln!("{}", trial.end("a database that is away"));
}
