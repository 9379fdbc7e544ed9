//! config.toml and `ANSWERD_*` become [`Settings`]: read in `file`, checked in `check`, once, at
//! the start. Secrets are loaded with them and cannot be printed.

mod check;
pub mod dollars;
mod extra_body;
pub mod file;
mod forced_search;
mod redaction;
mod secret_source;
#[cfg(test)]
mod tests;
mod webhooks;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use dollars::Prices;
pub use file::{Auth, Evidence, KeepRaw, LogFormat, nearest};
pub use redaction::quoted;
pub use webhooks::SigningKey;

/// The most worker threads one scraper may have.
pub const WORKERS_MAX: usize = 1_024;
/// The longest retention, hours (90 days).
pub const RETENTION_HOURS_MAX: u64 = 2_160;
/// The most retries a job may have.
pub const RETRIES_MAX: u32 = 20;
/// The account of those who need no key.
pub const ANONYMOUS: &str = "anonymous";
/// The longest name of a model, in characters.
pub const MODEL_CHARS_MAX: usize = 128;
/// The longest name of a key, a scraper or an upstream, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// The reasons why there are no settings: all that is wrong, a sentence each that says what to
/// change. None repeats a value that may be a secret.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct ConfigError {
    pub problems: Vec<String>,
}

/// A secret: it can be used where it is meant to be, and cannot be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Secret {
        Secret(secret.into())
    }

    /// Returns the secret itself, for the one header that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub http: Http,
    pub store: Store,
    pub cache: file::Cache,
    pub results: file::Results,
    pub retry: file::Retry,
    pub queue: file::Queue,
    pub log: file::Log,
    pub practice: file::Practice,
    pub webhooks: Webhooks,
    pub browser: Browser,
    pub keys: Vec<Key>,
    pub upstreams: BTreeMap<String, Upstream>,
    pub scrapers: BTreeMap<String, Scraper>,
}

#[derive(Clone, Debug)]
pub struct Http {
    pub bind: SocketAddr,
    /// Without a slash at its end; `None` derives it from the address that was bound.
    pub public_url: Option<String>,
    /// Whether scrapes need a key.
    pub keys_needed: bool,
    pub workers: usize,
    pub connections_max: usize,
    pub body_bytes_max: usize,
    pub batch_bytes_max: usize,
    pub head_timeout_seconds: u64,
    pub keep_alive_seconds: u64,
    /// How long a write to a client may wait without any progress.
    pub write_timeout_seconds: u64,
    pub grace_seconds: u64,
    /// The most wrong keys from one address that are looked at; 0 sets no limit.
    pub key_failures_per_minute: u32,
    /// Proxies that tell the address of a client.
    pub trusted_proxies: Vec<IpAddr>,
    /// Origins whose pages may call, as a browser sends them; `*` allows every one.
    pub cors_origins: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Store {
    pub path: PathBuf,
    pub retention_ms: u64,
    pub cache_bytes: usize,
    pub quick_repair: bool,
    /// 0 sets no floor.
    pub free_mib_min: u64,
}

#[derive(Clone, Debug)]
pub struct Webhooks {
    /// What signs: the current key first, then the previous one while it still counts. None means
    /// that webhooks are not configured.
    pub keys: Vec<SigningKey>,
    /// What has to be set before webhooks can be sent, as a sentence; `None` when all is there.
    pub missing: Option<String>,
    /// Receivers that need not be public: hosts, or hosts with a port.
    pub allow_hosts: Vec<String>,
    /// The longest one attempt may take.
    pub timeout_seconds: u64,
    /// Threads that deliver.
    pub workers: usize,
}

/// The settings of every upstream of the kind `browser`.
#[derive(Clone, Debug)]
pub struct Browser {
    /// The folder of the operator's own recipes.
    pub recipes: Option<PathBuf>,
    /// Width and height of the window, pixels.
    pub viewport: (u32, u32),
    pub session_jobs_max: u32,
    pub session_bytes_max: u64,
    pub evidence: Evidence,
    pub evidence_bytes_max: u64,
    /// SHA-256 of public keys whose certificates are trusted, in base64.
    pub trusted_keys: Vec<String>,
}

/// An API key as it is configured: its hash, never itself.
#[derive(Clone, Debug)]
pub struct Key {
    pub name: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// `None`: no allowance is set.
    pub monthly_credits: Option<u64>,
    /// `None`: no limit is set.
    pub requests_per_minute: Option<u32>,
    /// Nanodollars that its jobs may cost in a day (UTC); `None`: no cap.
    pub day_nanos_max: Option<u64>,
    /// Whether it sees the credits of all keys.
    pub operator: bool,
}

/// The API that an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamKind {
    Openai,
    Perplexity,
    Gemini,
    Xai,
    Anthropic,
    Mistral,
    Compatible,
    Searchapi,
    Serpapi,
    Dataforseo,
    Cloro,
    Brightdata,
    Oxylabs,
    Scrapeless,
    /// Any service that speaks this very API.
    Scrapellm,
    Browser,
    Practice,
}

