//! The loops of open stores, by a clock that the tests move and through a proxy that they close.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::nodes::declare_dead;
use super::fixture::{NO_LIMITS, Node, options};
use super::listening::{beats, listen, second, until, with_clock};
use super::proxy::{Cut, Door, Proxy};
use super::{Place, PostgresServer, START_MS, block_on, number, run};
use crate::clock::{Clock, ManualClock};
use crate::job::{Event, Job, State, TransitionError};
use crate::store::effects::Effect;
use crate::store::shared::options::SharedOptions;
use crate::store::shared::pg_options::PgOptions;
use crate::store::{Blocking, NewResult, Row, StoreError};

/// A node whose connections go through a proxy, and a clock.
struct Distant {
    node: Node,
    proxy: Proxy,
    hand: Arc<ManualClock>,
}

impl Distant {
    fn open(place: &Place, name: &str, (clock, hand): (Clock, Arc<ManualClock>)) -> Distant {
        let proxy = Proxy::start(PostgresServer::shared().folder());
        let url = format!("postgres://answerd@127.0.0.1:{}/postgres", proxy.port);
        let near = options(place, name);
        let options = SharedOptions { pg: PgOptions { url, ..near.pg }, clock, ..near };
        Distant { node: Node::of(options), proxy, hand }
    }

    fn cut_off(&self, door: Door) {
        self.proxy.set_door(door);
        self.proxy.cut_all();
    }
}

fn start(node: &Node, row: Row, after_ms: u64) -> Result<Job, TransitionError> {
    node.store.begin_start(row, START_MS + after_ms, |_| Event::Start).wait().unwrap()
}

fn reserve(node: &Node) -> Vec<Row> {
    node.store.reserve(0, false, START_MS + 60_000, 10, |_| false).unwrap()
}

#[test]
fn node_that_was_declared_dead_registers_again_and_goes_on() {
    let place = Place::empty();
    let a = Node::of(options(&place, "a"));
    let job = a.submit(a.new_job("x"));
    let before = a.store.process.status.number();
    block_on(async {
        let session = place.connect().await;
        assert!(declare_dead(&session, before, None).await.unwrap());
    });
    a.apply(job.row, 1, Event::Start, None);
    a.submit(a.new_job("y"));
    assert!(a.store.process.status.number() > before);
    assert_eq!((a.depth(0), a.store.failure().is_none()), (2, true));
    a.store.close();
}

#[test]
fn batch_that_was_committed_before_its_node_was_declared_dead_is_not_written_twice() {
    for (cut, name) in [(Cut::Behind, "committed"), (Cut::Before, "not committed")] {
        let place = Place::empty();
        let a = Distant::open(&place, "a", Clock::manual(START_MS));
        // The writer connects.
        let first = a.node.submit(a.node.new_job("first"));
        a.proxy.plan([cut]);
        a.proxy.set_door(Door::Held);
        // Of the same writer.
        let jobs = [a.node.new_job("x"), a.node.new_job("x")];
        let job = jobs.into_iter().find(|job| job.row % 2 == first.row % 2).unwrap();
        let pending = a.node.store.submit(job.clone(), None, NO_LIMITS);
        until("the cut", || a.proxy.planned() == 0);
        block_on(async {
            let session = place.connect().await;
            let node = a.node.store.process.status.number();
            assert!(declare_dead(&session, node, None).await.unwrap());
            let known = number(&session, "SELECT count(*) FROM queue").await;
            assert_eq!(known, 1 + i64::from(cut == Cut::Behind), "{name}");
        });
        a.proxy.set_door(Door::Open);
        assert_eq!(pending.wait().unwrap().unwrap().row, job.row, "{name}");
        assert_eq!(a.node.depth(0), 2, "{name}");
        a.node.store.close();
    }
}

