//! Lives of jobs, batches and deliveries: whatever happens to them, what their steps change adds
//! up to what they are.

use std::fmt::Write as _;

use insta::assert_snapshot;
use uuid::Uuid;

use super::*;
use crate::job::{
    AttemptCall, BatchProgress, CallOutcome, DELIVERY_MS_MAX, DeliveryState, Failure, RawRequest,
    UpstreamUsage,
};
use crate::store::accounts::Credits;
use crate::tests::fuzz::Dice;

const START_MS: UnixMs = 1_778_500_800_000;
const SCRAPER: u16 = 7;
/// How many lives are tried, and the most steps of one.
const LIVES: usize = 5_000;
const STEPS_MAX: usize = 12;

fn key() -> BatchKey {
    BatchKey { row: 1, id: Uuid::from_u128(9) }
}

fn job() -> Job {
    let raw = RawRequest { prompt: Some("hello".to_owned()), ..RawRequest::default() };
    Job::fixture(2, 3, raw.check("chatgpt", &[]).unwrap(), START_MS)
}

fn result() -> NewResult {
    NewResult { json: b"{}".to_vec(), cache_hash: Some(5) }
}

fn effects(change: &JobChange<'_>) -> Vec<Effect> {
    let mut effects = Vec::new();
    change.add_effects(&mut effects);
    effects
}

/// What the store would hold of one job, made of nothing but its changes.
#[derive(Default)]
struct Ledger {
    queue_ms: Option<UnixMs>,
    deadline_ms: Option<UnixMs>,
    unfinished: isize,
    credits: Credits,
    usage: Usage,
    batch_ends: Vec<bool>,
    deliveries: usize,
    results: usize,
    ended: usize,
}

impl Ledger {
    fn apply(&mut self, change: &JobChange<'_>) {
        assert_eq!(change.queue.before_ms, self.queue_ms);
        assert_eq!(change.deadline.before_ms, self.deadline_ms);
        self.queue_ms = change.queue.after_ms;
        self.deadline_ms = change.deadline.after_ms;
        self.unfinished += change.unfinished_change();
        self.credits.apply(change.credits);
        self.usage = self.usage.and(change.usage);
        self.batch_ends.extend(change.batch.map(|end| end.done));
        self.deliveries += usize::from(change.delivery.is_some());
        self.results += usize::from(change.result.is_some());
        let effects = effects(change);
        let ended = |it: &&Effect| matches!(it, Effect::Ended { .. });
        self.ended += effects.iter().filter(ended).count();
        let cached = effects.iter().any(|it| matches!(it, Effect::Cached { .. }));
        assert_eq!(cached, change.result.is_some_and(|result| result.cache_hash.is_some()));
    }

    fn check(&self, job: &Job) {
        let unfinished = !job.state.finished();
        assert_eq!(self.unfinished, isize::from(unfinished));
        assert_eq!(self.queue_ms, unfinished.then_some(job.due_ms));
        assert_eq!(self.deadline_ms, job.start_deadline_ms());
        let price = u64::from(job.price);
        let reserved = if unfinished { price } else { 0 };
        assert_eq!(self.credits, Credits { reserved, used: u64::from(job.charge()) });
        let mut usage = Usage::default();
        usage.count(job);
        assert_eq!(self.usage, usage);
        assert_eq!(self.results, usize::from(job.state == State::Done));
        assert_eq!(self.deliveries, usize::from(!unfinished && job.webhook_url.is_some()));
    }
}

fn event(dice: &mut Dice, job: &Job, now_ms: UnixMs) -> Event {
    // Mostly of the attempt that runs.
    let lease = if dice.percent(90) { job.lease } else { job.lease.wrapping_sub(1) };
    let failure = || Failure::new(Reason::Refused, "no");
    match dice.below(9) {
        0..3 => Event::Start,
        3 => Event::Succeed { lease, present: None },
        4 => Event::ServeCached { lease, present: None },
        5 => {
            let due_ms = now_ms + dice.below(3) as u64;
            Event::RetryLater { lease, due_ms, last: failure(), spent: dice.percent(50) }
        }
        6 => Event::Fail { lease, failure: failure() },
        7 => Event::Release { lease },
        _ => Event::Stop { failure: Failure::canceled() },
    }
}

