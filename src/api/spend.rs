//! What calls of upstreams have used and cost, in replies. Dollars are numbers of JSON; sums are
//! made of whole billionths before.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::{Spend, UpstreamUsage};

const NANOS_PER_USD: f64 = 1e9;

/// Returns billionths of a dollar as dollars.
pub fn usd(nano_usd: u64) -> f64 {
    nano_usd as f64 / NANOS_PER_USD
}

/// Sums of what calls of upstreams have used and cost.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Spent")]
pub struct SpentView {
    /// Calls of which it is known what they used.
    pub calls: u64,
    /// Those whose cost is not known.
    pub calls_without_cost: u64,
    pub input_tokens: u64,
    /// Those of the reasoning included.
    pub output_tokens: u64,
    pub reasoning_tokens: u64,
    pub searches: u64,
    /// US dollars.
    #[schemars(range(min = 0))]
    pub cost_usd: f64,
}

impl From<Spend> for SpentView {
    fn from(spend: Spend) -> SpentView {
        SpentView {
            calls: spend.calls,
            calls_without_cost: spend.calls_without_cost,
            input_tokens: spend.input_tokens,
            output_tokens: spend.output_tokens,
            reasoning_tokens: spend.reasoning_tokens,
            searches: spend.searches,
            cost_usd: usd(spend.nano_usd),
        }
    }
}

/// Tokens, searches and cost of attempts; null where no upstream tells it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "UpstreamUsage")]
pub struct UpstreamUsageView {
    pub input_tokens: Option<u64>,
    /// Those of the reasoning included.
    pub output_tokens: Option<u64>,
    pub reasoning_tokens: Option<u64>,
    /// Searches that are billed.
    pub searches: Option<u64>,
    /// US dollars.
    #[schemars(range(min = 0))]
    pub cost_usd: Option<f64>,
    /// `provider`, or `table` for the prices of the settings.
    pub cost_from: Option<Cow<'static, str>>,
}

impl From<&UpstreamUsage> for UpstreamUsageView {
    fn from(usage: &UpstreamUsage) -> UpstreamUsageView {
        UpstreamUsageView {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            searches: usage.searches,
            cost_usd: usage.cost.map(|cost| usd(cost.nano_usd)),
            cost_from: usage.cost.map(|cost| cost.from.word().into()),
        }
    }
}
