//! The check of a shared store finds nothing in a sound one, and each kind of damage.

use super::fixture::{Node, options};
use super::{HOUR_MS, Place, START_MS, block_on, run};
use crate::clock::{Clock, UnixMs};
use crate::job::{Event, Idempotency, Job};
use crate::store::shared::check::check;
use crate::store::shared::hours::suffix;
use crate::store::shared::pg_options::PgOptions;
use crate::store::shared::retention::remove_hours;
use crate::store::shared::row_number::RowParts;
use crate::store::{CheckReport, NewResult};

/// Returns what a check at a moment finds.
pub(super) fn checked(options: &PgOptions, now_ms: UnixMs) -> CheckReport {
    check(options, &Clock::manual(now_ms).0, &mut |_| {}).unwrap()
}

/// Jobs of each kind, by a node that still runs.
struct Filled {
    place: Place,
    node: Node,
    jobs: Vec<Job>,
}

fn hook() -> Option<String> {
    Some("https://a.example/hook".to_owned())
}

/// Returns a store with ten jobs that are done, ten that wait, and ten batches.
fn filled() -> Filled {
    let place = Place::empty();
    let node = Node::of(options(&place, "a"));
    let mut jobs = Vec::new();
    for number in 0..10_u64 {
        let known = Idempotency { key_hash: 100 + u128::from(number), request_hash: 7 };
        let job = Job { webhook_url: hook(), idempotency: Some(known), ..node.new_job("done") };
        let job = node.submit(job);
        node.apply(job.row, 1, Event::Start, None);
        let result = NewResult { json: b"{}".to_vec(), cache_hash: Some(u128::from(number)) };
        let end = Event::Succeed { lease: 1, present: None };
        jobs.push(node.apply(job.row, 2, end, Some(result)));
    }
    for _ in 0..10 {
        jobs.push(node.submit(node.new_job("waits")));
    }
    for _ in 0..10 {
        let (mut batch, items) = node.new_batch(2);
        batch.webhook_url = hook();
        let row = batch.key.row;
        node.store.submit_batch(batch, items).wait().unwrap().unwrap();
        for item in row + 1..=row + 2 {
            node.apply(item, 1, Event::Start, None);
            let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
            let end = Event::Succeed { lease: 1, present: None };
            let job = node.apply(item, 2, end, Some(result));
            jobs.extend((item == row + 2).then_some(job));
        }
    }
    Filled { place, node, jobs }
}

#[test]
fn sound_store_is_checked_while_its_nodes_run() {
    let Filled { place, node, jobs } = filled();
    node.apply(jobs[10].row, 5, Event::Start, None);
    let report = checked(&place.options, START_MS + 9);
    assert_eq!(report.problems, Vec::<String>::new());
    let CheckReport { jobs, unfinished, results, cache_entries, accounts, .. } = report;
    assert_eq!((jobs, unfinished, results, cache_entries, accounts), (40, 10, 30, 10, 1));
    assert!(report.hours.unwrap() >= 1 && report.file_bytes > 0, "{report:?}");
    node.store.close();
}

