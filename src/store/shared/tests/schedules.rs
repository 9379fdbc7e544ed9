//! Schedules on a real server: their writes, what is due, and runs that two nodes decide at once.

use super::fixture::{Node, options};
use super::{Place, START_MS};
use crate::job::{
    MissedPolicy, RUNS_KEPT_MAX, Recurrence, RunOutcome, Schedule, ScheduleDefinition,
    ScheduleProgress,
};
use crate::store::{Blocking, NewIdentity, NewRun, RunAction, RunWritten, ScheduleError};

const MINUTE_MS: u64 = 60_000;

fn new_schedule(node: &Node, name: &str) -> Schedule {
    schedule_of(&node.store.new_identity("team-a").unwrap(), name)
}

pub(super) fn schedule_of(identity: &NewIdentity, name: &str) -> Schedule {
    let mut schedule = Schedule {
        row: identity.row,
        nonce: identity.nonce,
        account: "team-a".to_owned(),
        definition: ScheduleDefinition {
            name: name.to_owned(),
            recurrence: Recurrence::Every { seconds: 60, from_ms: START_MS },
            jitter_seconds: 0,
            missed: MissedPolicy::RunOnce,
            ends_ms: None,
            max_runs: None,
        },
        paused: false,
        created_ms: START_MS,
        version: 1,
        progress: ScheduleProgress::default(),
    };
    schedule.plan_after(START_MS);
    schedule
}

fn insert(node: &Node, name: &str) -> Schedule {
    let schedule = new_schedule(node, name);
    node.store.insert_schedule(schedule, format!("batch of {name}")).wait().unwrap().unwrap()
}

fn submit_run(node: &Node, schedule: &Schedule, slot_ms: Option<u64>) -> NewRun {
    let (batch, items) = node.new_batch(2);
    let action = RunAction::Submit(Box::new(batch), items);
    NewRun { schedule: schedule.clone(), slot_ms, missed: 0, action }
}

fn miss(schedule: &Schedule, slot_ms: u64) -> NewRun {
    let schedule = schedule.clone();
    NewRun { schedule, slot_ms: Some(slot_ms), missed: 0, action: RunAction::Miss }
}

#[test]
fn schedule_is_read_replaced_and_removed_with_all_that_it_has() {
    let node = Node::alone();
    let schedule = insert(&node, "hourly");
    let id = node.store.schedule_id(&schedule);
    let read = |account: &str| node.store.schedule(id, account).wait().unwrap();
    let (entry, batch) = read("team-a").unwrap();
    assert_eq!((entry.schedule, entry.last_run), (schedule.clone(), None));
    assert_eq!(batch, "batch of hourly");
    assert!(read("team-b").is_none());

    let renamed = |name: &str, of: &Schedule| {
        let definition = ScheduleDefinition { name: name.to_owned(), ..of.definition.clone() };
        Schedule { definition, ..of.clone() }
    };
    let replace = |before: &Schedule, name: &str, batch: Option<&str>| {
        let after = renamed(name, before);
        node.store.replace_schedule(before.clone(), after, batch.map(str::to_owned)).wait().unwrap()
    };
    let other = insert(&node, "other");
    assert_eq!(replace(&schedule, "other", None).unwrap_err(), ScheduleError::NameTaken);
    let again = new_schedule(&node, "other");
    let again = node.store.insert_schedule(again, "x".to_owned()).wait().unwrap();
    assert_eq!(again.unwrap_err(), ScheduleError::NameTaken);
    let changed = replace(&schedule, "daily", Some("another batch")).unwrap();
    assert_eq!(changed.version, schedule.version + 1);
    assert_eq!(replace(&schedule, "weekly", None).unwrap_err(), ScheduleError::Stale);
    assert_eq!(read("team-a").unwrap().1, "another batch");
    assert_eq!(node.store.schedule_batch(schedule.row).unwrap().unwrap(), "another batch");

    let node = node.reopen();
    let names = |node: &Node| -> Vec<String> {
        let all = node.store.schedules(Some("team-a")).wait().unwrap();
        all.into_iter().map(|entry| entry.schedule.definition.name).collect()
    };
    assert_eq!(names(&node), ["daily", "other"]);
    assert!(node.store.schedules(Some("team-b")).wait().unwrap().is_empty());
    let slot_ms = changed.progress.next.unwrap().at_ms;
    node.store.write_run(miss(&changed, slot_ms), slot_ms).wait().unwrap();
    node.store.remove_schedule(changed.clone()).wait().unwrap().unwrap();
    let gone = node.store.remove_schedule(changed.clone()).wait().unwrap();
    assert_eq!(gone.unwrap_err(), ScheduleError::Gone);
    node.store.remove_schedule(other).wait().unwrap().unwrap();
    let left = node.ask("SELECT count(*) FROM things", vec![])[0].get::<_, i64>(0);
    assert_eq!((left, node.store.next_slot_ms().unwrap()), (0, None));
    node.store.close();
}

