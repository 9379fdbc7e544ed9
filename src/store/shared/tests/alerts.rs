//! Alerts on a real server: their writes, what marks them, evaluations, and notices.

use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::super::retention::{HourEnd, remove_hours};
use super::super::row_number::RowParts;
use super::fixture::{Node, options};
use super::trackers::{end_measured, observation, put};
use super::{HOUR_MS, Place, START_MS, block_on};
use crate::alert::{
    Alert, AlertDefinition, AlertKind, AlertProgress, HEALTH_EVERY_MS, Notice, NoticeFacts,
    NoticeFormat, SINGLE_ANSWERS_MS, SPEND_EVERY_MS,
};
use crate::clock::UnixMs;
use crate::job::{
    AttemptCall, AttemptEnd, CallOutcome, DeliveryAttempt, Event, Failure, Outcome, Reason,
    UpstreamUsage,
};
use crate::store::effects::{Effect, Listener};
use crate::store::shared::things::{KeyReader, ThingKind};
use crate::store::{
    AlertError, Blocking, DueAlert, EvaluationWritten, NewAttemptEnd, NewEvaluation, NewIdentity,
    NewOutcome, Reported, StoreError,
};

fn new_alert(node: &Node, name: &str, kind: AlertKind) -> Alert {
    alert_of(&node.store.new_identity("team-a").unwrap(), name, kind)
}

pub(super) fn alert_of(identity: &NewIdentity, name: &str, kind: AlertKind) -> Alert {
    Alert {
        row: identity.row,
        nonce: identity.nonce,
        account: "team-a".to_owned(),
        definition: AlertDefinition {
            name: name.to_owned(),
            kind,
            tracker: Some("acme".to_owned()),
            brand: None,
            scraper: Some("chatgpt".to_owned()),
            threshold: Some(0.5),
            over: None,
            url: "https://a.example/hook".to_owned(),
            format: NoticeFormat::Standard,
        },
        paused: false,
        created_ms: START_MS,
        version: 1,
        progress: AlertProgress::default(),
    }
}

fn insert(node: &Node, name: &str, kind: AlertKind, due_ms: Option<UnixMs>) -> Alert {
    node.store.insert_alert(new_alert(node, name, kind), due_ms).wait().unwrap().unwrap()
}

fn new_notice(node: &Node, alert: &Alert) -> Notice {
    notice_of(&node.store.new_identity("team-a").unwrap(), alert)
}

pub(super) fn notice_of(identity: &NewIdentity, alert: &Alert) -> Notice {
    Notice {
        row: identity.row,
        nonce: identity.nonce,
        alert: Uuid::from_u128(3),
        alert_row: alert.row,
        account: alert.account.clone(),
        number: alert.progress.next_notice,
        at_ms: START_MS,
        is_test: false,
        definition: alert.definition.clone(),
        facts: NoticeFacts { value: None, sample: 1, since_ms: START_MS, rows: Vec::new() },
    }
}

/// The name, the time and the marks of each alert that is due some time.
fn due(node: &Node) -> Vec<(String, UnixMs, u64)> {
    let found = node.store.due_alerts(START_MS + 500_000, 10).unwrap();
    let text = "SELECT key FROM things WHERE kind = $1 AND value <> '' ORDER BY key";
    let keys = node.ask(text, vec![Arc::new(ThingKind::AlertDue as i16)]);
    assert_eq!(keys.len(), found.len());
    let times: Vec<UnixMs> = keys.iter().map(|row| KeyReader(row.get(0)).u64().unwrap()).collect();
    assert_eq!(node.store.next_alert_ms(START_MS).unwrap().as_ref(), times.first());
    let due = found.into_iter().zip(times);
    due.map(|(it, at_ms)| (it.alert.definition.name, at_ms, it.marks)).collect()
}

