//! Trackers on a real server: versions, what they measure by several writers, and its removal.

use std::sync::Arc;

use uuid::Uuid;

use super::check::checked;
use super::fixture::{Node, Value, options};
use super::{Place, START_MS, block_on, number, run};
use crate::job::{Event, Job};
use crate::measure::{Brand, BrandMention, DomainUse, Measured, PageUse, TrackedBrands, Tracker};
use crate::store::shared::folding::SumFolder;
use crate::store::shared::observations::group_key;
use crate::store::shared::things::{PRESENT, ThingKind};
use crate::store::{
    ApplyCounts, Blocking, LABELED_GROUPS_MAX, NewObservation, NewOutcome, NewResult, OTHER_LABEL,
    Row, TRACKERS_MAX, TrackerDeletion, TrackerLimit, day_of,
};

const DAY_MS: u64 = 86_400_000;

pub(super) fn brands(names: &[&str]) -> TrackedBrands {
    let brand = |name: &&str| Brand { name: (*name).to_owned(), ..Brand::default() };
    TrackedBrands::new(names.iter().map(brand).collect()).unwrap()
}

pub(super) fn put(node: &Node, name: &str, names: &[&str]) -> Tracker {
    let account = "team-a".to_owned();
    let put = node.store.put_tracker(account, name.to_owned(), brands(names), START_MS);
    put.wait().unwrap().unwrap()
}

pub(super) fn observation(tracker: &Tracker) -> NewObservation {
    let mention = BrandMention {
        brand: "Acme".to_owned(),
        mentioned: true,
        count: 2,
        first_at: None,
        rank: Some(1),
        in_list_item: false,
        cited: Some(true),
        cited_urls: Vec::new(),
        linked: false,
    };
    let (domain, url) = ("a.example".to_owned(), "https://a.example/1".to_owned());
    let measured = Measured {
        searched: Some(true),
        cited_is_told: true,
        brands: vec![mention],
        domains: vec![DomainUse { domain, cited: true }],
        pages: vec![PageUse { url, cited: true }],
        kind_bit: 1,
        prompt_hash: 7,
        ..Measured::default()
    };
    NewObservation {
        tracker: tracker.name.clone(),
        tracker_id: tracker.id,
        version: tracker.version,
        job_id: Uuid::from_u128(9),
        measured,
    }
}

/// Ends a job that runs with an answer that was measured.
pub(super) fn end_measured(node: &Node, row: Row, after_ms: u64, new: NewObservation) -> Job {
    let outcome = NewOutcome {
        event: Event::Succeed { lease: 1, present: None },
        result: Some(NewResult { json: b"{}".to_vec(), cache_hash: None }),
        ended: None,
        raw: None,
        observation: Some(Box::new(new)),
    };
    node.store.begin_outcome(row, START_MS + after_ms, outcome).wait().unwrap().unwrap()
}

fn measure(node: &Node, label: &str, after_ms: u64, new: NewObservation) -> Job {
    let label = Some(label.to_owned()).filter(|label| !label.is_empty());
    let job = node.submit(Job { label, ..node.new_job("best anvil?") });
    node.apply(job.row, 0, Event::Start, None);
    end_measured(node, job.row, after_ms, new)
}

/// The answers of a version by label, in the days up to one, with the uses of pages.
fn answers(node: &Node, tracker: &Tracker, last_ms: u64) -> (Vec<(String, u64)>, u64) {
    let mut groups = std::collections::BTreeMap::new();
    let version = (tracker.id, tracker.version);
    let days = (day_of(START_MS), day_of(last_ms));
    let visited = node.store.visit_sums(version, days.0, days.1, |group, _, sums| {
        assert_eq!(group.scraper, "chatgpt");
        *groups.entry(group.label.to_owned()).or_default() += sums.answers;
    });
    visited.wait().unwrap();
    let mut used = 0;
    let visit = |_: crate::measure::GroupKey<'_>, _, pages: &crate::measure::PageSums| {
        used += pages.pages.values().map(|page| page.used).sum::<u64>();
        true
    };
    node.store.visit_page_sums(version, days.0, days.1, visit).unwrap();
    (groups.into_iter().collect(), used)
}

fn count(node: &Node, kinds: &[ThingKind]) -> i64 {
    let kinds: Vec<i16> = kinds.iter().map(|kind| *kind as i16).collect();
    let values: Vec<Value> = vec![Arc::new(kinds)];
    node.ask("SELECT count(*) FROM things WHERE kind = ANY($1)", values)[0].get(0)
}

