//! Hours go when nothing needs them any longer.

use super::super::retention::{HourEnd, forget, remove_hours};
use super::super::row_number::{Hour, RowParts};
use super::fixture::Node;
use super::{HOUR_MS, Place, START_MS, block_on, number};
use crate::job::{DeliveryAttempt, Event, Job, Outcome};
use crate::store::{Blocking, NewResult};

const DAY_MS: u64 = 24 * HOUR_MS;

fn remove(place: &Place, now_ms: u64) -> Vec<(Hour, HourEnd)> {
    block_on(async { remove_hours(&place.connect().await, now_ms).await.unwrap() })
}

#[test]
fn hour_goes_when_its_jobs_are_settled_and_what_they_report_is_delivered() {
    let place = Place::empty();
    let node = Node::of(super::fixture::options(&place, "a"));
    let webhook_url = Some("https://a.example/hook".to_owned());
    let done = |job: Job| {
        let job = node.submit(job);
        node.apply(job.row, 1, Event::Start, None);
        let result = NewResult { json: b"{}".to_vec(), cache_hash: Some(1) };
        node.apply(job.row, 2, Event::Succeed { lease: 1, present: None }, Some(result))
    };
    let told = done(Job { webhook_url, ..node.new_job("told") });
    let other = done(node.new_job("other"));
    let waiting = node.submit(node.new_job("waiting"));
    let hour = RowParts::of(told.row).hour;
    let of_hour = |ended: Vec<(Hour, HourEnd)>| {
        ended.into_iter().find(|(it, _)| *it == hour).map(|(_, ended)| ended)
    };
    assert_eq!(of_hour(remove(&place, START_MS + DAY_MS)), None);
    let later_ms = START_MS + DAY_MS + HOUR_MS;
    assert_eq!(of_hour(remove(&place, later_ms)), Some(HourEnd::Waits));
    assert_eq!(node.store.sweep(later_ms, 0).unwrap().rows, 1);
    assert_eq!(of_hour(remove(&place, later_ms)), Some(HourEnd::Kept(1)));
    assert_eq!(of_hour(remove(&place, later_ms)), None);
    // Only what the webhook reports is left, and is as it was.
    let read =
        |row| node.store.read_row(row, 0, |job, result| (job.row, result.map(<[u8]>::len))).wait();
    assert_eq!(read(told.row).unwrap(), Some((told.row, Some(2))));
    let is_there = |row| node.store.begin_read(row).wait().unwrap().is_some();
    assert!(!is_there(other.row) && !is_there(waiting.row));
    assert!(node.store.read_delivery(told.row, |_, _| ()).is_ok());
    let attempt = DeliveryAttempt { at_ms: later_ms, took_ms: 0, outcome: Outcome::Status(200) };
    let noted = node.store.note_delivery(told.row, attempt, 0, None, 0).unwrap();
    assert!(noted.is_some_and(|delivery| delivery.due_ms().is_none()));
    assert_eq!(of_hour(remove(&place, later_ms + 2 * HOUR_MS)), Some(HourEnd::Dropped));
    assert!(node.store.begin_read(told.row).wait().unwrap().is_none());
    assert!(node.store.delivery(told.row).wait().unwrap().is_none());
    node.store.close();
}

#[test]
fn old_rows_of_the_tables_that_stay_are_removed() {
    let place = Place::empty();
    let node = Node::of(super::fixture::options(&place, "a"));
    let known = Some(crate::job::Idempotency { key_hash: 1, request_hash: 2 });
    node.submit(Job { idempotency: known, ..node.new_job("x") });
    let count = |now_ms: u64| {
        block_on(async {
            let session = place.connect().await;
            forget(&session, now_ms).await.unwrap();
            let of = |table: &str| format!("SELECT count(*) FROM {table}");
            let keys = number(&session, &of("idempotency")).await;
            (keys, number(&session, &of("usage")).await)
        })
    };
    assert_eq!(count(START_MS + DAY_MS - 1), (1, 1));
    assert_eq!(count(START_MS + DAY_MS), (0, 1));
    assert_eq!(count(START_MS + 402 * DAY_MS), (0, 0));
    node.store.close();
}
