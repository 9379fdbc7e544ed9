use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::*;
use crate::clock::ManualClock;
use crate::job::{RawRequest, VendorTask};
use crate::upstream::{Circuit, FAILURES_MAX, REST_MS_MIN, TaskKeeper, Terms, Upstream};

/// What a fake upstream does when it is asked.
enum Do {
    Answer,
    AnswerNothing,
    Fail(Reason),
    /// Fails, and asks for a pause.
    Pause(Reason),
    Panic,
    /// Says that it was asked, then waits for leave to answer.
    Wait(Sender<()>, Receiver<()>),
}

/// Does one thing after another, and answers when it has run out of them.
struct Fake {
    name: &'static str,
    script: Mutex<VecDeque<Do>>,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Fake {
    fn failure(&self, reason: Reason) -> UpstreamError {
        UpstreamError::new(reason, format!("{} says {}.", self.name, reason.code()))
    }
}

impl Upstream for Fake {
    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn resumes_tasks(&self) -> bool {
        self.name == "b"
    }

    fn ask(&self, _: &ScrapeRequest, _: &Call) -> Result<Answer, UpstreamError> {
        self.log.lock().unwrap().push(self.name);
        let next = self.script.lock().unwrap().pop_front();
        match next.unwrap_or(Do::Answer) {
            Do::Answer => {}
            Do::AnswerNothing => return Ok(Answer::default()),
            Do::Fail(reason) => return Err(self.failure(reason)),
            Do::Pause(reason) => return Err(self.failure(reason).retry_after_ms(Some(77))),
            Do::Panic => panic!("a planned panic"),
            Do::Wait(asked, leave) => {
                asked.send(()).unwrap();
                leave.recv().unwrap();
            }
        }
        let markdown = format!("**{}**\0", self.name);
        Ok(Answer { markdown, ..Answer::default() })
    }
}

/// A registry with the upstreams `a`, `b`, `c`, which the scraper `chatgpt` asks in that order.
struct Trial {
    registry: Registry,
    log: Arc<Mutex<Vec<&'static str>>>,
    manual: Arc<ManualClock>,
}

fn trial(scripts: Vec<Vec<Do>>) -> Trial {
    trial_with(scripts, |_| {})
}

/// `limit` sets limits on the first upstream.
fn trial_with(scripts: Vec<Vec<Do>>, limit: impl Fn(&mut Member)) -> Trial {
    let (clock, manual) = Clock::manual(1_000_000);
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut members: Vec<Member> = ["a", "b", "c"]
        .into_iter()
        .zip(scripts)
        .map(|(name, script)| Member {
            upstream: Arc::new(Fake {
                name,
                script: Mutex::new(script.into()),
                log: Arc::clone(&log),
            }),
            in_flight_max: None,
            requests_per_minute: None,
            terms: Terms::default(),
        })
        .collect();
    limit(&mut members[0]);
    let names = ["a", "not ready", "b", "c"].map(str::to_owned).to_vec();
    let scrapers = [("chatgpt".to_owned(), names), ("amazon_rufus".to_owned(), Vec::new())];
    Trial { registry: Registry::new(members, scrapers, clock), log, manual }
}

impl Trial {
    fn ask(&self, attempt: u32) -> Result<String, UpstreamError> {
        self.ask_within(attempt, 60_000)
    }

    fn ask_within(&self, attempt: u32, milliseconds: u64) -> Result<String, UpstreamError> {
        let deadline = Clock::System.instant() + Duration::from_millis(milliseconds);
        self.ask_call(attempt, &Call::until(deadline))
    }

    fn ask_call(&self, attempt: u32, call: &Call) -> Result<String, UpstreamError> {
        let raw = RawRequest { prompt: Some("x".to_owned()), ..RawRequest::default() };
        let request = raw.check("chatgpt", &[]).unwrap();
        let (answer, by) = self.registry.ask("chatgpt", &request, call, attempt)?;
        assert_eq!((answer.text.as_str(), by.kind), (by.upstream.as_str(), Kind::Serp));
        Ok(by.upstream)
    }