#[test]
fn changes_of_a_life_add_up_to_the_job_whatever_happens() {
    let mut dice = Dice::new(1);
    let (mut expired, mut done) = (0, 0);
    for _ in 0..LIVES {
        let mut job = Job {
            price: dice.below(3) as u32,
            start_by_ms: dice.percent(50).then_some(START_MS + 5),
            batch: dice.percent(50).then(key),
            webhook_url: dice.percent(50).then(|| "https://a.example/".to_owned()),
            ..job()
        };
        let mut ledger = Ledger::default();
        ledger.apply(&submit(&job, SCRAPER, None));
        ledger.check(&job);
        let mut now_ms = START_MS;
        for _ in 0..dice.below(STEPS_MAX) {
            now_ms += dice.below(3) as u64;
            let event = event(&mut dice, &job, now_ms);
            let before = job.clone();
            let result = result();
            match transition(&mut job, SCRAPER, now_ms, |_| Some(event), Some(&result)) {
                Ok(change) => ledger.apply(&change),
                Err(_) => assert_eq!(job, before, "a refused event changes nothing"),
            }
            ledger.check(&job);
        }
        let unfinished = !job.state.finished();
        let usage = ledger.usage;
        ledger.apply(&expiry(&job, SCRAPER));
        assert_eq!((ledger.unfinished, ledger.queue_ms, ledger.deadline_ms), (0, None, None));
        assert_eq!(ledger.credits, Credits { reserved: 0, used: u64::from(job.charge()) });
        assert_eq!(ledger.usage.failed, usage.failed + u64::from(unfinished));
        assert_eq!(ledger.usage.done + ledger.usage.failed, 1);
        assert_eq!(ledger.ended, 1);
        let ends = job.batch.map(|_| job.state == State::Done);
        assert_eq!(ledger.batch_ends, Vec::from_iter(ends));
        expired += usize::from(unfinished);
        done += usize::from(job.state == State::Done);
    }
    assert!(expired > LIVES / 10 && done > LIVES / 10, "{expired} expired, {done} done");
}

