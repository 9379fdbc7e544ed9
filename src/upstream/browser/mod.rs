//! The browser upstream: answers read from the page of an answer engine in a real Chromium, driven
//! by a recipe over WebDriver BiDi. It hides nothing of itself from the page.

mod bidi;
mod bounds;
mod browsers;
mod chromium;
mod client;
mod collect;
mod drift;
mod drive;
mod driver;
mod event;
mod fault;
mod input;
pub(super) mod kept;
mod look;
mod markdown;
mod pool;
mod processes;
mod reading;
pub mod recipe;
pub mod recipes;
mod reveal;
mod room;
mod runtime;
mod session;
mod setup;
mod steps;
mod values;
pub(super) mod whereabouts;
mod windows;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::evidence_capture::Evidence;
use super::raw_capture::{RawCapture, RawReply};
use super::{Call, Upstream, UpstreamError};
use crate::answer::{Answer, Kind};
use crate::api::EvidenceStep;
use crate::clock::Clock;
use crate::config::KeepRaw;
use crate::country;
use crate::job::{Reason, ScrapeRequest};
use bounds::Bounds;
use drift::Drift;
use drive::{Attempt, Drive};
use fault::Fault;
use pool::Pool;
use recipe::Recipe;
use session::Session;
use steps::Trace;
use whereabouts::Whereabouts;

pub use browsers::{Browsers, Limits};
pub use drift::{Matches, RecipeHealth};
pub use driver::{LocalDriver, is_root, make_private};
pub use runtime::Runtime;
pub use setup::Setup;
pub use steps::Watch;

/// The folder of browsers in the store's.
pub const FOLDER: &str = "browser";
/// What is kept of an attempt's time for its evidence.
const EVIDENCE_TIME: Duration = Duration::from_secs(5);
/// The largest screenshot and the most HTML that are kept, bytes and characters.
const SCREENSHOT_BYTES_MAX: usize = 4 << 20;
const PAGE_CHARS_MAX: usize = 2 << 20;

/// The attempts that leave evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Failures,
    All,
    Nothing,
}

/// The parts of a browser upstream.
pub struct Parts {
    /// Its name in config.toml.
    pub name: String,
    pub recipe: Arc<Recipe>,
    /// Takes the place of the origin of the recipe's `url`; the page of a `url` that is a path.
    pub base_url: Option<String>,
    /// The most jobs at once.
    pub sessions: usize,
    pub browsers: Arc<Browsers>,
    /// `None`: the driver runs elsewhere.
    pub local: Option<Arc<LocalDriver>>,
    /// The longest one call may take.
    pub timeout: Duration,
    pub keep: Keep,
    pub keep_raw: KeepRaw,
    /// Is shown each step as it is done.
    pub watch: Option<fn(&EvidenceStep)>,
    pub runtime: Arc<Runtime>,
    pub clock: Clock,
}

/// The page of one answer engine as an upstream.
pub struct BrowserUpstream {
    parts: Parts,
    /// The recipe of [`Parts`] until another is loaded.
    recipe: Mutex<Arc<Recipe>>,
    pool: Pool,
    drift: Drift,
}

impl BrowserUpstream {
    /// Starts nothing: the first call does.
    pub fn new(parts: Parts) -> BrowserUpstream {
        let pool = Pool::new(parts.sessions, parts.browsers.clone());
        let recipe = Mutex::new(parts.recipe.clone());
        BrowserUpstream { parts, recipe, pool, drift: Drift::default() }
    }

    fn recipe(&self) -> Arc<Recipe> {
        self.recipe.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads another version of the recipe, for attempts that begin from now on.
    pub fn load(&self, recipe: Arc<Recipe>) {
        *self.recipe.lock().unwrap_or_else(PoisonError::into_inner) = recipe;
        self.drift.forget();
    }

    fn drive(
        &self,
        recipe: &Recipe,
        request: &ScrapeRequest,
        place: &Whereabouts,
        bounds: &Bounds,
        trace: &mut Trace,
        raw: &mut Vec<RawReply>,
    ) -> (Result<Answer, Fault>, Option<Session>) {
        let runtime = self.parts.runtime.as_ref();
        let taken = self.pool.take(runtime, place, bounds);
        trace.done("take a browser");
        let mut session = match taken {
            Ok(session) => session,
            Err(fault) => return (Err(fault), None),
        };
        let answer = runtime.block_on(async {
            let url = address(recipe, self.parts.base_url.as_deref(), request);
            let mut drive = Drive::new(Attempt {
                recipe,
                session: &mut session,
                bounds: bounds.clone(),
                trace,
                clock: &self.parts.clock,
                memory_bytes_max: self.pool.memory_bytes_max(),
                prompt: &request.prompt,
            });
            let answer = drive.reach_answer(&url).await?;
            let reading = drive.collect(answer).await?;
            *raw = kept::replies(recipe, &reading);
            reading::answer(recipe, reading)
        });
        (answer, Some(session))
    }

    /// The screenshot and the page of an attempt that has ended, as far as they can be had.
    async fn look_back(&self, session: &mut Session, bounds: &Bounds, evidence: &mut Evidence) {
        // A frame may be all that is looked at; the whole page is what tells.
        session.leave_frames();
        if let Ok(png) = session.screenshot(bounds).await
            && png.len() <= SCREENSHOT_BYTES_MAX
        {
            evidence.screenshot = Some(png);
        }
        let wanted = serde_json::json!({ "chars_max": PAGE_CHARS_MAX });
        if let Ok(source) = session.call::<Source>("source", &wanted, bounds).await {
            evidence.html = Some(source.html);
            evidence.url = Some(source.url);
        }
    }
}

#[derive(serde::Deserialize)]
struct Source {
    html: String,
    url: String,
}

impl Upstream for BrowserUpstream {
    fn name(&self) -> &str {
        &self.parts.name
    }

