//! How a page stands: what its script is asked, what it says, and what follows from it whatever the
//! step.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fault::Fault;
use super::recipe::{Recipe, Selectors, Shows, Sign};
use crate::job::Reason;

/// Human checks that are known on every page, as selectors of what is visible of them.
const HUMAN_CHECKS: [&str; 5] = [
    "iframe[src*=\"challenges.cloudflare.com\"]",
    "iframe[src*=\"hcaptcha.com\"][src*=\"challenge\"]",
    "iframe[src*=\"recaptcha/api2/bframe\"]",
    "iframe[src*=\"recaptcha/enterprise/bframe\"]",
    "#challenge-form, #challenge-stage, form#captcha-form",
];

/// The report of the page's script.
#[derive(Debug, Deserialize)]
pub(crate) struct Look {
    /// HTTP status of the page; 0 where the browser does not tell.
    status: u16,
    /// `document.readyState`.
    ready: String,
    pub answer: AnswerLook,
    sign: Option<SignSeen>,
    pub r#box: i64,
    pub dismiss: Option<BannerSeen>,
    pub appears: i64,
    /// The alternative of `gone` that is still there.
    pub present: i64,
    pub request_ended: bool,
    /// The alternative of each [`Want`] that is there, below 0 none.
    wants: Vec<i64>,
    /// What the arrays say that show only while the answer is written.
    pub running: Vec<String>,
}

/// The state in which something is waited for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    There,
    Seen,
    Usable,
    /// A box that holds the prompt.
    Typed,
}

/// Something that is waited for.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Want<'a> {
    pub select: &'a Selectors,
    pub how: How,
}

impl Look {
    /// Returns the first of what is waited for that is there: its place, and the alternative that
    /// matched.
    pub(crate) fn found(&self) -> Option<(usize, i64)> {
        self.wants.iter().copied().enumerate().find(|(_, alt)| *alt >= 0)
    }

    /// Returns whether the document is not there as a whole.
    pub(crate) fn is_loading(&self) -> bool {
        self.ready == "loading"
    }
}

/// The answer as far as it has come.
#[derive(Debug, Deserialize)]
pub(crate) struct AnswerLook {
    pub alt: i64,
    pub chars: usize,
    /// Whether there is text in it.
    pub begun: bool,
    pub hash: String,
}

#[derive(Debug, Deserialize)]
struct SignSeen {
    index: usize,
    how: String,
}

/// A banner in the way.
#[derive(Debug, Deserialize)]
pub(crate) struct BannerSeen {
    pub index: usize,
    pub alt: i64,
    /// Where it can be clicked; `None` when it was clicked already.
    pub point: Option<Point>,
}

/// A point of the window, pixels.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Point {
    pub x: i64,
    pub y: i64,
}

/// The things that a recipe has the page looked at for.
pub(crate) struct Question {
    asked: Value,
    signs: Vec<Sign>,
    /// Whether it has changed since the page was asked.
    pub is_new: bool,
}

impl Question {
    pub(crate) fn new(recipe: &Recipe, prompt: &str) -> Question {
        let mut signs = recipe.signs.clone();
        signs.push(Sign {
            shows: Shows::HumanCheck,
            select: Selectors(HUMAN_CHECKS.map(str::to_owned).to_vec()),
            text: Vec::new(),
            within: Selectors::default(),
            url: Vec::new(),
        });
        let dismiss: Vec<_> = recipe.dismiss.iter().map(|banner| &banner.click).collect();
        let shown: Vec<Value> = signs
            .iter()
            .map(|sign| {
                json!({
                    "select": sign.select, "text": sign.text, "within": sign.within,
                    "url": sign.url,
                })
            })
            .collect();
        let hide: Vec<&String> = recipe.dismiss.iter().flat_map(|it| &it.hide.0).collect();
        let running = recipe.arrays.iter().filter(|part| part.while_running);
        let running: Vec<&Selectors> = running.map(|part| &part.item).collect();
        let prompt_box = recipe.prompt.as_ref().map(|prompt| &prompt.r#box);
        let asked = json!({
            "answer": {
                "select": recipe.answer.select, "which": recipe.answer.which, "prompt": prompt,
            },
            "signs": shown,
            "prompt": prompt,
            "box": prompt_box.cloned().unwrap_or_default(),
            "dismiss": dismiss,
            "hide": hide,
            "appears": recipe.complete.appears,
            "gone": recipe.complete.gone,
            "request_ended": recipe.complete.request_ended,
            "since": 0,
            "wants": [],
            "running": running,
        });
        Question { asked, signs, is_new: true }
    }

    pub(crate) fn asked(&self) -> &Value {
        &self.asked
    }

    /// Returns what to find the answer by; after [`Question::sent`] only what is new since then.
    pub(crate) fn answer(&self) -> Value {
        self.asked["answer"].clone()
    }

    /// Takes what there is before the prompt is sent for no answer to it. `since` is the page's
    /// time, milliseconds.
    pub(crate) fn sent(&mut self, baseline: Value, since: f64) {
        self.asked["answer"]["baseline"] = baseline;
        self.asked["since"] = json!(since);
        self.want(&[]);
    }

    /// Has the page tell when something is there.
    pub(crate) fn want(&mut self, wants: &[Want<'_>]) {
        self.asked["wants"] = json!(wants);
        self.is_new = true;
    }

    /// Takes the answer for complete: nothing that shows from now on speaks against it.
    pub(crate) fn answered(&mut self) {
        self.signs.clear();
        for list in ["signs", "dismiss", "running"] {
            self.asked[list] = json!([]);
        }
        self.is_new = true;
    }

    /// Looks no more for a banner that does not go away.
    pub(crate) fn forget_banner(&mut self, index: usize) {
        self.asked["dismiss"][index] = json!([]);
        self.is_new = true;
    }

    /// Checks that the page shows no sign that there will be no answer.
    ///
    /// # Errors
    /// Returns an error if it shows one.
    pub(crate) fn check(&self, look: &Look) -> Result<(), Fault> {
        if self.signs.is_empty() {
            return Ok(());
        }
        if let Some(seen) = &look.sign
            && let Some(sign) = self.signs.get(seen.index)
        {
            let (reason, what) = shown(sign.shows);
            return Err(Fault::page(reason, format!("{what} ({})", seen.how)));
        }
        // A page that has what we need may be served with any status.
        let is_useless = look.r#box < 0 && !look.answer.begun && look.ready == "complete";
        if look.status >= 400 && is_useless {
            let reason = match look.status {
                403 => Reason::Blocked,
                429 => Reason::UpstreamRateLimited,
                503 => Reason::Overloaded,
                _ => Reason::UpstreamError,
            };
            return Err(Fault::page(reason, format!("answered with status {}", look.status)));
        }
        Ok(())
    }
}

fn shown(shows: Shows) -> (Reason, &'static str) {
    match shows {
        Shows::Blocked => (Reason::Blocked, "refuses to serve us"),
        Shows::Login => (Reason::Blocked, "asks for a login"),
        Shows::HumanCheck => (Reason::Blocked, "asks for a proof that a human is there"),
        Shows::RateLimited => (Reason::UpstreamRateLimited, "says that it was asked too often"),
        Shows::Failed => (Reason::UpstreamError, "says that something went wrong"),
    }
}