#[test]
fn database_that_is_away_is_noticed_and_found_again() {
    let place = Place::empty();
    let a = Distant::open(&place, "a", Clock::manual(START_MS));
    let heard = listen(&a.node);
    a.node.submit(a.node.new_job("x"));
    assert!(a.node.store.failure().is_none() && a.node.store.outage().is_none());
    a.cut_off(Door::Shut);
    until("an outage", || {
        a.hand.advance_ms(100);
        a.node.store.failure().is_some()
    });
    assert!(matches!(a.node.store.failure(), Some(StoreError::Unavailable(_))));
    until("the word of it", || *heard.failures.lock().unwrap() == 1);
    let over = a.node.store.outage().unwrap();
    // What is submitted meanwhile waits for a while.
    let waits = a.node.store.submit(a.node.new_job("y"), None, NO_LIMITS);
    a.proxy.set_door(Door::Open);
    assert!(over.recv().is_err());
    assert!(waits.wait().unwrap().is_ok());
    assert!(a.node.store.failure().is_none());
    a.node.store.recover(0).unwrap();
    assert_eq!(a.node.depth(0), 2);
    a.node.store.close();
}

#[test]
fn jobs_of_a_node_that_hangs_are_taken_by_another_within_20_s() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = Distant::open(&place, "a", (clock.clone(), hand.clone()));
    let b = with_clock(&place, "b", &clock);
    let heard = listen(&b);
    assert!(a.node.store.process.status.leads() && !b.store.process.status.leads());
    let job = a.node.submit(a.node.new_job("x"));
    assert_eq!(reserve(&a.node), [job.row]);
    assert_eq!(start(&b, job.row, 1).unwrap_err(), TransitionError::StaleLease);
    assert_eq!(start(&a.node, job.row, 1).unwrap().lease, 1);
    assert_eq!(reserve(&b), [] as [Row; 0]);
    a.cut_off(Door::Held);
    let mut seconds = 0;
    while beats(&b, "a") >= 0 {
        second(&hand, &b, "b");
        seconds += 1;
        assert!(seconds <= 18, "a is still a node");
    }
    assert!(seconds > 14);
    second(&hand, &b, "b");
    until("the lead", || b.store.process.status.leads());
    let open = Effect::Open { scraper: 0 };
    until("the open job", || heard.effects.lock().unwrap().contains(&open));
    assert_eq!(reserve(&b), [job.row]);
    assert_eq!(start(&b, job.row, 20_000).unwrap().lease, 2);
    // The first one comes back, with an answer that is too late.
    a.proxy.set_door(Door::Open);
    let late = |_: &Job| Event::Succeed { lease: 1, present: None };
    let late = a.node.store.begin_transition(job.row, START_MS + 21_000, late, None).wait();
    assert_eq!(late.unwrap().unwrap_err(), TransitionError::StaleLease);
    let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
    let done = b.apply(job.row, 22_000, Event::Succeed { lease: 2, present: None }, Some(result));
    assert_eq!((done.state, b.depth(0)), (State::Done, 0));
    a.node.store.close();
    b.store.close();
}

#[test]
fn node_that_starts_again_under_its_name_takes_up_its_jobs_at_once() {
    let place = Place::empty();
    let a = Node::of(options(&place, "a"));
    let job = a.submit(a.new_job("x"));
    assert_eq!(start(&a, job.row, 1).unwrap().lease, 1);
    // As after a crash: nothing was given back.
    drop(a);
    let a = Node::of(options(&place, "a"));
    assert!(a.store.process.status.leads());
    assert_eq!(reserve(&a), [job.row]);
    let again = start(&a, job.row, 2).unwrap();
    assert_eq!((again.lease, again.attempts), (2, 2));
    a.store.close();
}

#[test]
fn what_one_node_does_at_a_time_goes_over_to_another_when_it_stops() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = Node::of(options(&place, "a"));
    let b = with_clock(&place, "b", &clock);
    let late = Job { start_by_ms: Some(START_MS + 5), ..a.new_job("x") };
    let job = a.submit(late);
    let deadlines = |node: &Node| node.store.next_deadline_ms().unwrap();
    assert_eq!((deadlines(&a), deadlines(&b)), (Some(START_MS + 5), None));
    assert_eq!(a.store.next_expiry_ms().unwrap(), Some(job.expires_ms));
    assert!(b.store.end_overdue(START_MS + 5).unwrap().ended.is_empty());
    a.store.close();
    second(&hand, &b, "b");
    until("the lead", || b.store.process.status.leads());
    assert_eq!(deadlines(&b), Some(START_MS + 5));
    let ended = b.store.end_overdue(START_MS + 5).unwrap().ended;
    assert_eq!(ended.iter().map(|job| job.row).collect::<Vec<_>>(), [job.row]);
    b.store.close();
}

