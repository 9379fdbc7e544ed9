//! Whether counters that other processes raise still rise, by the observer's own clock alone: no
//! two clocks are compared.

use std::collections::BTreeMap;

/// How far two looks may be apart, milliseconds. After a longer gap all counters are watched from
/// the start: the observer was stopped, or the database was away for everyone.
const GAP_MS_MAX: u64 = 3_000;

/// A watch over counters, by their keys.
pub(super) struct CounterWatch {
    silent_ms: u64,
    looked_ms: Option<u64>,
    /// The value of each counter, and when it was seen first.
    seen: BTreeMap<i64, (i64, u64)>,
}

impl CounterWatch {
    /// Creates a watch that reports counters which do not rise for `silent_ms`.
    pub(super) fn new(silent_ms: u64) -> CounterWatch {
        CounterWatch { silent_ms, looked_ms: None, seen: BTreeMap::new() }
    }

    /// Returns when the value that a counter has was seen first, by the observer's clock.
    pub(super) fn seen_ms(&self, key: i64) -> Option<u64> {
        self.seen.get(&key).map(|(_, first_ms)| *first_ms)
    }

    /// Takes the values of all counters, which the database was asked for at `asked_ms` and
    /// answered at `answered_ms` of the monotonic clock. Returns those that have not changed for
    /// too long while every look succeeded.
    pub(super) fn look(
        &mut self,
        asked_ms: u64,
        answered_ms: u64,
        counters: impl IntoIterator<Item = (i64, i64)>,
    ) -> Vec<(i64, i64)> {
        if self.looked_ms.is_some_and(|looked_ms| asked_ms - looked_ms > GAP_MS_MAX) {
            self.seen.clear();
        }
        self.looked_ms = Some(answered_ms);
        let before = std::mem::take(&mut self.seen);
        let mut silent = Vec::new();
        for (key, value) in counters {
            // Between the answer of the first look and the question of this one.
            let first_ms = match before.get(&key) {
                Some((known, first_ms)) if *known == value => *first_ms,
                _ => answered_ms,
            };
            self.seen.insert(key, (value, first_ms));
            if asked_ms.saturating_sub(first_ms) >= self.silent_ms {
                silent.push((key, value));
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SILENT_MS: u64 = 15_000;

    #[test]
    fn counter_that_does_not_rise_for_long_is_silent() {
        let mut watch = CounterWatch::new(SILENT_MS);
        for second in 0..15 {
            let at_ms = second * 1_000;
            assert_eq!(watch.look(at_ms, at_ms, [(1, 5), (2, second as i64)]), []);
        }
        assert_eq!(watch.look(15_000, 15_000, [(1, 5), (2, 15)]), [(1, 5)]);
        assert_eq!(watch.look(16_000, 16_000, [(1, 6), (2, 16)]), []);
    }

    #[test]
    fn observer_that_was_stopped_watches_from_the_start() {
        let mut watch = CounterWatch::new(SILENT_MS);
        for second in 0..15 {
            watch.look(second * 1_000, second * 1_000, [(1, 5)]);
        }
        assert_eq!(watch.look(54_000, 54_000, [(1, 5)]), []);
        for second in 55..69 {
            assert_eq!(watch.look(second * 1_000, second * 1_000, [(1, 5)]), [], "{second}");
        }
        assert_eq!(watch.look(69_000, 69_000, [(1, 5)]), [(1, 5)]);
    }

    #[test]
    fn slow_answers_are_not_counted_as_silence() {
        let mut watch = CounterWatch::new(SILENT_MS);
        watch.look(0, 3_000, [(1, 5)]);
        for second in 4..18 {
            assert_eq!(watch.look(second * 1_000, second * 1_000, [(1, 5)]), [], "{second}");
        }
        assert_eq!(watch.look(18_000, 18_000, [(1, 5)]), [(1, 5)]);
    }

    proptest! {
        #[test]
        fn counter_that_rises_within_the_limit_is_never_silent(
            steps in prop::collection::vec((1_u64..20_000, 0_u64..2_000), 1..100),
            beat_ms in 1_u64..SILENT_MS,
        ) {
            let mut watch = CounterWatch::new(SILENT_MS);
            let mut now_ms = 0;
            for (pause_ms, answer_ms) in steps {
                let asked_ms = now_ms + pause_ms;
                now_ms = asked_ms + answer_ms;
                // Read at the latest moment, which makes a beat look as old as it can.
                let value = (now_ms / beat_ms) as i64;
                prop_assert_eq!(watch.look(asked_ms, now_ms, [(1, value)]), []);
            }
        }
    }
}
