//! What can go wrong while a page is driven, and what the job is told of it.

use thirtyfour::error::{WebDriverError, WebDriverErrorInner};

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
    /// A dialog was open; it is dismissed, and the step can be done again.
    Dialog(String),
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

    /// Returns whether the session can serve no other job.
    pub fn breaks_session(&self) -> bool {
        match self {
            // A command may still be under way in it.
            Fault::Canceled | Fault::Deadline { .. } | Fault::Broken(_) => true,
            Fault::Dialog(_) | Fault::Navigated => true,
            Fault::Page { .. } => false,
        }
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
            Fault::Dialog(_) => {
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

impl From<WebDriverError> for Fault {
    fn from(error: WebDriverError) -> Fault {
        match error.as_inner() {
            WebDriverErrorInner::UnexpectedAlertOpen(info) => {
                let data = info.value.data.as_ref();
                let text = data.and_then(|data| data.get("text")).and_then(|text| text.as_str());
                Fault::Dialog(text.unwrap_or_default().to_owned())
            }
            WebDriverErrorInner::JavascriptError(info) => {
                let message = one_line(&info.value.message);
                if is_move(&message) {
                    return Fault::Navigated;
                }
                let own = message.strip_prefix("javascript error: ").unwrap_or(&message);
                let ours = "could not be driven: its page's script failed".to_owned();
                let why = Why { ours, theirs: own.to_owned() };
                Fault::Page { reason: Reason::RecipeOutdated, why }
            }
            WebDriverErrorInner::ScriptTimeout(_) => Fault::broken("the page hangs"),
            WebDriverErrorInner::NoSuchFrame(_)
            | WebDriverErrorInner::StaleElementReference(_)
            | WebDriverErrorInner::NoSuchElement(_) => Fault::Navigated,
            // The rest is the browser's end in one form or the other.
            _ => {
                let message = one_line(&error.to_string());
                if is_move(&message) {
                    return Fault::Navigated;
                }
                let ours = "a command failed".to_owned();
                Fault::Broken(Why { ours, theirs: message })
            }
        }
    }
}

impl Fault {
    /// Returns the fault of a browser that did not start. No page was open, so what the driver says
    /// is no page's word.
    pub fn not_started(error: &WebDriverError) -> Fault {
        Fault::broken(one_line(&error.to_string()))
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
