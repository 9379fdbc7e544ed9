//! The usage and cost of upstream calls, in replies. Dollars are JSON numbers; sums are made of
//! whole billionths before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::answer::UsageObject;
use crate::job::Spend;

const NANOS_PER_USD: f64 = 1e9;

/// Returns billionths of a dollar as dollars.
pub fn usd(nano_usd: u64) -> f64 {
    nano_usd as f64 / NANOS_PER_USD
}

/// Sums of the usage and cost of upstream calls.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Spent")]
pub struct SpentView {
    /// Calls with known usage.
    pub calls: u64,
    /// Calls of unknown cost.
    pub calls_without_cost: u64,
    pub input_tokens: u64,
    /// Reasoning tokens included.
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