    fn paused_ms(&self) -> u64 {
        let raw = RawRequest { prompt: Some("x".to_owned()), ..RawRequest::default() };
        self.registry.paused_ms(&raw.check("chatgpt", &[]).unwrap())
    }

    fn reason(&self, attempt: u32) -> Reason {
        self.ask(attempt).unwrap_err().reason
    }

    /// Who was asked since the last look.
    fn asked(&self) -> String {
        self.log.lock().unwrap().drain(..).collect()
    }
}

#[test]
fn the_first_upstream_answers_and_its_answer_is_tidied() {
    let trial = trial(vec![vec![], vec![]]);
    assert_eq!(trial.ask(1).unwrap(), "a");
    assert_eq!(trial.asked(), "a");
}

#[test]
fn what_one_upstream_cannot_do_another_may() {
    for reason in [
        Reason::Auth,
        Reason::Quota,
        Reason::Blocked,
        Reason::CountryUnsupported,
        Reason::BadRequest,
        Reason::Incomplete,
        Reason::TooLarge,
        Reason::Refused,
    ] {
        let trial = trial(vec![vec![Do::Fail(reason)], vec![]]);
        assert_eq!(trial.ask(1).unwrap(), "b", "{reason:?}");
    }
}

#[test]
fn what_time_may_mend_is_given_back_once() {
    for reason in [
        Reason::Unreachable,
        Reason::UpstreamTimeout,
        Reason::Overloaded,
        Reason::UpstreamRateLimited,
        Reason::UpstreamError,
        Reason::InvalidResponse,
        Reason::Empty,
    ] {
        let trial = trial(vec![vec![Do::Fail(reason), Do::Fail(reason)], vec![]]);
        assert_eq!(trial.ask(1).unwrap_err().reason, reason);
        assert_eq!(trial.asked(), "a");
        assert_eq!(trial.ask(2).unwrap(), "b");
    }
}

#[test]
fn an_upstream_that_asks_for_a_pause_is_not_waited_for_while_another_may_answer() {
    for reason in [Reason::UpstreamRateLimited, Reason::Overloaded, Reason::UpstreamError] {
        let pauses = || vec![Do::Pause(reason), Do::Pause(reason)];
        assert_eq!(trial(vec![pauses(), vec![]]).ask(1).unwrap(), "b");
        // Where none may, the pause is kept.
        let error = trial(vec![pauses()]).ask(1).unwrap_err();
        assert_eq!((error.reason, error.retry_after_ms), (reason, Some(77)));
    }
}

#[test]
fn an_answer_that_says_nothing_is_none() {
    let trial = trial(vec![vec![Do::AnswerNothing, Do::AnswerNothing], vec![]]);
    assert_eq!(trial.reason(1), Reason::Empty);
    assert_eq!(trial.ask(2).unwrap(), "b");
}

#[test]
fn the_failure_that_says_most_is_given() {
    let fails = |reason| vec![Do::Fail(reason)];
    for (reasons, told) in [
        ([Reason::Auth, Reason::Refused, Reason::Quota], Reason::Quota),
        ([Reason::Auth, Reason::Overloaded, Reason::InvalidResponse], Reason::Overloaded),
        ([Reason::Empty, Reason::Auth, Reason::Refused], Reason::Empty),
    ] {
        let trial = trial(reasons.map(fails).into_iter().collect());
        assert_eq!(trial.reason(2), told);
        assert_eq!(trial.asked(), "abc");
    }
}

#[test]
fn a_cancel_ends_the_attempt() {
    let trial = trial(vec![vec![Do::Fail(Reason::Canceled)], vec![]]);
    assert_eq!(trial.reason(2), Reason::Canceled);
    assert_eq!(trial.asked(), "a");
    let deadline = Clock::System.instant() + Duration::from_secs(60);
    let call = Call::new(deadline, Arc::new(AtomicBool::new(true)));
    assert_eq!(trial.ask_call(1, &call).unwrap_err().reason, Reason::Canceled);
    assert_eq!(trial.asked(), "");
}

#[test]
fn after_the_deadline_no_other_upstream_is_asked() {
    let trial = trial(vec![vec![Do::Fail(Reason::UpstreamTimeout)], vec![]]);
    assert_eq!(trial.ask_within(2, 0).unwrap_err().reason, Reason::UpstreamTimeout);
    assert_eq!(trial.asked(), "a");
}

#[test]
fn upstreams_that_rest_or_have_used_up_their_limit_are_paused() {
    let failures = (0..FAILURES_MAX).map(|_| Do::Fail(Reason::Overloaded)).collect();
    let (asked, asks) = bounded(1);
    let (leave, left) = bounded(1);
    let mut script: Vec<Do> = failures;
    script.push(Do::Wait(asked, left));
    let alone = trial_with(vec![script], |member| member.in_flight_max = Some(1));
    assert_eq!(alone.paused_ms(), 0);
    for _ in 0..FAILURES_MAX {
        alone.reason(1);
    }
    assert_eq!(alone.paused_ms(), REST_MS_MIN);
    alone.manual.advance_ms(REST_MS_MIN - 1);
    assert_eq!(alone.paused_ms(), 1);
    alone.manual.advance_ms(1);
    assert_eq!(alone.paused_ms(), 0, "a probe is due");
    std::thread::scope(|scope| {
        let probe = scope.spawn(|| alone.ask(1));
        asks.recv().unwrap();
        assert_eq!(alone.paused_ms(), 0, "the probe, which fills it, may end at any moment");
        leave.send(()).unwrap();
        probe.join().unwrap().unwrap();
    });
    assert_eq!(alone.paused_ms(), 0);

    let limited = |scripts| trial_with(scripts, |member| member.requests_per_minute = Some(2));
    let alone = limited(vec![vec![]]);
    for _ in 0..2 {
        assert_eq!(alone.paused_ms(), 0);
        alone.ask(1).unwrap();
    }
    assert_eq!(alone.paused_ms(), 30_000);
    let with_another = limited(vec![vec![], vec![]]);
    for _ in 0..3 {
        with_another.ask(1).unwrap();
    }
    assert_eq!(with_another.paused_ms(), 0);
}

#[test]
fn an_upstream_that_keeps_failing_rests_and_is_probed() {
    let failures = (0..=FAILURES_MAX).map(|_| Do::Fail(Reason::Overloaded)).collect();
    let trial = trial(vec![failures, vec![]]);
    for _ in 0..FAILURES_MAX {
        assert_eq!(trial.reason(1), Reason::Overloaded);
    }
    trial.asked();
    assert_eq!(trial.ask(1).unwrap(), "b");
    assert_eq!(trial.asked(), "b");
    let status = trial.registry.status();
    assert_eq!(status[0].circuit, Circuit::Open { wait_ms: REST_MS_MIN });
    assert_eq!(status[0].last_error.as_ref().unwrap().reason, Reason::Overloaded);
    assert_eq!(status[1].circuit, Circuit::Closed { failures: 0 });

    trial.manual.advance_ms(REST_MS_MIN);
    assert_eq!(trial.reason(1), Reason::Overloaded);
    assert_eq!(trial.ask(1).unwrap(), "b");
    trial.manual.advance_ms(2 * REST_MS_MIN);
    assert_eq!(trial.ask(1).unwrap(), "a");
    assert_eq!(trial.ask(1).unwrap(), "a");
}

#[test]
fn failures_of_the_request_do_not_give_rest() {
    let failures = (0..20).map(|_| Do::Fail(Reason::Refused)).collect();
    let trial = trial(vec![failures]);
    for _ in 0..20 {
        assert_eq!(trial.reason(1), Reason::Refused);
    }
    assert_eq!(trial.registry.status()[0].circuit, Circuit::Closed { failures: 0 });
}

#[test]
fn while_all_rest_the_job_is_told_when_to_come_back() {
    let failures = (0..FAILURES_MAX).map(|_| Do::Fail(Reason::Auth)).collect();
    let trial = trial(vec![failures]);
    for _ in 0..FAILURES_MAX {
        assert_eq!(trial.reason(1), Reason::Auth);
    }
    trial.manual.advance_ms(1_000);
    let error = trial.ask(1).unwrap_err();
    assert_eq!(error.retry_after_ms, Some(REST_MS_MIN - 1_000));
    assert_eq!(
        error.sentence,
        "No upstream of chatgpt can answer now: a is paused after 5 failures in a row (the last: \
         a says upstream_auth)."
    );
}

#[test]
fn a_scraper_without_upstreams_names_the_setting() {
    let trial = trial(vec![vec![]]);
    let raw = RawRequest { prompt: Some("x".to_owned()), ..RawRequest::default() };
    let request = raw.check("amazon_rufus", &[]).unwrap();
    let deadline = Clock::System.instant() + Duration::from_secs(60);
    let call = Call::until(deadline);
    let error = trial.registry.ask("amazon_rufus", &request, &call, 1).unwrap_err();
    assert_eq!((error.reason, error.retry_after_ms), (Reason::NoUpstreamAvailable, None));
    assert!(error.sentence.contains("`upstreams` of [scrapers.amazon_rufus]"), "{error}");
}

#[test]
fn the_cap_of_calls_holds_and_a_place_comes_back() {
    let (asked, was_asked) = bounded(1);
    let (leave, may_leave) = bounded(1);
    let limit = |first: &mut Member| first.in_flight_max = Some(1);
    let trial = trial_with(vec![vec![Do::Wait(asked, may_leave)], vec![]], limit);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| trial.ask(1));
        was_asked.recv().unwrap();
        assert_eq!(trial.registry.status()[0].in_flight, 1);
        assert_eq!(trial.ask(1).unwrap(), "b");
        leave.send(()).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), "a");
    });
    assert_eq!(trial.ask(1).unwrap(), "a");
    assert_eq!(trial.registry.status()[0].in_flight, 0);
}

