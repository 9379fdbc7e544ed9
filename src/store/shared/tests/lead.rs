//! The lead changes hands when its node is silent, by the time of the one that looks.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::lead::{NodeLead, TIMER};
use super::super::nodes::NodeNumber;
use super::*;

/// A monotonic clock that the test moves.
struct Seconds(AtomicU64);

impl Seconds {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed) * 1_000
    }

    fn pass(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn lead_is_taken_from_a_node_that_is_silent_and_not_from_one_that_beats() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let clock = Seconds(AtomicU64::new(1));
        let mut first = NodeLead::new(TIMER, NodeNumber(1));
        let mut second = NodeLead::new(TIMER, NodeNumber(2));
        for _ in 0..20 {
            first.pass(&session, || clock.now_ms()).await.unwrap();
            second.pass(&session, || clock.now_ms()).await.unwrap();
            assert!(first.leads(clock.now_ms()) && !second.leads(clock.now_ms()));
            clock.pass();
        }
        // Both count from the last beat; the first stops believing no later than the second takes.
        let mut seconds = 0;
        while !second.leads(clock.now_ms()) {
            second.pass(&session, || clock.now_ms()).await.unwrap();
            assert!(!(first.leads(clock.now_ms()) && second.leads(clock.now_ms())));
            clock.pass();
            seconds += 1;
        }
        assert_eq!(seconds, 5);
        first.pass(&session, || clock.now_ms()).await.unwrap();
        assert!(!first.leads(clock.now_ms()));
        assert_eq!(number(&session, "SELECT term FROM leads").await, 2);
    });
}

#[test]
fn lead_that_was_given_up_is_taken_at_once() {
    block_on(async {
        let (_place, session) = Place::prepared().await;
        let mut first = NodeLead::new(TIMER, NodeNumber(1));
        let mut second = NodeLead::new(TIMER, NodeNumber(2));
        first.pass(&session, || 1_000).await.unwrap();
        second.pass(&session, || 1_000).await.unwrap();
        assert!(!second.leads(1_000));
        first.resign(&session).await.unwrap();
        assert!(!first.leads(1_000));
        second.pass(&session, || 1_000).await.unwrap();
        assert!(second.leads(1_000));
    });
}

#[test]
fn lead_that_two_take_at_once_has_one_holder() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        for round in 0..10 {
            let sessions = [place.connect().await, place.connect().await];
            let mut nodes = [1, 2].map(|node| NodeLead::new(TIMER, NodeNumber(node)));
            let [first, second] = &mut nodes;
            let (one, other) = futures_util::future::join(
                first.pass(&sessions[0], || 1_000),
                second.pass(&sessions[1], || 1_000),
            )
            .await;
            one.unwrap();
            other.unwrap();
            let leaders = nodes.iter().filter(|node| node.leads(1_000)).count();
            assert_eq!(leaders, 1, "round {round}");
            for node in &mut nodes {
                node.resign(&session).await.unwrap();
            }
        }
    });
}
