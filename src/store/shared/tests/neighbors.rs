//! What nodes publish of themselves is seen by the others, and what the database says of the store.

use std::collections::BTreeMap;

use super::super::database_look::DatabaseLook;
use super::fixture::{Node, options};
use super::listening::{listen, second, until, with_clock};
use super::{Place, START_MS, block_on, run};
use crate::clock::Clock;
use crate::config::{Agreement, Settings};
use crate::store::{NodeNews, NodeReport, ScraperLoad};

fn news(settings: &Settings, workers: usize) -> NodeNews {
    NodeNews {
        scrapers: vec![ScraperLoad { scraper: 0, workers, running: 1, run_ms: 20 }],
        upstreams: vec!["openai".to_owned()],
        settings: Some(Agreement::of(settings, &settings.keys)),
    }
}

#[test]
fn nodes_see_each_other_and_where_their_settings_differ() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let [a, b] = ["a", "b"].map(|name| with_clock(&place, name, &clock));
    let settings = Settings::load_from(None, &BTreeMap::new()).unwrap();
    let mut other = settings.clone();
    other.store.retention_ms += 1;
    *listen(&a).news.lock().unwrap() = news(&settings, 4);
    let heard_b = listen(&b);
    *heard_b.news.lock().unwrap() = news(&other, 7);
    let meet = || {
        second(&hand, &a, "a");
        second(&hand, &b, "b");
    };
    let seen = |of: &Node, name: &str| -> Option<NodeReport> {
        of.store.nodes().into_iter().find(|node| node.name == name)
    };
    until("the difference", || {
        meet();
        seen(&a, "b").is_some_and(|b| b.settings_differ == ["retention"])
    });
    let (own, others) = (seen(&a, "a").unwrap(), seen(&a, "b").unwrap());
    assert_eq!((own.is_self, own.leads, own.settings_differ), (true, true, vec![]));
    assert_eq!((others.is_self, others.leads), (false, false));
    assert_eq!((own.news, others.news), (news(&settings, 4), news(&other, 7)));
    assert!(others.silent_ms <= 2_000 && others.number > own.number);
    let figures = a.store.node_figures();
    assert_eq!((figures.name.as_str(), figures.nodes.len(), figures.leads), ("a", 2, true));
    let open = |role| figures.connections.iter().find(|(of, _)| *of == role).unwrap().1;
    assert_eq!((open("beat"), open("upkeep")), (1, 1));

    *heard_b.news.lock().unwrap() = news(&settings, 7);
    until("the same settings", || {
        meet();
        seen(&a, "b").is_some_and(|b| b.settings_differ.is_empty())
    });
    b.store.close();
    until("the end of b", || {
        second(&hand, &a, "a");
        a.store.nodes().len() == 1
    });
    assert_eq!(a.store.node_figures().nodes_dead, 0, "it has left");
    a.store.close();
}

#[test]
fn node_that_falls_silent_is_counted_as_dead_by_one() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let b = with_clock(&place, "b", &clock);
    // Its clock stands still, so that it does not beat.
    let a = Node::of(options(&place, "a"));
    until("the death of a", || {
        second(&hand, &b, "b");
        b.store.node_figures().nodes_dead == 1
    });
    drop(a);
    b.store.close();
}

#[test]
fn messages_of_a_node_say_how_long_they_take() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = with_clock(&place, "a", &clock);
    let b = Node::of(options(&place, "b"));
    second(&hand, &a, "a");
    until("the other node", || !a.store.process.status.is_alone());
    until("a message", || {
        a.submit(a.new_job("x"));
        a.store.node_figures().wake_lags_us.count() > 0
    });
    let lags = a.store.node_figures().wake_lags_us;
    assert!(lags.sum > 0 && lags.sum / lags.count() < 60_000_000);
    a.store.close();
    b.store.close();
}

#[test]
fn transaction_that_keeps_old_rows_is_found_with_its_age() {
    block_on(async {
        let (place, session) = Place::prepared().await;
        let holder = place.connect().await;
        run(&holder, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;").await;
        let mut database = DatabaseLook::default();
        let first = database.look(&session).await.unwrap();
        let mut later = first;
        while later.oldest_snapshot_ms < first.oldest_snapshot_ms + 20 {
            later = database.look(&session).await.unwrap();
        }
        assert_eq!((later.hours, later.queue_dead_rows), (0, 0));
    });
}