#[test]
fn tracker_has_versions_and_an_account_has_a_number_of_trackers() {
    let node = Node::alone();
    let first = put(&node, "acme", &["Acme"]);
    assert_eq!((first.version, put(&node, "acme", &["Acme"]).version), (1, 1));
    let second = put(&node, "acme", &["Acme", "Other"]);
    assert_eq!((second.version, second.id), (2, first.id));
    let other = put(&node, "a longer name", &["Acme"]);
    assert!(other.id > first.id);
    let node = node.reopen();
    let names = |account: &str| -> Vec<String> {
        let trackers = node.store.trackers(account).wait().unwrap();
        trackers.into_iter().map(|tracker| tracker.name).collect()
    };
    assert_eq!(names("team-a"), ["a longer name", "acme"]);
    assert!(names("team").is_empty());
    assert_eq!(node.store.tracker("team-a", "acme").wait().unwrap(), Some(second));
    assert_eq!(node.store.tracker("team-b", "acme").wait().unwrap(), None);
    let version = node.store.tracker_version(first.id, 1).wait().unwrap().unwrap();
    assert_eq!(version.brands, first.brands);
    for number in 2..TRACKERS_MAX {
        put(&node, &format!("number {number}"), &["Acme"]);
    }
    let more = node.store.put_tracker("team-a".to_owned(), "more".to_owned(), first.brands, 0);
    assert_eq!(more.wait().unwrap().unwrap_err(), TrackerLimit::Trackers);
    node.store.close();
}

#[test]
fn answers_that_several_writers_measure_add_up_and_each_counts_once() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let tracker = put(&nodes[0], "acme", &["Acme"]);
    let mut rows = Vec::new();
    for number in 0..12_u64 {
        let node = &nodes[number as usize % 2];
        let label = if number < 4 { "morning" } else { "" };
        rows.push(measure(node, label, 10 + number, observation(&tracker)).row);
    }
    let expected = vec![(String::new(), 8), ("morning".to_owned(), 4)];
    assert_eq!(answers(&nodes[1], &tracker, START_MS), (expected, 12));
    let slots = count(&nodes[0], &[ThingKind::Sums]);
    assert!(slots > 2, "{slots} rows");

    let version = (tracker.id, 1);
    let window = (START_MS, START_MS + DAY_MS);
    let page = nodes[1].store.observations(version, window, None, 5).unwrap();
    let after = page.last().map(|last| (last.at_ms, last.row));
    let rest = nodes[1].store.observations(version, window, after, 100).unwrap();
    let all: Vec<Row> = page.iter().chain(&rest).map(|it| it.row).collect();
    assert_eq!(all, rows);
    assert_eq!((page[0].label.as_str(), page[0].counts.brands[0].count), ("morning", 2));
    let later = nodes[1].store.observations(version, (START_MS + 20, u64::MAX), None, 100);
    assert_eq!(later.unwrap().len(), 2);

    // They were measured by this version, and not by the next one.
    let apply = |tracker: &Tracker| {
        let unmeasured = nodes[0].submit(nodes[0].new_job("waits")).row;
        let rows = rows.iter().copied().chain([unmeasured]);
        let measured = rows.map(|row| (row, observation(tracker))).collect();
        nodes[0].store.add_observations(measured).wait().unwrap()
    };
    assert_eq!(apply(&tracker), ApplyCounts { measured: 0, already: 13 });
    let next = put(&nodes[0], "acme", &["Acme", "Other"]);
    assert_eq!(apply(&next), ApplyCounts { measured: 12, already: 1 });
    assert_eq!(apply(&next), ApplyCounts { measured: 0, already: 13 });
    assert_eq!(answers(&nodes[1], &next, START_MS).1, 12);
    // By a version of before, and by a tracker that is gone.
    measure(&nodes[1], "", 100, observation(&tracker));
    measure(&nodes[1], "", 101, NewObservation { tracker_id: 1, ..observation(&tracker) });
    assert_eq!(answers(&nodes[0], &tracker, START_MS).1, 13);
    nodes.iter().for_each(|node| node.store.close());
}

#[test]
fn further_labels_of_a_day_are_counted_together() {
    let node = Node::alone();
    let tracker = put(&node, "acme", &["Acme"]);
    measure(&node, "first", 1, observation(&tracker));
    let day = day_of(START_MS);
    let keys = (1..LABELED_GROUPS_MAX).map(|number| {
        let key = (tracker.id, 1, day, 0, false, "US", format!("label {number}"));
        let key = (key.0, key.1, key.2, key.3, key.4, key.5, key.6.as_str());
        group_key(key).slot(0).of(ThingKind::Sums).key
    });
    let values: Vec<Value> = vec![
        Arc::new(ThingKind::Sums as i16),
        Arc::new(keys.collect::<Vec<_>>()),
        Arc::new(PRESENT.to_vec()),
    ];
    node.ask("INSERT INTO things SELECT $1, key, $3 FROM unnest($2::bytea[]) key", values);
    for label in ["first", "new", "label 7", ""] {
        measure(&node, label, 2, observation(&tracker));
    }
    let own = "SELECT key, value FROM things WHERE kind = $1 AND value <> $2";
    let values: Vec<Value> = vec![Arc::new(ThingKind::Sums as i16), Arc::new(PRESENT.to_vec())];
    let read = |row: &tokio_postgres::Row| {
        crate::store::shared::observations::SumsGroup::read(row.get(0)).unwrap().label
    };
    let mut labels: Vec<String> = node.ask(own, values).iter().map(read).collect();
    labels.sort();
    labels.dedup();
    assert_eq!(labels, ["", OTHER_LABEL, "first", "label 7"]);
    node.store.close();
}

