//! One upstream as the registry runs it: its cap of calls in flight, its rate limit, its circuit
//! breaker, its latest failure, and what it has cost.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::breaker::{Admission, Breaker, Circuit, FAILURES_MAX};
use super::browser::RecipeHealth;
use super::day_spend::DaySpend;
use super::model_log::ModelLog;
use super::pricing::priced;
use super::{Call, Limits, Upstream, UpstreamError};
use crate::answer::{Answer, Kind};
use crate::clock::{Clock, Stopwatch, UnixMs, next_day_ms};
use crate::config::Prices;
use crate::job::{
    Blame, ModelSeen, PassedOver, Reason, ReasonCounts, ScrapeRequest, Spend, UpstreamUsage,
    VendorTask, usd_text,
};
use crate::rate::{RateLimit, SharedBudgets};
use crate::store::Blocking;
use crate::tally::{Histogram, HistogramReport};

/// How soon an upstream whose cap is reached is worth asking again, milliseconds.
const FULL_WAIT_MS: u64 = 1_000;
/// The upper bounds of the histogram of calls, milliseconds.
const CALL_BOUNDS_MS: [u64; 11] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 180_000];

/// An upstream with the limits of its settings.
pub struct Member {
    pub upstream: Arc<dyn Upstream>,
    /// `None`: no cap.
    pub in_flight_max: Option<usize>,
    /// `None`: no limit of our own.
    pub requests_per_minute: Option<u32>,
    pub terms: Terms,
}

/// The models that an upstream may be asked for, and the money that it may cost.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Models that a request may ask for.
    pub models_allowed: Vec<String>,
    /// Nanodollars in a day (UTC); `None`: no cap.
    pub day_nanos_max: Option<u64>,
    pub prices: Prices,
}

/// The status of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamStatus {
    pub name: String,
    pub kind: Kind,
    pub circuit: Circuit,
    pub in_flight: usize,
    pub in_flight_max: Option<usize>,
    pub last_error: Option<LastError>,
    /// How its recipe fits the page, where it has one.
    pub recipe: Option<RecipeHealth>,
    pub models_allowed: Vec<String>,
    /// The models that it has answered with, oldest first, each since when.
    pub models: Vec<ModelSeen>,
    /// Nanodollars that it has cost today (UTC).
    pub day_nanos: u64,
    pub day_nanos_max: Option<u64>,
}

/// Counters of an upstream's calls since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCounts {
    /// Its name in config.toml.
    pub name: String,
    /// How long they took, however they ended, milliseconds.
    pub took_ms: HistogramReport,
    /// The reasons for which there was no answer, and how often.
    pub errors: Vec<(Reason, u64)>,
    /// What they have used.
    pub spend: Spend,
}

/// The latest failure of an upstream, whatever its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    pub at_ms: UnixMs,
    pub reason: Reason,
    pub sentence: String,
}

/// The reason why an upstream cannot be asked now, and when it may be worth trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Busy {
    pub sentence: String,
    pub wait_ms: u64,
    pub why: PassedOver,
}

pub(super) struct UpstreamSlot {
    upstream: Arc<dyn Upstream>,
    in_flight_max: Option<usize>,
    in_flight: AtomicUsize,
    limit: Option<RateLimit>,
    /// Set where other processes ask it too.
    shared: OnceLock<Arc<dyn SharedBudgets>>,
    breaker: Breaker,
    last_error: Mutex<Option<LastError>>,
    took_ms: Histogram,
    errors: ReasonCounts,
    terms: Terms,
    models: ModelLog,
    day: DaySpend,
    spend: Mutex<Spend>,
    clock: Clock,
}

/// A permit for one call. However the call ends, by a panic too, its place becomes free.
pub(super) struct InFlight<'a> {
    slot: &'a UpstreamSlot,
    is_probe: bool,
    /// Runs while the upstream is asked.
    asked: Option<Stopwatch>,
}

