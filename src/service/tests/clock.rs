//! A clock that is wrong for a while: nothing expires early, and nothing is stuck.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use uuid::Uuid;

use super::*;
use crate::engine::breakpoints::Point;
use crate::engine::tests::steps::Order;
use crate::job::{Handling, Job, RawRequest, Reason};
use crate::store::EvidenceOwner;

const YEAR_MS: u64 = 365 * 86_400_000;
const MINUTE_MS: u64 = 60_000;
const RETENTION_MS: u64 = 86_400_000;

impl World {
    /// Submits a job with a webhook; gives its id.
    fn submit(&self, scraper: &str) -> String {
        let prompt = Some(format!("asked at {}", self.now_ms()));
        let raw = RawRequest { prompt, ..RawRequest::default() };
        let request = raw.check(scraper, &[]).unwrap();
        let webhook_url = Some(self.receiver.url());
        let handling = Handling { webhook_url, ..Handling::default() };
        let caller = Caller::plain("team-a");
        let accepted = self.service().submit(&caller, request, handling);
        self.runtime.block_on(accepted).unwrap().id.to_string()
    }

    /// Lets every thread go on until none has anything to do.
    fn settle(&self) {
        let steps = &self.life().steps;
        steps.engine.look_at_webhooks();
        while let Some((name, _)) = steps.ready().into_iter().next() {
            steps.step(&name, Order::GoOn);
        }
    }

    /// Sets the wall clock, and lets the scheduler make a pass as it does within ten seconds.
    fn set(&self, at_ms: UnixMs) {
        self.clock.1.set_ms(at_ms);
        let _ = self.life().steps.engine.scheduler_passes();
        self.settle();
    }

    fn pass(&self, minutes: u64) {
        for _ in 0..minutes {
            self.clock.1.advance_ms(MINUTE_MS);
            self.settle();
        }
    }

