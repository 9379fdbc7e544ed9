//! A webhook, a list, a poll and a long poll that wait between the commit that ends a job and the
//! change of what readers see.

use super::super::breakpoints::Point;
use super::steps::Order;
use super::world::World;
use super::*;
use crate::store::ListFilter;

/// Whether a poll and a list say that the job is done.
fn done(store: &Store, row: Row) -> (bool, bool) {
    let poll = store.read_row(row, START_MS, |job, _| job.state == State::Done).wait().unwrap();
    let filter = ListFilter {
        account: "anonymous".to_owned(),
        status: Some("done"),
        ..ListFilter::default()
    };
    (poll.unwrap(), !store.list(&filter, None, 1, START_MS).unwrap().jobs.is_empty())
}

#[test]
fn webhook_carries_the_ended_job_between_commit_and_snapshot() {
    let mut world = World::new([]);
    let row = world.submit(|_| ());
    let worker = world.run_to(Point::OutcomeKnown);
    let store = world.store().clone();
    // Somebody reads the state that is about to be replaced.
    assert_eq!(done(&store, row), (false, false));
    let mut long_poll = world.steps().engine.wait_for(row);

    let (reach, reached) = crossbeam_channel::bounded(1);
    let (go_on, may_go_on) = crossbeam_channel::bounded::<()>(1);
    store.after_commit(move || {
        reach.send(()).unwrap();
        may_go_on.recv().unwrap();
    });
    std::thread::scope(|scope| {
        let steps = world.steps();
        scope.spawn(move || steps.step(&worker, Order::GoOn));
        reached.recv_timeout(PATIENCE).unwrap();
        assert_eq!(done(&store, row), (false, false));
        assert!(!long_poll.is_over(), "the long poll was answered too early");
        steps.engine.look_at_webhooks();
        if steps.engine.deliverer.has_due(START_MS) {
            steps.step("webhook-1", Order::GoOn);
        }
        store.forget_after_commit();
        go_on.send(()).unwrap();
    });
    assert_eq!(done(&store, row), (true, true));
    assert!(long_poll.is_over(), "the long poll was not answered");
    drop(long_poll);
    world.until("the webhook is not sent", |world| world.over(row));
    let webhooks = world.webhooks();
    assert_eq!(webhooks.len(), 1);
    assert_eq!(webhooks[0].body["status"], "done");
}
