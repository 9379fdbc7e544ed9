//! What a reply says that it used: counts of tokens and searches, and its cost.

use serde_json::Value;

use crate::job::{Cost, CostFrom, UpstreamUsage};
use crate::net::HttpReply;

use super::json_text;

/// xAI counts its cost in ticks, ten billion to a US dollar.
const TICKS_PER_NANO_USD: u64 = 10;

/// Returns the count at a path of keys; `None` where there is none.
pub(crate) fn count(value: &Value, path: &[&str]) -> Option<u64> {
    path.iter().fold(value, |value, key| &value[key]).as_u64()
}

/// Returns the sum of what is known; `None` where nothing is.
pub(crate) fn sum(counts: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    counts.into_iter().flatten().reduce(u64::saturating_add)
}

/// Returns what replies say together, each as `read` reads its JSON. Those of an error say it too.
pub(crate) fn told<'a>(
    replies: impl IntoIterator<Item = &'a HttpReply>,
    read: impl Fn(&Value) -> UpstreamUsage,
) -> UpstreamUsage {
    let bodies = replies.into_iter().filter_map(|reply| json_text::parse(&reply.body));
    bodies.map(|body| read(&body)).fold(UpstreamUsage::default(), UpstreamUsage::and)
}

/// Returns the cost that the `usage` of a reply tells: xAI's ticks, Perplexity's and OpenRouter's
/// US dollars.
pub(crate) fn cost(usage: &Value) -> Option<Cost> {
    if let Some(ticks) = count(usage, &["cost_in_usd_ticks"]) {
        let nano_usd = ticks / TICKS_PER_NANO_USD;
        return Some(Cost { nano_usd, from: CostFrom::Provider });
    }
    let cost = &usage["cost"];
    let is_usd = cost["currency"].as_str().is_none_or(|currency| currency == "USD");
    let usd = cost.as_f64().or_else(|| cost["total_cost"].as_f64());
    usd.filter(|_| is_usd).and_then(Cost::told)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::upstream::providers::test_support::ok;

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
        let round = |input_tokens: u64, cost: f64| ok(&json!({"in": input_tokens, "cost": cost}));
        let read = |body: &Value| UpstreamUsage {
            input_tokens: count(body, &["in"]),
            cost: cost(body),
            ..UpstreamUsage::default()
        };
        let mut replies = vec![round(u64::MAX, 0.5), round(2, 0.5)];
        let both = told(&replies, read);
        assert_eq!((both.input_tokens, both.output_tokens), (Some(u64::MAX), None));
        assert_eq!(both.cost, Cost::told(1.0));
        replies[0].body = b"<html>".to_vec();
        assert_eq!(told(&replies, read).input_tokens, Some(2));
        assert!(told(&[], read).is_empty());
    }
}
