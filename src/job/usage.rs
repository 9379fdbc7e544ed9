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
    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == UpstreamUsage::default()
    }
}
