//! The settings after their checks, as the rest of the service reads them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::dollars::Prices;
use super::file::{self, Evidence, KeepRaw};
use super::secret::{Secret, SigningKey};
use super::upstream_kind::UpstreamKind;

/// The most worker threads one scraper may have.
pub const WORKERS_MAX: usize = 1_024;
/// The longest retention, hours (90 days).
pub const RETENTION_HOURS_MAX: u64 = 2_160;
/// The longest that it may be kept what trackers have measured, days.
pub(crate) const REPORT_DAYS_MAX: u64 = 3_650;
/// The most retries a job may have.
pub const RETRIES_MAX: u32 = 20;

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub http: Http,
    pub store: Store,
    pub cache: file::Cache,
    pub results: file::Results,
    pub mcp: file::Mcp,
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
    /// Whether operators read the jobs of all keys.
    pub operators_read_jobs: bool,
    /// Proxies that tell the address of a client.
    pub trusted_proxies: Vec<IpAddr>,
    /// Origins whose pages may call, as a browser sends them; `*` allows every one.
    pub cors_origins: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Store {
    pub path: PathBuf,
    pub retention_ms: u64,
    /// How long it is kept what trackers have measured.
    pub report_ms: u64,
    pub cache_bytes: usize,
    pub quick_repair: bool,
    /// 0 sets no floor.
    pub free_mib_min: u64,
    /// The name of this process.
    pub node: String,
    /// The database that several processes share; `None` keeps everything in `path`.
    pub shared: Option<SharedStoreSettings>,
}

/// The settings of a store that several processes share.
#[derive(Clone, Debug)]
pub struct SharedStoreSettings {
    /// Without a password.
    pub url: String,
    pub password: Option<Secret>,
    pub schema: String,
    /// The certificates of the authorities that the database's are verified by, each in PEM; those
    /// of the machine where there are none.
    pub authorities: Vec<String>,
    pub wake: file::WakeBy,
    /// How long a start and a write wait for a database that is away.
    pub patience_seconds: u64,
    /// Connections that write.
    pub writers: u16,
    /// Connections that read.
    pub readers: u16,
    /// Whether a start brings tables of an older version to that of this build.
    pub migrate: bool,
    /// Whether jobs are refused while there is no synchronous standby.
    pub require_standby: bool,
    /// The name of this process; no other one that shares the store has it.
    pub node: String,
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
    /// Certificates of authorities that are trusted, each in PEM.
    pub authorities: Vec<String>,
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
