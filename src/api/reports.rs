//! The replies about the state of scrapers and the usage of keys.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spend::SpentView;
use super::wire::{Day, Named, Time};

/// The state of the service.
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Status")]
pub struct StatusView {
    /// `ok` or `ready`.
    pub status: Cow<'static, str>,
}

impl StatusView {
    pub fn of(status: &'static str) -> StatusView {
        StatusView { status: status.into() }
    }
}

/// Every scraper.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Scrapers")]
pub struct ScrapersView {
    pub scrapers: Vec<ScraperView>,
}

/// A scraper: what it takes, its queue and its health.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Scraper")]
pub struct ScraperView {
    pub name: String,
    /// Whether it can be used.
    pub configured: bool,
    /// The setting that is missing.
    pub missing: Option<String>,
    /// The price of a scrape.
    pub credits: u32,
    /// Countries that are refused, by its settings or because none of its upstreams serves them.
    pub refused_countries: Vec<String>,
    /// Its parameters with type, default and bounds.
    #[schemars(with = "Named<serde_json::Map<String, Value>>")]
    pub parameters: Named<Value>,
    /// The arrays of its result.
    pub arrays: Vec<&'static str>,
    /// Jobs that run at once.
    pub workers: usize,
    pub queue: QueueView,
    /// In the order in which they are tried.
    pub upstreams: Vec<UpstreamView>,
    pub health: HealthView,
}

/// The part of a scraper that changes while the service runs.
#[derive(Serialize)]
pub struct LiveScraperView {
    pub name: String,
    pub configured: bool,
    pub workers: usize,
    pub queue: QueueView,
    pub upstreams: Vec<UpstreamView>,
    pub health: HealthView,
    /// The latest five minutes in which something happened.
    pub bucket: Option<BucketView>,
}

/// An event of `GET /stats/events`, without its time.
#[derive(Serialize)]
pub struct OverviewEvent {
    pub since: Time,
    pub scrapers: Vec<LiveScraperView>,
}

/// Jobs of a scraper.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Queue")]
pub struct QueueView {
    pub waiting: usize,
    pub running: usize,
}

/// An upstream of a scraper.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Upstream")]
pub struct UpstreamView {
    pub name: String,
    /// The API that it speaks.
    pub kind: &'static str,
    /// Whether it can be used.
    pub configured: bool,
    /// The setting that is missing.
    pub missing: Option<String>,
    pub breaker: Option<BreakerView>,
    pub probe_in_seconds: Option<u64>,
    pub in_flight: Option<usize>,
    pub in_flight_max: Option<usize>,
    /// The latest failure.
    pub last_error: Option<LastErrorView>,
    /// How well its recipe fits the page; only for the kind `browser`.
    pub recipe: Option<RecipeView>,
    /// Models that a request may ask for.
    pub models_allowed: Vec<String>,
    /// The model that it reports to answer with.
    pub llm_model: Option<String>,
    /// The last changes of that model, oldest first.
    pub model_changes: Vec<ModelChangeView>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct ModelChangeView {
    pub at: Time,
    pub from: String,
    pub to: String,
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum BreakerView {
    Closed,
    Open,
    HalfOpen,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct LastErrorView {
    pub at: Time,
    pub code: &'static str,
    pub error: String,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct RecipeView {
    pub name: String,
    pub version: u64,
    pub last_verified: Option<String>,
    /// How often each alternative matched.
    pub selectors: Named<SelectorMatchesView>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct SelectorMatchesView {
    pub alternatives: Vec<u64>,
    pub none: u64,
}

/// The attempts of the last hour.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Health")]
pub struct HealthView {
    pub window_seconds: u64,
    /// Finished attempts.
    pub attempts: u64,
    pub succeeded: u64,
    /// 0 to 1.
    #[schemars(range(min = 0))]
    pub success_rate: Option<f64>,
    /// Of those that succeeded.
    #[schemars(range(min = 0))]
    pub p50_seconds: Option<f64>,
    #[schemars(range(min = 0))]
    pub p95_seconds: Option<f64>,
    /// The share of answers with a search, of those for which it is known.
    #[schemars(range(min = 0))]
    pub searched_share: Option<f64>,
    /// Of the looks at an engine that does not always show an answer, such as the AI Overview, the
    /// share at which it showed one; null for others.
    #[schemars(range(min = 0))]
    pub present_share: Option<f64>,
    /// Of each array, the share of answers that had something in it, of those that were there.
    pub non_empty: Named<Option<f64>>,
}

/// Counts of submitted jobs by their outcome.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Used")]
pub struct UsedView {
    pub jobs: u64,
    pub done: u64,
    pub failed: u64,
    /// Answered by the cache.
    pub cached: u64,
    pub credits: u64,
}

/// The credits of a key in this month (UTC).
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Usage")]
pub struct UsageView {
    #[serde(flatten)]
    pub credits: AccountCreditsView,
    pub resets_at: Time,
    /// The sums of the days.
    pub scrapers: Named<UsedView>,
    /// The cost of upstream calls on these days.
    pub spent: SpentView,
    /// The same for each upstream.
    pub upstreams: Named<SpentView>,
    /// The same for each label; `(other)` sums up those beyond the limit.
    pub labels: Named<SpentView>,
    /// Days on which something was used.
    pub days: Vec<UsageDayView>,
    /// The credits of every key; only for the key of an operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Vec<AccountCreditsView>>,
    /// Whether the key may list and read the jobs of all keys; only for the key of an operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads_all_jobs: Option<bool>,
}

/// The credits that a key has spent this month (UTC).
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "AccountCredits")]
pub struct AccountCreditsView {
    /// The key's name.
    pub account: String,
    /// Null for a key without an allowance.
    pub monthly_credits: Option<u64>,
    pub used: u64,
    /// Of jobs that have not ended.
    pub reserved: u64,
    pub left: Option<u64>,
    /// US dollars that its jobs may cost in a day (UTC); null for a key without a cap.
    #[schemars(range(min = 0))]
    pub usd_per_day: Option<f64>,
    /// US dollars that they have cost today.
    #[schemars(range(min = 0))]
    pub usd_spent_today: f64,
}

#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(inline)]
pub struct UsageDayView {
    pub date: Day,
    pub scrapers: Named<UsedView>,
    pub spent: SpentView,
    pub upstreams: Named<SpentView>,
    pub labels: Named<SpentView>,
}

/// The last day.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Stats")]
pub struct StatsView {
    pub now: Time,
    /// When the counts begin.
    pub since: Time,
    pub bucket_seconds: u64,
    pub scrapers: Vec<ScraperStatsView>,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct ScraperStatsView {
    pub name: String,
    pub queue: QueueView,
    pub buckets: Vec<BucketView>,
}

/// Five minutes of a scraper.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Bucket")]
pub struct BucketView {
    /// The start of the five minutes.
    pub at: Time,
    /// Submitted jobs.
    pub submitted: u32,
    /// Jobs that ended with this outcome.
    pub done: u32,
    pub failed: u32,
    pub canceled: u32,
    pub attempts_succeeded: u32,
    pub attempts_failed: u32,
    /// Attempts that succeeded and found that the engine showed no answer, such as no AI Overview.
    pub absent: u32,
    /// Of attempts that succeeded.
    #[schemars(range(min = 0))]
    pub p50_seconds: Option<f64>,
    #[schemars(range(min = 0))]
    pub p95_seconds: Option<f64>,
}
