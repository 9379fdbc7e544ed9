//! The upstreams of every scraper, in order: the next is tried when one cannot answer. A failure
//! that another try may mend is given back once, so that the job comes back after its backoff to
//! the upstream it prefers; from the second attempt on, and when an upstream itself asks for a
//! pause, the next one is tried at once.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::browser::recipe::Problem;
use super::browser::recipes::{Recipes, read_folder};
use super::slot::{Busy, CallCounts, Member, UpstreamSlot, UpstreamStatus};
use super::{Call, Served, UpstreamError, choice};
use crate::answer::{Answer, Kind};
use crate::clock::{Clock, UnixMs};
use crate::job::{Invalid, ModelSeen, PassedOver, Reason, Retry, ScrapeRequest};
use crate::rate::SharedBudgets;

/// The attempt from which on failures that another try may mend go on to the next upstream.
const FALLBACK_ATTEMPT: u32 = 2;

/// The upstream that an answer is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredBy {
    /// Its name in config.toml.
    pub upstream: String,
    pub kind: Kind,
    /// The model that it was asked for; `None` where there is none to choose.
    pub model_asked: Option<String>,
}

/// All upstreams that are ready, and which of them each scraper asks. Cheap to share: a call takes
/// no lock that another holds while it waits.
pub struct Registry {
    /// By scraper, in the order in which they are tried.
    scrapers: HashMap<String, Vec<Arc<UpstreamSlot>>>,
    slots: Vec<Arc<UpstreamSlot>>,
    /// What browsers go by.
    recipes: Mutex<Recipes>,
    clock: Clock,
}

impl Registry {
    /// Creates a registry. `scrapers` names for each scraper its upstreams in order; names that are
    /// not among `members` (they lack their key, say) are passed over.
    pub fn new(
        members: Vec<Member>,
        scrapers: impl IntoIterator<Item = (String, Vec<String>)>,
        clock: Clock,
    ) -> Registry {
        let slots: Vec<Arc<UpstreamSlot>> = members
            .into_iter()
            .map(|member| Arc::new(UpstreamSlot::new(member, clock.clone())))
            .collect();
        let by_name: BTreeMap<&str, &Arc<UpstreamSlot>> =
            slots.iter().map(|slot| (slot.name(), slot)).collect();
        let scrapers = scrapers
            .into_iter()
            .map(|(scraper, names)| {
                let known = names.iter().filter_map(|name| by_name.get(name.as_str()));
                (scraper, known.map(|slot| Arc::clone(slot)).collect())
            })
            .collect();
        Registry { scrapers, slots, recipes: Mutex::default(), clock }
    }

    /// Makes the limits of all upstreams those of all processes that share the budgets.
    pub fn share(&self, budgets: &Arc<dyn SharedBudgets>) {
        for slot in &self.slots {
            slot.share(budgets);
        }
    }

    /// Returns the registry with the recipes that its browsers were made with.
    pub fn with_recipes(self, recipes: Recipes) -> Registry {
        Registry { recipes: Mutex::new(recipes), ..self }
    }

    /// Reads a folder of recipes again; attempts that begin from now on go by them. A file that
    /// breaks a rule changes nothing.
    pub fn reload_recipes(&self, folder: &Path) -> Vec<Problem> {
        let mut recipes = self.recipes.lock().unwrap_or_else(PoisonError::into_inner);
        let problems = read_folder(folder, &mut recipes);
        for slot in &self.slots {
            slot.upstream().load_recipes(&recipes);
        }
        problems
    }

    /// Ends what upstreams keep running between calls.
    pub fn close(&self) {
        for slot in &self.slots {
            slot.upstream().close();
        }
    }