/// Budgets that a number of processes share, which are never asked.
struct Sharers(usize);

impl SharedBudgets for Sharers {
    fn grant<'a>(&'a self, _: crate::rate::BudgetRequest<'a>) -> crate::rate::GrantFuture<'a> {
        Box::pin(async { None })
    }

    fn sharers(&self, _: &str) -> usize {
        self.0
    }
}

#[test]
fn cap_of_calls_is_divided_by_the_processes_that_share_it_and_rounded_up() {
    for (sharers, share) in [(1, 3), (2, 2), (3, 1), (9, 1)] {
        let trial = trial_with(vec![vec![]], |member| member.in_flight_max = Some(3));
        trial.registry.share(&(Arc::new(Sharers(sharers)) as Arc<dyn SharedBudgets>));
        let slot = &trial.registry.slots[0];
        let entered: Vec<_> = (0..share).map(|_| slot.enter().ok().unwrap()).collect();
        assert!(slot.enter().is_err_and(|busy| busy.why == PassedOver::InFlight), "{sharers}");
        assert_eq!(entered.len(), share);
    }
}

#[test]
fn a_full_upstream_is_worth_another_try_when_no_other_can_serve() {
    let (asked, was_asked) = bounded(1);
    let (leave, may_leave) = bounded(1);
    let limit = |first: &mut Member| first.in_flight_max = Some(1);
    let refuses = vec![Do::Fail(Reason::CountryUnsupported)];
    let trial = trial_with(vec![vec![Do::Wait(asked, may_leave)], refuses], limit);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| trial.ask(1));
        was_asked.recv().unwrap();
        let error = trial.ask(1).unwrap_err();
        assert_eq!(
            (error.reason, error.retry_after_ms),
            (Reason::NoUpstreamAvailable, Some(1_000))
        );
        assert!(error.sentence.contains("`in_flight_max`"), "{error}");
        assert!(error.sentence.contains("country_unsupported"), "{error}");
        leave.send(()).unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn an_upstreams_own_rate_limit_holds() {
    let limit = |first: &mut Member| first.requests_per_minute = Some(2);
    let trial = trial_with(vec![vec![], vec![]], limit);
    let answered: Vec<String> = (0..3).map(|_| trial.ask(1).unwrap()).collect();
    assert_eq!(answered, ["a", "a", "b"]);
    trial.manual.advance_ms(30_000);
    assert_eq!(trial.ask(1).unwrap(), "a");
}

