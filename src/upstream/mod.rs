//! Upstreams: where answers come from. The trait they share and the errors they give. What an
//! upstream speaks is in its own file; the call over HTTP is in `http`.

mod breaker;
pub mod browser;
mod call_log;
mod choice;
mod connect;
mod day_spend;
mod error;
pub mod evidence_capture;
mod extra_body;
pub mod http;
mod limits;
mod model_list;
mod model_log;
mod practice;
mod pricing;
pub mod provider;
pub mod providers;
pub mod raw_capture;
mod registry;
mod reread;
mod secret_spellings;
mod slot;
mod vendor_tasks;

pub use breaker::{Circuit, FAILURES_MAX, REST_MS_MAX, REST_MS_MIN};
pub use browser::recipes::Recipes;
pub use call_log::{CallLog, EndedCalls, RunningCall};
pub use connect::{
    ConnectError, Local, UpstreamOverrides, all_recipes, alone, connect, recipe_problems,
};
pub use day_spend::DaySpend;
pub use error::UpstreamError;
pub use http::InvalidProxy;
pub use limits::{Limits, Served};
pub use model_list::model_warnings;
pub use registry::{AnsweredBy, Registry};
pub use reread::{RereadError, reread};
pub use slot::{CallCounts, LastError, Member, Terms, UpstreamStatus};
pub use vendor_tasks::TaskKeeper;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use browser::RecipeHealth;
use evidence_capture::Evidence;
use raw_capture::RawCapture;

use crate::answer::{Answer, Kind};
use crate::config::KeepRaw;
use crate::job::ScrapeRequest;

/// Something that answers prompts. Called from worker threads, several at once.
pub trait Upstream: Send + Sync {
    /// Its name in config.toml (`[upstreams.NAME]`).
    fn name(&self) -> &str;

    /// Where its answers are had.
    fn kind(&self) -> Kind;

    /// Returns what it takes, as far as that is known before a call. It is asked for nothing else.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Returns the model that it asks for a request; `None` where there is none to choose.
    fn model_asked(&self, request: &ScrapeRequest) -> Option<String> {
        request.model.clone()
    }

    /// Asks once and waits for the answer, until `call.deadline` at the latest. The answer is
    /// normalized by the caller ([`Answer::normalized`]).
    ///
    /// # Errors
    /// Returns an error if there is no answer; its reason says why.
    fn ask(&self, request: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError>;

    /// Whether it goes on with a task that an earlier call began ([`Call::task_of`]).
    fn resumes_tasks(&self) -> bool {
        false
    }

    /// How its recipe fits the page; `None` where there is no recipe.
    fn recipe_health(&self) -> Option<RecipeHealth> {
        None
    }

    /// Takes the recipes that are there now, where it has one.
    fn load_recipes(&self, _recipes: &Recipes) {}

    /// Ends what it keeps running between calls. Nothing is asked after that.
    fn close(&self) {}
}

/// The bounds of one call.
#[derive(Clone)]
pub struct Call {
    /// When the caller gives up (the machine's monotonic clock).
    pub deadline: Instant,
    /// Set when the answer is not wanted any more; looked at between the steps of a call.
    pub canceled: Arc<AtomicBool>,
    /// Whether the job asks for the raw replies of all its upstreams.
    wants_raw: bool,
    /// What upstreams want kept of the attempt.
    evidence: Arc<Mutex<Vec<Evidence>>>,
    /// What the attempt did with each upstream.
    pub log: Arc<CallLog>,
    /// Where the task of a vendor is kept; `None` where no job is behind the call.
    tasks: Option<Arc<dyn TaskKeeper>>,
    /// Whether what the upstream works on is a task whose price was counted with an earlier call.
    is_counted: Arc<AtomicBool>,
    raw: Arc<Mutex<Vec<RawCapture>>>,
}

impl Call {
    pub fn new(deadline: Instant, canceled: Arc<AtomicBool>) -> Call {
        Call {
            deadline,
            canceled,
            wants_raw: false,
            evidence: Arc::default(),
            log: Arc::default(),
            raw: Arc::default(),
            tasks: None,
            is_counted: Arc::default(),
        }
    }

    /// Creates a call that nothing cancels.
    pub fn until(deadline: Instant) -> Call {
        Call::new(deadline, Arc::default())
    }

    /// Hands evidence of this call to the caller.
    pub fn keep(&self, evidence: Evidence) {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).push(evidence);
    }

    /// Returns the call with the raw replies of all upstreams asked for, or not.
    #[must_use]
    pub fn with_raw(self, wants_raw: bool) -> Call {
        Call { wants_raw, ..self }
    }

    /// Returns whether the raw replies of an upstream with this setting may be kept.
    pub fn may_keep_raw(&self, keep: KeepRaw) -> bool {
        self.wants_raw || keep != KeepRaw::None
    }

    /// Hands the raw replies of an upstream to the caller.
    pub fn keep_raw(&self, raw: RawCapture) {
        self.raw.lock().unwrap_or_else(PoisonError::into_inner).push(raw);
    }

    /// Takes the raw replies that upstreams have handed over.
    pub fn take_raw(&self) -> Vec<RawCapture> {
        std::mem::take(&mut *self.raw.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the evidence that upstreams have handed over.
    pub fn take_evidence(&self) -> Vec<Evidence> {
        std::mem::take(&mut *self.evidence.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns whether the answer is not wanted any more.
    pub fn is_canceled(&self) -> bool {
        self.canceled.load(Ordering::Relaxed)
    }
}
