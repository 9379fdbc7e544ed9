//! config.toml and `ANSWERD_*` become [`Settings`]: read in `read`, checked in `check`, once, at
//! the start. Secrets are loaded with them and cannot be printed.

mod agreement;
mod authorities;
mod check;
pub mod dollars;
mod extra_body;
pub mod file;
mod forced_search;
mod names;
mod read;
mod redaction;
mod secret;
mod secret_source;
mod settings;
#[cfg(test)]
mod tests;
mod upstream_kind;
mod webhooks;

use std::collections::BTreeMap;
use std::path::Path;

pub use agreement::{AGREEMENT_PARTS, Agreement};
pub use dollars::Prices;
pub use file::{Auth, Evidence, KeepRaw, LogFormat, WakeBy};
pub use names::{
    ANONYMOUS, MODEL_CHARS_MAX, NAME_CHARS_MAX, is_name, nearest, position, suggestion,
};
pub use redaction::quoted;
pub use secret::{Secret, SigningKey, key_hash};
pub use settings::{
    Browser, Http, Key, RETENTION_HOURS_MAX, RETRIES_MAX, Scraper, Settings, SharedStoreSettings,
    Store, Upstream, WORKERS_MAX, Webhooks,
};
pub use upstream_kind::UpstreamKind;

/// The reasons why there are no settings: all that is wrong, a sentence each that says what to
/// change. None repeats a value that may be a secret.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct ConfigError {
    pub problems: Vec<String>,
}

impl Settings {
    /// Reads the defaults, the file and the environment, and checks them.
    ///
    /// # Errors
    /// Returns an error if anything is wrong: all of it, each with the setting's name and the way
    /// out.
    pub fn load(path: Option<&Path>) -> Result<Settings, ConfigError> {
        Settings::load_from(path, &process_environment())
    }

    /// Loads the settings as [`Settings::load`] does, with a given environment.
    ///
    /// # Errors
    /// Returns the errors of [`Settings::load`].
    pub fn load_from(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Settings, ConfigError> {
        let (settings, problems) = Settings::examine(path, environment);
        match settings {
            Some(settings) if problems.is_empty() => Ok(settings),
            _ => Err(ConfigError { problems }),
        }
    }

    /// Returns all that is wrong, and the settings as far as they make sense: with problems they
    /// are good for finding more of them only.
    pub fn examine(
        path: Option<&Path>,
        environment: &BTreeMap<String, String>,
    ) -> (Option<Settings>, Vec<String>) {
        let pairs = environment.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut problems = Vec::new();
        let settings = read::load(path, pairs, &mut problems)
            .and_then(|typed| check::check(typed, environment, &mut problems));
        (settings, problems)
    }

    /// Returns what a scraper lacks before it can be used, as a sentence that names the setting;
    /// `None` when at least one of its upstreams is ready.
    pub fn missing(&self, scraper: &Scraper) -> Option<String> {
        if scraper.upstreams.is_empty() {
            return Some(format!("set `upstreams` in [scrapers.{}]", scraper.name));
        }
        let mut missing = Vec::new();
        for name in &scraper.upstreams {
            match self.upstreams.get(name).map(|upstream| &upstream.missing) {
                Some(None) => return None,
                Some(Some(sentence)) => missing.push(sentence.clone()),
                // `check` has refused names that do not exist.
                None => {}
            }
        }
        Some(missing.join(", or "))
    }
}

/// Returns the environment of this process. A variable that is no UTF-8 is refused where its value
/// is looked at; `std::env::vars` would panic on any.
pub fn process_environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        })
        .collect()
}