#[test]
fn effects_are_those_of_the_step() {
    let mut job = Job { start_by_ms: Some(START_MS + 50), ..job() };
    let result = result();
    let mut steps = vec![("submit", effects(&submit(&job, SCRAPER, None)))];
    let events = [
        ("start", Event::Start),
        (
            "retry",
            Event::RetryLater {
                lease: 1,
                due_ms: START_MS + 9,
                last: Failure::new(Reason::Overloaded, "busy"),
                spent: true,
            },
        ),
        ("start again", Event::Start),
        ("release", Event::Release { lease: 2 }),
    ];
    for (name, event) in events {
        let change = transition(&mut job, SCRAPER, START_MS, |_| Some(event), None).unwrap();
        steps.push((name, effects(&change)));
    }
    steps.push(("expiry", effects(&expiry(&job, SCRAPER))));
    let mut canceled = job.clone();
    let stop = Event::Stop { failure: Failure::canceled() };
    let change = transition(&mut canceled, SCRAPER, START_MS, |_| Some(stop), None).unwrap();
    steps.push(("cancel", effects(&change)));
    for event in [Event::Start, Event::Succeed { lease: 3, present: None }] {
        let change =
            transition(&mut job, SCRAPER, START_MS + 7, |_| Some(event), Some(&result)).unwrap();
        if change.job.state == State::Done {
            steps.push(("success", effects(&change)));
        }
    }
    steps.push(("expiry of the done", effects(&expiry(&job, SCRAPER))));
    let cached = Job { cached: true, ..job };
    steps.push(("submit of a cache hit", effects(&submit(&cached, SCRAPER, Some(b"{}")))));
    let mut text = String::new();
    for (name, effects) in &steps {
        writeln!(text, "{name}").unwrap();
        effects.iter().for_each(|effect| writeln!(text, "  {effect:?}").unwrap());
    }
    assert_snapshot!(text, @r"
    submit
      Counted { scraper: 7, what: Submitted }
      Deadline { at_ms: 1778500800050 }
      Ready { scraper: 7, row: 2, due_ms: 1778500800000, interactive: false }
    start
      Started { row: 2 }
    retry
      Ready { scraper: 7, row: 2, due_ms: 1778500800009, interactive: false }
    start again
      Started { row: 2 }
    release
      Ready { scraper: 7, row: 2, due_ms: 1778500800009, interactive: false }
    expiry
      Counted { scraper: 7, what: Failed }
      Ended { scraper: 7, row: 2 }
    cancel
      Counted { scraper: 7, what: Canceled }
      Ended { scraper: 7, row: 2 }
    success
      Counted { scraper: 7, what: Done }
      Cached { hash: 5, stored_ms: 1778500800007, row: 2 }
      Ended { scraper: 7, row: 2 }
    expiry of the done
    submit of a cache hit
      Counted { scraper: 7, what: Submitted }
      Counted { scraper: 7, what: Cached }
    ");
}

#[test]
fn job_that_has_expired_or_is_not_the_callers_is_gone() {
    let mut known = job();
    let before = known.clone();
    let asked = |_: &Job| -> Option<Event> { panic!("it is not asked for") };
    let late = transition(&mut known, SCRAPER, before.expires_ms, asked, None);
    assert_eq!(late.unwrap_err(), TransitionError::Gone);
    let foreign = transition(&mut known, SCRAPER, START_MS, |_| None, None);
    assert_eq!(foreign.unwrap_err(), TransitionError::Gone);
    assert_eq!(known, before);
}

#[test]
fn batch_ends_once_and_then_reports_it() {
    let mut batch = Batch {
        key: key(),
        account: "team-a".to_owned(),
        label: None,
        items: 3,
        refused: Vec::new(),
        created_ms: START_MS,
        expires_ms: START_MS + 1_000,
        idempotency: None,
        webhook_url: Some("https://a.example/".to_owned()),
        progress: BatchProgress::default(),
    };
    assert!(batch_submit(&mut batch, 1).is_none());
    let ends: Vec<_> = [(true, 5), (false, 6)]
        .map(|(done, after_ms)| batch_end(&mut batch, done, START_MS + after_ms))
        .into_iter()
        .map(|change| (change.ends, change.delivery.is_some()))
        .collect();
    assert_eq!(ends, [(false, false), (true, true)]);
    let completed_ms = Some(START_MS + 6);
    assert_eq!(batch.progress, BatchProgress { done: 2, failed: 1, completed_ms });
    let mut served = Batch { progress: BatchProgress::default(), ..batch };
    assert!(batch_submit(&mut served, 3).is_some());
    assert_eq!(served.progress.completed_ms, Some(START_MS));
}

#[test]
fn pending_delivery_holds_what_has_expired_and_lets_go_at_its_end() {
    let ended = Job {
        state: State::Done,
        completed_ms: Some(START_MS),
        webhook_url: Some("https://a.example/".to_owned()),
        ..job()
    };
    let new = NewDelivery::of_job(&ended).unwrap();
    let (expires_ms, later_ms) = (ended.expires_ms, ended.expires_ms + HOLD_MS);
    let held = hold(new.delivery, expires_ms, expires_ms).unwrap();
    assert_eq!(held.outbox.removed_ms().or(held.outbox.added_ms()), None);
    let places = |change: &DeliveryChange| (change.expiry.before_ms, change.expiry.after_ms);
    assert_eq!(places(&held), (Some(expires_ms), Some(later_ms)));
    let again = hold(held.delivery, expires_ms, later_ms).unwrap();
    assert_eq!(places(&again), (Some(later_ms), Some(later_ms + HOLD_MS)));
    let delivered = delivery(again.delivery, expires_ms, |delivery| {
        delivery.state = DeliveryState::Delivered;
    });
    assert_eq!(delivered.outbox.before_ms, Some(START_MS));
    assert_eq!(delivered.outbox.after_ms, None);
    assert_eq!(places(&delivered), (Some(later_ms + HOLD_MS), Some(expires_ms)));
    assert!(hold(delivered.delivery, expires_ms, later_ms).is_none());
    let old = NewDelivery::of_job(&ended).unwrap().delivery;
    assert!(hold(old, expires_ms, START_MS + 2 * DELIVERY_MS_MAX).is_none());
}

#[test]
fn attempt_is_kept_with_its_job_or_for_what_it_used() {
    let idle = AttemptEnd {
        number: 1,
        due_ms: None,
        started_ms: START_MS,
        run_ms: 5,
        upstream: None,
        failure: None,
        calls: Vec::new(),
    };
    let call = AttemptCall {
        upstream: "openai".to_owned(),
        ended_ms: START_MS,
        outcome: CallOutcome::Answered,
        took_ms: None,
        http_status: None,
        usage: UpstreamUsage { searches: Some(1), ..UpstreamUsage::default() },
    };
    let used = AttemptEnd { calls: vec![call], ..idle.clone() };
    let kept = |outcome: Result<Job, TransitionError>| {
        (kept_attempt(&outcome, &idle), kept_attempt(&outcome, &used))
    };
    use AttemptKept::{Nothing, SpendAlone, WithJob};
    assert_eq!(kept(Ok(job())), (WithJob, WithJob));
    assert_eq!(kept(Err(TransitionError::Finished)), (WithJob, WithJob));
    assert_eq!(kept(Err(TransitionError::StaleLease)), (Nothing, WithJob));
    assert_eq!(kept(Err(TransitionError::NotRunning)), (Nothing, WithJob));
    assert_eq!(kept(Err(TransitionError::Gone)), (Nothing, SpendAlone));
}
