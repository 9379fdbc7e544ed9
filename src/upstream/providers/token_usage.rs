//! What a reply says that it used: counts of tokens and searches, and its cost.

use serde_json::Value;

use crate::job::{Cost, CostFrom, UpstreamUsage};
use crate::upstream::UpstreamError;

/// xAI counts its cost in ticks, ten billion to a US dollar.
const TICKS_PER_NANO_USD: u64 = 10;

/// Returns the count at a path of keys; `None` where there is none.
pub fn count(value: &Value, path: &[&str]) -> Option<u64> {
    path.iter().fold(value, |value, key| &value[key]).as_u64()
}

/// Returns the sum of what is known; `None` where nothing is.
pub fn sum(counts: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
}

/// Returns the usage of two rounds of an answer together.
pub fn added(one: &UpstreamUsage, other: &UpstreamUsage) -> UpstreamUsage {
    let cost = match (one.cost, other.cost) {
        (Some(one), Some(other)) => {
            Some(Cost { nano_usd: one.nano_usd.saturating_add(other.nano_usd), ..one })
        }
        (one, other) => one.or(other),
    };
    UpstreamUsage {
        input_tokens: sum([one.input_tokens, other.input_tokens]),
        output_tokens: sum([one.output_tokens, other.output_tokens]),
        reasoning_tokens: sum([one.reasoning_tokens, other.reasoning_tokens]),
        searches: sum([one.searches, other.searches]),
        cost,
    }
}

/// Returns the cost that the `usage` of a reply tells: xAI's ticks, Perplexity's and OpenRouter's
/// US dollars.
pub fn cost(usage: &Value) -> Option<Cost> {
    if let Some(ticks) = count(usage, &["cost_in_usd_ticks"]) {
        let nano_usd = ticks / TICKS_PER_NANO_USD;
        return Some(Cost { nano_usd, from: CostFrom::Provider });
    }
    let cost = &usage["cost"];
    let is_usd = cost["currency"].as_str().is_none_or(|currency| currency == "USD");
    let usd = cost.as_f64().or_else(|| cost["total_cost"].as_f64());
    usd.filter(|_| is_usd).and_then(Cost::told)
}

/// Returns an error with what the reply that it was read from used: it is billed all the same.
pub fn billed(error: UpstreamError, usage: UpstreamUsage) -> UpstreamError {
    if usage.is_empty() {
        return error;
    }
    UpstreamError { usage: Some(Box::new(usage)), ..error }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::Reason;

    #[test]
    fn cost_is_read_in_ticks_and_in_dollars() {
        for (usage, nano_usd) in [
            (json!({"cost_in_usd_ticks": 37_756_000}), Some(3_775_600)),
            (json!({"cost": {"currency": "USD", "total_cost": 0.00119}}), Some(1_190_000)),
            (json!({"cost": {"total_cost": 0}}), Some(0)),
            (json!({"cost": 0.007_637_029}), Some(7_637_029)),
            (json!({"cost": {"currency": "EUR", "total_cost": 1}}), None),
            (json!({"cost": -1}), None),
            (json!({"cost": "1"}), None),
            (json!({"cost_in_usd_ticks": -1}), None),
            (Value::Null, None),
        ] {
            let expected = nano_usd.map(|nano_usd| Cost { nano_usd, from: CostFrom::Provider });
            assert_eq!(cost(&usage), expected, "{usage}");
        }
    }

    #[test]
    fn usage_of_rounds_is_added_and_what_is_unknown_stays_so() {
        let round = |input_tokens, searches| UpstreamUsage {
            input_tokens,
            searches,
            cost: Cost::told(0.5),
            ..UpstreamUsage::default()
        };
        let both = added(&round(Some(u64::MAX), None), &round(Some(2), Some(3)));
        assert_eq!((both.input_tokens, both.searches), (Some(u64::MAX), Some(3)));
        assert_eq!((both.output_tokens, both.cost), (None, Cost::told(1.0)));
        let error = UpstreamError::new(Reason::Empty, "x");
        assert_eq!(billed(error.clone(), UpstreamUsage::default()).usage, None);
        assert_eq!(billed(error, both.clone()).usage, Some(Box::new(both)));
    }
}
