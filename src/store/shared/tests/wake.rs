//! Nodes hear what others commit, and find it by looking where they do not.

use std::sync::atomic::Ordering;

use super::alerts::alert_of;
use super::fixture::{Node, options};
use super::listening::{listen, second, until, with_clock};
use super::schedules::schedule_of;
use super::{Place, START_MS};
use crate::alert::AlertKind;
use crate::clock::Clock;
use crate::config::WakeBy;
use crate::job::{Event, Failure, Job, Reason};
use crate::store::effects::{Effect, WaitedFor};
use crate::store::shared::options::SharedOptions;
use crate::store::{Blocking, NewResult};

/// Two nodes that know of each other.
fn two() -> [Node; 2] {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = with_clock(&place, "a", &clock);
    let b = Node::of(options(&place, "b"));
    second(&hand, &a, "a");
    until("the other node", || !a.store.process.status.is_alone());
    [a, b]
}

#[test]
fn commits_of_a_node_are_heard_by_the_others_and_not_by_itself() {
    let [a, b] = two();
    let (by_a, by_b) = (listen(&a), listen(&b));
    let job = a.submit(a.new_job("x"));
    until("the open job", || by_b.has(&Effect::Open { scraper: 0 }));
    a.apply(job.row, 1, Event::Start, None);
    until("the start", || by_b.has(&Effect::Started { row: job.row }));
    let last = Failure::new(Reason::Overloaded, "busy");
    let later = Event::RetryLater { lease: 1, due_ms: START_MS + 5_000, last, spent: true };
    by_b.effects.lock().unwrap().clear();
    a.apply(job.row, 2, later, None);
    until("the retry", || by_b.has(&Effect::Started { row: job.row }));
    // It is ended by the other one.
    let id = b.store.id_of(&job);
    let stop = b.store.stop_owned(id, "team-a".to_owned(), START_MS + 3, Failure::canceled());
    stop.wait().unwrap().unwrap();
    let ended = Effect::Ended { scraper: 0, row: job.row };
    let own = by_a.effects.lock().unwrap().iter().filter(|it| **it == ended).count();
    assert!(own <= 1);
    // The second one knows that there are others since its start.
    until("the end", || by_a.has(&ended));
    // Its start and its retry are one such effect here, and two elsewhere.
    let started = Effect::Started { row: job.row };
    let own = by_a.effects.lock().unwrap().iter().filter(|it| **it == started).count();
    assert_eq!(own, 1);
    a.store.close();
    b.store.close();
}

#[test]
fn new_job_is_its_nodes_where_a_worker_of_it_is_idle_until_that_node_is_gone() {
    let [a, b] = two();
    let by_a = listen(&a);
    by_a.idle_workers.store(1, Ordering::Relaxed);
    let taken = a.submit(a.new_job("x")).row;
    let effect = Effect::Taken { scraper: 0, row: taken, interactive: false };
    until("the job that is taken", || by_a.has(&effect));
    by_a.idle_workers.store(0, Ordering::Relaxed);
    let open = a.submit(a.new_job("y")).row;
    let ready = |row| Effect::Ready { scraper: 0, row, due_ms: START_MS, interactive: false };
    assert!(by_a.has(&ready(open)) && !by_a.has(&ready(taken)));
    let reserve = || b.store.reserve_from(0, false, 0, START_MS, 10).unwrap().rows;
    assert_eq!(reserve(), [open]);
    a.store.close();
    assert_eq!(reserve(), [taken]);
    b.store.close();
}

