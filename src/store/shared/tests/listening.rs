//! Nodes that tests listen to, and whose clocks they move.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::Place;
use super::fixture::{Node, options};
use crate::clock::{Clock, ManualClock};
use crate::store::effects::{Effect, Listener, WaitedFor};
use crate::store::shared::options::SharedOptions;
use crate::store::{NodeNews, StoreError};

/// Looks again and again until a condition holds.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..200_000 {
        if holds() {
            return;
        }
        std::thread::yield_now();
    }
    panic!("it never came: {what}");
}

/// What a node has told of.
#[derive(Default)]
pub(super) struct Heard {
    pub effects: Mutex<Vec<Effect>>,
    pub failures: Mutex<usize>,
    pub waited: Mutex<WaitedFor>,
    pub news: Mutex<NodeNews>,
    pub idle_workers: AtomicUsize,
}

impl Heard {
    pub(super) fn has(&self, effect: &Effect) -> bool {
        self.effects.lock().unwrap().contains(effect)
    }
}

impl Listener for Heard {
    fn committed(&self, effects: &[Effect]) {
        self.effects.lock().unwrap().extend_from_slice(effects);
    }

    fn failed(&self, _: &StoreError) {
        *self.failures.lock().unwrap() += 1;
    }

    fn waited_for(&self) -> WaitedFor {
        self.waited.lock().unwrap().clone()
    }

    fn idle_workers(&self, _: u16, _: bool) -> usize {
        self.idle_workers.load(Ordering::Relaxed)
    }

    fn news(&self) -> NodeNews {
        self.news.lock().unwrap().clone()
    }
}

pub(super) fn with_clock(place: &Place, name: &str, clock: &Clock) -> Node {
    Node::of(SharedOptions { clock: clock.clone(), ..options(place, name) })
}

pub(super) fn listen(node: &Node) -> Arc<Heard> {
    let heard = Arc::new(Heard::default());
    node.store.listen(heard.clone());
    heard
}

pub(super) fn beats(node: &Node, name: &str) -> i64 {
    let found = node.ask(&format!("SELECT beat FROM nodes WHERE name = '{name}'"), vec![]);
    found.first().map_or(-1, |row| row.get(0))
}

/// Lets a second pass, in which the node beats.
pub(super) fn second(hand: &ManualClock, node: &Node, name: &str) {
    let before = beats(node, name);
    hand.advance_ms(1_000);
    until("a beat", || beats(node, name) > before);
}
