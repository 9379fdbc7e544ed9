//! Limits that several nodes keep together.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::fixture::{Node, options};
use super::listening::{listen, second, until, with_clock};
use super::{Place, START_MS};
use crate::clock::{Clock, ManualClock};
use crate::rate::{BudgetGrant, BudgetRequest, GrantFuture, RateLimit, SharedBudgets};
use crate::store::shared::handle::SharedStore;
use crate::store::{Blocking, NodeNews};

const MINUTE_MS: u64 = 60_000;

impl SharedBudgets for SharedStore {
    fn grant<'a>(&'a self, request: BudgetRequest<'a>) -> GrantFuture<'a> {
        Box::pin(SharedStore::grant(self, request))
    }

    fn sharers(&self, upstream: &str) -> usize {
        SharedStore::sharers(self, upstream)
    }
}

/// Some nodes with the same limit and the same clock.
struct Limited {
    stores: Vec<Arc<SharedStore>>,
    limits: Vec<RateLimit>,
    hand: Arc<ManualClock>,
}

impl Limited {
    fn start(nodes: usize, per_minute: u32) -> Limited {
        let place = Place::empty();
        let (clock, hand) = Clock::manual(START_MS);
        let names = ["a", "b", "c"].into_iter().take(nodes);
        let stores: Vec<Arc<SharedStore>> =
            names.map(|name| Arc::new(with_clock(&place, name, &clock).store)).collect();
        let limit = |store: &Arc<SharedStore>| {
            let limit = RateLimit::per_minute(NonZeroU32::new(per_minute).unwrap(), &clock);
            limit.share(store.clone(), "key/team-a".to_owned());
            limit
        };
        let limits = stores.iter().map(limit).collect();
        Limited { stores, limits, hand }
    }

    /// Takes in turn until all of them refuse; returns how many were given.
    fn take_all(&self) -> usize {
        let mut taken = 0;
        loop {
            let round = self.limits.iter().filter(|limit| limit.acquire().wait().is_ok()).count();
            if round == 0 {
                return taken;
            }
            taken += round;
        }
    }

    fn close(self) {
        self.stores.iter().for_each(|store| store.close());
    }
}

#[test]
fn limit_of_three_nodes_is_that_of_one() {
    let limited = Limited::start(3, 60);
    assert_eq!(limited.take_all(), 60);
    for limit in &limited.limits {
        assert_eq!((limit.status().left, limit.acquire().wait()), (0, Err(1_000)));
    }
    // What comes back each second goes to one of them.
    let mut in_a_minute = 0;
    for _ in 0..60 {
        limited.hand.advance_ms(1_000);
        in_a_minute += limited.take_all();
    }
    assert_eq!(in_a_minute, 60);
    limited.hand.advance_ms(MINUTE_MS);
    assert_eq!(limited.take_all(), 60);
    limited.close();
}

#[test]
fn lone_node_gets_nearly_all_of_a_high_limit() {
    let limited = Limited::start(1, 6_000);
    assert_eq!(limited.take_all(), 6_000);
    let mut in_ten_seconds = 0;
    for _ in 0..100 {
        limited.hand.advance_ms(100);
        in_ten_seconds += limited.take_all();
    }
    assert!((950..=1_001).contains(&in_ten_seconds), "{in_ten_seconds}");
    limited.close();
}

#[test]
fn node_that_stops_asking_leaves_its_part_to_the_others() {
    let limited = Limited::start(2, 600);
    let [busy, idle] = &limited.limits[..] else { panic!() };
    for _ in 0..100 {
        idle.acquire().wait().unwrap();
    }
    limited.hand.advance_ms(MINUTE_MS);
    let taken = (0..1_000).take_while(|_| busy.acquire().wait().is_ok()).count();
    assert_eq!(taken, 600);
    // What the other had taken ahead has lapsed.
    assert!(idle.acquire().wait().is_err());
    limited.close();
}

#[test]
fn clock_that_is_set_back_takes_no_more_than_a_minute_away() {
    let a = Node::alone();
    let take = |now_ms| {
        let request = BudgetRequest { name: "upstream/x", per_minute: 60, most: 7, now_ms };
        SharedStore::grant(&a.store, request).wait()
    };
    let taken = |tokens, used_us| Some(BudgetGrant { tokens, used_us });
    assert_eq!(take(START_MS), taken(7, 7_000_000));
    assert_eq!(take(START_MS - 3_600_000), taken(0, 60_000_000));
    assert_eq!(take(START_MS - 3_600_000 + 3_500), taken(3, 59_500_000));
    a.store.close();
    assert_eq!(take(START_MS), None);
}

#[test]
fn upstream_is_shared_by_the_nodes_that_have_it() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let nodes = ["a", "b", "c"].map(|name| with_clock(&place, name, &clock));
    for (node, upstream) in nodes.iter().zip(["openai", "openai", "gemini"]) {
        let upstreams = vec![upstream.to_owned()];
        *listen(node).news.lock().unwrap() = NodeNews { upstreams, ..NodeNews::default() };
    }
    until("the upstreams of all", || {
        ["a", "b", "c"].iter().zip(&nodes).for_each(|(name, node)| second(&hand, node, name));
        ["openai", "gemini", "none"].map(|name| nodes[0].store.sharers(name)) == [2, 2, 1]
    });
    assert_eq!(nodes[2].store.sharers("openai"), 3, "it counts itself");
    nodes.iter().for_each(|node| node.store.close());
    let alone = Node::of(options(&place, "d"));
    assert_eq!(alone.store.sharers("openai"), 1);
    alone.store.close();
}
