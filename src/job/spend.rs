//! Sums of what calls of upstreams have used and cost.

use super::UpstreamUsage;

/// Sums of what some calls have used and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spend {
    pub calls: u64,
    /// Calls of unknown cost.
    pub calls_without_cost: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub reasoning_tokens: u64,
    pub searches: u64,
    /// Billionths of a US dollar.
    pub nano_usd: u64,
}

impl Spend {
    /// Adds a call.
    pub fn count(&mut self, usage: &UpstreamUsage) {
        let UpstreamUsage { input_tokens, output_tokens, reasoning_tokens, searches, cost } = usage;
        *self = self.and(Spend {
            calls: 1,
            calls_without_cost: u64::from(cost.is_none()),
            input_tokens: input_tokens.unwrap_or(0),
            output_tokens: output_tokens.unwrap_or(0),
            reasoning_tokens: reasoning_tokens.unwrap_or(0),
            searches: searches.unwrap_or(0),
            nano_usd: cost.map_or(0, |cost| cost.nano_usd),
        });
    }

    /// Returns the sum of two.
    #[must_use]
    pub fn and(self, other: Spend) -> Spend {
        Spend {
            calls: self.calls.saturating_add(other.calls),
            calls_without_cost: self.calls_without_cost.saturating_add(other.calls_without_cost),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            searches: self.searches.saturating_add(other.searches),
            nano_usd: self.nano_usd.saturating_add(other.nano_usd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Cost, CostFrom};

    fn usage(output_tokens: Option<u64>, cost: Option<(u64, CostFrom)>) -> UpstreamUsage {
        let cost = cost.map(|(nano_usd, from)| Cost { nano_usd, from });
        UpstreamUsage { output_tokens, cost, ..UpstreamUsage::default() }
    }

    #[test]
    fn spend_counts_calls_and_those_without_a_cost() {
        let mut spend = Spend::default();
        spend.count(&usage(Some(7), Some((100, CostFrom::Provider))));
        spend.count(&usage(Some(5), None));
        let expected =
            Spend { calls: 2, calls_without_cost: 1, output_tokens: 12, nano_usd: 100, ..spend };
        assert_eq!((spend, spend.input_tokens, spend.searches), (expected, 0, 0));
        spend.count(&usage(Some(u64::MAX), Some((u64::MAX, CostFrom::Table))));
        assert_eq!((spend.output_tokens, spend.nano_usd), (u64::MAX, u64::MAX));
    }

    #[test]
    fn sum_of_usages_says_what_is_known_and_who_says_it() {
        let both = |one: UpstreamUsage, other: UpstreamUsage| one.and(other);
        let provider = || usage(Some(7), Some((100, CostFrom::Provider)));
        let table = || usage(None, Some((50, CostFrom::Table)));
        assert_eq!(both(provider(), provider()), usage(Some(14), Some((200, CostFrom::Provider))));
        assert_eq!(both(provider(), table()), usage(Some(7), Some((150, CostFrom::Table))));
        assert_eq!(both(provider(), usage(None, None)), provider());
        assert_eq!(both(usage(None, None), usage(None, None)), UpstreamUsage::default());
    }
}
