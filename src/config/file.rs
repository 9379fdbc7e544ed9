//! Settings as they are typed: the tables of config.toml, laid over each other and read into
//! structs with serde. Nothing here is checked beyond names and types.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{ConfigError, UnknownSetting};

/// Every setting with its default: the file that ships at the top level of the repository.
pub const DEFAULTS: &str = include_str!("../../config.toml");

/// The prefix of settings in the environment: `ANSWERD_HTTP__BIND` is `bind` in `[http]`.
const ENV_PREFIX: &str = "ANSWERD_";

/// How like an unknown name another must be (Jaro-Winkler, 0 to 1) to be offered in its place.
const LIKENESS_MIN: f64 = 0.7;

#[derive(Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct File {
    pub http: Http,
    pub store: Store,
    pub cache: Cache,
    pub retry: Retry,
    pub queue: Queue,
    pub log: Log,
    pub practice: Practice,
    pub webhooks: Webhooks,
    pub browser: Browser,
    #[serde(default)]
    pub keys: Vec<Key>,
    pub upstreams: BTreeMap<String, Upstream>,
    pub scrapers: BTreeMap<String, Scraper>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Http {
    pub bind: String,
    pub public_url: String,
    pub auth: Auth,
    pub workers: usize,
    pub connections_max: usize,
    pub body_kib_max: usize,
    pub batch_kib_max: usize,
    pub head_timeout_seconds: u64,
    pub keep_alive_seconds: u64,
    pub write_timeout_seconds: u64,
    pub grace_seconds: u64,
    pub key_failures_per_minute: u32,
    pub trusted_proxies: Vec<String>,
    pub cors_origins: Vec<String>,
}

/// Whether scrapes need a key.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Open on loopback while no key is configured; keys needed otherwise.
    Auto,
    /// Keys needed.
    Keys,
    /// Open, whatever the address.
    Open,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Store {
    pub path: String,
    pub retention_hours: u64,
    pub cache_mib: usize,
    pub quick_repair: bool,
    pub free_mib_min: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Cache {
    pub ttl_seconds: u64,
    pub entries_max: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Retry {
    pub retries: u32,
    pub backoff_ms: u64,
    pub backoff_max_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Queue {
    pub jobs_max: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

/// How the practice page behaves: as it is, slow, failing now and then, or long-winded.
#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Practice {
    pub latency_ms: u64,
    pub failure_percent: u8,
    pub payload_bytes: usize,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Webhooks {
    pub secret_env: String,
    pub secret_file: String,
    pub previous_secret_env: String,
    pub previous_secret_file: String,
    pub allow_hosts: Vec<String>,
    pub timeout_seconds: u64,
    pub workers: usize,
}

/// What holds for every upstream of the kind `browser`.
#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Browser {
    pub recipes: String,
    pub viewport: String,
    pub session_jobs_max: u32,
    pub session_mib_max: u64,
    pub evidence: Evidence,
    pub evidence_mib_max: u64,
}

/// Which attempts leave evidence.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    Failures,
    Always,
    Never,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, expecting = "a table")]
pub struct Key {
    pub name: String,
    pub hash: String,
    pub monthly_credits: u64,
    pub requests_per_minute: u32,
    pub operator: bool,
}

/// `[upstreams.NAME]`. Empty strings and zeros mean what the sentence in config.toml says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, expecting = "a table")]
pub struct Upstream {
    pub kind: String,
    pub base_url: String,
    pub api_key_env: String,
    pub api_key_file: String,
    pub auth_header: String,
    pub model: String,
    pub timeout_seconds: u64,
    pub in_flight_max: usize,
    pub requests_per_minute: u32,
    pub proxy: String,
    pub recipe: String,
    pub webdriver_url: String,
    pub sessions: usize,
}

impl Default for Upstream {
    fn default() -> Upstream {
        Upstream {
            kind: String::new(),
            base_url: String::new(),
            api_key_env: String::new(),
            api_key_file: String::new(),
            auth_header: String::new(),
            model: String::new(),
            timeout_seconds: 120,
            in_flight_max: 0,
            requests_per_minute: 0,
            proxy: String::new(),
            recipe: String::new(),
            webdriver_url: "auto".to_owned(),
            sessions: 2,
        }
    }
}

/// `[scrapers.NAME]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, expecting = "a table")]
pub struct Scraper {
    pub upstreams: Vec<String>,
    pub workers: usize,
    pub credits: u32,
    pub refused_countries: Vec<String>,
}

impl Default for Scraper {
    fn default() -> Scraper {
        Scraper {
            upstreams: Vec::new(),
            workers: 8,
            credits: crate::catalog::CREDITS_DEFAULT,
            refused_countries: Vec::new(),
        }
    }
}

/// Reads the defaults, lays the file (when there is one) and the environment over them.
///
/// # Errors
/// The file cannot be read or parsed, a setting has the wrong type, or a name is unknown.
pub fn load(
    path: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<File, ConfigError> {
    let defaults: Table = DEFAULTS.parse().map_err(|error| ConfigError::Syntax {
        origin: "the built-in defaults".to_owned(),
        message: format!("{error}"),
    })?;
    let mut merged = defaults.clone();
    if let Some(path) = path {
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: origin.clone(), error })?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            origin,
            message: error.to_string().trim_end().to_owned(),
        })?;
        merge(&mut merged, table);
    }
    merge(&mut merged, from_environment(environment, &defaults));

    let mut unknown = Vec::new();
    let file = serde_ignored::deserialize(Value::Table(merged), |path| {
        unknown.push(path.to_string());
    })
    .map_err(|error: toml::de::Error| ConfigError::Type { message: in_plain_words(&error) })?;
    if unknown.is_empty() {
        return Ok(file);
    }
    let settings = unknown.into_iter().map(|path| unknown_setting(path, &defaults)).collect();
    Err(ConfigError::Unknown(settings))
}

