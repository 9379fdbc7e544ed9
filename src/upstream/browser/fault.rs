//! What can go wrong while a page is driven, and what the job is told of it.

use super::bidi::{BidiError, CLOSED};
use crate::job::Reason;
use crate::upstream::UpstreamError;

/// The reason why a page gave no answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The answer is not wanted any more.
    Canceled,
    /// The attempt's time is up.
    Deadline { doing: String },
    /// The browser or its tab is gone, or does what it should not.
    Broken(Why),
    /// One dialog after the other was opened; all are dismissed.
    Dialogs,
    /// The page navigated away under a script; the step can be done again.
    Navigated,
    /// The page gave no answer, or not one of use.
    Page { reason: Reason, why: Why },
}

/// The reason in our own words, and what the page or its browser said: that may repeat the prompt,
/// and is for the job's owner alone.
#[derive(Clone, Debug)]
pub struct Why {
    ours: String,
    /// Empty if they said nothing.
    pub theirs: String,
}

impl Fault {
    pub fn page(reason: Reason, ours: impl Into<String>) -> Fault {
        Fault::Page { reason, why: Why { ours: ours.into(), theirs: String::new() } }
    }

    pub fn broken(ours: impl Into<String>) -> Fault {
        Fault::Broken(Why { ours: ours.into(), theirs: String::new() })
    }

    /// Returns the error as the job is told. `upstream` is the name in config.toml.
    pub fn told(self, upstream: &str) -> UpstreamError {
        let plain = |ours: String| Why { ours, theirs: String::new() };
        let (reason, Why { ours, theirs }) = match self {
            Fault::Canceled => {
                (Reason::Canceled, plain("was stopped: the answer is not wanted".to_owned()))
            }
            Fault::Deadline { doing } => {
                (Reason::UpstreamTimeout, plain(format!("ran out of time: {doing}")))
            }
            Fault::Broken(Why { ours, theirs }) => {
                let ours = format!("lost its browser: {ours}");
                (Reason::Unreachable, Why { ours, theirs })
            }
            Fault::Dialogs => {
                (Reason::UpstreamError, plain("opens one dialog after the other".to_owned()))
            }
            Fault::Navigated => {
                (Reason::UpstreamError, plain("loads one page after the other".to_owned()))
            }
            Fault::Page { reason, why } => (reason, why),
        };
        let ours = format!("Upstream `{upstream}` {ours}");
        let error = UpstreamError::new(reason, format!("{ours}."));
        if theirs.is_empty() { error } else { error.quoting(format!("{ours}: {theirs}.")) }
    }
}

impl From<BidiError> for Fault {
    fn from(error: BidiError) -> Fault {
        if error.code == CLOSED {
            return Fault::broken(error.message);
        }
        if error.code == "no such frame" || is_move(&error.message) {
            return Fault::Navigated;
        }
        // The rest is the browser's end in one form or the other.
        let ours = "a command failed".to_owned();
        Fault::Broken(Why { ours, theirs: one_line(&error.message) })
    }
}

impl Fault {
    /// Returns the fault of a browser that did not start. No page was open, so what the driver says
    /// is no page's word.
    pub fn not_started(why: String) -> Fault {
        Fault::broken(one_line(&why))
    }

    /// Returns the fault of a page in which our script has failed, with what it threw.
    pub fn script(thrown: &str) -> Fault {
        let ours = "could not be driven: its page's script failed".to_owned();
        Fault::Page { reason: Reason::RecipeOutdated, why: Why { ours, theirs: one_line(thrown) } }
    }
}

/// The beginning of what chromedriver says, which goes on with a trace.
fn one_line(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let text = text.split("Stacktrace:").next().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(CHARS_MAX).collect()
}

/// What chromedriver says when a script's page went away under it.
fn is_move(message: &str) -> bool {
    [
        "navigated or closed",
        "aborted by navigation",
        "Execution context was destroyed",
        "Cannot find context",
        "document unloaded",
        "target frame detached",
    ]
    .iter()
    .any(|known| message.contains(known))
}
