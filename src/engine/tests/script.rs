//! An upstream that does what the test has written down for it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::answer::{Answer, Kind};
use crate::clock::Clock;
use crate::job::{Reason, ScrapeRequest};
use crate::upstream::{Call, Upstream, UpstreamError};

/// What the upstream does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Answer,
    Fail(Reason),
    /// Asks for a pause of so many milliseconds.
    Limit(u64),
    Panic,
    /// Says nothing until nobody waits any more.
    Hang,
}

/// Acts that are done in order; when there is none left, it answers.
#[derive(Default)]
pub(crate) struct Script {
    acts: Mutex<VecDeque<Act>>,
    hangs: AtomicBool,
    asked: AtomicU64,
}

impl Script {
    pub(crate) fn of(acts: impl IntoIterator<Item = Act>) -> Script {
        Script { acts: Mutex::new(acts.into_iter().collect()), ..Script::default() }
    }

    /// Puts this act in the place of all that are left.
    pub(crate) fn next(&self, act: Act) {
        *self.acts.lock().unwrap() = VecDeque::from([act]);
    }

    /// Makes it hang, whatever is written down, or no longer.
    pub(crate) fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Upstream for Script {
    fn name(&self) -> &str {
        "scripted"
    }

    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn ask(&self, _: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let act = self.acts.lock().unwrap().pop_front().unwrap_or(Act::Answer);
        match if self.hangs.load(Ordering::SeqCst) { Act::Hang } else { act } {
            Act::Answer => Ok(Answer { markdown: "42".to_owned(), ..Answer::default() }),
            Act::Fail(reason) => Err(UpstreamError::new(reason, "The test says no.")),
            Act::Limit(wait_ms) => {
                let limited = UpstreamError::new(Reason::UpstreamRateLimited, "The test is busy.");
                Err(limited.retry_after_ms(Some(wait_ms)))
            }
            // Without the message that a panic prints.
            Act::Panic => std::panic::resume_unwind(Box::new("a planned panic")),
            Act::Hang => {
                while !call.is_canceled() && Clock::System.instant() < call.deadline {
                    std::thread::yield_now();
                }
                Err(UpstreamError::new(Reason::UpstreamTimeout, "The test says nothing."))
            }
        }
    }
}
