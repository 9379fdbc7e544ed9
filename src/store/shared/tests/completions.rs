//! The order of completion: which jobs stand there, and that reading on finds each once.

use std::collections::BTreeSet;

use super::fixture::{Node, options};
use super::{Place, START_MS};
use crate::clock::UnixMs;
use crate::job::{Event, Job};
use crate::store::{Blocking, ListFilter, NewResult, ResultFilter, Row};

const RETENTION_MS: u64 = 86_400_000;

fn filter() -> ResultFilter {
    let job = ListFilter { account: "team-a".to_owned(), ..ListFilter::default() };
    ResultFilter { job, ..ResultFilter::default() }
}

fn last(node: &Node) -> Option<u64> {
    node.store.last_completion().wait().unwrap()
}

fn from(node: &Node, first: u64, now_ms: UnixMs) -> Vec<(u64, Row)> {
    let Some(until) = last(node) else { return Vec::new() };
    let (mut found, mut next) = (Vec::new(), Some(first));
    while let Some(number) = next {
        let page = node.store.completed(&filter(), number, until, now_ms).unwrap();
        found.extend(page.jobs.iter().map(|done| (done.number, done.job.row)));
        next = page.next;
    }
    found
}

#[test]
fn reading_on_finds_each_job_once_whichever_node_has_ended_it() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    assert_eq!(last(&nodes[0]), None);
    let (mut ended, mut read) = (BTreeSet::new(), Vec::new());
    for round in 0..6 {
        for number in 0..7 {
            let node = &nodes[number % 2];
            ended.insert(node.done(&format!("{round} {number}")).row);
        }
        let next = read.last().map_or(0, |(number, _)| number + 1);
        let more = from(&nodes[round % 2], next, START_MS);
        assert_eq!(more.len(), 7);
        read.extend(more);
        // What was read stays where it was.
        assert_eq!(from(&nodes[(round + 1) % 2], 0, START_MS), read);
    }
    let rows: BTreeSet<Row> = read.iter().map(|(_, row)| *row).collect();
    assert_eq!((rows, last(&nodes[0])), (ended, Some(41)));
    let numbers: Vec<u64> = read.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..42).collect::<Vec<_>>());
    nodes.iter().for_each(|node| node.store.close());
}

#[test]
fn jobs_of_several_writers_are_in_the_order_in_which_they_were_done() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let rows: Vec<Row> = (0..8)
        .map(|number| {
            let node = &nodes[number % 2];
            let job = node.submit(node.new_job(&format!("{number}")));
            node.apply(job.row, 0, Event::Start, None);
            let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
            let end = Event::Succeed { lease: 1, present: None };
            node.apply(job.row, number as u64 * 1_000, end, Some(result)).row
        })
        .collect();
    let found = from(&nodes[0], 0, START_MS);
    assert_eq!(found.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), rows);
    nodes.iter().for_each(|node| node.store.close());
}

#[test]
fn numbers_that_are_given_by_many_at_once_are_given_once() {
    let place = Place::empty();
    let nodes = ["a", "b", "c"].map(|name| Node::of(options(&place, name)));
    std::thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(|| {
                for number in 0..10 {
                    let job = node.done(&format!("{number}"));
                    // A thread that has ended a job finds it.
                    assert!(from(node, 0, START_MS).iter().any(|(_, row)| *row == job.row));
                }
            });
        }
    });
    let found = from(&nodes[0], 0, START_MS);
    let numbers: Vec<u64> = found.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..30).collect::<Vec<_>>());
    assert_eq!(found.iter().map(|(_, row)| *row).collect::<BTreeSet<_>>().len(), 30);
    nodes.iter().for_each(|node| node.store.close());
}

#[test]
fn export_has_what_matches_and_counts_the_samples_of_a_batch() {
    let node = Node::alone();
    let (batch, mut items) = node.new_batch(4);
    items[3].job.request.country = "DE".to_owned();
    let rows: Vec<Row> = items.iter().map(|item| item.job.row).collect();
    node.store.submit_batch(batch, items).wait().unwrap().unwrap();
    for (number, row) in (0..).zip(&rows) {
        node.apply(*row, 0, Event::Start, None);
        let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
        let end = Event::Succeed { lease: 1, present: None };
        node.apply(*row, 10 + number, end, Some(result));
    }
    let other = Job { account: "team-b".to_owned(), ..node.new_job("other") };
    let other = node.submit(other);
    node.apply(other.row, 0, Event::Start, None);
    let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
    node.apply(other.row, 1, Event::Succeed { lease: 1, present: None }, Some(result));
    let until = last(&node).unwrap();
    assert_eq!(until, 4);
    let samples = |filter: &ResultFilter| -> Vec<(Row, usize)> {
        let page = node.store.completed(filter, 0, until, START_MS).unwrap();
        let mut samples: Vec<_> = page.jobs.iter().map(|it| (it.job.row, it.sample)).collect();
        samples.sort_unstable();
        samples
    };
    let expected = [(rows[0], 1), (rows[1], 2), (rows[2], 3), (rows[3], 1)];
    assert_eq!(samples(&filter()), expected);
    let germany = ResultFilter { country: Some("DE".to_owned()), ..filter() };
    assert_eq!(samples(&germany), [(rows[3], 1)]);
    let since_ms = Some(START_MS + 11);
    let until_ms = Some(START_MS + 12);
    assert_eq!(samples(&ResultFilter { since_ms, until_ms, ..filter() }), expected[1..3]);
    node.store.close();
}

#[test]
fn numbers_of_jobs_that_are_gone_are_removed_but_for_the_last() {
    let node = Node::alone();
    for prompt in ["a", "b", "c", "d", "e"] {
        node.done(prompt);
        last(&node);
    }
    let later_ms = START_MS + 2 * RETENTION_MS;
    assert!(from(&node, 0, later_ms).is_empty());
    node.store.sweep(later_ms, 0).unwrap();
    let left =
        |node: &Node| node.ask("SELECT count(*) FROM completions", vec![])[0].get::<_, i64>(0);
    // One of each writer, until there is another in its place.
    assert!((1..=2).contains(&left(&node)), "{} are left", left(&node));
    let node = node.reopen();
    node.store.sweep(later_ms, 0).unwrap();
    assert_eq!((left(&node), last(&node)), (0, Some(4)));
    let job = node.done("f");
    assert_eq!(from(&node, 5, START_MS), [(5, job.row)]);
    node.store.close();
}