fn evaluate(
    node: &Node,
    due: DueAlert,
    again_ms: Option<UnixMs>,
    notice: Option<Notice>,
) -> EvaluationWritten {
    let after = due.alert.clone();
    node.store.write_evaluation(NewEvaluation { due, after, again_ms, notice }).wait().unwrap()
}

#[test]
fn alert_is_read_replaced_and_removed() {
    let node = Node::alone();
    let kind = AlertKind::MentionRateBelow;
    let alert = insert(&node, "fewer", kind, Some(START_MS));
    let other = insert(&node, "other", kind, None);
    let id = node.store.alert_id(&alert);
    let read = |account: &str| node.store.alert(id, account).wait().unwrap();
    assert_eq!((read("team-a"), read("team-b")), (Some(alert.clone()), None));
    let taken = node.store.insert_alert(new_alert(&node, "other", kind), None).wait().unwrap();
    assert_eq!(taken.unwrap_err(), AlertError::NameTaken);
    let replace = |before: &Alert, paused| {
        let after = Alert { paused, ..before.clone() };
        node.store.replace_alert(before.clone(), after, Some(START_MS + 5)).wait().unwrap()
    };
    assert_eq!(due(&node), [("fewer".to_owned(), START_MS, 0)]);
    let paused = replace(&alert, true).unwrap();
    assert!(due(&node).is_empty());
    assert_eq!(replace(&alert, false).unwrap_err(), AlertError::Stale);
    let again = replace(&paused, false).unwrap();
    assert_eq!(due(&node), [("fewer".to_owned(), START_MS + 5, 0)]);
    assert_eq!(node.store.alerts(Some("team-a")).wait().unwrap(), [again.clone(), other.clone()]);
    assert!(node.store.alerts(Some("team-b")).wait().unwrap().is_empty());
    for alert in [&again, &other] {
        node.store.remove_alert(alert.clone()).wait().unwrap().unwrap();
    }
    let gone = node.store.remove_alert(again).wait().unwrap();
    assert_eq!(gone.unwrap_err(), AlertError::Gone);
    let left = node.ask("SELECT count(*) FROM things", vec![])[0].get::<_, i64>(0);
    assert_eq!(left, 0);
    node.store.close();
}

#[test]
fn notice_is_delivered_and_goes_with_its_alert() {
    let node = Node::alone();
    let alert = insert(&node, "fewer", AlertKind::MentionRateBelow, Some(START_MS));
    let found = node.store.due_alerts(START_MS, 10).unwrap().remove(0);
    let notice = new_notice(&node, &alert);
    let written = evaluate(&node, found.clone(), None, Some(notice.clone()));
    assert_eq!(written, EvaluationWritten::Written);
    assert!(due(&node).is_empty());
    // A node that has read it before is late.
    assert_eq!(evaluate(&node, found, None, None), EvaluationWritten::Stale);

    let alert = node.store.alert(node.store.alert_id(&alert), "team-a").wait().unwrap().unwrap();
    let asked = new_notice(&node, &alert);
    let test = node.store.add_notice(alert.clone(), Notice { is_test: true, ..asked });
    let test = test.wait().unwrap().unwrap();
    assert_eq!(test.number, 1);
    let alert = node.store.alert(node.store.alert_id(&alert), "team-a").wait().unwrap().unwrap();
    let sent = node.store.notices(&alert).wait().unwrap();
    assert_eq!(sent.iter().map(|it| &it.notice).collect::<Vec<_>>(), [&test, &notice]);
    assert_eq!(sent[1].id, node.store.notice_id(&notice));
    let state = |number: usize| sent[number].delivery.as_ref().unwrap().due_ms();
    assert_eq!((state(0), state(1)), (Some(START_MS), Some(START_MS)));
    let is_reported = node.store.read_delivery(
        notice.row,
        |_, reported| matches!(reported, Reported::Notice(found) if *found == notice),
    );
    assert!(is_reported.unwrap());

    let attempt =
        DeliveryAttempt { at_ms: START_MS + 1, took_ms: 1, outcome: Outcome::Status(200) };
    let noted = node.store.note_delivery(notice.row, attempt, 0, None, 0).unwrap().unwrap();
    assert_eq!((noted.due_ms(), noted.attempts), (None, 1));
    let sent = node.store.notices(&alert).wait().unwrap();
    assert_eq!(sent[1].delivery.as_ref(), Some(&noted));
    let outbox = || node.ask("SELECT row FROM outbox", vec![]).len();
    assert_eq!(outbox(), 1);
    node.store.remove_alert(alert.clone()).wait().unwrap().unwrap();
    assert_eq!((outbox(), node.store.notices(&alert).wait().unwrap().len()), (0, 0));
    assert_eq!(node.store.note_delivery(test.row, attempt, 0, None, 0).unwrap(), None);
    let left = node.ask("SELECT count(*) FROM things", vec![])[0].get::<_, i64>(0);
    assert_eq!(left, 0);
    node.store.close();
}

