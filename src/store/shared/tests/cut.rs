//! Connections that are cut at their commits: every write is there once, and every caller is told
//! so.

use std::sync::atomic::Ordering;

use super::Place;
use super::fixture::{Node, options};
use super::postgres::PostgresServer;
use super::proxy::{Cut, Proxy};
use crate::store::Blocking;
use crate::store::accounts::Credits;
use crate::store::shared::pg_options::PgOptions;
use crate::tests::fuzz::Dice;

const MONTH: u32 = 202_605;
const CLIENTS: usize = 8;
const JOBS: usize = 12;
/// More than the commits of all jobs.
const PLANNED: usize = 2_000;

/// Opens a node whose connections go through a proxy.
fn behind_proxy() -> (Node, Proxy) {
    let place = Place::empty();
    let proxy = Proxy::start(PostgresServer::shared().folder());
    let known = options(&place, "a");
    let url = format!("postgres://answerd@127.0.0.1:{}/postgres", proxy.port);
    let node = Node::of(crate::store::shared::options::SharedOptions {
        pg: PgOptions { url, ..known.pg.clone() },
        ..known
    });
    (node, proxy)
}

#[test]
fn commit_that_is_cut_is_made_once_wherever_it_is_cut() {
    let (node, proxy) = behind_proxy();
    node.done("before the cuts");
    for (jobs, cut) in [(2, Cut::Before), (3, Cut::Behind), (4, Cut::Between)] {
        proxy.plan([cut, cut, cut]);
        let job = node.done("cut three times");
        assert_eq!(proxy.planned(), 0, "{cut:?}");
        assert_eq!((job.attempts, job.lease), (1, 1), "{cut:?}");
        let credits = Credits { reserved: 0, used: 3 * jobs };
        assert_eq!(node.store.credits("team-a", MONTH).wait().unwrap(), credits, "{cut:?}");
        assert_eq!((node.depth(0), node.store.unfinished(0)), (0, 0), "{cut:?}");
    }
    let outcomes = &node.store.process.unknown_outcomes;
    assert!(outcomes.again.load(Ordering::Relaxed) >= 1);
    assert!(outcomes.committed.load(Ordering::Relaxed) >= 3);
    node.store.close();
}

#[test]
fn no_write_of_many_clients_is_lost_or_made_twice_while_connections_are_cut() {
    let (node, proxy) = behind_proxy();
    let mut dice = Dice::new(7);
    proxy.plan((0..PLANNED).map(|_| match dice.below(12) {
        0 => Cut::Before,
        1 => Cut::Between,
        2 => Cut::Behind,
        _ => Cut::Pass,
    }));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let node = &node;
            scope.spawn(move || {
                for number in 0..JOBS {
                    let job = node.done(&format!("{client} {number}"));
                    assert_eq!((job.attempts, job.lease), (1, 1));
                }
            });
        }
    });
    assert!(proxy.planned() > 0, "all commits were planned for");
    proxy.plan([]);
    let jobs = (CLIENTS * JOBS) as u64;
    let content = node.content(super::START_MS + 2);
    assert_eq!(content.jobs.len() as u64, jobs);
    assert!(content.jobs.values().all(|job| job.state.finished() && job.lease == 1));
    let credits = Credits { reserved: 0, used: 3 * jobs };
    assert_eq!(node.store.credits("team-a", MONTH).wait().unwrap(), credits);
    let used: Vec<_> = content.usage.values().flat_map(|day| &day.0).collect();
    assert_eq!(used.len(), 1);
    assert_eq!((used[0].1.jobs, used[0].1.done, used[0].1.credits), (jobs, jobs, 3 * jobs));
    assert_eq!((node.depth(0), node.store.unfinished(0)), (0, 0));
    let outcomes = &node.store.process.unknown_outcomes;
    assert!(outcomes.committed.load(Ordering::Relaxed) > 0);
    assert!(outcomes.again.load(Ordering::Relaxed) > 0);
    node.store.close();
}