    /// Asks a scraper's upstreams for the `attempt`-th time (from 1). The answer is normalized.
    ///
    /// # Errors
    /// Returns [`Reason::UpstreamSaturated`] when limits of our own are all that holds them back,
    /// and
    /// [`Reason::NoUpstreamAvailable`] when none that could serve the request can be asked now; else
    /// the failure of the first upstream that may do better another time, else of the last one
    /// tried. Upstreams whose limits leave the request out are passed over; where all are, that is
    /// the failure.
    pub fn ask(
        &self,
        scraper: &str,
        request: &ScrapeRequest,
        call: &Call,
        attempt: u32,
    ) -> Result<(Answer, AnsweredBy), UpstreamError> {
        let mut failures = Failures::default();
        for slot in self.in_order(scraper, call) {
            if call.is_canceled() {
                return Err(UpstreamError::canceled());
            }
            if failures.any() && self.clock.instant() >= call.deadline {
                break;
            }
            if let Err((why, unfit)) = choice::check(slot, request) {
                call.log.pass_over(slot.name(), self.clock.now_ms(), why, None);
                failures.pass_over(slot, why, unfit);
                continue;
            }
            let in_flight = match slot.enter() {
                Ok(in_flight) => in_flight,
                Err(busy) => {
                    let wait_ms = Some(busy.wait_ms);
                    call.log.pass_over(slot.name(), self.clock.now_ms(), busy.why, wait_ms);
                    failures.busy.push(busy);
                    continue;
                }
            };
            let error = match in_flight.ask(request, call) {
                Ok(answer) => {
                    let model_asked = slot.upstream().model_asked(request);
                    let (upstream, kind) = (slot.name().to_owned(), slot.kind());
                    return Ok((answer, AnsweredBy { upstream, kind, model_asked }));
                }
                Err(error) => UpstreamError { upstream: Some(slot.name().to_owned()), ..error },
            };
            match after_failure(&error, attempt) {
                Then::End => return Err(failures.naming_passed_over(error)),
                Then::NextUpstream => failures.tried.push(error),
            }
        }
        Err(failures.telling(scraper))
    }

    /// Takes over what an upstream has cost on the present day, nanodollars, as the store has it.
    pub fn raise_spend(&self, upstream: &str, now_ms: UnixMs, nanos: u64) {
        self.slot(upstream).into_iter().for_each(|slot| slot.raise_spend(now_ms, nanos));
    }

    /// Takes over the models that the store has kept.
    pub fn restore_models(&self, models: Vec<(String, Vec<ModelSeen>)>) {
        for (name, models) in models {
            if let Some(slot) = self.slot(&name) {
                slot.restore_models(models);
            }
        }
    }

    fn slot(&self, name: &str) -> Option<&Arc<UpstreamSlot>> {
        self.slots.iter().find(|slot| slot.name() == name)
    }

    /// Checks that some upstream of its scraper takes a request.
    ///
    /// # Errors
    /// Returns an error if none does.
    pub fn check(&self, request: &ScrapeRequest) -> Result<(), Invalid> {
        let slots = self.scrapers.get(&request.scraper).map_or(&[][..], Vec::as_slice);
        let slots: Vec<&UpstreamSlot> = slots.iter().map(Arc::as_ref).collect();
        choice::check_all(&slots, request)
    }

    /// Returns a scraper's upstreams in the order in which they are tried: first the one that has a
    /// task of the job already, since that is paid for.
    fn in_order(&self, scraper: &str, call: &Call) -> Vec<&UpstreamSlot> {
        let slots = self.scrapers.get(scraper).map_or(&[][..], Vec::as_slice);
        let mut slots: Vec<&UpstreamSlot> = slots.iter().map(Arc::as_ref).collect();
        if slots.iter().any(|slot| slot.upstream().resumes_tasks())
            && let Some(task) = call.task()
        {
            slots.sort_by_key(|slot| slot.name() != task.upstream);
        }
        slots
    }

    /// Returns how long no upstream of a scraper can be asked that takes the request, milliseconds.
    pub fn paused_ms(&self, request: &ScrapeRequest) -> u64 {
        let slots = self.scrapers.get(&request.scraper).map_or(&[][..], Vec::as_slice);
        let fit = slots.iter().filter(|slot| choice::check(slot, request).is_ok());
        fit.map(|slot| slot.paused_ms()).min().unwrap_or(0)
    }

    /// Returns what a scraper's upstreams take together.
    pub fn served(&self, scraper: &str) -> Served {
        let slots = self.scrapers.get(scraper).map_or(&[][..], Vec::as_slice);
        Served::new(slots.iter().map(|slot| slot.limits()))
    }

    /// Returns the names of the upstreams.
    pub fn names(&self) -> Vec<String> {
        self.slots.iter().map(|slot| slot.name().to_owned()).collect()
    }

