//! Deleting finished jobs, with what belongs to them.

use super::START_MS;
use super::fixture::{NO_LIMITS, Node};
use crate::job::{Event, Failure, Idempotency, Job, TransitionError};
use crate::store::{Blocking, DeletionCounts, NewOutcome, NewResult};

#[test]
fn finished_jobs_are_deleted_with_all_that_they_have_and_others_stay() {
    let node = Node::alone();
    let known = Idempotency { key_hash: 7, request_hash: 8 };
    let rich = Job {
        idempotency: Some(known),
        webhook_url: Some("https://a.example/hook".to_owned()),
        ..node.new_job("rich")
    };
    let rich = node.submit(rich);
    node.apply(rich.row, 0, Event::Start, None);
    let outcome = NewOutcome {
        event: Event::Succeed { lease: 1, present: None },
        result: Some(NewResult { json: b"{}".to_vec(), cache_hash: Some(9) }),
        ended: None,
        raw: Some(b"[1]".to_vec()),
        observation: None,
    };
    node.store.begin_outcome(rich.row, START_MS + 1, outcome).wait().unwrap().unwrap();
    let (plain, waits) = (node.done("plain"), node.submit(node.new_job("waits")));
    let stays = node.done("stays");
    let mut another = plain.clone();
    another.nonce += 1;
    let named = vec![rich.clone(), plain.clone(), waits.clone(), another];
    let delete = |dry_run| node.store.delete(named.clone(), START_MS + 2, dry_run).wait().unwrap();
    let expected = DeletionCounts {
        jobs: 2,
        results: 2,
        raws: 1,
        cache_entries: 1,
        webhooks_pending: 1,
        evidence: 0,
        unfinished: 1,
    };
    assert_eq!(delete(true), expected);
    assert_eq!(delete(false), expected);
    assert_eq!(delete(false), DeletionCounts { unfinished: 1, ..DeletionCounts::default() });

    let content = node.content(START_MS);
    assert_eq!(content.jobs.keys().copied().collect::<Vec<_>>(), [waits.row, stays.row]);
    assert_eq!(content.results.keys().copied().collect::<Vec<_>>(), [stays.row]);
    assert!(content.deliveries.is_empty() && content.outbox.is_empty());
    assert!(content.cache.is_empty() && content.idempotency.is_empty());
    assert_eq!(node.store.raw(rich.row).unwrap(), None);
    assert_eq!(node.depth(0), 1);
    // Its key is free.
    let again = Job { idempotency: Some(known), ..node.new_job("another request") };
    let row = again.row;
    let again = node.store.submit(again, None, NO_LIMITS).wait().unwrap().unwrap();
    assert_eq!(again.row, row);
    // What is gone is exported no more, and its number is not given again.
    assert_eq!(node.store.last_completion().wait().unwrap(), Some(2));
    node.store.close();
}

#[test]
fn operations_on_rows_of_a_dropped_hour_find_nothing() {
    let node = Node::alone();
    let (batch, items) = node.new_batch(2);
    let (id, known) = (batch.key.id, items[0].job.clone());
    node.store.submit_batch(batch, items).wait().unwrap().unwrap();
    let stop = |node: &Node| {
        let (account, failure) = ("team-a".to_owned(), Failure::canceled());
        node.store.stop_batch(id, account, START_MS + 1, failure).wait().unwrap()
    };
    assert!(stop(&node).is_ok());
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() \
                  AND tablename ~ '_[0-9]{6}$'";
    for table in node.ask(tables, vec![]) {
        node.ask(&format!("DROP TABLE {}", table.get::<_, String>(0)), vec![]);
    }
    node.ask("DELETE FROM hours", vec![]);
    // With statements that are prepared, and with none.
    assert_eq!(stop(&node).unwrap_err(), TransitionError::Gone);
    let node = node.reopen();
    assert_eq!(stop(&node).unwrap_err(), TransitionError::Gone);
    let deleted = node.store.delete(vec![known], START_MS + 2, false).wait().unwrap();
    assert_eq!(deleted, DeletionCounts::default());
    node.store.close();
}
