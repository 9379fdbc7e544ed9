//! Counts of nodes and models of upstreams.

use super::fixture::{Node, options};
use super::{Place, START_MS};
use crate::job::ModelSeen;
use crate::store::{Counts, CountsKind};

fn counts(kind: CountsKind, number: u64, done: u32) -> Counts {
    let named = vec![("done".to_owned(), done)];
    Counts { kind, scraper: 0, number, named, times: vec![(3, done)] }
}

#[test]
fn node_goes_on_with_its_own_counts_and_old_ones_go() {
    let place = Place::empty();
    let [a, b] = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let of_a = vec![
        counts(CountsKind::Minute, 10, 1),
        counts(CountsKind::Minute, 11, 2),
        counts(CountsKind::Bucket, 2, 3),
        counts(CountsKind::Since, START_MS, 0),
    ];
    a.store.write_counts(of_a.clone(), 0, 0).unwrap();
    let of_b = vec![counts(CountsKind::Minute, 10, 7)];
    b.store.write_counts(of_b.clone(), 0, 0).unwrap();
    let a = a.reopen();
    assert_eq!(a.store.counts().unwrap(), (of_a[..3].to_vec(), Some(START_MS)));
    assert_eq!(b.store.counts().unwrap(), (of_b.clone(), None));

    // Those of the others, from some minutes and five minutes on.
    let of_others =
        |node: &Node, minutes_from| node.store.counts_elsewhere(minutes_from, 0).unwrap();
    assert_eq!(of_others(&b, 11), (of_a[1..3].to_vec(), Some(START_MS)));
    assert_eq!(of_others(&b, 0).0.len(), 3);
    assert_eq!(of_others(&a, 0), (of_b.clone(), None));

    // What is written again takes the place of what was, and what is older is forgotten.
    let later = counts(CountsKind::Minute, 11, 5);
    a.store.write_counts(vec![later.clone()], 11, 0).unwrap();
    let (known, _) = a.store.counts().unwrap();
    assert_eq!(known, [later, of_a[2].clone()]);
    assert!(b.store.counts().unwrap().0.is_empty());
    [a, b].iter().for_each(|node| node.store.close());
}

#[test]
fn models_of_an_upstream_are_those_that_any_node_has_seen() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let seen = |model: &str, at_ms| ModelSeen { model: model.to_owned(), since_ms: at_ms };
    let note = |node: &Node, upstream: &str, seen| {
        node.store.note_model(upstream.to_owned(), seen).wait().unwrap();
    };
    note(&nodes[0], "openai", seen("one", 1));
    note(&nodes[1], "openai", seen("two", 2));
    note(&nodes[1], "openai", seen("two", 3));
    note(&nodes[0], "a-longer-name", seen("x", 4));
    let expected = [
        ("a-longer-name".to_owned(), vec![seen("x", 4)]),
        ("openai".to_owned(), vec![seen("one", 1), seen("two", 2)]),
    ];
    assert_eq!(nodes[1].store.models().unwrap(), expected);
    nodes.iter().for_each(|node| node.store.close());
}
