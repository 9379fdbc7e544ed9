//! Settings as they are typed: the tables of config.toml as structs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// Every setting with its default: the file that ships at the top level of the repository.
pub const DEFAULTS: &str = include_str!("../../config.toml");

#[derive(Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct File {
    pub http: Http,
    pub store: Store,
    pub node: NodeSettings,
    pub cache: Cache,
    pub results: Results,
    pub mcp: Mcp,
    pub retry: Retry,
    pub queue: Queue,
    pub log: Log,
    pub practice: Practice,
    pub webhooks: Webhooks,
    pub browser: Browser,
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Whether keys are listed at all, sound or not.
    #[serde(skip)]
    pub has_keys: bool,
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
    pub operators_read_jobs: bool,
    pub trusted_proxies: Vec<String>,
    pub cors_origins: Vec<String>,
}

/// The rule by which scrapes need a key.
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
    pub report_days: u64,
    pub cache_mib: usize,
    pub quick_repair: bool,
    pub free_mib_min: u64,
    pub url: String,
    pub schema: String,
    pub password_env: String,
    pub password_file: String,
    pub ca_file: String,
    pub wake: WakeBy,
    pub writers: u16,
    pub readers: u16,
    pub patience_seconds: u64,
    pub migrate: bool,
    pub require_standby: bool,
}

/// The way in which the processes of a shared store wake each other.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum WakeBy {
    /// By `LISTEN` and `NOTIFY`.
    Notify,
    /// By looking often, as a pooler of connections needs it.
    Poll,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct NodeSettings {
    pub name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Cache {
    pub ttl_seconds: u64,
    pub entries_max: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Results {
    pub extra_arrays: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Mcp {
    pub text_chars_max: usize,
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

/// The behaviour of the practice engine: as it is, slow, failing now and then, or long-winded.
#[derive(Clone, Debug, Default, Deserialize)]
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

/// The settings of every upstream of the kind `browser`.
#[derive(Clone, Debug, Deserialize)]
#[serde(expecting = "a table")]
pub struct Browser {
    pub recipes: String,
    pub viewport: String,
    pub session_jobs_max: u32,
    pub session_mib_max: u64,
    pub evidence: Evidence,
    pub evidence_mib_max: u64,
    pub trusted_keys: Vec<String>,
    pub ca_file: String,
}

/// The attempts that leave evidence.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    Failures,
    Always,
    Never,
}

/// The attempts of which an upstream's raw replies are kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepRaw {
    #[default]
    None,
    Failed,
    All,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(default, expecting = "a table")]
pub struct Key {
    pub name: String,
    pub hash: String,
    pub monthly_credits: u64,
    pub requests_per_minute: u32,
    pub usd_per_day: Value,
    pub operator: bool,
}

/// Returns the default of settings that take dollars: none.
fn no_dollars() -> Value {
    Value::String(String::new())
}

impl Default for Key {
    fn default() -> Key {
        Key {
            name: String::new(),
            hash: String::new(),
            monthly_credits: 0,
            requests_per_minute: 0,
            usd_per_day: no_dollars(),
            operator: false,
        }
    }
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
    pub force_search: Value,
    pub include_sources: bool,
    pub timeout_seconds: u64,
    pub in_flight_max: usize,
    pub requests_per_minute: u32,
    pub proxy: String,
    pub recipe: String,
    pub webdriver_url: String,
    pub sessions: usize,
    pub keep_raw: KeepRaw,
    pub models_allowed: Vec<String>,
    pub extra_body: Table,
    pub searches_max: u32,
    pub output_tokens_max: u32,
    pub usd_per_day: Value,
    pub usd_per_call: Value,
    pub usd_per_1k_searches: Value,
    pub usd_per_million_input_tokens: Value,
    pub usd_per_million_output_tokens: Value,
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
            force_search: Value::String(String::new()),
            include_sources: true,
            timeout_seconds: 120,
            in_flight_max: 0,
            requests_per_minute: 0,
            proxy: String::new(),
            recipe: String::new(),
            webdriver_url: "auto".to_owned(),
            sessions: 2,
            keep_raw: KeepRaw::None,
            models_allowed: Vec::new(),
            extra_body: Table::new(),
            searches_max: 0,
            output_tokens_max: 0,
            usd_per_day: no_dollars(),
            usd_per_call: no_dollars(),
            usd_per_1k_searches: no_dollars(),
            usd_per_million_input_tokens: no_dollars(),
            usd_per_million_output_tokens: no_dollars(),
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
    pub require_search: bool,
}

impl Default for Scraper {
    fn default() -> Scraper {
        Scraper {
            upstreams: Vec::new(),
            workers: 8,
            credits: crate::catalog::CREDITS_DEFAULT,
            refused_countries: Vec::new(),
            require_search: false,
        }
    }
}
