//! What an attempt used at an upstream, and what that cost.

/// The amounts that one attempt used. `None` where the upstream does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamUsage {
    pub input_tokens: Option<u64>,
    /// All that were written, those of the reasoning included where the upstream counts them so.
    pub output_tokens: Option<u64>,
    pub reasoning_tokens: Option<u64>,
    /// Searches that are billed.
    pub searches: Option<u64>,
    pub cost: Option<Cost>,
}

/// An amount of money, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Billionths of a US dollar: sums of whole numbers are exact.
    pub nano_usd: u64,
    pub from: CostFrom,
}

/// Who says what an attempt cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostFrom {
    /// The upstream's reply.
    Provider,
    /// The prices in config.toml.
    Table,
}

impl CostFrom {
    /// Returns the word for it in replies.
    pub const fn word(self) -> &'static str {
        match self {
            CostFrom::Provider => "provider",
            CostFrom::Table => "table",
        }
    }
}

/// Returns an amount of billionths of a US dollar as a decimal number of dollars, exactly.
pub fn usd_text(nano_usd: u64) -> String {
    const NANOS_PER_USD: u64 = 1_000_000_000;
    let (whole, nanos) = (nano_usd / NANOS_PER_USD, nano_usd % NANOS_PER_USD);
    if nanos == 0 {
        return whole.to_string();
    }
    format!("{whole}.{nanos:09}").trim_end_matches('0').to_owned()
}

impl Cost {
    /// Returns a cost that an upstream told in US dollars; `None` if that is no amount of money.
    pub fn told(usd: f64) -> Option<Cost> {
        let nano = usd * 1e9;
        // Of what is in range the cast keeps the whole part.
        (0.0..1e18)
            .contains(&nano)
            .then(|| Cost { nano_usd: nano.round() as u64, from: CostFrom::Provider })
    }

    /// Returns the cost in US dollars.
    pub fn usd(self) -> f64 {
        self.nano_usd as f64 / 1e9
    }
}

impl UpstreamUsage {
    /// Returns the sum of two. What is known of one alone is the sum; a cost is the provider's word
    /// only if all of it is.
    #[must_use]
    pub fn and(self, other: UpstreamUsage) -> UpstreamUsage {
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        let cost = match (self.cost, other.cost) {
            (Some(one), Some(other)) => Some(Cost {
                nano_usd: one.nano_usd.saturating_add(other.nano_usd),
                from: if one.from == other.from { one.from } else { CostFrom::Table },
            }),
            (one, other) => one.or(other),
        };
        UpstreamUsage {
            input_tokens: sum(self.input_tokens, other.input_tokens),
            output_tokens: sum(self.output_tokens, other.output_tokens),
            reasoning_tokens: sum(self.reasoning_tokens, other.reasoning_tokens),
            searches: sum(self.searches, other.searches),
            cost,
        }
    }

    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == UpstreamUsage::default()
    }
}
