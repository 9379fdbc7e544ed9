//! Nodes that watch each other, by a clock that the tests move.

use std::sync::Arc;

use super::super::membership::{Membership, Pulse};
use super::super::nodes::{NodeNumber, register};
use super::*;
use crate::clock::{Clock, ManualClock};

const ALL_WELL: Pulse = Pulse::Counted { declared_dead: None };

/// Some nodes with the same clock, each with a connection.
struct Nodes {
    place: Place,
    clock: Clock,
    hand: Arc<ManualClock>,
}

struct Node {
    number: NodeNumber,
    session: PgSession,
    membership: Membership,
}

impl Nodes {
    async fn new() -> Nodes {
        let (place, _) = Place::prepared().await;
        let (clock, hand) = Clock::manual(START_MS);
        Nodes { place, clock, hand }
    }

    async fn start(&self, name: &str) -> Node {
        let session = self.place.connect().await;
        let number = register(&session, &profile(name)).await.unwrap();
        Node { number, session, membership: Membership::new(number, name) }
    }

    fn now_ms(&self) -> u64 {
        self.clock.monotonic_ms(self.clock.instant())
    }

    async fn pass(&self, node: &mut Node) -> Pulse {
        node.membership.pass(&node.session, || self.now_ms()).await.unwrap()
    }

    fn leads(&self, node: &Node) -> bool {
        node.membership.leads(self.now_ms())
    }

    fn second(&self) {
        self.hand.advance_ms(1_000);
    }
}

#[test]
fn node_that_is_silent_for_15_s_is_declared_dead_and_registers_again() {
    block_on(async {
        let nodes = Nodes::new().await;
        let (mut a, mut b) = (nodes.start("a").await, nodes.start("b").await);
        for _ in 0..20 {
            assert_eq!(nodes.pass(&mut a).await, ALL_WELL);
            assert_eq!(nodes.pass(&mut b).await, ALL_WELL);
            nodes.second();
        }
        assert!(nodes.leads(&a) && !nodes.leads(&b));
        // The last beat of A was seen a second ago.
        for second in 0..14 {
            assert_eq!(nodes.pass(&mut b).await, ALL_WELL, "{second}");
            nodes.second();
        }
        assert!(nodes.leads(&b));
        let declared = Pulse::Counted { declared_dead: Some(a.number) };
        assert_eq!(nodes.pass(&mut b).await, declared);
        assert_eq!(nodes.pass(&mut b).await, ALL_WELL);
        assert_eq!(nodes.pass(&mut a).await, Pulse::Dead);
        let mut a = nodes.start("a").await;
        assert_eq!(nodes.pass(&mut a).await, ALL_WELL);
        assert_eq!(nodes.pass(&mut b).await, ALL_WELL);
    });
}

#[test]
fn nodes_that_all_lost_the_database_for_a_minute_declare_none_dead() {
    block_on(async {
        let nodes = Nodes::new().await;
        let (mut a, mut b) = (nodes.start("a").await, nodes.start("b").await);
        for _ in 0..3 {
            nodes.pass(&mut a).await;
            nodes.pass(&mut b).await;
            nodes.second();
        }
        nodes.hand.advance_ms(60_000);
        // One of them is back much sooner than the other.
        for second in 0..14 {
            assert_eq!(nodes.pass(&mut b).await, ALL_WELL, "{second}");
            nodes.second();
        }
        for second in 0..20 {
            assert_eq!(nodes.pass(&mut a).await, ALL_WELL, "{second}");
            assert_eq!(nodes.pass(&mut b).await, ALL_WELL, "{second}");
            nodes.second();
        }
    });
}

#[test]
fn node_that_was_stopped_for_long_declares_none_dead_when_it_goes_on() {
    block_on(async {
        let nodes = Nodes::new().await;
        let (mut a, b) = (nodes.start("a").await, nodes.start("b").await);
        for _ in 0..10 {
            nodes.pass(&mut a).await;
            nodes.second();
        }
        nodes.hand.advance_ms(40_000);
        // B has not beaten for 50 s, and A has not looked for 40 of them.
        for second in 0..15 {
            assert_eq!(nodes.pass(&mut a).await, ALL_WELL, "{second}");
            nodes.second();
        }
        let declared = Pulse::Counted { declared_dead: Some(b.number) };
        assert_eq!(nodes.pass(&mut a).await, declared);
    });
}

#[test]
fn second_process_of_a_name_makes_the_first_one_stop() {
    block_on(async {
        let nodes = Nodes::new().await;
        let mut first = nodes.start("a").await;
        assert_eq!(nodes.pass(&mut first).await, ALL_WELL);
        let mut second = nodes.start("a").await;
        assert_eq!(nodes.pass(&mut first).await, Pulse::Replaced);
        assert_eq!(nodes.pass(&mut second).await, ALL_WELL);
    });
}

#[test]
fn node_that_leaves_is_gone_at_once_and_the_next_one_leads() {
    block_on(async {
        let nodes = Nodes::new().await;
        let (mut a, mut b) = (nodes.start("a").await, nodes.start("b").await);
        nodes.pass(&mut a).await;
        nodes.pass(&mut b).await;
        assert!(nodes.leads(&a) && !nodes.leads(&b));
        a.membership.leave(&a.session).await.unwrap();
        assert_eq!(nodes.pass(&mut b).await, ALL_WELL);
        assert!(nodes.leads(&b));
        assert_eq!(number(&b.session, "SELECT count(*) FROM nodes").await, 1);
    });
}
