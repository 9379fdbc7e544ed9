//! A synchronous standby that comes and goes.

use super::fixture::{Node, options};
use super::listening::{second, until};
use super::{Place, PostgresServer, START_MS};
use crate::clock::Clock;
use crate::store::StoreError;
use crate::store::shared::handle::SharedStore;
use crate::store::shared::options::SharedOptions;

#[test]
fn store_takes_writes_while_a_synchronous_standby_is_connected() {
    let primary = PostgresServer::start();
    let place = Place::of(&primary);
    let (clock, hand) = Clock::manual(START_MS);
    let near = options(&place, "a");
    let options = SharedOptions { require_standby: true, clock, ..near };
    let refused = SharedStore::open(&options).err();
    let Some(StoreError::NoStandby(error)) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("synchronous_standby_names"), "{error}");

    let standby = primary.start_synchronous_standby();
    let a = Node::of(options);
    a.submit(a.new_job("x"));
    standby.kill();
    until("an outage", || {
        second(&hand, &a, "a");
        a.store.failure().is_some()
    });
    let error = a.store.failure().unwrap();
    assert!(error.to_string().contains("no synchronous standby is connected"), "{error}");
    // What is there can be read all the same.
    assert_eq!(a.depth(0), 1);
    standby.start_again();
    until("the end of the outage", || {
        second(&hand, &a, "a");
        a.store.failure().is_none()
    });
    a.submit(a.new_job("y"));
    assert_eq!(a.depth(0), 2);
    a.store.close();
}