    /// The job's status, how many attempts it has had, and when it expires; `None` where it is not.
    fn told(&self, id: &str) -> Option<(&'static str, u32, UnixMs)> {
        let read = |job: &Job, _: Uuid, _: Option<&[u8]>| {
            (job.state.status(), job.attempts, job.expires_ms)
        };
        match self.service().job(id, read).wait() {
            Ok(told) => Some(told),
            Err(ServiceError::JobNotFound) => None,
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Whether the store holds any job, be it expired.
    fn empty(&self) -> bool {
        self.life().store.newest_created_ms().unwrap().is_none()
    }
}

#[test]
fn jobs_from_a_clock_that_was_a_year_ahead_run_after_a_start_as_others_do() {
    let mut world = World::new("");
    world.set(START_MS + YEAR_MS);
    world.script.next(Act::Fail(Reason::Empty));
    let retried = world.submit("chatgpt");
    world.settle();
    let queued = world.submit("perplexity");
    let expires_ms = START_MS + YEAR_MS + RETENTION_MS;
    assert_eq!(world.told(&retried), Some(("pending", 1, expires_ms)));

    world.clock.1.set_ms(START_MS);
    world.kill();
    world.settle();
    assert_eq!(world.told(&queued), Some(("done", 1, expires_ms)));
    assert_eq!(world.told(&retried), Some(("pending", 1, expires_ms)));
    world.clock.1.advance_ms(1_000);
    world.settle();
    assert_eq!(world.told(&retried), Some(("done", 2, expires_ms)));
    assert_eq!(world.receiver.told().len(), 2);

    // Those that come now wait as they should, and expire when they should.
    let later_expires_ms = world.now_ms() + RETENTION_MS;
    world.script.next(Act::Fail(Reason::Empty));
    let later = world.submit("chatgpt");
    world.settle();
    assert_eq!(world.told(&later), Some(("pending", 1, later_expires_ms)));
    world.clock.1.advance_ms(1_000);
    world.settle();
    assert_eq!(world.told(&later), Some(("done", 2, later_expires_ms)));
    world.clock.1.advance_ms(RETENTION_MS - 1_000);
    world.settle();
    assert_eq!(world.told(&later), None);
    assert_eq!(world.told(&retried), Some(("done", 2, expires_ms)));
}

#[test]
fn a_retry_does_not_wait_for_a_clock_that_is_set_back() {
    let world = World::new("");
    world.script.next(Act::Fail(Reason::Empty));
    let id = world.submit("chatgpt");
    world.settle();
    world.set(START_MS - YEAR_MS);
    assert_eq!(world.told(&id), Some(("pending", 1, START_MS + RETENTION_MS)));
    world.clock.1.advance_ms(1_000);
    world.settle();
    assert_eq!(world.told(&id), Some(("done", 2, START_MS + RETENTION_MS)));
    assert_eq!(world.receiver.told().len(), 1);
}

#[test]
fn a_start_with_the_clock_a_year_ahead_loses_nothing_when_it_is_put_right() {
    let mut world = World::new("");
    let done = world.submit("chatgpt");
    world.settle();
    let queued = world.submit("perplexity");
    world.clock.1.set_ms(START_MS + YEAR_MS);
    world.kill();
    world.settle();
    assert_eq!((world.told(&done), world.told(&queued)), (None, None));
    world.pass(9);
    assert!(!world.empty());

    world.set(START_MS + 9 * MINUTE_MS);
    let expires_ms = START_MS + RETENTION_MS;
    assert_eq!(world.told(&done), Some(("done", 1, expires_ms)));
    assert_eq!(world.told(&queued), Some(("done", 1, expires_ms)));
}

#[test]
fn attempts_and_counts_survive_a_kill_and_a_restart() {
    let mut world = World::new("");
    world.script.next(Act::Fail(Reason::Empty));
    let id = world.submit("chatgpt");
    world.settle();
    world.clock.1.advance_ms(1_000);
    world.settle();
    let caller = Caller::plain("team-a");
    let seen = |world: &World| {
        let service = world.service();
        let attempts = service.attempts(&caller, &id).wait().unwrap().ended;
        let days = service.days();
        let known = days.iter().find(|(status, _)| status.scraper.name == "chatgpt");
        let counts = known.map(|(status, day)| (status.health.clone(), day.clone())).unwrap();
        (attempts, counts, service.since_ms())
    };
    // The counts are written once a minute.
    world.pass(2);
    let before = seen(&world);
    let (attempts, (health, day), since_ms) = &before;
    let ends = attempts.iter().map(|end| {
        let reason = end.failure.as_ref().map(|failure| failure.reason);
        (end.number, end.upstream.as_deref(), reason)
    });
    let expected = [(1, Some("scripted"), Some(Reason::Empty)), (2, Some("scripted"), None)];
    assert_eq!(ends.collect::<Vec<_>>(), expected);
    assert_eq!((health.attempts, health.succeeded, *since_ms), (2, 1, START_MS));
    assert_eq!((day[0].submitted, day[0].done, day[0].attempts_failed), (1, 1, 1));

    world.kill();
    assert_eq!(seen(&world), before);
    world.restart();
    assert_eq!(seen(&world), before);

    world.clock.1.advance_ms(RETENTION_MS);
    world.settle();
    world.pass(12);
    assert!(world.empty());
    let directory = world.end();
    assert_eq!(Store::check(&directory).unwrap().problems, Vec::<String>::new());
}

#[test]
fn jobs_and_batches_are_gone_at_the_second_that_they_show() {
    let world = World::new("");
    world.clock.1.advance_ms(700);
    let id = world.submit("chatgpt");
    let raw = RawRequest { prompt: Some("one of a batch".to_owned()), ..RawRequest::default() };
    let item = (raw.check("chatgpt", &[]).unwrap(), Handling::default());
    let asked =
        NewBatch { label: None, items: vec![Ok(item)], webhook_url: None, idempotency: None };
    let caller = Caller::plain("team-a");
    let (batch, _) = world.runtime.block_on(world.service().submit_batch(&caller, asked)).unwrap();
    let batch_id = batch.key.id.to_string();
    world.settle();

    // `expires_at` shows whole seconds.
    let shown_ms = world.told(&id).unwrap().2 / 1000 * 1000;
    assert_eq!(shown_ms, START_MS + RETENTION_MS);
    world.clock.1.advance_ms(shown_ms - 1 - world.now_ms());
    assert!(world.told(&id).is_some() && world.service().batch(&batch_id).wait().is_ok());
    world.clock.1.advance_ms(1);
    assert!(world.told(&id).is_none() && world.service().batch(&batch_id).wait().is_err());
}

#[test]
fn hold_of_the_sweep_survives_a_restart_after_a_step_forward() {
    let mut world = World::new("");
    let old = world.submit("chatgpt");
    world.settle();
    world.set(START_MS + YEAR_MS);
    world.submit("chatgpt");
    world.settle();
    world.pass(5);
    world.restart();
    world.settle();
    world.pass(9);
    assert_eq!(world.told(&old), None);

    world.set(START_MS + 14 * MINUTE_MS);
    assert_eq!(world.told(&old), Some(("done", 1, START_MS + RETENTION_MS)));
}

#[test]
fn cache_does_not_serve_what_a_clock_that_was_ahead_has_stored() {
    let mut world = World::new("");
    let ask = |world: &World| {
        let raw = RawRequest { prompt: Some("the same".to_owned()), ..RawRequest::default() };
        let request = raw.check("chatgpt", &[]).unwrap();
        let caller = Caller::plain("team-a");
        let accepted = world.service().submit(&caller, request, Handling::default());
        let cached = world.runtime.block_on(accepted).unwrap().job.cached;
        world.settle();
        cached
    };
    world.set(START_MS + YEAR_MS);
    assert!(!ask(&world));
    world.set(START_MS);
    assert!(!ask(&world), "an answer of the future was served");
    assert!(ask(&world));
    world.restart();
    world.settle();
    world.clock.1.advance_ms(RETENTION_MS + MINUTE_MS);
    world.settle();
    // The year has passed: what was stored then is not fresh now.
    world.set(START_MS + YEAR_MS + 1);
    assert!(!ask(&world), "a year-old answer was served");
}

#[test]
fn evidence_stays_as_long_as_its_job_whatever_the_clock_says_at_a_start() {
    let mut world = World::new("");
    world.submit("chatgpt");
    world.settle();
    let owner = EvidenceOwner { row: 1, expires_ms: START_MS + RETENTION_MS };
    let left = EvidenceOwner { row: 9, expires_ms: START_MS - 1 };
    for owner in [owner, left] {
        let store = &world.service().store;
        store.put_evidence(owner, &[("1-page.html".to_owned(), b"<p>")]).unwrap();
    }
    let files = |world: &World| {
        let store = &world.service().store;
        [owner, left].map(|owner| store.evidence(owner).unwrap().len())
    };
    world.clock.1.set_ms(START_MS + YEAR_MS);
    world.restart();
    world.settle();
    assert_eq!(files(&world), [1, 1]);

    world.clock.1.set_ms(START_MS);
    world.restart();
    world.settle();
    assert_eq!(files(&world), [1, 0], "what a process before has left over goes");
    world.clock.1.advance_ms(RETENTION_MS);
    world.settle();
    assert_eq!(files(&world), [0, 0]);
}

#[test]
fn a_clock_that_stays_a_year_ahead_is_believed_after_ten_minutes() {
    let world = World::new("");
    let id = world.submit("chatgpt");
    world.settle();
    world.set(START_MS + YEAR_MS);
    world.pass(9);
    assert_eq!((world.told(&id), world.empty()), (None, false));
    world.pass(2);
    assert!(world.empty());
}

#[test]
fn the_sweep_goes_on_after_a_clock_was_a_year_ahead() {
    let world = World::new("");
    world.submit("chatgpt");
    world.settle();
    world.set(START_MS + YEAR_MS);
    world.pass(11);
    assert!(world.empty());
    world.set(START_MS);
    world.submit("chatgpt");
    world.settle();
    world.clock.1.advance_ms(RETENTION_MS + MINUTE_MS);
    world.settle();
    assert!(world.empty());
}

#[test]
fn long_polls_and_streams_end_in_their_time() {
    let world = World::new("");
    let id = world.submit("chatgpt");
    let service = world.service();
    let mut poll_ended = pin!(service.wait_for_end(&id, 30_000));
    let until_ms = world.now_ms() + 30_000;
    let mut stream_ended = pin!(service.next_change(&id, Some(u64::MAX), until_ms, |_, _| ()));
    let mut both_wait = || {
        world.runtime.block_on(async {
            !ready(poll_ended.as_mut()).await && !ready(stream_ended.as_mut()).await
        })
    };
    assert!(both_wait());
    world.clock.1.set_ms(START_MS - YEAR_MS);
    // The start of the attempt wakes the stream, which waits on.
    let steps = &world.life().steps;
    for to in [Point::RowTaken, Point::StartWritten] {
        assert_eq!(steps.step("chatgpt-1", Order::GoOn), to);
    }
    assert!(both_wait());
    world.clock.1.advance_ms(29_999);
    assert!(both_wait());
    world.clock.1.advance_ms(1);
    world.runtime.block_on(async {
        poll_ended.await.unwrap();
        assert_eq!(stream_ended.await.unwrap(), None);
    });
}

/// Whether a future is ready when it is polled once.
async fn ready<T>(mut future: Pin<&mut impl Future<Output = T>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}