    fn kind(&self) -> Kind {
        Kind::Browser
    }

    fn ask(&self, request: &ScrapeRequest, call: &Call) -> Result<Answer, UpstreamError> {
        let place = Whereabouts::of(&request.country, &request.location);
        if request.location.strict
            && let Some(part) = place.unmet(&request.location)
        {
            let name = &self.parts.name;
            let sentence = format!("Upstream `{name}` cannot apply the {part} that is asked for.");
            return Err(UpstreamError::new(Reason::PlaceUnsupported, sentence));
        }
        let recipe = self.recipe();
        let clock = &self.parts.clock;
        let watch = self.parts.watch.map(|watch| Box::new(watch) as Watch);
        let mut trace = Trace::new(clock.clone(), watch);
        let left = call.deadline.saturating_duration_since(clock.instant());
        // What is short is not shortened by much.
        let reserve = EVIDENCE_TIME.min(left / 10);
        let deadline = clock.instant() + self.parts.timeout.min(left.saturating_sub(reserve));
        let bounds = Bounds::new(call, deadline, clock.clone());
        let mut replies = Vec::new();
        let (outcome, session) =
            self.drive(&recipe, request, &place, &bounds, &mut trace, &mut replies);
        if !replies.is_empty() && call.may_keep_raw(self.parts.keep_raw) {
            call.keep_raw(RawCapture {
                upstream: self.parts.name.clone(),
                keep: self.parts.keep_raw,
                replies,
                ..RawCapture::default()
            });
        }
        let (steps, matched) = trace.finish();
        self.drift.note(matched);
        let keeps = match self.parts.keep {
            Keep::All => true,
            Keep::Failures => outcome.is_err(),
            Keep::Nothing => false,
        };
        let mut evidence =
            Evidence { upstream: self.parts.name.clone(), steps, ..Evidence::default() };
        let runtime = self.parts.runtime.as_ref();
        if let Some(mut session) = session {
            if keeps && !matches!(outcome, Err(Fault::Canceled)) {
                let rest = bounds.fresh(reserve);
                runtime.block_on(self.look_back(&mut session, &rest, &mut evidence));
            }
            self.pool.give_back(runtime, session);
        }
        if keeps {
            call.keep(evidence);
        }
        let answer = outcome.map_err(|fault| fault.told(&self.parts.name))?;
        Ok(Answer { place: Some(place.applied), ..answer })
    }

    fn recipe_health(&self) -> Option<RecipeHealth> {
        let recipe = self.recipe();
        Some(RecipeHealth {
            recipe: recipe.name.clone(),
            version: recipe.version,
            last_verified: recipe.last_verified.clone(),
            selectors: self.drift.counts(),
        })
    }

    fn load_recipes(&self, recipes: &recipes::Recipes) {
        let known = self.recipe();
        if let Some(recipe) = recipes.get(&known.name)
            && !Arc::ptr_eq(recipe, &known)
        {
            self.load(recipe.clone());
        }
    }

    fn close(&self) {
        self.pool.end(&self.parts.runtime);
        if let Some(local) = &self.parts.local {
            local.stop();
        }
    }
}

/// The address to open. `base_url` has no slash at its end.
fn address(recipe: &Recipe, base_url: Option<&str>, request: &ScrapeRequest) -> String {
    let country = country::of(&request.country);
    let language = request.location.language.as_deref().unwrap_or(country.language);
    let encoded: String = url::form_urlencoded::byte_serialize(request.prompt.as_bytes()).collect();
    let filled = recipe
        .url
        .replace("{country}", &country.alpha_2.to_ascii_lowercase())
        .replace("{language}", language)
        .replace("{prompt}", &encoded.replace('+', "%20"));
    let Some(base_url) = base_url else { return filled };
    let path = match url::Url::parse(&filled) {
        Ok(url) => {
            let origin = url.origin().ascii_serialization();
            filled.get(origin.len()..).unwrap_or_default().to_owned()
        }
        Err(_) => filled,
    };
    format!("{base_url}{path}")
}
