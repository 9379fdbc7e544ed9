//! The listeners to a scraper's events: counts since the start, the last hour, the last day, and the
//! average run time.

use std::sync::atomic::{AtomicU64, Ordering};

use super::events::EngineEvent;
use super::history::History;
use super::totals::Totals;
use crate::clock::UnixMs;
use crate::store::{Counts, CountsKind};

/// How much one run weighs in the average of run times: a sixteenth.
const RUN_AVERAGE_SHIFT: u32 = 4;

/// Statistics of a scraper's work.
pub struct Stats {
    pub totals: Totals,
    pub hour: History,
    pub day: History,
    pub(super) run_average: RunAverage,
}

impl Stats {
    pub(super) fn new() -> Stats {
        Stats {
            totals: Totals::default(),
            hour: History::hour(),
            day: History::day(),
            run_average: RunAverage::default(),
        }
    }

    /// Reports an event to every listener.
    pub(super) fn emit(&self, event: EngineEvent<'_>) {
        self.totals.on_event(event);
        self.hour.on_event(event);
        self.day.on_event(event);
        self.run_average.on_event(event);
    }

    /// Returns the counts that have changed since `from_ms`, as the store keeps them.
    pub(super) fn records(&self, scraper: u16, from_ms: UnixMs) -> Vec<Counts> {
        let mut records = self.hour.records(scraper, from_ms);
        records.extend(self.day.records(scraper, from_ms));
        records
    }

    /// Returns the numbers of the minute and of the five minutes that have begun.
    pub(super) fn numbers(&self, now_ms: UnixMs) -> (u64, u64) {
        (self.hour.number(now_ms), self.day.number(now_ms))
    }

    /// Returns the numbers of the first minute and of the first five minutes that are still reported.
    pub(super) fn kept_from(&self, now_ms: UnixMs) -> (u64, u64) {
        (self.hour.first_number(now_ms), self.day.first_number(now_ms))
    }

    /// Takes over what other processes have counted for the scraper from a minute and from a five
    /// minutes on, in the place of what was known of it.
    pub(super) fn replace_elsewhere(
        &self,
        (minutes_from, buckets_from): (u64, u64),
        records: &[&Counts],
        now_ms: UnixMs,
    ) {
        let of = |kind| -> Vec<&Counts> {
            records.iter().copied().filter(|record| record.kind == kind).collect()
        };
        self.hour.replace_elsewhere(minutes_from, &of(CountsKind::Minute), now_ms);
        self.day.replace_elsewhere(buckets_from, &of(CountsKind::Bucket), now_ms);
    }

    /// Takes over counts that the store has kept, after those before them.
    pub(super) fn restore(&self, record: &Counts, now_ms: UnixMs) {
        match record.kind {
            CountsKind::Minute => self.hour.restore(record, now_ms),
            CountsKind::Bucket => self.day.restore(record, now_ms),
            CountsKind::Since => {}
        }
    }
}

/// The moving average of how long an attempt takes, milliseconds; 0 before the first.
#[derive(Default)]
pub(super) struct RunAverage(AtomicU64);

impl RunAverage {
    pub(crate) fn ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn on_event(&self, event: EngineEvent<'_>) {
        match event {
            EngineEvent::Ended(ended) if !ended.abandoned => self.add(ended.run_ms),
            EngineEvent::Ended(_)
            | EngineEvent::Job { .. }
            | EngineEvent::PickedUp { .. }
            | EngineEvent::Started { .. } => {}
        }
    }

    fn add(&self, run_ms: u64) {
        let before = self.ms();
        let after = if before == 0 {
            run_ms
        } else {
            before - (before >> RUN_AVERAGE_SHIFT) + (run_ms >> RUN_AVERAGE_SHIFT)
        };
        // Lost updates only make the average a little less smooth.
        self.0.store(after.max(1), Ordering::Relaxed);
    }
}
