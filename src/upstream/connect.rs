//! From settings to a registry: every upstream that has what it needs, by what it speaks; or one of
//! them alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::browser::recipe::Problem;
use super::browser::recipes::{self, Recipes};
use super::browser::{
    self, BrowserUpstream, Browsers, Keep, Limits, LocalDriver, Parts, Runtime, Setup,
};
use super::http::{HttpUpstream, InvalidProxy};
use super::practice::PracticeUpstream;
use super::{Member, Registry, Terms, Upstream, providers};
use crate::clock::Clock;
use crate::config::{self, Evidence, Settings, UpstreamKind};
use crate::practice::Engine;

/// Upstreams that take the place of the configured ones of the same name.
pub type UpstreamOverrides = HashMap<String, Arc<dyn Upstream>>;

/// The parts of this server that upstreams use.
pub struct Local {
    /// Where the server is reached from this machine, without a slash at its end.
    pub url: String,
    pub practice: Arc<Engine>,
}

impl Local {
    /// Creates the practice engine of a server. Its sources begin with `public_url`.
    pub fn new(url: &str, public_url: &str, settings: &Settings) -> Local {
        let practice = Arc::new(Engine::new(public_url, settings.practice.clone()));
        Local { url: url.to_owned(), practice }
    }
}

/// The reason why there is no registry.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    #[error("`recipe` in [upstreams.{upstream}] is {given}, which is not there; there are {known}")]
    RecipeUnknown { upstream: String, given: String, known: String },
    #[error("{}", lines(.0))]
    Recipes(Vec<Problem>),
    #[error("cannot start a thread for browsers: {0}")]
    Thread(std::io::Error),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Opens the upstreams of all scrapers.
///
/// # Errors
/// Returns an error if an upstream's proxy cannot be used, or its recipe is missing or invalid.
pub fn connect(
    settings: &Settings,
    local: &Local,
    mut overrides: UpstreamOverrides,
    clock: &Clock,
) -> Result<Registry, ConnectError> {
    let mut connector = Connector { settings, local, clock, shared: None };
    let mut members = Vec::new();
    for (name, configured) in &settings.upstreams {
        let upstream = match overrides.remove(name) {
            Some(upstream) => upstream,
            None if configured.missing.is_some() => continue,
            None => connector.open(configured)?,
        };
        let sessions = (configured.kind == UpstreamKind::Browser).then_some(configured.sessions);
        members.push(Member {
            upstream,
            // What has no browser of its own would wait for one.
            in_flight_max: configured.in_flight_max.or(sessions),
            requests_per_minute: configured.requests_per_minute,
            terms: terms(configured),
        });
    }
    let scrapers = settings.scrapers.values();
    let scrapers = scrapers.map(|scraper| (scraper.name.clone(), scraper.upstreams.clone()));
    let recipes = connector.shared.map(|shared| shared.recipes).unwrap_or_default();
    Ok(Registry::new(members, scrapers, clock.clone()).with_recipes(recipes))
}

fn terms(configured: &config::Upstream) -> Terms {
    Terms {
        models_allowed: configured.models_allowed.clone(),
        day_nanos_max: configured.day_nanos_max,
        prices: configured.prices,
    }
}

/// Returns what is wrong with the recipes that browsers are configured with, a sentence each.
/// Starts nothing.
pub fn recipe_problems(settings: &Settings) -> Vec<String> {
    let browsers = settings.upstreams.values();
    let browsers = browsers.filter(|it| it.kind == UpstreamKind::Browser && it.missing.is_none());
    let browsers: Vec<&config::Upstream> = browsers.collect();
    if browsers.is_empty() {
        return Vec::new();
    }
    let recipes = match all_recipes(settings) {
        Ok(recipes) => recipes,
        Err(problems) => return problems.iter().map(ToString::to_string).collect(),
    };
    let unknown = browsers.into_iter().filter(|browser| !recipes.contains_key(&browser.recipe));
    unknown.map(|browser| recipe_unknown(browser, &recipes).to_string()).collect()
}

/// Returns the recipes that ship, with those of the operator's folder over them.
///
/// # Errors
/// Returns all that is wrong with them.
pub fn all_recipes(settings: &Settings) -> Result<Recipes, Vec<Problem>> {
    let mut recipes = recipes::shipped()?;
    let problems = settings.browser.recipes.as_ref();
    let problems = problems.map(|folder| recipes::read_folder(folder, &mut recipes));
    problems.filter(|problems| !problems.is_empty()).map_or(Ok(recipes), Err)
}

fn recipe_unknown(browser: &config::Upstream, recipes: &Recipes) -> ConnectError {
    let known: Vec<&str> = recipes.keys().map(String::as_str).collect();
    ConnectError::RecipeUnknown {
        upstream: browser.name.clone(),
        given: config::quoted(&browser.recipe),
        known: known.join(", "),
    }
}

