//! Lives of jobs on a real server, step by step.

use super::START_MS;
use super::fixture::{NO_LIMITS, Node};
use crate::job::{
    AttemptCall, AttemptEnd, CallOutcome, Event, Failure, Reason, State, Subject, TransitionError,
    UpstreamUsage, VendorTask,
};
use crate::store::accounts::Credits;
use crate::store::{Blocking, NewAttemptEnd, NewOutcome, NewResult, Reported};

const MONTH: u32 = 202_605;

#[test]
fn job_is_tried_twice_and_done_and_read_after_a_reopen() {
    let node = Node::alone();
    let job = node.submit(node.new_job("first"));
    let read = |node: &Node| {
        let id = node.store.id_of(&job);
        let read = |job: &crate::job::Job, result: Option<&[u8]>| {
            (job.state.clone(), job.attempts, result.map(<[u8]>::to_vec))
        };
        node.store.read_job(id, START_MS + 9_000, read).wait().unwrap()
    };
    assert_eq!(read(&node), Some((State::Queued, 0, None)));
    assert_eq!((node.store.unfinished(0), node.depth(0)), (1, 1));
    let credits = |node: &Node| node.store.credits("team-a", MONTH).wait().unwrap();
    assert_eq!(credits(&node), Credits { reserved: 3, used: 0 });

    node.apply(job.row, 10, Event::Start, None);
    assert_eq!(read(&node), Some((State::Running, 1, None)));
    let last = Failure::new(Reason::Overloaded, "busy");
    let later =
        Event::RetryLater { lease: 1, due_ms: START_MS + 2_500, last: last.clone(), spent: true };
    node.apply(job.row, 500, later, None);
    assert_eq!(read(&node), Some((State::WaitingRetry { last }, 1, None)));
    node.apply(job.row, 2_600, Event::Start, None);
    let result = NewResult { json: br#"{"text":"42"}"#.to_vec(), cache_hash: Some(7) };
    node.apply(job.row, 3_000, Event::Succeed { lease: 2, present: None }, Some(result));
    let done = Some((State::Done, 2, Some(br#"{"text":"42"}"#.to_vec())));
    assert_eq!(read(&node), done);
    assert_eq!(credits(&node), Credits { reserved: 0, used: 3 });
    assert_eq!((node.store.unfinished(0), node.depth(0)), (0, 0));
    let cached = node.store.cached(7, 0, START_MS + 9_000).wait().unwrap().unwrap();
    assert_eq!((cached.stored_ms, cached.json), (START_MS + 3_000, br#"{"text":"42"}"#.to_vec()));

    let again = node.store.begin_transition(job.row, START_MS + 3_001, |_| Event::Start, None);
    assert_eq!(again.wait().unwrap().unwrap_err(), TransitionError::Finished);
    let node = node.reopen();
    assert_eq!(read(&node), done);
    assert!(node.store.cached(7, 0, START_MS + 9_000).wait().unwrap().is_some());
    assert_eq!(credits(&node), Credits { reserved: 0, used: 3 });
    let expired =
        node.store.read_job(node.store.id_of(&job), job.expires_ms, |_, _| ()).wait().unwrap();
    assert_eq!(expired, None);
    node.store.close();
}

#[test]
fn attempts_are_kept_with_their_job_even_after_its_end() {
    let node = Node::alone();
    let job = node.submit(node.new_job("tried"));
    node.apply(job.row, 1, Event::Start, None);
    let call = |upstream: &str| AttemptCall {
        upstream: upstream.to_owned(),
        ended_ms: START_MS,
        outcome: CallOutcome::Answered,
        took_ms: None,
        http_status: None,
        usage: UpstreamUsage { searches: Some(2), ..UpstreamUsage::default() },
    };
    let ended = |number: u32, event| NewOutcome {
        event,
        result: None,
        ended: Some(NewAttemptEnd {
            end: AttemptEnd {
                number,
                due_ms: None,
                started_ms: START_MS + u64::from(number),
                run_ms: 5,
                upstream: None,
                failure: Some(Failure::new(Reason::Refused, "no")),
                calls: vec![call("openai"), call("openai"), call("other")],
            },
            account: "team-a".to_owned(),
            label: Some("l".to_owned()),
        }),
        raw: Some(b"{}".to_vec()),
        observation: None,
    };
    let failed = Event::Fail { lease: 1, failure: Failure::new(Reason::Refused, "no") };
    let written = node.store.begin_outcome(job.row, START_MS + 9, ended(1, failed.clone()));
    assert!(written.wait().unwrap().is_ok());
    let late = node.store.begin_outcome(job.row, START_MS + 10, ended(2, failed));
    assert_eq!(late.wait().unwrap().unwrap_err(), TransitionError::Finished);
    let read = node.store.read_attempts(node.store.id_of(&job), START_MS, |_, _, kept| kept);
    let attempts = read.wait().unwrap().unwrap();
    assert_eq!(attempts.iter().map(|end| end.number).collect::<Vec<_>>(), [1, 2]);
    // The same end again, as after a commit whose answer was lost, is counted once.
    let again = ended(2, Event::Release { lease: 1 }).ended.unwrap();
    node.store.note_attempt(job.row, again).wait().unwrap();
    let spend = node.store.spend(Some("team-a"), START_MS, START_MS).wait().unwrap();
    let spend: Vec<_> = spend
        .iter()
        .map(|row| (row.upstream.as_str(), row.label.as_str(), row.spend.calls, row.spend.searches))
        .collect();
    assert_eq!(spend, [("openai", "l", 4, 8), ("other", "l", 2, 4)]);
    assert_eq!(node.store.raw(job.row).unwrap().as_deref(), Some(&b"{}"[..]));
    node.store.close();
}

#[test]
fn vendor_task_is_kept_by_the_attempt_that_holds_the_job() {
    let node = Node::alone();
    let job = node.submit(node.new_job("x"));
    node.apply(job.row, 1, Event::Start, None);
    let task = VendorTask::new("vendor", "task-1").unwrap();
    assert!(!node.store.set_vendor_task(job.row, 0, Some(task.clone())).unwrap());
    assert_eq!(node.store.vendor_task(job.row).unwrap(), None);
    assert!(node.store.set_vendor_task(job.row, 1, Some(task.clone())).unwrap());
    assert_eq!(node.store.vendor_task(job.row).unwrap(), Some(task));
    assert!(node.store.set_vendor_task(job.row, 1, None).unwrap());
    assert_eq!(node.store.vendor_task(job.row).unwrap(), None);
    node.store.close();
}

#[test]
fn webhook_is_filed_with_the_end_and_read_with_what_it_reports() {
    let node = Node::alone();
    let webhook_url = Some("https://a.example/hook".to_owned());
    let job = node.submit(crate::job::Job { webhook_url, ..node.new_job("x") });
    let id = node.store.id_of(&job);
    let webhook = |now_ms| {
        let state = |reported: Reported<'_>| match reported {
            Reported::Job(job, result) => (job.state.finished(), result.map(<[u8]>::to_vec)),
            Reported::Batch(_) | Reported::Notice(_) => panic!("it is a job"),
        };
        node.store.webhook_of(Subject::Job, id, now_ms, state).wait().unwrap()
    };
    assert_eq!(webhook(START_MS), Some(((false, None), None)));
    assert!(node.store.read_delivery(job.row, |_, _| ()).is_err());
    node.apply(job.row, 1, Event::Start, None);
    let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
    node.apply(job.row, 2, Event::Succeed { lease: 1, present: None }, Some(result));
    let (reported, delivery) = webhook(START_MS).unwrap();
    assert_eq!(reported, (true, Some(b"{}".to_vec())));
    assert_eq!(delivery.and_then(|delivery| delivery.due_ms()), Some(START_MS + 2));
    assert_eq!(webhook(job.expires_ms), None);
    let lasts = node.store.read_delivery(
        job.row,
        |_, reported| matches!(reported, Reported::Job(job, Some(_)) if job.state.finished()),
    );
    assert!(lasts.unwrap());
    node.store.close();
}

#[test]
fn clock_that_was_set_back_keeps_no_job_waiting() {
    let node = Node::alone();
    let late = |after_ms: u64| {
        let job = node.new_job("x");
        node.submit(crate::job::Job { due_ms: START_MS + after_ms, ..job }).row
    };
    let (soon, later) = (late(5_000), late(60_000));
    let rest = node.store.pull_forward_after_clock_step(START_MS, 30_000, None).unwrap();
    assert_eq!(rest, None);
    let due = |row| node.store.read_row(row, START_MS, |job, _| job.due_ms).wait().unwrap();
    assert_eq!((due(soon), due(later)), (Some(START_MS), Some(START_MS + 30_000)));
    node.store.close();
}

#[test]
fn panic_of_one_caller_fails_that_caller_alone() {
    let node = Node::alone();
    let jobs: Vec<_> = (0..8).map(|_| node.submit(node.new_job("x"))).collect();
    let pending: Vec<_> = jobs
        .iter()
        .enumerate()
        .map(|(number, job)| {
            node.store.begin_transition(
                job.row,
                START_MS,
                move |_| if number == 3 { panic!("a defect") } else { Event::Start },
                None,
            )
        })
        .collect();
    let started: Vec<bool> = pending.into_iter().map(|it| it.wait().is_ok()).collect();
    assert_eq!(started.iter().filter(|ok| !**ok).count(), 1);
    assert!(!started[3]);
    assert!(node.store.submit(node.new_job("after"), None, NO_LIMITS).wait().unwrap().is_ok());
    node.store.close();
}
