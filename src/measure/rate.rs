//! A rate with its 95 % interval.

/// The quantile of the normal distribution that leaves 2.5 % on either side.
const Z: f64 = 1.959_963_984_540_054;

/// Answers that have a property, of those that could.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    pub hits: u64,
    pub total: u64,
}

impl Rate {
    /// Returns the share, 0 to 1; `None` over nothing.
    pub fn value(self) -> Option<f64> {
        (self.total > 0).then(|| self.hits as f64 / self.total as f64)
    }

    /// Returns the ends of the Wilson interval of 95 %; `None` over nothing. Unlike the interval
    /// around the share itself it stays inside 0 to 1, and says something of few answers too.
    pub fn interval(self) -> Option<(f64, f64)> {
        let share = self.value()?;
        let total = self.total as f64;
        let scale = 1.0 + Z * Z / total;
        let center = (share + Z * Z / (2.0 * total)) / scale;
        let spread = share * (1.0 - share) / total + Z * Z / (4.0 * total * total);
        let half = Z / scale * spread.sqrt();
        let low = if self.hits == 0 { 0.0 } else { (center - half).max(0.0) };
        let high = if self.hits == self.total { 1.0 } else { (center + half).min(1.0) };
        Some((low, high))
    }
}
