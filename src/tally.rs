//! Histograms that only rise, as Prometheus reads them. Counting takes no lock and no memory.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of values by their upper bound. The unit is the caller's.
pub struct Histogram {
    /// Rising.
    bounds: &'static [u64],
    /// By the lowest bound that is not below the value; the last is above all.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// The counts at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramReport {
    pub bounds: &'static [u64],
    /// One more than bounds, each by itself and not summed up.
    pub counts: Vec<u64>,
    /// Of all values.
    pub sum: u64,
}

impl Histogram {
    /// Creates an empty histogram; `bounds` must rise.
    pub fn new(bounds: &'static [u64]) -> Histogram {
        let counts = std::iter::repeat_with(AtomicU64::default).take(bounds.len() + 1).collect();
        Histogram { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn observe(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Returns the counts of this moment.
    pub fn report(&self) -> HistogramReport {
        HistogramReport {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

impl HistogramReport {
    /// Returns how many values were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_counted_at_the_lowest_bound_that_is_not_below_it() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 100, 101, 5_000] {
            histogram.observe(value);
        }
        let report = histogram.report();
        assert_eq!(report.counts, [2, 2, 2, 2]);
        assert_eq!((report.count(), report.sum), (8, 5_225));
    }
}
