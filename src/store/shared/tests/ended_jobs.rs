//! Finished jobs are read from memory for ten seconds, and not after they were deleted.

use super::fixture::{Node, options};
use super::listening::{second, until, with_clock};
use super::{Place, START_MS};
use crate::clock::Clock;
use crate::job::{Event, Job, State};
use crate::store::shared::hours;
use crate::store::shared::row_number::RowParts;
use crate::store::{Blocking, NewResult};

/// How the node tells a job: whether it has a result.
fn told(node: &Node, job: &Job) -> Option<bool> {
    let id = node.store.id_of(job);
    let by_poll = node.store.read_job_with_usage(id, START_MS + 9, |_, result, _| result.is_some());
    let by_poll = by_poll.wait().unwrap();
    let by_row = node.store.read_row(job.row, START_MS + 9, |_, result| result.is_some());
    assert_eq!(by_row.wait().unwrap(), by_poll);
    by_poll
}

/// Takes a job's row away behind the node's back.
fn take_away(node: &Node, job: &Job) {
    let hour = hours::suffix(RowParts::of(job.row).hour);
    node.ask(&format!("DELETE FROM jobs_{hour} WHERE row = {}", job.row), vec![]);
}

#[test]
fn job_that_has_ended_is_told_from_memory_for_ten_seconds() {
    let (clock, hand) = Clock::manual(START_MS);
    let node = with_clock(&Place::empty(), "a", &clock);
    let (done, waits) = (node.done("done"), node.submit(node.new_job("waits")));
    assert_eq!((told(&node, &done), told(&node, &waits)), (Some(true), Some(false)));
    take_away(&node, &done);
    take_away(&node, &waits);
    assert_eq!((told(&node, &done), told(&node, &waits)), (Some(true), None));
    hand.advance_ms(10_000);
    assert_eq!(told(&node, &done), Some(true));
    hand.advance_ms(1);
    assert_eq!(told(&node, &done), None);
    node.store.close();
}

#[test]
fn job_that_a_node_has_ended_is_told_by_it_without_a_read() {
    let node = Node::alone();
    let job = node.submit(node.new_job("x"));
    node.apply(job.row, 0, Event::Start, None);
    let result = NewResult { json: b"{\"a\":1}".to_vec(), cache_hash: None };
    node.apply(job.row, 1, Event::Succeed { lease: 1, present: None }, Some(result));
    take_away(&node, &job);
    let read = |job: &Job, result: Option<&[u8]>| (job.clone(), result.map(<[u8]>::to_vec));
    let (told, json) = node.store.read_row(job.row, START_MS + 9, read).wait().unwrap().unwrap();
    assert_eq!((told.state, told.request.prompt), (State::Done, job.request.prompt.clone()));
    assert_eq!(json.as_deref(), Some(&b"{\"a\":1}"[..]));
    node.store.close();
}

#[test]
fn job_that_was_read_while_it_ran_is_told_as_it_has_ended() {
    let node = Node::alone();
    let job = node.submit(node.new_job("x"));
    node.apply(job.row, 0, Event::Start, None);
    assert_eq!(told(&node, &job), Some(false));
    let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
    node.apply(job.row, 1, Event::Succeed { lease: 1, present: None }, Some(result));
    assert_eq!(told(&node, &job), Some(true));
    node.store.close();
}

#[test]
fn job_that_one_node_deletes_is_told_by_none() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = with_clock(&place, "a", &clock);
    let b = Node::of(options(&place, "b"));
    second(&hand, &a, "a");
    until("the other node", || !a.store.process.status.is_alone());
    let job = a.done("x");
    assert_eq!((told(&a, &job), told(&b, &job)), (Some(true), Some(true)));
    a.store.delete(vec![job.clone()], START_MS + 2, false).wait().unwrap();
    assert_eq!(told(&a, &job), None);
    // The clock of the other one stands: it is a hint that it hears.
    let is_known = || b.store.read_row(job.row, START_MS + 9, |_, _| ()).wait().unwrap().is_some();
    until("the hint", || !is_known());
    assert_eq!(told(&b, &job), None);
    a.store.close();
    b.store.close();
}
