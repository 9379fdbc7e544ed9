//! What was spent, by several writers.

use super::fixture::{Node, options};
use super::{Place, START_MS, block_on};
use crate::job::{AttemptCall, AttemptEnd, CallOutcome, UpstreamUsage};
use crate::store::shared::folding::SumFolder;
use crate::store::{Blocking, LABELS_MAX, NewAttemptEnd, OTHER_LABELS, Row};

/// Notes an attempt that has searched once.
fn spend(node: &Node, row: Row, number: u32, label: &str) {
    let call = AttemptCall {
        upstream: "openai".to_owned(),
        ended_ms: START_MS,
        outcome: CallOutcome::Answered,
        took_ms: None,
        http_status: None,
        usage: UpstreamUsage { searches: Some(1), ..UpstreamUsage::default() },
    };
    let end = AttemptEnd {
        number,
        due_ms: None,
        started_ms: START_MS,
        run_ms: 5,
        upstream: None,
        failure: None,
        calls: vec![call],
    };
    let label = Some(label.to_owned()).filter(|label| !label.is_empty());
    let ended = NewAttemptEnd { end, account: "team-a".to_owned(), label };
    node.store.note_attempt(row, ended).wait().unwrap();
}

#[test]
fn spending_of_several_writers_adds_up_and_further_labels_are_counted_together() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let rows = nodes.each_ref().map(|node| node.done("x").row);
    let mut number = 0;
    let mut by_both = |label: &str| {
        for (node, row) in nodes.iter().zip(rows) {
            number += 1;
            spend(node, row, number, label);
        }
    };
    by_both("");
    for label in 0..LABELS_MAX {
        by_both(&format!("label {label}"));
    }
    by_both("one more");
    by_both("label 7");
    let found = nodes[0].store.spend(Some("team-a"), START_MS, START_MS).wait().unwrap();
    let of = |label: &str| found.iter().find(|row| row.label == label).map(|row| row.spend.calls);
    assert_eq!(found.len(), LABELS_MAX + 2);
    assert_eq!((of(""), of("label 0"), of("label 7")), (Some(2), Some(2), Some(4)));
    assert_eq!((of("one more"), of(OTHER_LABELS)), (None, Some(2)));
    // What a node that is gone has added is folded, and is the same.
    nodes[1].store.close();
    let sums = |node: &Node| -> i64 {
        node.ask("SELECT count(*) FROM things WHERE kind = 4 AND value <> ''", vec![])[0].get(0)
    };
    let before = sums(&nodes[0]);
    block_on(async {
        SumFolder::default().pass(&place.connect().await).await.unwrap();
    });
    assert_eq!(nodes[0].store.spend(Some("team-a"), START_MS, START_MS).wait().unwrap(), found);
    assert!(sums(&nodes[0]) <= before);
    let slots = "SELECT count(DISTINCT substr(key, length(key) - 3)) FROM things WHERE kind = 4";
    let of_a = 2;
    assert!(nodes[0].ask(slots, vec![])[0].get::<_, i64>(0) <= of_a + 1);
    nodes[0].store.close();
}