#[test]
fn tracker_is_deleted_in_steps_and_old_days_are_swept() {
    const MEASURES: [ThingKind; 3] = [ThingKind::Observation, ThingKind::Sums, ThingKind::PageSums];
    let node = Node::alone();
    let tracker = put(&node, "acme", &["Acme"]);
    let kept = put(&node, "kept", &["Acme"]);
    measure(&node, "", 1, observation(&tracker));
    measure(&node, "", 1, observation(&kept));
    let long = |job: Job| Job { expires_ms: START_MS + 9 * DAY_MS, ..job };
    let later = node.submit(long(node.new_job("later")));
    node.apply(later.row, 0, Event::Start, None);
    end_measured(&node, later.row, 2 * DAY_MS, observation(&kept));
    assert_eq!(count(&node, &MEASURES), 9);
    assert_eq!(node.store.sweep_observations(START_MS).unwrap(), 0);
    assert_eq!(node.store.sweep_observations(START_MS + DAY_MS).unwrap(), 6);
    assert_eq!(node.store.sweep_observations(START_MS + DAY_MS).unwrap(), 0);
    assert_eq!(answers(&node, &kept, START_MS + 2 * DAY_MS).1, 1);

    measure(&node, "", 1, observation(&tracker));
    let delete = |name: &str| {
        let step = node.store.delete_tracker_step("team-a".to_owned(), name.to_owned());
        step.wait().unwrap()
    };
    assert_eq!(delete("acme"), TrackerDeletion::Gone);
    assert_eq!(delete("acme"), TrackerDeletion::NotFound);
    assert_eq!(count(&node, &MEASURES), 3);
    assert_eq!(node.store.tracker_version(tracker.id, 1).wait().unwrap(), None);
    let copies = "INSERT INTO things SELECT kind, key || int4send(n), value FROM things, \
                  generate_series(1, 300) n WHERE kind = $1";
    node.ask(copies, vec![Arc::new(ThingKind::Observation as i16)]);
    assert_eq!(delete("kept"), TrackerDeletion::Begun);
    assert_eq!(delete("kept"), TrackerDeletion::Gone);
    let all = [&MEASURES[..], &[ThingKind::Tracker, ThingKind::TrackerVersion]].concat();
    assert_eq!(count(&node, &all), 0);
    node.store.close();
}

#[test]
fn nothing_is_left_of_a_tracker_that_is_deleted_while_it_measures() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let tracker = put(&nodes[0], "acme", &["Acme"]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..40 {
                measure(&nodes[1], "", number, observation(&tracker));
            }
        });
        let delete = || {
            let (account, name) = ("team-a".to_owned(), "acme".to_owned());
            nodes[0].store.delete_tracker_step(account, name).wait().unwrap()
        };
        while nodes[0].store.observations((tracker.id, 1), (0, u64::MAX), None, 5).unwrap().len()
            < 5
        {}
        while delete() != TrackerDeletion::Gone {}
    });
    let kinds = [ThingKind::Tracker, ThingKind::Observation, ThingKind::Sums, ThingKind::PageSums];
    assert_eq!(count(&nodes[0], &kinds), 0);
    nodes.iter().for_each(|node| node.store.close());
}

#[test]
fn sums_of_nodes_that_are_gone_are_folded_and_a_check_compares_them_with_the_answers() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let tracker = put(&nodes[0], "acme", &["Acme"]);
    for (at, node) in nodes.iter().enumerate() {
        for label in ["", "one"] {
            measure(node, label, at as u64 + 2, observation(&tracker));
        }
    }
    let [a, b] = nodes;
    let b = b.reopen();
    measure(&b, "one", 9, observation(&tracker));
    b.store.close();
    let found = answers(&a, &tracker, START_MS);
    assert_eq!(found, (vec![(String::new(), 2), ("one".to_owned(), 3)], 5));
    let kinds = [ThingKind::Sums, ThingKind::PageSums];
    assert!(count(&a, &kinds) > 8);
    let mut folder = SumFolder::default();
    block_on(async {
        let session = place.connect().await;
        folder.pass(&session).await.unwrap();
        folder.pass(&session).await.unwrap();
    });
    // Each group has what is of all, and what a writer of the node that lives has.
    assert_eq!(answers(&a, &tracker, START_MS), found);
    assert!(count(&a, &kinds) <= 8, "{}", count(&a, &kinds));
    assert_eq!(checked(&place.options, START_MS + 9).problems, Vec::<String>::new());
    a.store.close();
    block_on(async {
        let session = place.connect().await;
        folder.pass(&session).await.unwrap();
        let left = number(&session, "SELECT count(*) FROM things WHERE kind IN (14, 15)").await;
        assert_eq!(left, 4);
        run(&session, "DELETE FROM things WHERE kind = 14 AND length(key) > 40").await;
    });
    let problems = checked(&place.options, START_MS + 9).problems;
    let sums = format!("tracker {} has 5 observations on day", tracker.id);
    assert!(problems.iter().any(|it| it.starts_with(&sums)), "{problems:?}");
    let pages = format!("pages of tracker {} on day", tracker.id);
    assert!(problems.iter().any(|it| it.starts_with(&pages)), "{problems:?}");
}
