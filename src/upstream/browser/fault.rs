//! What can go wrong while a page is driven, and what the job is told of it.

use thirtyfour::error::{WebDriverError, WebDriverErrorInner};

use crate::job::Reason;
use crate::upstream::UpstreamError;

/// Why a page gave no answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The answer is not wanted any more.
    Canceled,
    /// The attempt's time is up.
    Deadline { doing: String },
    /// The browser or its tab is gone, or does what it should not.
    Broken(String),
    /// A dialog was open; it is dismissed, and the step can be done again.
    Dialog(String),
    /// The page navigated away under a script; the step can be done again.
    Moved,
    /// The page gave no answer, or not one of use.
    Page { reason: Reason, sentence: String },
}

impl Fault {
    pub fn page(reason: Reason, sentence: impl Into<String>) -> Fault {
        Fault::Page { reason, sentence: sentence.into() }
    }

    /// Whether the session can serve no other job.
    pub fn breaks_session(&self) -> bool {
        match self {
            // A command may still be under way in it.
            Fault::Canceled | Fault::Deadline { .. } | Fault::Broken(_) => true,
            Fault::Dialog(_) | Fault::Moved => true,
            Fault::Page { .. } => false,
        }
    }

    /// As the job is told. `upstream` is the name in config.toml.
    pub fn told(self, upstream: &str) -> UpstreamError {
        let (reason, what) = match self {
            Fault::Canceled => {
                (Reason::Canceled, "was stopped: the answer is not wanted".to_owned())
            }
            Fault::Deadline { doing } => {
                (Reason::UpstreamTimeout, format!("ran out of time: {doing}"))
            }
            Fault::Broken(what) => (Reason::Unreachable, format!("lost its browser: {what}")),
            Fault::Dialog(_) => {
                (Reason::UpstreamError, "opens one dialog after the other".to_owned())
            }
            Fault::Moved => (Reason::UpstreamError, "loads one page after the other".to_owned()),
            Fault::Page { reason, sentence } => (reason, sentence),
        };
        UpstreamError::new(reason, format!("Upstream `{upstream}` {what}."))
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
                    return Fault::Moved;
                }
                let own = message.strip_prefix("javascript error: ").unwrap_or(&message);
                Fault::page(Reason::RecipeOutdated, format!("could not be driven: {own}"))
            }
            WebDriverErrorInner::ScriptTimeout(_) => Fault::Broken("the page hangs".to_owned()),
            WebDriverErrorInner::NoSuchFrame(_)
            | WebDriverErrorInner::StaleElementReference(_)
            | WebDriverErrorInner::NoSuchElement(_) => Fault::Moved,
            // The rest is the browser's end in one form or the other.
            _ => {
                let message = one_line(&error.to_string());
                if is_move(&message) { Fault::Moved } else { Fault::Broken(message) }
            }
        }
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