/// Statements that damage a store, and the sentence that says so. `{row}` is that of a job, of
/// which each damage has one of its own, and `{h}` the hour.
const DAMAGES: [(usize, &str, &str); 27] = [
    (
        0,
        "INSERT INTO queue SELECT {row}, 0, false, 0, NULL, 0, NULL, standing FROM ends_{h} \
         WHERE row = {row}",
        "job row {row} is in the queue and has ended",
    ),
    (1, "DELETE FROM jobs_{h} WHERE row = {row}", "an end of row {row} belongs to no job"),
    (1, "", "delivery row {row} belongs to no job and no batch"),
    (1, "", "an idempotency key names row {row}, which is no job or batch that came with it"),
    (
        2,
        "UPDATE ends_{h} SET result = result || 'x' WHERE row = {row}",
        "job row {row} ({id}) has a result that is none",
    ),
    (
        3,
        "UPDATE ends_{h} SET result = NULL WHERE row = {row}",
        "job row {row} ({id}) is done and has no result",
    ),
    (3, "", "the cache names row {row}, which has no result"),
    (
        4,
        "UPDATE jobs_{h} SET asked = set_byte(asked, 20, 1 # get_byte(asked, 20)) \
         WHERE row = {row}",
        "job row {row} cannot be read: a record does not match its checksum",
    ),
    (
        5,
        "DELETE FROM deliveries_{h} WHERE row = {row}",
        "job row {row} ({id}) has ended and its webhook has no delivery",
    ),
    (5, "", "the outbox names row {row}, which has no delivery"),
    (
        6,
        "DELETE FROM outbox WHERE row = {row}",
        "delivery row {row} is pending and not in the outbox",
    ),
    (
        7,
        "UPDATE outbox SET due_ms = due_ms + 1 WHERE row = {row}",
        "the outbox names row {row}, whose delivery does not match",
    ),
    (
        8,
        "UPDATE idempotency SET row = row + 1 WHERE row = {row}",
        "job row {row} ({id}) is not found by its idempotency key",
    ),
    (
        9,
        "UPDATE jobs_{h} SET account = account + 1 WHERE row = {row}",
        "job row {row} ({id}) is listed as of another account or time",
    ),
    (
        10,
        "UPDATE queue SET node = 4711 WHERE row = {row}",
        "row {row} of the queue is held by a node that is none",
    ),
    (
        11,
        "UPDATE queue SET due_ms = due_ms + 1 WHERE row = {row}",
        "job row {row} ({id}) is not what the queue says of it",
    ),
    (
        12,
        "DELETE FROM queue WHERE row = {row}",
        "job row {row} ({id}) is not in the queue and has not ended",
    ),
    (13, "DELETE FROM jobs_{h} WHERE row = {row}", "the queue names row {row}, which is no job"),
    (
        14,
        "UPDATE queue SET row = row + (1::int8 << 40) WHERE row = {row}",
        "whose hour has no tables",
    ),
    (
        15,
        "UPDATE queue SET standing = (SELECT standing FROM ends_{h} LIMIT 1) WHERE row = {row}",
        "job row {row} cannot be read: a record does not match its checksum",
    ),
    (
        20,
        "UPDATE batch_ends SET done = 1, failed = 0 WHERE row = {row} - 2",
        "counts 1 pending, 1 done and 0 failed, its jobs are 0, 2 and 0",
    ),
    (21, "DELETE FROM batch_ends WHERE row = {row} - 2", "has no counts"),
    (22, "DELETE FROM batches_{h} WHERE row = {row} - 2", "belong to no batch"),
    (
        23,
        "UPDATE batches_{h} SET record = record || 'x' WHERE row = {row} - 2",
        "cannot be read: a record does not match its checksum",
    ),
    (16, "UPDATE depth SET n = n + 5", "chatgpt counts"),
    (16, "UPDATE credits SET reserved = reserved + 5", "team-a has"),
    (16, "UPDATE usage SET done = 0", "team-a has used Usage"),
];

#[test]
fn each_kind_of_damage_is_found() {
    let Filled { place, node, jobs } = filled();
    node.store.close();
    let hour = suffix(RowParts::of(jobs[0].row).hour);
    let given = |text: &str, at: usize| {
        let job = &jobs[at];
        let id = node.store.id_of(job).to_string();
        text.replace("{row}", &job.row.to_string()).replace("{h}", &hour).replace("{id}", &id)
    };
    let statements: Vec<String> = DAMAGES.iter().map(|(at, sql, _)| given(sql, *at)).collect();
    block_on(async { run(&place.connect().await, &statements.join(";")).await });
    let report = checked(&place.options, START_MS + 9);
    for (at, _, sentence) in DAMAGES {
        let sentence = given(sentence, at);
        let is_said = report.problems.iter().any(|problem| problem.contains(&sentence));
        assert!(is_said, "{sentence}: {:#?}", report.problems);
    }
}

#[test]
fn damage_of_what_is_not_hot_is_found() {
    let place = Place::empty();
    let node = Node::of(options(&place, "a"));
    let seen = crate::job::ModelSeen { since_ms: START_MS, model: "m".to_owned() };
    node.store.note_model("openai".to_owned(), seen).wait().unwrap();
    node.store.close();
    assert_eq!(checked(&place.options, START_MS).problems, Vec::<String>::new());
    let damage = "UPDATE things SET value = value || 'x';
                  INSERT INTO things VALUES (9, '\\x00000000000000010000000000000002', '\\x01')";
    block_on(async { run(&place.connect().await, damage).await });
    let problems = checked(&place.options, START_MS).problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("models of an upstream 000000066f70656e6169 cannot be read"));
    assert_eq!(problems[1], "schedule row 2 is not due at 1 as the index says");
}

#[test]
fn hour_whose_jobs_have_expired_is_passed_over_and_what_is_kept_of_it_is_not() {
    let Filled { place, node, jobs } = filled();
    let later_ms = START_MS + 25 * HOUR_MS;
    // The jobs that wait are not settled.
    assert_eq!(checked(&place.options, later_ms).problems, Vec::<String>::new());
    while node.store.sweep(later_ms, 0).unwrap().rows > 0 {}
    block_on(async { remove_hours(&place.connect().await, later_ms).await.unwrap() });
    let report = checked(&place.options, later_ms);
    assert_eq!(report.problems, Vec::<String>::new());
    // Each of their webhooks is still to be sent.
    assert_eq!((jobs.len(), report.jobs), (30, 10));
    node.store.close();
}

#[test]
fn database_without_a_store_is_refused_and_none_is_made() {
    let place = Place::empty();
    let refused = check(&place.options, &Clock::manual(START_MS).0, &mut |_| {}).unwrap_err();
    assert!(refused.to_string().contains("has no store"), "{refused}");
}
