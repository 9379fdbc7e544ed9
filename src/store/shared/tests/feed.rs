//! What a node learns of the results of others.

use super::fixture::{Node, options};
use super::listening::with_clock;
use super::{HOUR_MS, Place, START_MS, block_on};
use crate::clock::Clock;
use crate::job::Event;
use crate::store::NewResult;
use crate::store::shared::feed::Feed;

#[test]
fn result_of_a_job_of_hours_ago_is_learned_by_the_sixtieth_read() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = Node::of(options(&place, "a"));
    let b = with_clock(&place, "b", &clock);
    let submitted = ["old", "older"].map(|prompt| a.submit(a.new_job(prompt)));
    let finish = |row, hash| {
        a.apply(row, 0, Event::Start, None);
        let result = NewResult { json: b"{}".to_vec(), cache_hash: Some(hash) };
        a.apply(row, 1, Event::Succeed { lease: 1, present: None }, Some(result));
    };
    let process = &b.store.process;
    let knows = |hash| process.cache_index().get(hash, 0, u64::MAX).is_some();
    let mut feed = Feed::new(0);
    let mut read = || block_on(feed.read(process)).unwrap();
    finish(submitted[0].row, 7);
    read();
    assert!(knows(7));
    hand.advance_ms(3 * HOUR_MS);
    finish(submitted[1].row, 8);
    (1..60).for_each(|_| read());
    assert!(!knows(8));
    read();
    assert!(knows(8));
    a.store.close();
    b.store.close();
}
