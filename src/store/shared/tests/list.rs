//! The list of jobs: pages, accounts, batches and filters.

use uuid::Uuid;

use super::START_MS;
use super::fixture::Node;
use crate::clock::UnixMs;
use crate::job::{BatchProgress, Event, Failure, Job, TransitionError};
use crate::store::{Blocking, Cursor, ListFilter, Row};

fn all(node: &Node, filter: &ListFilter, jobs_max: usize, now_ms: UnixMs) -> Vec<Row> {
    let (mut rows, mut after): (Vec<Row>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let page = node.store.list(filter, after, jobs_max, now_ms).unwrap();
        assert!(page.jobs.len() <= jobs_max);
        rows.extend(page.jobs.iter().map(|job| job.row));
        after = page.next;
        if after.is_none() {
            return rows;
        }
    }
}

#[test]
fn list_has_the_accounts_jobs_newest_first_whatever_its_pages() {
    let node = Node::alone();
    let mut known = Vec::new();
    for number in 0..30_u64 {
        let job = Job {
            account: if number % 3 == 0 { "team-b" } else { "team-a" }.to_owned(),
            // Not in the order of the rows, and some at the same moment.
            created_ms: START_MS + (number * 7 % 10) * 100,
            label: (number % 2 == 0).then(|| "even".to_owned()),
            ..node.new_job("x")
        };
        let job = node.submit(job);
        if number % 4 == 0 {
            node.apply(job.row, 1, Event::Start, None);
        }
        if number % 8 == 0 {
            node.apply(job.row, 2, Event::Succeed { lease: 1, present: None }, None);
        }
        known.push(job);
    }
    known.sort_by_key(|job| std::cmp::Reverse((job.created_ms, job.row)));
    let of = |matches: &dyn Fn(&Job) -> bool| -> Vec<Row> {
        known.iter().filter(|job| matches(job)).map(|job| job.row).collect()
    };
    let team_a = ListFilter { account: "team-a".to_owned(), ..ListFilter::default() };
    let even = ListFilter { label: Some("even".to_owned()), ..team_a.clone() };
    let everyone = ListFilter { all_accounts: true, ..ListFilter::default() };
    for jobs_max in [1, 7, 100] {
        assert_eq!(all(&node, &team_a, jobs_max, START_MS), of(&|job| job.account == "team-a"));
        let expected = of(&|job| job.account == "team-a" && job.label.is_some());
        assert_eq!(all(&node, &even, jobs_max, START_MS), expected);
        assert_eq!(all(&node, &everyone, jobs_max, START_MS), of(&|_| true));
    }
    assert!(all(&node, &team_a, 7, known[0].expires_ms + 1_000).is_empty());
    node.store.close();
}

#[test]
fn batch_is_listed_read_and_stopped_with_its_jobs() {
    let node = Node::alone();
    node.submit(node.new_job("before"));
    let (batch, items) = node.new_batch(3);
    let key = batch.key;
    let mut rows: Vec<Row> = items.iter().map(|item| item.job.row).collect();
    node.store.submit_batch(batch, items).wait().unwrap().unwrap();
    node.submit(node.new_job("after"));
    let of = |batch: Uuid| ListFilter {
        account: "team-a".to_owned(),
        batch: Some(batch),
        ..ListFilter::default()
    };
    let second = rows[1];
    rows.reverse();
    assert_eq!(all(&node, &of(key.id), 2, START_MS), rows);
    assert!(all(&node, &of(Uuid::from_u128(7)), 2, START_MS).is_empty());
    node.apply(second, 1, Event::Start, None);
    node.apply(second, 2, Event::Succeed { lease: 1, present: None }, None);
    let mut visited = Vec::new();
    let visit = |place: u32, job: &Job| visited.push((place, job.state.finished()));
    let batch = node.store.batch_with_jobs(key.id, START_MS, visit).unwrap().unwrap();
    assert_eq!(visited, [(0, false), (1, true), (2, false)]);
    assert_eq!((batch.progress.done, batch.pending()), (1, 2));
    let stop = |account: &str| {
        let failure = Failure::canceled();
        node.store.stop_batch(key.id, account.to_owned(), START_MS + 3, failure).wait().unwrap()
    };
    assert_eq!(stop("team-b").unwrap_err(), TransitionError::Gone);
    let stopped = stop("team-a").unwrap().progress;
    let completed_ms = Some(START_MS + 3);
    assert_eq!(stopped, BatchProgress { done: 1, failed: 2, completed_ms });
    assert_eq!(stop("team-a").unwrap_err(), TransitionError::Finished);
    assert_eq!(node.depth(0), 2);
    node.store.close();
}