#[test]
fn answers_mark_the_alerts_of_their_tracker_when_their_batch_ends() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let tracker = put(&nodes[0], "acme", &["Acme"]);
    let alert = insert(&nodes[0], "fewer", AlertKind::MentionRateBelow, None);
    insert(&nodes[0], "elsewhere", AlertKind::BudgetReached, None);
    let (batch, items) = nodes[0].new_batch(3);
    let rows: Vec<_> = items.iter().map(|item| item.job.row).collect();
    nodes[0].store.submit_batch(batch, items).wait().unwrap().unwrap();
    for (number, row) in rows.iter().enumerate() {
        assert!(due(&nodes[0]).is_empty());
        let node = &nodes[number % 2];
        node.apply(*row, 0, Event::Start, None);
        if number < 2 {
            end_measured(node, *row, 10 + number as u64, observation(&tracker));
        } else {
            // The last one has no answer, and another node has measured the others.
            let failure = Failure::new(Reason::Refused, "no");
            node.apply(*row, 20, Event::Fail { lease: 1, failure }, None);
        }
    }
    assert_eq!(due(&nodes[1]), [("fewer".to_owned(), START_MS + 20, 1)]);

    let single = |node: &Node, after_ms| {
        let job = node.submit(node.new_job("alone"));
        node.apply(job.row, after_ms, Event::Start, None);
        end_measured(node, job.row, after_ms, observation(&tracker));
    };
    let found = nodes[1].store.due_alerts(START_MS + 20, 10).unwrap().remove(0);
    // It is due, so that an answer marks it once more; what was read before does not settle that.
    single(&nodes[0], 30);
    assert_eq!(evaluate(&nodes[1], found, None, None), EvaluationWritten::Written);
    assert_eq!(due(&nodes[1]), [("fewer".to_owned(), START_MS + 20, 2)]);
    let found = nodes[1].store.due_alerts(START_MS + 20, 10).unwrap().remove(0);
    assert_eq!(evaluate(&nodes[1], found, None, None), EvaluationWritten::Written);
    assert!(due(&nodes[1]).is_empty());
    // Those that come together are one run.
    single(&nodes[0], 1_000);
    single(&nodes[1], 2_000);
    assert_eq!(due(&nodes[0]), [("fewer".to_owned(), START_MS + 1_000 + SINGLE_ANSWERS_MS, 3)]);
    nodes[0].store.remove_alert(alert).wait().unwrap().unwrap();
    single(&nodes[1], 200_000);
    assert!(due(&nodes[0]).is_empty());
    nodes.iter().for_each(|node| node.store.close());
}

/// The due times of alerts in the effects of commits.
#[derive(Default)]
struct Alerts(Mutex<Vec<UnixMs>>);

impl Listener for Alerts {
    fn committed(&self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Alert { due_ms } = effect {
                self.0.lock().unwrap().push(*due_ms);
            }
        }
    }

    fn failed(&self, _: &StoreError) {}
}

