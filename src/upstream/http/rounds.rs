//! The requests of one answer: rounds one after another, and looks at an answer that is in the
//! making. A task that has begun at a vendor is paid for, so it is kept with the job before the
//! first look, and given up only when the vendor itself has ended it.

use std::time::Instant;

use url::Url;

use super::exchange::{HttpUpstream, ROUNDS_MAX};
use crate::answer::Answer;
use crate::job::{Reason, ScrapeRequest, VendorTask};
use crate::net::{HttpReply, HttpRequest};
use crate::upstream::provider::Step;
use crate::upstream::{Call, UpstreamError};

/// The most looks in a row that may fail for a moment before the attempt does.
const LOOK_FAILURES_MAX: u32 = 5;

/// One call from its first request to its end.
pub(super) struct Rounds<'a> {
    pub upstream: &'a HttpUpstream,
    pub request: &'a ScrapeRequest,
    pub call: &'a Call,
    pub deadline: Instant,
    /// Those so far; the reply of a look takes the place of the one before.
    replies: Vec<HttpReply>,
    /// The latest, where it does not stay among them.
    latest: Option<HttpReply>,
    rounds: usize,
    /// The name of the task that is kept with the job.
    task: Option<String>,
    look_failures: u32,
}

/// How a reply, or its absence, leaves a task that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// The next look may find it.
    There,
    /// The vendor has ended it.
    Over,
    /// The vendor does not know it, or not any more.
    Unknown,
}

impl<'a> Rounds<'a> {
    pub(crate) fn new(
        upstream: &'a HttpUpstream,
        request: &'a ScrapeRequest,
        call: &'a Call,
        deadline: Instant,
    ) -> Rounds<'a> {
        Rounds {
            upstream,
            request,
            call,
            deadline,
            replies: Vec::new(),
            latest: None,
            rounds: 1,
            task: None,
            look_failures: 0,
        }
    }

    /// Goes on with the task that an earlier attempt left here, and else asks anew.
    ///
    /// # Errors
    /// Returns an error if there is no answer.
    pub(crate) fn run(&mut self) -> Result<Answer, UpstreamError> {
        let provider = &self.upstream.provider;
        let left = self.call.task_of(&self.upstream.name);
        let left = left.and_then(|task| Some((provider.look_at(&task.id)?, task)));
        if let Some((look, task)) = left {
            self.call.set_counted(task.is_counted);
            self.task = Some(task.id);
            match self.go(look) {
                Ok(answer) => return Ok(answer),
                Err((_, Task::Unknown)) => {
                    self.call.set_counted(false);
                    *self = Rounds::new(self.upstream, self.request, self.call, self.deadline);
                }
                Err((error, task)) => {
                    // Two attempts have waited for it now: the next one begins another.
                    if task == Task::There && error.reason == Reason::UpstreamTimeout {
                        self.call.forget_task();
                    }
                    return Err(error);
                }
            }
        }
        let first = provider.request(self.request)?;
        self.go(first).map_err(|(error, _)| error)
    }

    /// Returns what the outcome was read from: a reply for each round, and of looks the latest.
    pub(crate) fn into_replies(self) -> Vec<HttpReply> {
        self.replies.into_iter().chain(self.latest).collect()
    }

    /// Sends requests until the provider is done; where it is not, says how that left the task.
    fn go(&mut self, first: HttpRequest) -> Result<Answer, (UpstreamError, Task)> {
        let first_url = first.url.clone();
        let mut next = first;
        loop {
            if self.call.is_canceled() {
                return Err((self.upstream.canceled(), Task::There));
            }
            let step = match self.step(&next) {
                Ok(step) => {
                    self.look_failures = 0;
                    step
                }
                Err((_, Task::There))
                    if self.task.is_some() && self.look_failures < LOOK_FAILURES_MAX =>
                {
                    self.look_failures += 1;
                    Step::Again
                }
                Err((error, task)) => {
                    if self.task.is_some() && task != Task::There {
                        self.call.forget_task();
                    }
                    return Err((error, task));
                }
            };
            if let Step::Done(answer) = step {
                return Ok(*answer);
            }
            if let Some(following) = self.follow(step).map_err(|error| (error, Task::There))? {
                // The key goes along, and a reply may have had its part in this address.
                if !same_origin(&first_url, &following.url) {
                    return Err((self.upstream.pointed_elsewhere(), Task::Over));
                }
                next = following;
            }
        }
    }

    /// Sends one request and has its reply read. A reply that another look replaces does not stay.
    fn step(&mut self, next: &HttpRequest) -> Result<Step, (UpstreamError, Task)> {
        let web_search = self.request.web_search;
        let reply = self.upstream.exchange(next, web_search, self.deadline, self.call);
        let reply = reply.map_err(|error| (error, Task::There))?;
        let status = reply.status;
        self.call.log.note_status(status);
        self.replies.push(reply);
        let step = self.upstream.provider.reply(self.request, &self.replies);
        let stays = matches!(step, Ok(Step::Round(_)));
        self.latest = if stays { None } else { self.replies.pop() };
        step.map_err(|error| {
            let task = Task::after(status, error.reason);
            (error, task)
        })
    }

    /// Does what lies between a step and the next request; returns that if it is another one.
    fn follow(&mut self, step: Step) -> Result<Option<HttpRequest>, UpstreamError> {
        let upstream = self.upstream;
        match step {
            Step::Done(_) => Ok(None),
            Step::Begun(id) if self.task.as_ref() == Some(&id) => {
                upstream.pause(self.deadline, self.call).map(|()| None)
            }
            Step::Begun(id) => {
                let look = VendorTask::new(&upstream.name, &id)
                    .and_then(|task| Some((upstream.provider.look_at(&id)?, task)));
                let (look, task) = look.ok_or_else(|| upstream.unkept())?;
                self.call.keep_task(task);
                self.task = Some(id);
                upstream.pause(self.deadline, self.call)?;
                Ok(Some(look))
            }
            // Only the deadline bounds how often.
            Step::Again => upstream.pause(self.deadline, self.call).map(|()| None),
            Step::Round(round) => {
                if self.rounds == ROUNDS_MAX {
                    return Err(upstream.too_many_rounds());
                }
                self.rounds += 1;
                Ok(Some(round))
            }
        }
    }
}

impl Task {
    /// Returns how a reply that is an error leaves a task that was looked at.
    fn after(status: u16, reason: Reason) -> Task {
        match status {
            404 | 410 => Task::Unknown,
            // The key, the balance or the vendor's own trouble; the task may be there all the same.
            401..=403 | 408 | 429 | 500.. => Task::There,
            _ if reason == Reason::InvalidResponse => Task::There,
            _ => Task::Over,
        }
    }
}

fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        (Ok(_) | Err(_), _) => false,
    }
}