/// What serde says of a wrong type, without the names of Rust's types.
fn in_plain_words(error: &toml::de::Error) -> String {
    let words = [
        ("expected usize", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected u32", "expected a whole number below 2^32"),
        ("expected u8", "expected a whole number below 256"),
        ("expected a sequence", "expected a list such as [\"a\", \"b\"]"),
        ("unknown variant", "unknown value"),
    ];
    let message = error.to_string().trim_end().replace('\n', " ");
    words.iter().fold(message, |message, (rust, plain)| message.replace(rust, plain))
}

/// Lays `over` over `base`: tables are merged by key, everything else is replaced.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

/// `ANSWERD_SECTION__KEY=value` as a table. A value that reads as TOML (a number, a boolean, a
/// list) is that, any other is a string. Names without `__` are not settings.
fn from_environment(
    environment: impl Iterator<Item = (String, String)>,
    defaults: &Table,
) -> Table {
    let mut table = Table::new();
    for (name, value) in environment {
        let Some(path) = name.strip_prefix(ENV_PREFIX).filter(|path| path.contains("__")) else {
            continue;
        };
        let path: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        let value = value_of(value, is_text(&path, defaults));
        let nested = path
            .into_iter()
            .rev()
            .fold(value, |inner, key| Value::Table(Table::from_iter([(key, inner)])));
        if let Value::Table(nested) = nested {
            merge(&mut table, nested);
        }
    }
    table
}

/// Reads a variable's value. Text stays as it is unless it stands in quotes: a model called `4` or
/// a directory called `2026-01-01` is no number and no date.
fn value_of(value: String, text: bool) -> Value {
    let mut parsed = format!("value = {value}").parse::<Table>().unwrap_or_default();
    // A line break in the value could bring further names along; that is no TOML value then.
    match parsed.remove("value").filter(|_| parsed.is_empty()) {
        Some(parsed @ Value::String(_)) => parsed,
        Some(parsed) if !text => parsed,
        Some(_) | None => Value::String(value),
    }
}

/// Whether the setting is a string by default.
fn is_text(path: &[String], defaults: &Table) -> bool {
    let (Some(section), Some(name)) = (path.first(), path.last()) else { return false };
    template(section, defaults).is_some_and(|table| table.get(name).is_some_and(Value::is_str))
}

/// Names the unknown setting and the nearest one that exists beside it.
fn unknown_setting(path: String, defaults: &Table) -> UnknownSetting {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", &path));
    let known = match section.split('.').next().unwrap_or_default() {
        "" => defaults.keys().cloned().chain(["keys".to_owned()]).collect(),
        section => template(section, defaults)
            .map_or_else(Vec::new, |table| table.keys().cloned().collect()),
    };
    let nearest = known
        .into_iter()
        .map(|known: String| (strsim::jaro_winkler(&known, name), known))
        .filter(|(likeness, _)| *likeness > LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known);
    UnknownSetting { path, nearest }
}

/// All settings of a section with their defaults; `keys`, `upstreams` and `scrapers` hold tables,
/// and this is one of those.
fn template(section: &str, defaults: &Table) -> Option<Table> {
    match section {
        "keys" => Table::try_from(Key::default()).ok(),
        "upstreams" => Table::try_from(Upstream::default()).ok(),
        "scrapers" => Table::try_from(Scraper::default()).ok(),
        other => defaults.get(other).and_then(Value::as_table).cloned(),
    }
}