#[test]
fn attempts_and_spending_mark_once_between_two_evaluations() {
    let node = Node::alone();
    let alerts = Arc::new(Alerts::default());
    node.store.listen(alerts.clone());
    insert(&node, "ill", AlertKind::ScraperUnhealthy, None);
    insert(&node, "spent", AlertKind::BudgetReached, None);
    let end = |after_ms: u64, searches| {
        let job = node.submit(node.new_job("x"));
        node.apply(job.row, after_ms, Event::Start, None);
        let call = AttemptCall {
            upstream: "openai".to_owned(),
            ended_ms: START_MS + after_ms,
            outcome: CallOutcome::Answered,
            took_ms: None,
            http_status: None,
            usage: UpstreamUsage { searches, ..UpstreamUsage::default() },
        };
        let failure = Failure::new(Reason::Refused, "no");
        let end = AttemptEnd {
            number: 1,
            due_ms: None,
            started_ms: START_MS,
            run_ms: 5,
            upstream: None,
            failure: Some(failure.clone()),
            calls: vec![call],
        };
        let ended = NewAttemptEnd { end, account: "team-a".to_owned(), label: None };
        let event = Event::Fail { lease: 1, failure };
        let (result, raw, observation) = (None, None, None);
        let outcome = NewOutcome { event, result, ended: Some(ended), raw, observation };
        node.store.begin_outcome(job.row, START_MS + after_ms, outcome).wait().unwrap().unwrap();
    };
    end(10, None);
    let ill = ("ill".to_owned(), START_MS + 10 + HEALTH_EVERY_MS, 1);
    assert_eq!(due(&node), std::slice::from_ref(&ill));
    end(20, Some(1));
    end(30, Some(1));
    let spent = ("spent".to_owned(), START_MS + 20 + SPEND_EVERY_MS, 1);
    assert_eq!(due(&node), [spent.clone(), ill.clone()]);
    assert_eq!(*alerts.0.lock().unwrap(), [ill.1, spent.1]);
    // A job that is stopped while it waits ends attempts as well.
    let found = node.store.due_alerts(ill.1, 10).unwrap();
    for due in found {
        assert_eq!(evaluate(&node, due, None, None), EvaluationWritten::Written);
    }
    assert!(due(&node).is_empty());
    let job = node.submit(node.new_job("stopped"));
    node.apply(job.row, 90_000, Event::Stop { failure: Failure::canceled() }, None);
    assert_eq!(due(&node), [("ill".to_owned(), START_MS + 90_000 + HEALTH_EVERY_MS, 2)]);
    node.store.close();
}

#[test]
fn notice_is_delivered_when_the_tables_of_its_hour_are_gone() {
    let place = Place::empty();
    let node = Node::of(options(&place, "a"));
    node.done("makes the tables of the hour");
    let alert = insert(&node, "fewer", AlertKind::MentionRateBelow, Some(START_MS));
    let found = node.store.due_alerts(START_MS, 10).unwrap().remove(0);
    let notice = new_notice(&node, &alert);
    evaluate(&node, found, None, Some(notice.clone()));
    let later_ms = START_MS + 26 * HOUR_MS;
    let ended = block_on(async { remove_hours(&place.connect().await, later_ms).await.unwrap() });
    let hour = RowParts::of(notice.row).hour;
    assert!(ended.contains(&(hour, HourEnd::Dropped)), "{ended:?}");
    assert_eq!(node.ask("SELECT row FROM outbox", vec![]).len(), 1);
    let attempt = DeliveryAttempt { at_ms: later_ms, took_ms: 1, outcome: Outcome::Status(200) };
    let noted = node.store.note_delivery(notice.row, attempt, 0, None, 0).unwrap().unwrap();
    assert_eq!(noted.due_ms(), None);
    assert!(node.store.read_delivery(notice.row, |_, _| ()).is_ok());
    node.store.close();
}