#[test]
fn delivery_is_made_by_one_node_and_by_another_when_that_is_gone() {
    let place = Place::empty();
    let nodes = ["a", "b"].map(|name| Node::of(options(&place, name)));
    let [a, b] = &nodes;
    let webhook_url = Some("https://a.example/hook".to_owned());
    let job = a.submit(Job { webhook_url, ..a.new_job("x") });
    a.apply(job.row, 1, Event::Start, None);
    let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
    a.apply(job.row, 2, Event::Succeed { lease: 1, present: None }, Some(result));
    let due = |node: &Node| {
        let mut rows = Vec::new();
        let visit = |(_, row), _| {
            rows.push(row);
            ControlFlow::Continue(())
        };
        node.store.visit_outbox(START_MS + 10, None, visit).unwrap();
        rows
    };
    assert_eq!(b.store.next_delivery_ms(0).unwrap(), Some(START_MS + 2));
    assert_eq!(due(a), [job.row]);
    assert_eq!((due(b), due(a)), (vec![], vec![job.row]));
    assert_eq!(b.store.next_delivery_ms(0).unwrap(), None);
    a.store.close();
    assert_eq!(due(b), [job.row]);
    b.store.close();
}

#[test]
fn scraper_that_another_node_has_added_is_known_after_its_first_job() {
    let place = Place::empty();
    let a = Node::of(options(&place, "a"));
    let scrapers = vec!["chatgpt".to_owned(), "grok".to_owned()];
    let b = Node::of(SharedOptions { scrapers, ..options(&place, "b") });
    let new = b.new_job("x");
    let request = crate::job::ScrapeRequest { scraper: "grok".to_owned(), ..new.request.clone() };
    let job = b.submit(Job { request, ..new });
    assert!(a.store.read_row(job.row, START_MS, |_, _| ()).wait().is_err());
    a.store.refresh(0).unwrap();
    let scraper = a.store.read_row(job.row, START_MS, |job, _| job.request.scraper.clone()).wait();
    assert_eq!(scraper.unwrap().as_deref(), Some("grok"));
    assert_eq!(a.store.unfinished(2), 1);
    a.store.close();
    b.store.close();
}

#[test]
fn server_that_has_no_room_is_given_no_jobs_for_a_while() {
    let place = Place::empty();
    let (clock, hand) = Clock::manual(START_MS);
    let a = with_clock(&place, "a", &clock);
    let job = a.submit(a.new_job("x"));
    block_on(async {
        let full = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                    $$ BEGIN RAISE 'no space left on device' USING ERRCODE = '53100'; END $$; \
                    CREATE TRIGGER refuse BEFORE INSERT ON queue \
                    FOR EACH ROW EXECUTE FUNCTION refuse()";
        run(&place.connect().await, full).await;
    });
    let refused = a.store.submit(a.new_job("y"), None, NO_LIMITS).wait();
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(a.store.room().is_err() && a.store.failure().is_some());
    // What needs no room is written.
    assert_eq!(start(&a, job.row, 1).unwrap().lease, 1);
    a.store.recover(0).unwrap();
    assert!(a.store.room().is_err() && a.store.failure().is_none());
    hand.advance_ms(30_000);
    a.store.room().unwrap();
    block_on(async { run(&place.connect().await, "DROP TRIGGER refuse ON queue").await });
    a.submit(a.new_job("z"));
    assert_eq!(a.depth(0), 2);
    a.store.close();
}

#[test]
fn clock_that_can_be_corrected_goes_by_that_of_the_database() {
    let clock = Clock::corrected();
    clock.correct_by(3_600_000);
    let near = options(&Place::empty(), "a");
    let a = Node::of(SharedOptions { clock: clock.clone(), ..near });
    let off_ms = clock.now_ms().abs_diff(Clock::System.now_ms());
    assert!(off_ms < 2_000, "{off_ms}");
    let ahead_ms = a.store.node_figures().clock_ahead_ms;
    assert!(ahead_ms.is_some_and(|ahead_ms| ahead_ms.abs() < 2_000), "{ahead_ms:?}");
    a.store.close();
}