#[test]
fn end_that_was_not_heard_is_found_by_looking() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = Node::of(options(&place, "a"));
    let near = options(&place, "b");
    let b = Node::of(SharedOptions { clock, wake: WakeBy::Poll, ..near });
    let heard = listen(&b);
    let jobs = ["ends", "runs", "is watched"].map(|prompt| a.submit(a.new_job(prompt)).row);
    let [ends, runs, moves] = jobs;
    *heard.waited.lock().unwrap() =
        WaitedFor { ends: vec![ends], moves: vec![moves], running: vec![(0, runs)] };
    until("a look", || {
        hand.advance_ms(250);
        heard.has(&Effect::Started { row: moves })
    });
    let end_of = |row| {
        heard
            .effects
            .lock()
            .unwrap()
            .iter()
            .any(|effect| matches!(effect, Effect::Ended { row: of, .. } if *of == row))
    };
    assert!(!end_of(ends) && !end_of(runs));
    for row in [ends, runs] {
        let stop = |_: &Job| Event::Stop { failure: Failure::canceled() };
        a.store.begin_transition(row, START_MS + 1, stop, None).wait().unwrap().unwrap();
    }
    until("the ends", || {
        hand.advance_ms(250);
        end_of(ends) && heard.has(&Effect::Ended { scraper: 0, row: runs })
    });
    assert!(b.store.process.wakes_missed.load(Ordering::Relaxed) >= 2);
    a.store.close();
    b.store.close();
}

/// Writes a schedule with a slot, an alert and a start deadline at moments.
fn write_due(node: &Node, [slot_ms, alert_ms, start_by_ms]: [u64; 3]) {
    let mut schedule = schedule_of(&node.store.new_identity("team-a").unwrap(), "hourly");
    schedule.progress.next.as_mut().unwrap().due_ms = slot_ms;
    node.store.insert_schedule(schedule, "[]".to_owned()).wait().unwrap().unwrap();
    let alert =
        alert_of(&node.store.new_identity("team-a").unwrap(), "low", AlertKind::MentionRateBelow);
    node.store.insert_alert(alert, Some(alert_ms)).wait().unwrap().unwrap();
    node.submit(Job { start_by_ms: Some(start_by_ms), ..node.new_job("x") });
}

#[test]
fn what_is_due_soon_is_heard_at_once_by_who_is_to_see_to_it() {
    let [a, b] = two();
    let (by_a, by_b) = (listen(&a), listen(&b));
    assert!(a.store.process.status.leads());
    let moments = [1_000, 1_500, 2_000].map(|after_ms| START_MS + after_ms);
    write_due(&b, moments);
    let [slot_ms, alert_ms, at_ms] = moments;
    until("all of it", || {
        by_a.has(&Effect::Slot { due_ms: slot_ms })
            && by_a.has(&Effect::Alert { due_ms: alert_ms })
            && by_a.has(&Effect::Deadline { at_ms })
    });
    // One that does not lead has nothing to do with start deadlines of others.
    a.submit(Job { start_by_ms: Some(START_MS + 900), ..a.new_job("y") });
    until("the open job", || by_b.has(&Effect::Open { scraper: 0 }));
    assert!(!by_b.has(&Effect::Deadline { at_ms: START_MS + 900 }));
    a.store.close();
    b.store.close();
}

#[test]
fn what_is_due_is_found_by_looking() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = with_clock(&place, "a", &clock);
    let far = options(&place, "b");
    let b = Node::of(SharedOptions { clock: clock.clone(), wake: WakeBy::Poll, ..far });
    let (by_a, by_b) = (listen(&a), listen(&b));
    second(&hand, &a, "a");
    let moments = [60_000, 70_000, 80_000].map(|after_ms| START_MS + after_ms);
    write_due(&a, moments);
    let [slot_ms, alert_ms, at_ms] = moments;
    until("a look", || {
        hand.advance_ms(100);
        by_b.has(&Effect::Slot { due_ms: slot_ms })
            && by_b.has(&Effect::Alert { due_ms: alert_ms })
            && by_a.has(&Effect::Deadline { at_ms })
    });
    assert!(!by_b.has(&Effect::Deadline { at_ms }));
    // A webhook that its own node does not send.
    let webhook_url = Some("https://a.example/hook".to_owned());
    let told = a.submit(Job { webhook_url, ..a.new_job("told") });
    a.apply(told.row, 1, Event::Start, None);
    let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
    a.apply(told.row, 2, Event::Succeed { lease: 1, present: None }, Some(result));
    until("a look for webhooks", || {
        hand.advance_ms(100);
        let effects = by_b.effects.lock().unwrap();
        effects.iter().any(|effect| matches!(effect, Effect::Delivery { .. }))
    });
    a.store.close();
    b.store.close();
}
