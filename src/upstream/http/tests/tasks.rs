//! Tasks that a vendor works on: kept before the first look, gone on with by a later call, and
//! forgotten when the vendor has ended them.

use std::sync::{Arc, Mutex};

use super::*;
use crate::job::VendorTask;
use crate::upstream::TaskKeeper;

/// A job's task as the engine keeps it.
#[derive(Default)]
struct Kept(Mutex<Vec<Option<VendorTask>>>);

impl Kept {
    fn holding(id: &str) -> Arc<Kept> {
        Arc::new(Kept(Mutex::new(vec![VendorTask::new("some", id)])))
    }

    /// The names of what was kept, one after another; empty where it was forgotten.
    fn names(&self) -> Vec<String> {
        let kept = self.0.lock().unwrap();
        kept.iter()
            .map(|task| task.as_ref().map_or(String::new(), |task| task.id.clone()))
            .collect()
    }
}

impl TaskKeeper for Kept {
    fn task(&self) -> Option<VendorTask> {
        self.0.lock().unwrap().last().cloned().flatten()
    }

    fn set_task(&self, task: Option<VendorTask>) {
        self.0.lock().unwrap().push(task);
    }
}

/// Begins a task with a POST and looks at it with GETs: `begun ID`, `wait`, the answer, or a failure.
struct Vendor(Fake);

impl Provider for Vendor {
    fn kind(&self) -> Kind {
        Kind::Serp
    }

    fn request(&self, request: &ScrapeRequest) -> Result<HttpRequest, UpstreamError> {
        self.0.request(request)
    }

    fn reply(&self, _: &ScrapeRequest, replies: &[HttpReply]) -> Result<Step, UpstreamError> {
        let reply = replies.last().unwrap();
        let text = String::from_utf8_lossy(&reply.body);
        match (reply.status, text.split_once(' ')) {
            (200, Some(("begun", id))) => Ok(Step::Begun(id.to_owned())),
            (200, None) if text == "wait" => Ok(Step::Again),
            (200, Some(("failed", _))) => {
                Err(UpstreamError::new(Reason::UpstreamError, "The vendor failed."))
            }
            (503, _) => Err(UpstreamError::new(Reason::Overloaded, "Busy.")),
            _ => body_is_answer(replies),
        }
    }

    fn look_at(&self, task: &str) -> Option<HttpRequest> {
        let base = self.0.url.split("/v1/").next().unwrap();
        Some(to(Method::Get, &format!("{base}/tasks/{task}")))
    }
}

fn ask_vendor(server: &Server, kept: &Arc<Kept>, milliseconds: u64) -> Result<Answer, Reason> {
    let vendor = Vendor(fake(&server.base_url));
    let raw = RawRequest { prompt: Some(PROMPT.to_owned()), ..RawRequest::default() };
    let upstream = HttpUpstream::new(&settings(), Box::new(vendor), Clock::System).unwrap();
    assert!(upstream.resumes_tasks());
    let upstream = upstream.polling_every(POLL_INTERVAL);
    let call = call_within(milliseconds).keeping_tasks(kept.clone());
    upstream.ask(&raw.check("chatgpt", &[]).unwrap(), &call).map_err(|error| error.reason)
}

/// The method and the path of each request.
fn lines(server: &Server) -> Vec<String> {
    let asked: Vec<String> = server.asked.try_iter().collect();
    let line = |asked: &String| asked.lines().next().unwrap().replace(" HTTP/1.1", "");
    asked.iter().map(line).collect()
}

const BEGIN: &str = "POST /v1/ask?version=2";

#[test]
fn task_is_kept_before_the_first_look() {
    let kept = Arc::new(Kept::default());
    let seen = kept.clone();
    let server = serve(vec![
        answer("200 OK", "", "begun t1"),
        Box::new(move |stream| {
            assert_eq!(seen.names(), ["t1"], "a look came before the task was kept");
            answer("200 OK", "", "wait")(stream);
        }),
        answer("200 OK", "", "hello"),
    ]);
    assert_eq!(ask_vendor(&server, &kept, 20_000).unwrap().markdown, "hello");
    assert_eq!(lines(&server), [BEGIN, "GET /tasks/t1", "GET /tasks/t1"]);
    assert_eq!(kept.names(), ["t1"]);
}

#[test]
fn later_call_goes_on_with_the_task_that_was_left() {
    let kept = Kept::holding("t1");
    let server = serve(vec![answer("200 OK", "", "wait"), answer("200 OK", "", "hello")]);
    assert_eq!(ask_vendor(&server, &kept, 20_000).unwrap().markdown, "hello");
    assert_eq!(lines(&server), ["GET /tasks/t1", "GET /tasks/t1"]);

    // Another upstream's task is none of this one.
    let kept = Arc::new(Kept(Mutex::new(vec![VendorTask::new("other", "t1")])));
    let server = serve(vec![answer("200 OK", "", "hello")]);
    ask_vendor(&server, &kept, 20_000).unwrap();
    assert_eq!(lines(&server), [BEGIN]);
}

