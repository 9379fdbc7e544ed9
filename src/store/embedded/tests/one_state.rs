//! Between a commit and the change of what readers see: every reader sees the one state or the
//! other.

use super::*;
use crate::job::{Failure, Reason};
use crate::store::outbox::NewDelivery;

const URL: &str = "https://a.example/hook";

/// What every kind of reader sees of the end of a batch of one job.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    poll: bool,
    list: bool,
    ready: bool,
    outbox: usize,
    delivery: bool,
    batch: u32,
    batch_delivery: bool,
    credits_reserved: u64,
    jobs_done: u64,
    deliveries_pending: u64,
}

impl Seen {
    fn of(store: &Store, job: &Job) -> Seen {
        let now_ms = START_MS + 5;
        let poll = store.read_row(job.row, now_ms, |job, _| job.state.finished()).wait().unwrap();
        let filter = ListFilter {
            account: job.account.clone(),
            status: Some("failed"),
            ..ListFilter::default()
        };
        let list = store.list(&filter, None, 10, now_ms).unwrap();
        let mut outbox = 0;
        let visit = |_, _| {
            outbox += 1;
            ControlFlow::Continue(())
        };
        store.visit_outbox(now_ms, None, visit).unwrap();
        let mut ready = false;
        let visit = |_| {
            ready = true;
            ControlFlow::Break(())
        };
        store.visit_ready(0, false, now_ms, visit).wait().unwrap();
        let key = job.batch.unwrap();
        let batch = store.batch(key.id, now_ms).wait().unwrap().unwrap();
        let usage = store.usage(&job.account, START_MS, now_ms).wait().unwrap();
        let failed = usage.iter().flat_map(|day| &day.scrapers).map(|(_, used)| used.failed);
        Seen {
            poll: poll.unwrap(),
            list: !list.jobs.is_empty(),
            ready,
            outbox,
            delivery: store.delivery(job.row).wait().unwrap().is_some(),
            batch: batch.progress.failed,
            batch_delivery: store.delivery(key.row).wait().unwrap().is_some(),
            credits_reserved: store.credits(&job.account, MONTH).wait().unwrap().reserved,
            jobs_done: failed.sum(),
            deliveries_pending: store.sizes().wait().unwrap().deliveries_pending,
        }
    }
}

const BEFORE: Seen = Seen {
    poll: false,
    list: false,
    ready: true,
    outbox: 0,
    delivery: false,
    batch: 0,
    batch_delivery: false,
    credits_reserved: 3,
    jobs_done: 0,
    deliveries_pending: 0,
};
const AFTER: Seen = Seen {
    poll: true,
    list: true,
    ready: false,
    outbox: 2,
    delivery: true,
    batch: 1,
    batch_delivery: true,
    credits_reserved: 0,
    jobs_done: 1,
    deliveries_pending: 2,
};

/// Ends the job of a batch of one; what is seen between the commit and the change of what readers
/// see.
fn seen_at_commit(read_before: bool) -> Seen {
    let fixture = Fixture::new();
    let job = submit_batch_of_one(&fixture);
    if read_before {
        assert_eq!(Seen::of(&fixture.store, &job), BEFORE);
    }
    let (see, seen) = crossbeam_channel::bounded(1);
    let (go_on, may_go_on) = crossbeam_channel::bounded::<()>(1);
    fixture.store.after_commit(move || {
        see.send(()).unwrap();
        may_go_on.recv().unwrap();
    });
    let failure = Failure::new(Reason::Canceled, "no");
    let stop = move |_: &Job| Event::Stop { failure: failure.clone() };
    let ended = fixture.store.begin_transition(job.row, START_MS + 5, stop, None);
    seen.recv().unwrap();
    let between = Seen::of(&fixture.store, &job);
    fixture.store.forget_after_commit();
    go_on.send(()).unwrap();
    ended.wait().unwrap().unwrap();
    assert_eq!(Seen::of(&fixture.store, &job), AFTER);
    between
}

fn submit_batch_of_one(fixture: &Fixture) -> Job {
    let (key, identities) = fixture.store.new_batch_identity("team-a", 1).wait().unwrap();
    let webhook_url = Some(URL.to_owned());
    let job = Job {
        row: identities[0].row,
        nonce: identities[0].nonce,
        batch: Some(key),
        webhook_url: webhook_url.clone(),
        ..fixture.new_job("one")
    };
    let item = NewItem { job: job.clone(), result: None, limits: NO_LIMITS };
    let batch = crate::job::Batch {
        key,
        account: job.account.clone(),
        label: None,
        items: 1,
        refused: Vec::new(),
        created_ms: START_MS,
        expires_ms: job.expires_ms,
        idempotency: None,
        webhook_url,
        progress: crate::job::BatchProgress::default(),
    };
    fixture.store.submit_batch(batch, vec![item]).wait().unwrap().unwrap();
    job
}

#[test]
fn readers_see_one_state_between_commit_and_snapshot() {
    assert_eq!(seen_at_commit(true), BEFORE);
    // Nobody has read the old state, so that the first reader makes the new one visible to all.
    assert_eq!(seen_at_commit(false), AFTER);
}

#[test]
fn delivery_of_an_unfinished_job_is_damage() {
    let fixture = Fixture::new();
    let webhook_url = Some(URL.to_owned());
    let job = fixture.submit(Job { webhook_url, ..fixture.new_job("runs") });
    let ended = Job {
        state: State::Failed(Failure::canceled()),
        completed_ms: Some(START_MS),
        ..job.clone()
    };
    let file = move |tables: &mut Tables<'_>| {
        let sealed = super::super::outbox::seal(NewDelivery::of_job(&ended))?;
        super::super::outbox::file(tables, sealed)
    };
    fixture.write(file).wait().unwrap();
    let read = fixture.store.read_delivery(job.row, |_, _| ());
    assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
}
