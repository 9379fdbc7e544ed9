//! Two nodes on one schema: what must be strict between them is.

use std::collections::BTreeSet;

use super::fixture::{NO_LIMITS, Node, options};
use super::{Place, START_MS};
use crate::job::{Event, Failure, Idempotency, Job, TransitionError};
use crate::store::{Blocking, Row, SubmitError, SubmitLimits};

/// Submits of one test.
const SUBMITS: usize = 24;

fn two() -> [Node; 2] {
    let place = Place::empty();
    ["a", "b"].map(|name| Node::of(options(&place, name)))
}

fn close(nodes: [Node; 2]) {
    nodes.into_iter().for_each(|node| node.store.close());
}

#[test]
fn ids_of_one_node_are_found_by_the_other_which_may_stop_the_job() {
    let [a, b] = two();
    let job = a.submit(a.new_job("of a"));
    a.apply(job.row, 1, Event::Start, None);
    let id = b.store.id_of(&job);
    assert_eq!(b.store.read_job(id, START_MS + 2, |job, _| job.lease).wait().unwrap(), Some(1));
    let stop = |account: &str| {
        let stopped = b.store.stop_owned(id, account.to_owned(), START_MS + 2, Failure::canceled());
        stopped.wait().unwrap()
    };
    assert_eq!(stop("team-b").unwrap_err(), TransitionError::Gone);
    assert!(stop("team-a").unwrap().state.finished());
    let late = |_: &Job| Event::Succeed { lease: 1, present: None };
    let late = a.store.begin_transition(job.row, START_MS + 3, late, None).wait().unwrap();
    assert_eq!(late.unwrap_err(), TransitionError::Finished);
    assert_eq!((a.depth(0), a.store.credits("team-a", 202_605).wait().unwrap().reserved), (0, 0));
    close([a, b]);
}

/// Submits by both nodes at once, and returns the answers.
fn submit_by_both(
    nodes: &[Node; 2],
    limits: SubmitLimits,
    change: impl Fn(Job) -> Job + Sync,
) -> Vec<Result<Job, SubmitError>> {
    let submit = |number: usize| {
        let node = &nodes[number % 2];
        node.store.submit(change(node.new_job("x")), None, limits).wait().unwrap()
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..SUBMITS).map(|number| scope.spawn(move || submit(number))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn allowance_is_never_exceeded_by_both_together() {
    let nodes = two();
    let limits = SubmitLimits { monthly_credits: Some(30), ..NO_LIMITS };
    let answers = submit_by_both(&nodes, limits, |job| job);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
    let refused = |answer: &&Result<Job, SubmitError>| **answer == Err(SubmitError::CreditLimit);
    assert_eq!(answers.iter().filter(refused).count(), SUBMITS - 10);
    assert_eq!(nodes[1].store.credits("team-a", 202_605).wait().unwrap().reserved, 30);
    close(nodes);
}

#[test]
fn key_makes_one_job_by_whichever_node_it_comes() {
    let nodes = two();
    let known = Some(Idempotency { key_hash: 1, request_hash: 2 });
    let answers = submit_by_both(&nodes, NO_LIMITS, |job| Job { idempotency: known, ..job });
    let rows: BTreeSet<Row> = answers.into_iter().map(|answer| answer.unwrap().row).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(nodes[0].depth(0), 1);
    let other = Some(Idempotency { key_hash: 1, request_hash: 3 });
    let answers = submit_by_both(&nodes, NO_LIMITS, |job| Job { idempotency: other, ..job });
    assert!(answers.iter().all(|answer| *answer == Err(SubmitError::KeyReused)));
    close(nodes);
}

#[test]
fn open_jobs_are_reserved_by_one_node_and_given_back_by_its_close() {
    let [a, b] = two();
    let rows: BTreeSet<Row> = (0..6).map(|_| a.submit(a.new_job("x")).row).collect();
    let by_a = a.store.reserve_from(0, false, 0, START_MS, 4).unwrap();
    assert_eq!((by_a.rows.len(), by_a.head_ms), (4, START_MS));
    let by_b = b.store.reserve_from(0, false, 0, START_MS, 10).unwrap();
    assert_eq!((by_b.rows.len(), by_b.head_ms), (2, 0));
    let both: BTreeSet<Row> = by_a.rows.iter().chain(&by_b.rows).copied().collect();
    assert_eq!(both, rows);
    assert!(b.store.reserve_from(0, true, 0, START_MS, 10).unwrap().rows.is_empty());
    b.store.give_back(&by_b.rows[..1]).unwrap();
    a.store.close();
    let left = b.store.reserve_from(0, false, 0, START_MS, 10).unwrap();
    assert_eq!(left.rows.len(), 5);
    b.store.close();
}

#[test]
fn node_that_was_replaced_writes_nothing_more() {
    let place = Place::empty();
    let first = Node::of(options(&place, "a"));
    let job = first.submit(first.new_job("x"));
    // A process of the same name takes over.
    let second = Node::of(options(&place, "a"));
    let late = first.store.begin_transition(job.row, START_MS, |_| Event::Start, None).wait();
    assert!(late.is_err());
    assert!(first.store.submit(first.new_job("y"), None, NO_LIMITS).wait().is_err());
    assert!(first.store.reserve_from(0, false, 0, START_MS, 4).unwrap().rows.is_empty());
    second.apply(job.row, 1, Event::Start, None);
    assert_eq!((second.depth(0), second.store.unfinished(0)), (1, 1));
    first.store.close();
    second.store.close();
}
