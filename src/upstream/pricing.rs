//! What a call has cost: as the provider tells it, else by the prices of config.toml. Whole
//! numbers only.

use crate::config::Prices;
use crate::job::{Cost, CostFrom, Reason, UpstreamUsage};

/// Returns what a call used with its cost, which is the provider's word where that has one.
/// `failed` is why there is no answer. Nothing is known of a call that a provider does not bill.
pub(super) fn priced(
    usage: UpstreamUsage,
    prices: &Prices,
    failed: Option<Reason>,
) -> UpstreamUsage {
    if usage.cost.is_some() || usage.is_empty() && !failed.is_none_or(may_be_billed) {
        return usage;
    }
    let cost = table_cost(&usage, prices);
    UpstreamUsage { cost, ..usage }
}

/// Returns the cost by the prices that are set; `None` if there are none, or one is for what was
/// not counted.
fn table_cost(usage: &UpstreamUsage, prices: &Prices) -> Option<Cost> {
    let parts = [
        (prices.call_nanos, Some(1), 1),
        (prices.thousand_searches_nanos, usage.searches, 1_000),
        (prices.million_input_tokens_nanos, usage.input_tokens, 1_000_000),
        (prices.million_output_tokens_nanos, usage.output_tokens, 1_000_000),
    ];
    let set =
        || parts.iter().filter_map(|(price, count, per)| Some((*price.as_ref()?, count, per)));
    set().next()?;
    let mut nanos = 0_u128;
    for (price, count, per) in set() {
        let whole = u128::from(price) * u128::from((*count)?);
        // A part of a billionth of a dollar is rounded up: a cap must not be crossed by what is
        // lost.
        nanos = nanos.saturating_add(whole.div_ceil(*per));
    }
    let nano_usd = u64::try_from(nanos).unwrap_or(u64::MAX);
    Some(Cost { nano_usd, from: CostFrom::Table })
}

/// Returns whether a provider may bill a call that has failed: one that it has worked on, or that
/// was broken off while it did.
const fn may_be_billed(reason: Reason) -> bool {
    match reason {
        Reason::UpstreamTimeout
        | Reason::InvalidResponse
        | Reason::Empty
        | Reason::Incomplete
        | Reason::TooLarge
        | Reason::Refused
        | Reason::NoSearch
        | Reason::Panicked
        | Reason::Canceled => true,
        Reason::Unreachable
        | Reason::Overloaded
        | Reason::UpstreamRateLimited
        | Reason::UpstreamError
        | Reason::Auth
        | Reason::Quota
        | Reason::BadRequest
        | Reason::Blocked
        | Reason::RecipeOutdated
        | Reason::CountryUnsupported
        | Reason::PlaceUnsupported
        | Reason::NoUpstreamAvailable
        | Reason::UpstreamSaturated
        | Reason::KeyAtLimit
        | Reason::Crashed
        | Reason::Timeout
        | Reason::NotStartedInTime => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: Prices = Prices {
        call_nanos: Some(1_000),
        thousand_searches_nanos: Some(10_000_000_000),
        million_input_tokens_nanos: Some(250_000_000),
        million_output_tokens_nanos: Some(2_000_000_000),
    };

    fn usage(searches: Option<u64>) -> UpstreamUsage {
        UpstreamUsage {
            input_tokens: Some(9_120),
            output_tokens: Some(1_480),
            searches,
            ..UpstreamUsage::default()
        }
    }

    fn nanos(usage: UpstreamUsage, prices: &Prices, failed: Option<Reason>) -> Option<u64> {
        priced(usage, prices, failed).cost.map(|cost| cost.nano_usd)
    }

    #[test]
    fn prices_are_added_up_in_whole_billionths() {
        let (input, output) = (9_120 * 250, 1_480 * 2_000);
        assert_eq!(nanos(usage(Some(3)), &PRICES, None), Some(1_000 + 30_000_000 + input + output));
        assert_eq!(nanos(usage(None), &PRICES, None), None, "a price without its count");
        let tokens = Prices { thousand_searches_nanos: None, ..PRICES };
        assert_eq!(nanos(usage(None), &tokens, None), Some(1_000 + input + output));
        assert_eq!(nanos(usage(Some(3)), &Prices::default(), None), None);
        let odd = Prices { million_input_tokens_nanos: Some(1), ..Prices::default() };
        assert_eq!(nanos(usage(None), &odd, None), Some(1), "rounded up");
        let most = UpstreamUsage { input_tokens: Some(u64::MAX), ..usage(Some(u64::MAX)) };
        assert_eq!(nanos(most, &PRICES, None), Some(u64::MAX));
    }

    #[test]
    fn what_the_provider_tells_goes_before_the_prices() {
        let told = Cost { nano_usd: 7, from: CostFrom::Provider };
        let priced = priced(UpstreamUsage { cost: Some(told), ..usage(Some(3)) }, &PRICES, None);
        assert_eq!(priced.cost, Some(told));
    }

    #[test]
    fn failed_call_costs_what_a_provider_may_bill() {
        let per_call = Prices { call_nanos: Some(1_000), ..Prices::default() };
        let nothing = UpstreamUsage::default;
        for (failed, cost) in [
            (Reason::UpstreamTimeout, Some(1_000)),
            (Reason::Canceled, Some(1_000)),
            (Reason::NoSearch, Some(1_000)),
            (Reason::Unreachable, None),
            (Reason::Auth, None),
            (Reason::UpstreamRateLimited, None),
        ] {
            assert_eq!(nanos(nothing(), &per_call, Some(failed)), cost, "{failed:?}");
        }
        assert_eq!(nanos(nothing(), &per_call, None), Some(1_000));
        // A reply that tells what it used was billed, whatever it is called.
        assert!(nanos(usage(Some(1)), &PRICES, Some(Reason::UpstreamError)).is_some());
        assert_eq!(nanos(nothing(), &PRICES, Some(Reason::UpstreamTimeout)), None);
    }
}