impl UpstreamSlot {
    pub(crate) fn new(member: Member, clock: Clock) -> UpstreamSlot {
        let limit = member.requests_per_minute.and_then(NonZeroU32::new);
        UpstreamSlot {
            limit: limit.map(|most| RateLimit::per_minute(most, &clock)),
            shared: OnceLock::new(),
            upstream: member.upstream,
            in_flight_max: member.in_flight_max,
            in_flight: AtomicUsize::new(0),
            breaker: Breaker::new(),
            last_error: Mutex::new(None),
            took_ms: Histogram::new(&CALL_BOUNDS_MS),
            errors: ReasonCounts::default(),
            terms: member.terms,
            models: ModelLog::default(),
            day: DaySpend::default(),
            spend: Mutex::default(),
            clock,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.upstream.name()
    }

    pub(crate) fn kind(&self) -> Kind {
        self.upstream.kind()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.upstream.limits()
    }

    /// Returns whether a request may ask for a model here.
    pub(crate) fn allows_model(&self, model: &str) -> bool {
        self.terms.models_allowed.iter().any(|allowed| allowed == model)
    }

    pub(crate) fn models_allowed(&self) -> &[String] {
        &self.terms.models_allowed
    }

    /// Makes its limits those of all processes that ask it. Only the first call counts.
    pub(crate) fn share(&self, budgets: &Arc<dyn SharedBudgets>) {
        let _ = self.shared.set(budgets.clone());
        if let Some(limit) = &self.limit {
            limit.share(budgets.clone(), format!("upstream/{}", self.name()));
        }
    }

    /// Returns how many calls this process may have under way: its part of `in_flight_max`, rounded
    /// up.
    fn in_flight_share(&self) -> usize {
        let most = self.in_flight_max.unwrap_or(usize::MAX);
        let sharers = self.shared.get().map_or(1, |budgets| budgets.sharers(self.name()));
        most.div_ceil(sharers.max(1))
    }

    /// Takes over what the store has of the present day: what all processes have spent.
    pub(crate) fn raise_spend(&self, at_ms: UnixMs, nanos: u64) {
        self.day.raise(at_ms, nanos);
    }

    /// Takes over the models that the store has kept.
    pub(crate) fn restore_models(&self, models: Vec<ModelSeen>) {
        self.models.restore(models);
    }

    /// Returns why it is not asked before the next day; `None` while it may cost more.
    fn spent(&self) -> Option<Busy> {
        let cap_nanos = self.terms.day_nanos_max?;
        let now_ms = self.clock.now_ms();
        (self.day.nanos(now_ms) >= cap_nanos).then(|| {
            let cap = usd_text(cap_nanos);
            let sentence =
                format!("{} has spent its `usd_per_day` of {cap} USD for today (UTC)", self.name());
            Busy { sentence, wait_ms: next_day_ms(now_ms) - now_ms, why: PassedOver::DaySpend }
        })
    }

    /// Takes a permit for one call.
    ///
    /// # Errors
    /// Returns an error if all permits are taken, the breaker is open, the minute is used up, or
    /// the day's money is spent.
    pub(crate) fn enter(&self) -> Result<InFlight<'_>, Busy> {
        if let Some(spent) = self.spent() {
            return Err(spent);
        }
        let most = self.in_flight_share();
        let entered =
            self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |under_way| {
                (under_way < most).then_some(under_way + 1)
            });
        if entered.is_err() {
            let of =
                if self.in_flight_max == Some(most) { "its" } else { "this process's part of" };
            let sentence =
                format!("{} has all {most} calls of {of} `in_flight_max` under way", self.name());
            return Err(Busy { sentence, wait_ms: FULL_WAIT_MS, why: PassedOver::InFlight });
        }
        // From here on the place is given back when `in_flight` goes.
        let mut in_flight = InFlight { slot: self, is_probe: false, asked: None };
        match self.breaker.admit(self.clock.now_ms()) {
            Admission::Call => {}
            Admission::Probe => in_flight.is_probe = true,
            Admission::Rest { wait_ms } => {
                let mut sentence =
                    format!("{} is paused after {FAILURES_MAX} failures in a row", self.name());
                if let Some(last) = self.last_error() {
                    let last = last.sentence.trim_end_matches('.').to_owned();
                    sentence.push_str(&format!(" (the last: {last})"));
                }
                return Err(Busy { sentence, wait_ms, why: PassedOver::Paused });
            }
        }
        // Last, because what is taken here does not come back.
        if let Some(Err(wait_ms)) = self.limit.as_ref().map(|limit| limit.acquire().wait()) {
            let sentence = format!("{} has used up its `requests_per_minute`", self.name());
            return Err(Busy { sentence, wait_ms, why: PassedOver::RateLimit });
        }
        Ok(in_flight)
    }

    /// Returns how long it takes no calls, milliseconds: because it is paused after failures, or
    /// has used up its own limit. One that is full, or whose probe is under way, may take one at
    /// any moment.
    pub(crate) fn paused_ms(&self) -> u64 {
        let rest_ms = match self.breaker.circuit(self.clock.now_ms()) {
            Circuit::Closed { .. } | Circuit::HalfOpen => 0,
            Circuit::Open { wait_ms } => wait_ms,
        };
        let spent_ms = self.spent().map_or(0, |busy| busy.wait_ms);
        rest_ms.max(spent_ms).max(self.limit.as_ref().map_or(0, RateLimit::wait_ms))
    }

    pub(crate) fn upstream(&self) -> &dyn Upstream {
        self.upstream.as_ref()
    }

    pub(crate) fn status(&self) -> UpstreamStatus {
        UpstreamStatus {
            name: self.name().to_owned(),
            kind: self.kind(),
            circuit: self.breaker.circuit(self.clock.now_ms()),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            in_flight_max: self.in_flight_max,
            last_error: self.last_error(),
            recipe: self.upstream.recipe_health(),
            models_allowed: self.terms.models_allowed.clone(),
            models: self.models.models(),
            day_nanos: self.day.nanos(self.clock.now_ms()),
            day_nanos_max: self.terms.day_nanos_max,
        }
    }

    pub(crate) fn calls(&self) -> CallCounts {
        CallCounts {
            name: self.name().to_owned(),
            took_ms: self.took_ms.report(),
            errors: self.errors.report(),
            spend: *self.spend.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Checks an answer: that it has something to say, and was searched for where that is required.
    fn accept(
        &self,
        request: &ScrapeRequest,
        call: &Call,
        answer: Answer,
    ) -> Result<Answer, UpstreamError> {
        let name = self.name();
        if says_nothing(&answer) {
            let sentence = format!("{name} gave an answer without text.");
            return Err(UpstreamError::new(Reason::Empty, sentence).with_usage(answer.usage));
        }
        if let (Some(model), None) = (&answer.model, &request.model)
            && let Some(seen) = self.models.note(model, self.clock.now_ms())
        {
            call.log.note_model(name, seen);
        }
        let made = answer.search.and_then(|search| search.made);
        if request.require_search && made == Some(false) {
            let sentence = format!("{name} answered without a search.");
            let error = UpstreamError::new(Reason::NoSearch, sentence).with_usage(answer.usage);
            let unsearched = request.keep_unsearched.then(|| answer.markdown.into());
            return Err(UpstreamError { unsearched, ..error });
        }
        Ok(answer)
    }

    /// Gives an outcome its cost, and counts what the call has used, however it ended.
    fn with_cost(
        &self,
        outcome: Result<Answer, UpstreamError>,
        call: &Call,
    ) -> Result<Answer, UpstreamError> {
        match outcome {
            Ok(answer) => {
                let usage = self.priced(answer.usage, None, call);
                self.count(&usage);
                Ok(Answer { usage, ..answer })
            }
            Err(error) => {
                let usage = error.usage.as_deref().cloned().unwrap_or_default();
                let usage = self.priced(usage, Some(error.reason), call);
                self.count(&usage);
                Err(error.with_usage(usage))
            }
        }
    }

    /// Returns what a call has used with its cost. A vendor's task costs the price of a call once,
    /// however many calls look at it.
    fn priced(&self, usage: UpstreamUsage, failed: Option<Reason>, call: &Call) -> UpstreamUsage {
        let prices = self.terms.prices;
        if call.is_counted() {
            return priced(usage, &Prices { call_nanos: None, ..prices }, failed);
        }
        let usage = priced(usage, &prices, failed);
        if prices.call_nanos.is_some() && usage.cost.is_some() && self.upstream.resumes_tasks() {
            let left = call.task_of(self.name());
            left.into_iter()
                .for_each(|task| call.keep_task(VendorTask { is_counted: true, ..task }));
        }
        usage
    }

    fn count(&self, usage: &UpstreamUsage) {
        if usage.is_empty() {
            return;
        }
        self.day.add(self.clock.now_ms(), usage.cost.map_or(0, |cost| cost.nano_usd));
        self.spend.lock().unwrap_or_else(PoisonError::into_inner).count(usage);
    }

    /// Writes the end of a call down.
    fn log_end(&self, outcome: &Result<Answer, UpstreamError>, took_ms: u64, call: &Call) {
        let (failed, usage) = match outcome {
            Ok(answer) => (None, Some(&answer.usage)),
            Err(error) => (Some(error.reason), error.usage.as_deref()),
        };
        let unknown = UpstreamUsage::default();
        call.log.end(self.clock.now_ms(), took_ms, failed, usage.unwrap_or(&unknown));
    }

    fn last_error(&self) -> Option<LastError> {
        // It is written whole.
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, error: &UpstreamError) {
        let last = LastError {
            at_ms: self.clock.now_ms(),
            reason: error.reason,
            sentence: error.sentence.clone(),
        };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}

impl InFlight<'_> {
    /// Asks, and lets the breaker know how it went.
    ///
    /// # Errors
    /// Returns an error as [`Upstream::ask`] does, or [`Reason::Empty`] for an empty answer.
    pub(crate) fn ask(
        mut self,
        request: &ScrapeRequest,
        call: &Call,
    ) -> Result<Answer, UpstreamError> {
        let slot = self.slot;
        let asked = slot.clock.stopwatch();
        self.asked = Some(asked.clone());
        call.log.begin(slot.name(), slot.clock.now_ms());
        call.set_counted(false);
        let outcome = slot.upstream.ask(request, call).map(Answer::normalized);
        let outcome = outcome.and_then(|answer| {
            // Another attempt needs another answer than that of the vendor's task.
            slot.accept(request, call, answer).inspect_err(|_| call.forget_task())
        });
        // A call that is broken off fails in one way or another.
        let outcome = outcome.map_err(|error| match call.is_canceled() {
            true => UpstreamError { usage: error.usage, ..UpstreamError::canceled() },
            false => error,
        });
        let outcome = slot.with_cost(outcome, call);
        slot.log_end(&outcome, asked.elapsed_ms(), call);
        let verdict =
            outcome.as_ref().map_or_else(|error| error.reason.info().blame, |_| Blame::None);
        match verdict {
            Blame::None => slot.breaker.succeed(),
            Blame::Upstream => slot.breaker.fail(self.is_probe, slot.clock.now_ms()),
            Blame::Unknown => {
                // It was not asked, or nobody waited for it: its place is free again, uncounted.
                self.asked = None;
                return outcome;
            }
        }
        self.is_probe = false;
        self.note_end(outcome.as_ref().err().map(|error| error.reason));
        if let Err(error) = &outcome {
            slot.remember(error);
        }
        outcome
    }

    /// Counts the call, once.
    fn note_end(&mut self, failed: Option<Reason>) {
        let Some(asked) = self.asked.take() else { return };
        self.slot.took_ms.observe(asked.elapsed_ms());
        if let Some(reason) = failed {
            self.slot.errors.note(reason);
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        // Its end is still to be counted where the call panicked.
        self.note_end(Some(Reason::Panicked));
        if self.is_probe {
            self.slot.breaker.abandon(self.slot.clock.now_ms());
        }
        self.slot.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns whether an answer has nothing for anybody.
pub(super) fn says_nothing(answer: &Answer) -> bool {
    // That the page has no such answer is one.
    answer.present != Some(false)
        && answer.text.trim().is_empty()
        && answer.markdown.trim().is_empty()
        && answer.products.as_ref().is_none_or(Vec::is_empty)
}