#[test]
fn run_writes_its_batch_its_record_and_the_next_slot_at_once() {
    let node = Node::alone();
    let schedule = insert(&node, "every minute");
    let first_ms = START_MS + MINUTE_MS;
    assert_eq!(node.store.next_slot_ms().unwrap(), Some(first_ms));
    assert!(node.store.due_schedules(first_ms - 1, 10).unwrap().is_empty());
    let due = node.store.due_schedules(first_ms, 10).unwrap();
    assert_eq!(due, std::slice::from_ref(&schedule));

    let run = submit_run(&node, &schedule, Some(first_ms));
    let written = node.store.write_run(run, first_ms).wait().unwrap();
    let RunWritten::Run { schedule: after, run, batch: Some(batch) } = written else {
        panic!("{written:?}");
    };
    assert_eq!(run.outcome, RunOutcome::Submitted { batch: batch.key.id, refused: 0 });
    assert_eq!(node.store.batch(batch.key.id, first_ms).wait().unwrap().unwrap().pending(), 2);
    assert_eq!(node.store.next_slot_ms().unwrap(), Some(first_ms + MINUTE_MS));
    assert_eq!(node.store.schedule_runs(schedule.row, 10).wait().unwrap(), [run]);

    // The slot was dealt with, and the batch has not ended.
    let second = submit_run(&node, &schedule, Some(first_ms));
    let stale = node.store.write_run(second, first_ms).wait().unwrap();
    assert!(matches!(stale, RunWritten::Stale));
    let overlap = submit_run(&node, &after, Some(first_ms + MINUTE_MS));
    let overlap = node.store.write_run(overlap, first_ms + MINUTE_MS).wait().unwrap();
    let RunWritten::Run { run, batch: None, .. } = overlap else { panic!("{overlap:?}") };
    assert_eq!(run.outcome, RunOutcome::Overlap { batch: batch.key.id });
    // A call holds, though it knows the schedule of before.
    let call = node.store.write_run(submit_run(&node, &schedule, None), first_ms).wait().unwrap();
    assert!(matches!(call, RunWritten::Overlap(key) if key == batch.key), "{call:?}");
    assert_eq!(node.depth(0), 2);
    node.store.close();
}

#[test]
fn schedule_keeps_its_latest_runs_alone() {
    let node = Node::alone();
    let mut schedule = insert(&node, "often");
    let runs = RUNS_KEPT_MAX as u64 + 3;
    for _ in 0..runs {
        let slot_ms = schedule.progress.next.unwrap().at_ms;
        let written = node.store.write_run(miss(&schedule, slot_ms), slot_ms).wait().unwrap();
        let RunWritten::Run { schedule: after, .. } = written else { panic!("{written:?}") };
        schedule = *after;
    }
    let kept = node.store.schedule_runs(schedule.row, usize::MAX).wait().unwrap();
    let numbers: Vec<u64> = kept.iter().map(|run| run.number).collect();
    assert_eq!(numbers, (3..runs).rev().collect::<Vec<_>>());
    let all = node.store.schedules(None).wait().unwrap();
    assert_eq!(all[0].last_run.as_ref(), kept.first());
    node.store.close();
}

#[test]
fn two_nodes_run_a_slot_once_and_give_a_name_once() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let schedule = insert(&nodes[0], "shared");
    let slot_ms = schedule.progress.next.unwrap().at_ms;
    let pending = nodes
        .each_ref()
        .map(|node| node.store.write_run(submit_run(node, &schedule, Some(slot_ms)), slot_ms));
    let written = pending.map(|pending| pending.wait().unwrap());
    let runs = written.iter().filter(|it| matches!(it, RunWritten::Run { .. })).count();
    let stale = written.iter().filter(|it| matches!(it, RunWritten::Stale)).count();
    assert_eq!((runs, stale), (1, 1), "{written:?}");

    let named = nodes
        .each_ref()
        .map(|node| node.store.insert_schedule(new_schedule(node, "same name"), "x".to_owned()));
    let refused = named.map(|pending| pending.wait().unwrap().err());
    assert_eq!(refused.iter().flatten().collect::<Vec<_>>(), [&ScheduleError::NameTaken]);
    nodes.iter().for_each(|node| node.store.close());
}

#[test]
fn schedule_of_a_clock_that_was_ahead_is_planned_again() {
    const YEAR_MS: u64 = 365 * 86_400_000;
    let node = Node::alone();
    let schedule = insert(&node, "every minute");
    let far_ms = START_MS + YEAR_MS;
    node.store.write_run(miss(&schedule, far_ms), far_ms).wait().unwrap();
    assert_eq!(node.store.next_slot_ms().unwrap(), Some(far_ms + MINUTE_MS));
    assert_eq!(node.store.replan_after_clock_step(START_MS).unwrap(), 1);
    assert_eq!(node.store.next_slot_ms().unwrap(), Some(START_MS + MINUTE_MS));
    assert_eq!(node.store.replan_after_clock_step(START_MS).unwrap(), 0);
    node.store.close();
}
