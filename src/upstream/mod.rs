//! Upstreams: where answers come from. The trait they share and the errors they give. What an
//! upstream speaks is in its own file; the call over HTTP is in `http`.

mod breaker;
pub mod browser;
mod choice;
mod connect;
mod day_spend;
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
pub use connect::{ConnectError, Local, UpstreamOverrides, alone, connect, recipe_problems};
pub use day_spend::DaySpend;
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
use browser::recipes::Recipes;
use evidence_capture::Evidence;
use raw_capture::RawCapture;

use crate::answer::{Answer, Kind};
use crate::config::KeepRaw;
use crate::job::{AttemptCall, Failure, ModelSeen, Reason, ScrapeRequest, UpstreamUsage};

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

    /// Asks once and waits for the answer, until `call.deadline` at the latest. The answer is
    /// normalized by the caller ([`Answer::normalized`]).
    ///
    /// # Errors
    /// Why there is no answer, classified by [`Reason`].
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
    ended: Arc<Mutex<EndedCalls>>,
    /// Where the task of a vendor is kept; `None` where no job is behind the call.
    tasks: Option<Arc<dyn TaskKeeper>>,
    raw: Arc<Mutex<Vec<RawCapture>>>,
}

impl Call {
    pub fn new(deadline: Instant, canceled: Arc<AtomicBool>) -> Call {
        Call {
            deadline,
            canceled,
            wants_raw: false,
            evidence: Arc::default(),
            ended: Arc::default(),
            raw: Arc::default(),
            tasks: None,
        }
    }

    /// A call that nobody cancels.
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

    /// What upstreams have handed over.
    pub fn take_evidence(&self) -> Vec<Evidence> {
        std::mem::take(&mut *self.evidence.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note_call(&self, call: AttemptCall) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).calls.push(call);
    }

    fn note_model(&self, upstream: &str, seen: ModelSeen) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.models.push((upstream.to_owned(), seen));
    }

    /// Returns what the calls of upstreams have used, and whose models have changed.
    pub fn take_ended(&self) -> EndedCalls {
        std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the answer is not wanted any more.
    pub fn is_canceled(&self) -> bool {
        self.canceled.load(Ordering::Relaxed)
    }
}

/// The calls of an attempt that have ended.
#[derive(Debug, Default)]
pub struct EndedCalls {
    /// Those of which it is known what they used, in their order.
    pub calls: Vec<AttemptCall>,
    /// The upstreams that answered with another model than before.
    pub models: Vec<(String, ModelSeen)>,
}

/// Why an upstream gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct UpstreamError {
    pub reason: Reason,
    /// One sentence in our own words, for everybody: the log, `GET /scrapers`, other jobs.
    pub sentence: String,
    /// The sentence with the upstream's words in it, which may repeat the prompt in any spelling.
    quoting: Option<Box<str>>,
    /// How long the upstream asks us to wait before the next try, milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The upstream that failed, by its name in config.toml; `None` where no single one did.
    pub upstream: Option<String>,
    /// What the attempt used all the same: providers bill answers that are refused or cut.
    pub usage: Option<Box<UpstreamUsage>>,
    /// The answer that is a failure because no search was made, where its owner wants it.
    unsearched: Option<Box<str>>,
}

impl UpstreamError {
    pub fn new(reason: Reason, sentence: impl Into<String>) -> UpstreamError {
        let Failure { reason, sentence } = Failure::new(reason, sentence);
        UpstreamError {
            reason,
            sentence,
            quoting: None,
            retry_after_ms: None,
            upstream: None,
            usage: None,
            unsearched: None,
        }
    }

    /// Adds the sentence that quotes the upstream, for the job's owner alone.
    #[must_use]
    pub fn quoting(mut self, sentence: impl Into<String>) -> UpstreamError {
        self.quoting = Some(sentence.into().into());
        self
    }

    /// Returns the sentence for the job's owner, who may read the upstream's own words.
    pub fn for_owner(&self) -> &str {
        self.quoting.as_deref().unwrap_or(&self.sentence)
    }

    /// Adds a remark to the end of the sentence, for everybody.
    fn adding(mut self, remark: &str) -> UpstreamError {
        let added = |sentence: &str| format!("{} ({remark}).", sentence.trim_end_matches('.'));
        self.quoting = self.quoting.as_deref().map(|quoting| added(quoting).into());
        self.sentence = added(&self.sentence);
        self
    }

    /// Adds what the attempt used all the same.
    #[must_use]
    pub fn with_usage(mut self, usage: UpstreamUsage) -> UpstreamError {
        self.usage = Some(Box::new(usage)).filter(|usage| !usage.is_empty());
        self
    }

    /// Returns the failure that the job ends with, the answer behind its sentence where one is
    /// kept.
    pub fn last_failure(&self) -> Failure {
        let failure = self.failure();
        match &self.unsearched {
            Some(answer) => failure.with_answer(answer),
            None => failure,
        }
    }

    /// Returns the failure as the job keeps it. Its sentence is the owner's and is never logged.
    pub fn failure(&self) -> Failure {
        Failure::new(self.reason, self.for_owner())
    }

    /// The answer is not wanted any more.
    pub fn canceled() -> UpstreamError {
        UpstreamError::new(Reason::Canceled, Failure::canceled().sentence)
    }

    #[must_use]
    pub fn retry_after_ms(mut self, wait_ms: Option<u64>) -> UpstreamError {
        self.retry_after_ms = wait_ms;
        self
    }
}
