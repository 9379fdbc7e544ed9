//! A histogram of run times that is fine enough for percentiles.

/// Each doubling of a run time is cut into this many steps, so a quantile is right to 1 in 16.
const STEPS: usize = 8;
const STEPS_SHIFT: u32 = STEPS.trailing_zeros();
/// Doublings that are distinguished: up to 2^21 ms, more than half an hour.
const DOUBLINGS: usize = 19;
const PLACES: usize = DOUBLINGS * STEPS;

/// A histogram of run times.
pub(super) struct RunTimes([u32; PLACES]);

impl Default for RunTimes {
    fn default() -> RunTimes {
        RunTimes([0; PLACES])
    }
}

impl RunTimes {
    /// Counts a run time.
    pub(crate) fn add(&mut self, run_ms: u64) {
        self.0[place(run_ms)] += 1;
    }

    /// Adds all times of another histogram.
    pub(crate) fn merge(&mut self, other: &RunTimes) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(count);
        }
    }

    /// Returns a percentile of the run times, milliseconds; `None` if there are none.
    pub(crate) fn percentile_ms(&self, percent: u64) -> Option<u64> {
        let count: u64 = self.0.iter().copied().map(u64::from).sum();
        let rank = (count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at_rank = |times: &u32| {
            seen += u64::from(*times);
            seen >= rank
        };
        self.0.iter().position(at_rank).map(middle_ms)
    }

    /// Returns the counts by their places, without those that are 0.
    pub(crate) fn places(&self) -> Vec<(u16, u32)> {
        // There are less than 2^16 places.
        let placed = self.0.iter().enumerate().map(|(place, count)| (place as u16, *count));
        placed.filter(|(_, count)| *count > 0).collect()
    }

    /// Returns the histogram of which [`RunTimes::places`] were taken.
    pub(crate) fn from_places(placed: &[(u16, u32)]) -> RunTimes {
        let mut times = RunTimes::default();
        for (place, count) in placed {
            if let Some(time) = times.0.get_mut(usize::from(*place)) {
                *time = *count;
            }
        }
        times
    }
}

/// Returns where a time is counted: below [`STEPS`] each millisecond by itself, above it by the doubling
/// and the bits that follow its first.
fn place(run_ms: u64) -> usize {
    let doubling = run_ms.max(1).ilog2().saturating_sub(STEPS_SHIFT);
    let step = (run_ms >> doubling) as usize;
    (doubling as usize * STEPS + step).min(PLACES - 1)
}

/// Returns the middle of the times that are counted at a place, milliseconds.
fn middle_ms(place: usize) -> u64 {
    let doubling = (place / STEPS).saturating_sub(1);
    let step = (place - doubling * STEPS) as u64;
    (step << doubling) + ((1 << doubling) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_counted_near_itself() {
        let mut previous = 0;
        for run_ms in (0..4_000).chain((4_000..900_000).step_by(997)) {
            let at = place(run_ms);
            assert!(at >= previous, "{run_ms}");
            previous = at;
            let middle_ms = middle_ms(at);
            assert!(middle_ms.abs_diff(run_ms) <= run_ms / 16 + 1, "{run_ms}: {middle_ms}");
        }
        assert_eq!(place(u64::MAX), PLACES - 1);
    }
}