    /// Returns the status of every upstream, in the order in which they were given.
    pub fn status(&self) -> Vec<UpstreamStatus> {
        self.slots.iter().map(|slot| slot.status()).collect()
    }

    /// Returns the counters of every upstream since the start, in the same order.
    pub fn calls(&self) -> Vec<CallCounts> {
        self.slots.iter().map(|slot| slot.calls()).collect()
    }
}

/// What follows from an upstream's failure within an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    NextUpstream,
    End,
}

fn after_failure(error: &UpstreamError, attempt: u32) -> Then {
    match error.reason.info().retry {
        Retry::Elsewhere => Then::NextUpstream,
        // An upstream that asks for a pause will not answer sooner, and its pause may be longer
        // than anybody waits.
        Retry::Again if attempt < FALLBACK_ATTEMPT && error.retry_after_ms.is_none() => Then::End,
        Retry::Again => Then::NextUpstream,
        Retry::Never => Then::End,
    }
}

/// Why no upstream of a scraper answered.
#[derive(Default)]
struct Failures {
    tried: Vec<UpstreamError>,
    busy: Vec<Busy>,
    /// Why the last of those that are known not to take the request does not.
    unfit: Option<UpstreamError>,
    /// Those that a request with a `kind` or a `model` leaves out.
    passed_over: Vec<String>,
}

impl Failures {
    fn any(&self) -> bool {
        !self.tried.is_empty()
    }

    fn pass_over(&mut self, slot: &UpstreamSlot, why: PassedOver, unfit: UpstreamError) {
        if matches!(why, PassedOver::Kind | PassedOver::Model) {
            self.passed_over.push(slot.name().to_owned());
        }
        self.unfit = Some(unfit);
    }

    /// Returns a failure with the names of the upstreams that the request has left out.
    fn naming_passed_over(&self, error: UpstreamError) -> UpstreamError {
        if self.passed_over.is_empty() {
            return error;
        }
        let names = self.passed_over.join(", ");
        error.adding(&format!("passed over, by `kind` or `model`: {names}"))
    }

    /// Returns the failure that says most of what to do now.
    fn telling(mut self, scraper: &str) -> UpstreamError {
        let passed_over = std::mem::take(&mut self.passed_over);
        let names = Failures { passed_over, ..Failures::default() };
        names.naming_passed_over(self.most_telling(scraper))
    }

    fn most_telling(mut self, scraper: &str) -> UpstreamError {
        // An answer without a search is the last thing to try again: the next one costs as much.
        let may_improve = |error: &UpstreamError| error.reason.retryable();
        let searched = |error: &UpstreamError| error.reason != Reason::NoSearch;
        let again = self.tried.iter().position(|error| may_improve(error) && searched(error));
        let unsearched =
            || self.tried.iter().position(may_improve).filter(|_| self.busy.is_empty());
        if let Some(at) = again.or_else(unsearched) {
            return self.tried.swap_remove(at);
        }
        let Some(wait_ms) = self.busy.iter().map(|busy| busy.wait_ms).min() else {
            let none = || {
                let sentence = format!(
                    "No upstream of {scraper} is ready; look at `upstreams` of [scrapers.{scraper}]."
                );
                UpstreamError::new(Reason::NoUpstreamAvailable, sentence)
            };
            return self.tried.pop().or(self.unfit).unwrap_or_else(none);
        };
        // Those that were tried cannot serve this request; one that was not may.
        let sentence = |of_tried: fn(&UpstreamError) -> &str| {
            let busy = self.busy.iter().map(|busy| busy.sentence.as_str());
            let tried = self.tried.iter().map(|error| of_tried(error).trim_end_matches('.'));
            let reasons: Vec<&str> = busy.chain(tried).collect();
            format!("No upstream of {scraper} can answer now: {}.", reasons.join("; "))
        };
        let only_limits = self.tried.is_empty() && self.busy.iter().all(|busy| busy.why.is_limit());
        let reason =
            if only_limits { Reason::UpstreamSaturated } else { Reason::NoUpstreamAvailable };
        UpstreamError::new(reason, sentence(|error| &error.sentence))
            .quoting(sentence(UpstreamError::for_owner))
            .retry_after_ms(Some(wait_ms))
    }
}

#[cfg(test)]
mod tests;