#[test]
fn task_that_was_counted_is_not_counted_again_unless_another_is_begun() {
    let counted = |id| {
        let task = VendorTask::new("some", id).unwrap();
        Arc::new(Kept(Mutex::new(vec![Some(VendorTask { is_counted: true, ..task })])))
    };
    let is_counted = |kept: &Arc<Kept>, handlers| {
        let server = serve(handlers);
        let vendor = Vendor(fake(&server.base_url));
        let upstream = HttpUpstream::new(&settings(), Box::new(vendor), Clock::System).unwrap();
        let raw = RawRequest { prompt: Some(PROMPT.to_owned()), ..RawRequest::default() };
        let call = call_within(20_000).keeping_tasks(kept.clone());
        let upstream = upstream.polling_every(POLL_INTERVAL);
        upstream.ask(&raw.check("chatgpt", &[]).unwrap(), &call).unwrap();
        call.is_counted()
    };
    let hello = || answer("200 OK", "", "hello");
    assert!(is_counted(&counted("t1"), vec![hello()]));
    assert!(!is_counted(&Kept::holding("t1"), vec![hello()]));
    let begun = answer("200 OK", "", "begun t2");
    let again = vec![answer("404 Not Found", "", "{}"), begun, hello()];
    assert!(!is_counted(&counted("t1"), again), "the vendor forgot it, and is paid again");
}

#[test]
fn task_that_the_vendor_does_not_know_any_more_is_begun_anew() {
    for gone in ["404 Not Found", "410 Gone"] {
        let kept = Kept::holding("old");
        let server = serve(vec![
            answer(gone, "", "{}"),
            answer("200 OK", "", "begun new"),
            answer("200 OK", "", "hello"),
        ]);
        assert_eq!(ask_vendor(&server, &kept, 20_000).unwrap().markdown, "hello");
        assert_eq!(lines(&server), ["GET /tasks/old", BEGIN, "GET /tasks/new"]);
        assert_eq!(kept.names(), ["old", "", "new"]);
    }
}

#[test]
fn task_that_has_failed_is_forgotten_and_one_that_was_not_reached_is_not() {
    let kept = Arc::new(Kept::default());
    let server =
        serve(vec![answer("200 OK", "", "begun t1"), answer("200 OK", "", "failed for good")]);
    assert_eq!(ask_vendor(&server, &kept, 20_000).unwrap_err(), Reason::UpstreamError);
    assert_eq!(kept.names(), ["t1", ""]);

    let kept = Arc::new(Kept::default());
    let mut handlers = vec![answer("200 OK", "", "begun t1")];
    handlers.extend((0..6).map(|_| answer("503 Busy", "", "")));
    let server = serve(handlers);
    assert_eq!(ask_vendor(&server, &kept, 20_000).unwrap_err(), Reason::Overloaded);
    assert_eq!(lines(&server).len(), 7, "it looks again five times");
    assert_eq!(kept.names(), ["t1"]);
}

#[test]
fn look_that_fails_for_a_moment_is_made_again() {
    let kept = Arc::new(Kept::default());
    let server = serve(vec![
        answer("200 OK", "", "begun t1"),
        answer("503 Busy", "", ""),
        raw(""),
        answer("200 OK", "", "wait"),
        answer("503 Busy", "", ""),
        answer("200 OK", "", "hello"),
    ]);
    assert_eq!(ask_vendor(&server, &kept, 20_000).unwrap().markdown, "hello");
    assert_eq!(lines(&server).iter().filter(|line| *line == BEGIN).count(), 1);
}

#[test]
fn task_that_never_ends_is_waited_for_twice_until_the_deadline() {
    let waits = || (0..200).map(|_| answer("200 OK", "", "wait"));
    let kept = Arc::new(Kept::default());
    let begun = std::iter::once(answer("200 OK", "", "begun t1"));
    let server = serve(begun.chain(waits()).collect());
    assert_eq!(ask_vendor(&server, &kept, 150).unwrap_err(), Reason::UpstreamTimeout);
    assert_eq!(kept.names(), ["t1"], "the next attempt goes on with it");
    let server = serve(waits().collect());
    assert_eq!(ask_vendor(&server, &kept, 150).unwrap_err(), Reason::UpstreamTimeout);
    assert_eq!(kept.names(), ["t1", ""], "the third begins another");
}

#[test]
fn task_without_a_usable_name_is_an_invalid_response() {
    let kept = Arc::new(Kept::default());
    let server = serve(vec![answer("200 OK", "", "begun ../../v1/ask")]);
    assert_eq!(ask_vendor(&server, &kept, 20_000).unwrap_err(), Reason::InvalidResponse);
    assert_eq!(kept.names(), Vec::<String>::new());
}
