//! From settings to a registry: every upstream that has what it needs, by what it speaks; or one of
//! them alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::browser::recipe::Problem;
use super::browser::recipes::{self, Recipes};
use super::browser::{self, BrowserUpstream, Keep, Limits, LocalDriver, Parts, Runtime, Setup};
use super::http::{HttpUpstream, InvalidProxy};
use super::practice::PracticeUpstream;
use super::{Member, Registry, Upstream, providers};
use crate::clock::Clock;
use crate::config::{self, Evidence, Settings, UpstreamKind};

/// Upstreams that take the place of the configured ones of the same name.
pub type Injected = HashMap<String, Arc<dyn Upstream>>;

/// Why there is no registry.
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

/// The upstreams of all scrapers. `local_url` is where this server is reached from this machine:
/// the practice engine's page is there, unless its settings name another address.
///
/// # Errors
/// An upstream's proxy cannot be used, or its recipe is not there or not sound.
pub fn connect(
    settings: &Settings,
    local_url: &str,
    mut injected: Injected,
    clock: &Clock,
) -> Result<Registry, ConnectError> {
    let mut browsers = Browsers { settings, shared: None };
    let mut members = Vec::new();
    for (name, configured) in &settings.upstreams {
        let upstream = match injected.remove(name) {
            Some(upstream) => upstream,
            None if configured.missing.is_some() => continue,
            None => open(configured, &mut browsers, local_url, clock)?,
        };
        let sessions = (configured.kind == UpstreamKind::Browser).then_some(configured.sessions);
        members.push(Member {
            upstream,
            // What has no browser of its own would wait for one.
            in_flight_max: configured.in_flight_max.or(sessions),
            requests_per_minute: configured.requests_per_minute,
        });
    }
    let scrapers = settings.scrapers.values();
    let scrapers = scrapers.map(|scraper| (scraper.name.clone(), scraper.upstreams.clone()));
    let recipes = browsers.shared.map(|shared| shared.recipes).unwrap_or_default();
    Ok(Registry::new(members, scrapers, clock.clone()).with_recipes(recipes))
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
fn all_recipes(settings: &Settings) -> Result<Recipes, Vec<Problem>> {
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

/// One upstream by itself, under its own name and without its limits: for a trial call.
///
/// # Errors
/// As [`connect`].
pub fn alone(
    settings: &Settings,
    configured: &config::Upstream,
    local_url: &str,
    clock: &Clock,
) -> Result<Registry, ConnectError> {
    let mut browsers = Browsers { settings, shared: None };
    let upstream = open(configured, &mut browsers, local_url, clock)?;
    let member = Member { upstream, in_flight_max: None, requests_per_minute: None };
    let name = configured.name.clone();
    Ok(Registry::new(vec![member], [(name.clone(), vec![name])], clock.clone()))
}

fn open(
    configured: &config::Upstream,
    browsers: &mut Browsers<'_>,
    local_url: &str,
    clock: &Clock,
) -> Result<Arc<dyn Upstream>, ConnectError> {
    if configured.kind == UpstreamKind::Browser {
        return browsers.open(configured, local_url, clock);
    }
    Ok(match providers::provider(configured) {
        Some(provider) => Arc::new(HttpUpstream::new(configured, provider, clock.clone())?),
        None => Arc::new(PracticeUpstream::new(
            configured.name.clone(),
            own_or(configured, local_url),
            configured.timeout_seconds,
            clock.clone(),
        )),
    })
}

fn own_or(configured: &config::Upstream, local_url: &str) -> String {
    let own = configured.base_url.is_empty();
    if own { local_url.to_owned() } else { configured.base_url.clone() }
}

/// What browser upstreams share. Nothing is made before the first of them.
struct Browsers<'a> {
    settings: &'a Settings,
    shared: Option<Shared>,
}

struct Shared {
    recipes: Recipes,
    runtime: Arc<Runtime>,
    driver: Arc<LocalDriver>,
}

impl Browsers<'_> {
    fn shared(&mut self) -> Result<&Shared, ConnectError> {
        if self.shared.is_none() {
            let recipes = all_recipes(self.settings).map_err(ConnectError::Recipes)?;
            let runtime = Arc::new(Runtime::start().map_err(ConnectError::Thread)?);
            let driver = LocalDriver::new(self.settings.store.path.join(browser::FOLDER));
            self.shared = Some(Shared { recipes, runtime, driver });
        }
        // It was made just now where it was not there.
        self.shared.as_ref().ok_or(ConnectError::Recipes(Vec::new()))
    }

    fn open(
        &mut self,
        configured: &config::Upstream,
        local_url: &str,
        clock: &Clock,
    ) -> Result<Arc<dyn Upstream>, ConnectError> {
        let settings = self.settings.browser.clone();
        let shared = self.shared()?;
        let Some(recipe) = shared.recipes.get(&configured.recipe) else {
            return Err(recipe_unknown(configured, &shared.recipes));
        };
        let local = configured.webdriver_url.is_none().then(|| shared.driver.clone());
        let is_path = recipe.url.starts_with('/');
        let base_url =
            (is_path || !configured.base_url.is_empty()).then(|| own_or(configured, local_url));
        Ok(Arc::new(BrowserUpstream::new(Parts {
            name: configured.name.clone(),
            recipe: recipe.clone(),
            base_url,
            limits: Limits {
                sessions: configured.sessions,
                jobs_max: settings.session_jobs_max,
                memory_bytes_max: settings.session_bytes_max,
            },
            setup: Setup {
                webdriver_url: configured.webdriver_url.clone().unwrap_or_default(),
                folder: local.as_ref().map(|driver| driver.folder().to_owned()),
                proxy: configured.proxy.as_ref().map(|proxy| proxy.reveal().to_owned()),
                viewport: settings.viewport,
                headed: false,
            },
            local,
            timeout: Duration::from_secs(configured.timeout_seconds),
            keep: match settings.evidence {
                Evidence::Failures => Keep::Failures,
                Evidence::Always => Keep::All,
                Evidence::Never => Keep::Nothing,
            },
            watch: None,
            runtime: shared.runtime.clone(),
            clock: clock.clone(),
        })))
    }
}