impl UpstreamKind {
    pub const ALL: [(&'static str, UpstreamKind); 17] = [
        ("openai", UpstreamKind::Openai),
        ("perplexity", UpstreamKind::Perplexity),
        ("gemini", UpstreamKind::Gemini),
        ("xai", UpstreamKind::Xai),
        ("anthropic", UpstreamKind::Anthropic),
        ("mistral", UpstreamKind::Mistral),
        ("compatible", UpstreamKind::Compatible),
        ("searchapi", UpstreamKind::Searchapi),
        ("serpapi", UpstreamKind::Serpapi),
        ("dataforseo", UpstreamKind::Dataforseo),
        ("cloro", UpstreamKind::Cloro),
        ("brightdata", UpstreamKind::Brightdata),
        ("oxylabs", UpstreamKind::Oxylabs),
        ("scrapeless", UpstreamKind::Scrapeless),
        ("scrapellm", UpstreamKind::Scrapellm),
        ("browser", UpstreamKind::Browser),
        ("practice", UpstreamKind::Practice),
    ];
    /// Another word for a kind: a service with this very API may be an answerd.
    const ALIAS: (&'static str, UpstreamKind) = ("answerd", UpstreamKind::Scrapellm);

    /// Returns the kind that a word of `kind` names.
    pub fn named(word: &str) -> Option<UpstreamKind> {
        let mut words = Self::ALL.iter().chain([&Self::ALIAS]);
        words.find(|(name, _)| *name == word).map(|(_, kind)| *kind)
    }

    pub fn word(self) -> &'static str {
        // Every variant stands in the table; a test holds that.
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// Returns the values that `model` may have, where it names one of a vendor's engines; none
    /// where it is the provider's to know its models.
    pub const fn engines(self) -> &'static [&'static str] {
        match self {
            UpstreamKind::Searchapi => &[
                "chatgpt",
                "perplexity",
                "gemini",
                "bing_copilot",
                "google_ai_mode",
                "google_ai_overview",
            ],
            UpstreamKind::Serpapi => &["google_ai_mode", "google_ai_overview", "bing_copilot"],
            UpstreamKind::Dataforseo => &[
                "google_ai_mode",
                "ai_mode",
                "google_ai_overview",
                "chatgpt",
                "chat_gpt",
                "gemini",
            ],
            UpstreamKind::Cloro => &[
                "chatgpt",
                "perplexity",
                "copilot",
                "gemini",
                "grok",
                "google_ai_mode",
                "google_ai_overview",
            ],
            UpstreamKind::Brightdata => {
                &["chatgpt", "perplexity", "copilot", "gemini", "grok", "google_ai_mode"]
            }
            UpstreamKind::Oxylabs => &["chatgpt", "perplexity", "gemini", "google_ai_mode"],
            UpstreamKind::Scrapeless => &[
                "chatgpt",
                "perplexity",
                "copilot",
                "gemini",
                "grok",
                "google_ai_mode",
                "meta_ai",
                "amazon_rufus",
            ],
            UpstreamKind::Openai
            | UpstreamKind::Perplexity
            | UpstreamKind::Gemini
            | UpstreamKind::Xai
            | UpstreamKind::Anthropic
            | UpstreamKind::Mistral
            | UpstreamKind::Compatible
            | UpstreamKind::Scrapellm
            | UpstreamKind::Browser
            | UpstreamKind::Practice => &[],
        }
    }

    /// Returns whether a call is impossible without a key.
    pub const fn needs_key(self) -> bool {
        match self {
            UpstreamKind::Openai
            | UpstreamKind::Perplexity
            | UpstreamKind::Gemini
            | UpstreamKind::Xai
            | UpstreamKind::Anthropic
            | UpstreamKind::Mistral
            | UpstreamKind::Searchapi
            | UpstreamKind::Serpapi
            | UpstreamKind::Dataforseo
            | UpstreamKind::Cloro
            | UpstreamKind::Brightdata
            | UpstreamKind::Oxylabs
            | UpstreamKind::Scrapeless => true,
            UpstreamKind::Compatible
            | UpstreamKind::Scrapellm
            | UpstreamKind::Browser
            | UpstreamKind::Practice => false,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Upstream {
    pub name: String,
    pub kind: UpstreamKind,
    /// Without a slash at its end; empty for the kind's own address.
    pub base_url: String,
    pub api_key: Option<Secret>,
    /// The header that carries the key; empty for the kind's own.
    pub auth_header: String,
    pub model: String,
    /// Whether the model is made to search; `None`: the kind's own way.
    pub force_search: Option<bool>,
    /// Whether all pages that were consulted are asked for.
    pub include_sources: bool,
    /// The longest one call may take.
    pub timeout_seconds: u64,
    /// `None`: no cap.
    pub in_flight_max: Option<usize>,
    /// `None`: no limit of our own.
    pub requests_per_minute: Option<u32>,
    /// Its address may hold a login.
    pub proxy: Option<Secret>,
    /// The recipe of a browser's page; empty for every other kind.
    pub recipe: String,
    /// Of a WebDriver server, without a slash at its end; `None` starts chromedriver here.
    pub webdriver_url: Option<String>,
    /// Browsers at once.
    pub sessions: usize,
    /// Which attempts leave its replies as they came.
    pub keep_raw: KeepRaw,
    /// Models that a request may ask for in the place of `model`.
    pub models_allowed: Vec<String>,
    /// What is laid over the JSON of every request, last.
    pub extra_body: serde_json::Map<String, serde_json::Value>,
    /// Searches of one answer, where the provider takes a limit; `None`: its own.
    pub searches_max: Option<u32>,
    /// Tokens of one answer, where the provider takes a limit; `None`: the kind's own.
    pub output_tokens_max: Option<u32>,
    /// Nanodollars that its calls may cost in a day (UTC); `None`: no cap.
    pub day_nanos_max: Option<u64>,
    pub prices: Prices,
    /// What has to be set before it can be used, as a sentence; `None` when it is ready.
    pub missing: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Scraper {
    pub name: String,
    /// Names of upstreams in the order in which they are tried.
    pub upstreams: Vec<String>,
    pub workers: usize,
    pub credits: u32,
    pub refused_countries: Vec<String>,
    /// Whether an answer without a search is a failure, where a request does not say.
    pub require_search: bool,
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
        let settings = file::load(path, pairs, &mut problems)
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

/// Returns the hash of an API key, as `hash` in `[[keys]]` holds it.
pub fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// Returns whether a key, a scraper or an upstream may be called so. Names are public, so what
/// looks like a key is none.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && !redaction::is_marked_as_secret(name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
