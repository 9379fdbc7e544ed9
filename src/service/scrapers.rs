//! The scrapers and their upstreams: which there are, and how they stand.

use super::{HealthReport, Service, ServiceError};
use crate::catalog;
use crate::config::Scraper;
use crate::engine::QueueStatus;
use crate::job::{Invalid, RawRequest, ScrapeRequest};
use crate::upstream::UpstreamStatus;
use crate::upstream::browser::recipe::Problem;

/// A scraper, and how it stands now.
pub struct ScraperStatus<'a> {
    pub scraper: &'a Scraper,
    /// What has to be set before it can be used, as a sentence.
    pub missing: Option<String>,
    /// By its settings, or because no upstream serves them; alpha-2 codes.
    pub refused_countries: Vec<String>,
    /// The longest prompt that some upstream takes, characters.
    pub prompt_chars_max: usize,
    /// Jobs that wait for an attempt.
    pub waiting: usize,
    /// Jobs whose attempt runs, in any process.
    pub running: usize,
    /// Those of this process.
    pub running_here: usize,
    /// Jobs that run at once, in all processes.
    pub workers: usize,
    /// In the order in which they are tried.
    pub upstreams: Vec<UpstreamStanding<'a>>,
    pub health: HealthReport,
}

/// An upstream of a scraper, and how it stands now.
pub struct UpstreamStanding<'a> {
    /// Its name in config.toml.
    pub name: &'a str,
    /// What it speaks: the word in config.toml.
    pub kind: &'static str,
    pub missing: Option<&'a str>,
    /// `None` while something is missing.
    pub status: Option<UpstreamStatus>,
}

impl Service {
    /// Returns a scraper by its name in a path, ready to be used.
    ///
    /// # Errors
    /// Returns an error if there is none of that name, or none of its upstreams is configured.
    pub fn scraper(&self, name: &str) -> Result<&Scraper, ServiceError> {
        let Some(scraper) = self.settings.scrapers.get(name) else {
            return Err(ServiceError::ScraperUnknown {
                given: name.to_owned(),
                names: self.settings.scrapers.keys().cloned().collect(),
            });
        };
        match self.settings.missing(scraper) {
            None => Ok(scraper),
            Some(missing) => Err(ServiceError::NotConfigured { scraper: name.to_owned(), missing }),
        }
    }

    /// Checks the parameters of a scrape against their rules, and against what is known of the
    /// scraper's upstreams.
    ///
    /// # Errors
    /// Returns an error if a parameter breaks its rule, or no upstream takes the request.
    pub fn check(&self, scraper: &Scraper, raw: RawRequest) -> Result<ScrapeRequest, Invalid> {
        let require_search = match (raw.require_search, raw.web_search) {
            (Some(asked), _) => asked,
            // Without a search there is none to require.
            (None, Some(false)) => false,
            (None, Some(true) | None) => scraper.require_search,
        };
        let raw = RawRequest { require_search: Some(require_search), ..raw };
        let request = raw.check(&scraper.name, &scraper.refused_countries)?;
        self.engine.upstreams().check(&request)?;
        Ok(request)
    }

    /// Returns every scraper as `GET /scrapers` shows it, those that ship with answerd first.
    pub fn scrapers(&self) -> Vec<ScraperStatus<'_>> {
        let upstreams = self.engine.upstreams().status();
        let shipped = catalog::SCRAPERS.iter().filter_map(|e| self.settings.scrapers.get(e.name));
        let own = self.settings.scrapers.values().filter(|s| catalog::shipped(&s.name).is_none());
        shipped.chain(own).filter_map(|scraper| self.scraper_status(scraper, &upstreams)).collect()
    }

    fn scraper_status<'a>(
        &'a self,
        scraper: &'a Scraper,
        statuses: &[UpstreamStatus],
    ) -> Option<ScraperStatus<'a>> {
        // The store numbers every configured scraper when it is opened.
        let status = self.engine.queue_status(&scraper.name)?;
        let QueueStatus { waiting, running, running_here, workers_elsewhere, health } = status;
        let configured = scraper.upstreams.iter().filter_map(|name| {
            let upstream = self.settings.upstreams.get(name)?;
            Some(UpstreamStanding {
                name,
                kind: upstream.kind.word(),
                missing: upstream.missing.as_deref(),
                status: statuses.iter().find(|status| status.name == *name).cloned(),
            })
        });
        let served = self.engine.upstreams().served(&scraper.name);
        let mut refused_countries = scraper.refused_countries.clone();
        for country in served.refused_countries() {
            if !scraper.refused_countries.iter().any(|refused| refused == country) {
                refused_countries.push(country.to_owned());
            }
        }
        Some(ScraperStatus {
            scraper,
            missing: self.settings.missing(scraper),
            refused_countries,
            prompt_chars_max: served.prompt_chars_max(),
            waiting,
            running,
            running_here,
            workers: scraper.workers.saturating_add(workers_elsewhere),
            upstreams: configured.collect(),
            health,
        })
    }

    /// Reads the operator's recipes again. A file that breaks a rule is passed over and logged;
    /// gives what is wrong with such files.
    pub fn reload_recipes(&self) -> Vec<Problem> {
        let Some(folder) = &self.settings.browser.recipes else {
            tracing::info!("there is no folder of recipes to read again");
            return Vec::new();
        };
        let problems = self.engine.upstreams().reload_recipes(folder);
        for problem in &problems {
            tracing::error!(%problem, "a recipe was not loaded");
        }
        tracing::info!(folder = %folder.display(), "recipes read again");
        problems
    }
}