/// Opens one upstream by itself, without its limits, for a trial call.
///
/// # Errors
/// Returns an error as [`connect`] does.
pub fn alone(
    settings: &Settings,
    configured: &config::Upstream,
    clock: &Clock,
) -> Result<Registry, ConnectError> {
    let local = Local::new("", "", settings);
    let mut connector = Connector { settings, local: &local, clock, shared: None };
    let upstream = connector.open(configured)?;
    let (in_flight_max, requests_per_minute, terms) = (None, None, Terms::default());
    let member = Member { upstream, in_flight_max, requests_per_minute, terms };
    let name = configured.name.clone();
    Ok(Registry::new(vec![member], [(name.clone(), vec![name])], clock.clone()))
}

/// Opens upstreams.
struct Connector<'a> {
    settings: &'a Settings,
    local: &'a Local,
    clock: &'a Clock,
    /// What browsers share, from the first of them on.
    shared: Option<Shared>,
}

struct Shared {
    recipes: Recipes,
    runtime: Arc<Runtime>,
    driver: Arc<LocalDriver>,
    /// Those that upstreams share, by what they are started with.
    browsers: HashMap<Setup, Arc<Browsers>>,
}

impl Connector<'_> {
    fn open(&mut self, configured: &config::Upstream) -> Result<Arc<dyn Upstream>, ConnectError> {
        if configured.kind == UpstreamKind::Browser {
            return self.open_browser(configured);
        }
        let clock = self.clock.clone();
        Ok(match providers::provider(configured) {
            Some(provider) => Arc::new(HttpUpstream::new(configured, provider, clock)?),
            None => {
                let practice = PracticeUpstream::new(
                    configured.name.clone(),
                    self.local.practice.clone(),
                    &self.local.url,
                    configured.timeout_seconds,
                    clock,
                );
                Arc::new(practice.keeping(configured.keep_raw))
            }
        })
    }

    fn shared(&mut self) -> Result<&mut Shared, ConnectError> {
        if self.shared.is_none() {
            let recipes = all_recipes(self.settings).map_err(ConnectError::Recipes)?;
            let runtime = Arc::new(Runtime::start().map_err(ConnectError::Thread)?);
            let folder = self.settings.store.path.join(browser::FOLDER);
            let driver = LocalDriver::new(folder, self.settings.browser.authorities.clone());
            self.shared = Some(Shared { recipes, runtime, driver, browsers: HashMap::new() });
        }
        // It was made just now where it was not there.
        self.shared.as_mut().ok_or(ConnectError::Recipes(Vec::new()))
    }

    fn open_browser(
        &mut self,
        configured: &config::Upstream,
    ) -> Result<Arc<dyn Upstream>, ConnectError> {
        let (local_url, clock) = (self.local.url.clone(), self.clock.clone());
        let settings = self.settings.browser.clone();
        let shared = self.shared()?;
        let Some(recipe) = shared.recipes.get(&configured.recipe) else {
            return Err(recipe_unknown(configured, &shared.recipes));
        };
        let local = configured.webdriver_url.is_none().then(|| shared.driver.clone());
        let is_path = recipe.url.starts_with('/');
        let base_url = match configured.base_url.as_str() {
            "" => is_path.then_some(local_url),
            given => Some(given.to_owned()),
        };
        let setup = Setup {
            webdriver_url: configured.webdriver_url.clone().unwrap_or_default(),
            folder: local.as_ref().map(|driver| driver.folder().to_owned()),
            proxy: configured.proxy.as_ref().map(|proxy| proxy.reveal().to_owned()),
            viewport: settings.viewport,
            trusted_keys: settings.trusted_keys,
            headed: false,
        };
        let limits = Limits {
            jobs_max: settings.session_jobs_max,
            memory_bytes_max: settings.session_bytes_max,
        };
        let browsers = shared.browsers.entry(setup.clone());
        let browsers = browsers.or_insert_with(|| Browsers::new(limits, setup, local.clone()));
        let browsers = browsers.clone();
        Ok(Arc::new(BrowserUpstream::new(Parts {
            name: configured.name.clone(),
            recipe: recipe.clone(),
            base_url,
            sessions: configured.sessions,
            browsers,
            local,
            timeout: Duration::from_secs(configured.timeout_seconds),
            keep: match settings.evidence {
                Evidence::Failures => Keep::Failures,
                Evidence::Always => Keep::All,
                Evidence::Never => Keep::Nothing,
            },
            keep_raw: configured.keep_raw,
            watch: None,
            runtime: shared.runtime.clone(),
            clock,
        })))
    }
}