#[test]
fn a_panic_gives_its_place_and_its_probe_back() {
    let mut script: Vec<Do> =
        (0..FAILURES_MAX).map(|_| Do::Fail(Reason::InvalidResponse)).collect();
    script.push(Do::Panic);
    let limit = |first: &mut Member| first.in_flight_max = Some(1);
    let trial = trial_with(vec![script], limit);
    for _ in 0..FAILURES_MAX {
        assert_eq!(trial.reason(1), Reason::InvalidResponse);
    }
    trial.manual.advance_ms(REST_MS_MIN);
    assert!(catch_unwind(AssertUnwindSafe(|| trial.ask(1))).is_err());
    assert_eq!(trial.registry.status()[0].in_flight, 0);
    assert_eq!(trial.ask(1).unwrap(), "a");
    assert_eq!(trial.registry.status()[0].circuit, Circuit::Closed { failures: 0 });
}

#[test]
fn only_one_of_many_probes() {
    let (asked, was_asked) = bounded(1);
    let (leave, may_leave) = bounded(1);
    let mut script: Vec<Do> =
        (0..FAILURES_MAX).map(|_| Do::Fail(Reason::InvalidResponse)).collect();
    script.push(Do::Wait(asked, may_leave));
    let trial = trial(vec![script]);
    for _ in 0..FAILURES_MAX {
        assert_eq!(trial.reason(1), Reason::InvalidResponse);
    }
    trial.manual.advance_ms(REST_MS_MIN);
    std::thread::scope(|scope| {
        let probe = scope.spawn(|| trial.ask(1));
        was_asked.recv().unwrap();
        let others: Vec<_> = (0..8).map(|_| scope.spawn(|| trial.reason(1))).collect();
        for other in others {
            assert_eq!(other.join().unwrap(), Reason::NoUpstreamAvailable);
        }
        assert_eq!(trial.registry.status()[0].circuit, Circuit::HalfOpen);
        leave.send(()).unwrap();
        assert_eq!(probe.join().unwrap().unwrap(), "a");
    });
    assert_eq!(trial.ask(1).unwrap(), "a");
    assert!(!trial.registry.status().iter().any(|upstream| upstream.in_flight > 0));
}

/// A job whose vendor task is at one upstream.
struct At(&'static str);

impl TaskKeeper for At {
    fn task(&self) -> Option<VendorTask> {
        VendorTask::new(self.0, "t1")
    }

    fn set_task(&self, _: Option<VendorTask>) {}
}

#[test]
fn upstream_that_has_a_task_of_the_job_is_asked_first() {
    for (at, asked) in [("b", "b"), ("c", "c"), ("gone", "a")] {
        let trial = trial(vec![vec![], vec![], vec![]]);
        let deadline = Clock::System.instant() + Duration::from_secs(60);
        let call = Call::until(deadline).keeping_tasks(Arc::new(At(at)));
        assert_eq!(trial.ask_call(2, &call).unwrap(), asked);
    }
    // The others still stand in, in their order.
    let trial = trial(vec![vec![], vec![Do::Fail(Reason::Quota)], vec![]]);
    let deadline = Clock::System.instant() + Duration::from_secs(60);
    let call = Call::until(deadline).keeping_tasks(Arc::new(At("b")));
    assert_eq!(trial.ask_call(2, &call).unwrap(), "a");
    assert_eq!(*trial.log.lock().unwrap(), ["b", "a"]);
}
