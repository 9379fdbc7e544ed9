//! What was spent on the present day (UTC), in memory; the store has it for good.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

use crate::clock::{UnixMs, calendar_day};

/// The nanodollars of one day. Another day begins with nothing.
#[derive(Debug, Default)]
pub struct DaySpend(Mutex<Day>);

#[derive(Clone, Copy, Debug, Default)]
struct Day {
    /// As a number: `20260511`; 0 before anything was spent.
    date: u32,
    nanos: u64,
}

impl DaySpend {
    /// Adds what was spent at a moment.
    pub fn add(&self, at_ms: UnixMs, nanos: u64) {
        let date = calendar_day(at_ms);
        let mut day = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if day.date != date {
            *day = Day { date, nanos: 0 };
        }
        day.nanos = day.nanos.saturating_add(nanos);
    }

    /// Makes it this much at the least: what is known elsewhere of the day of a moment.
    pub fn raise(&self, at_ms: UnixMs, nanos: u64) {
        let date = calendar_day(at_ms);
        let mut day = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match day.date.cmp(&date) {
            Ordering::Less => *day = Day { date, nanos },
            Ordering::Equal => day.nanos = day.nanos.max(nanos),
            Ordering::Greater => {}
        }
    }

    /// Returns what was spent on the day of a moment, nanodollars.
    pub fn nanos(&self, now_ms: UnixMs) -> u64 {
        let day = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if day.date == calendar_day(now_ms) { day.nanos } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-05-11T23:59:59.999Z.
    const LAST_MS: UnixMs = 1_778_543_999_999;

    #[test]
    fn day_begins_with_nothing_at_midnight_utc() {
        let spend = DaySpend::default();
        assert_eq!(spend.nanos(LAST_MS), 0);
        spend.add(LAST_MS - 1, 7);
        spend.add(LAST_MS, 5);
        assert_eq!((spend.nanos(LAST_MS), spend.nanos(LAST_MS + 1)), (12, 0));
        spend.add(LAST_MS + 1, 3);
        assert_eq!((spend.nanos(LAST_MS), spend.nanos(LAST_MS + 1)), (0, 3));
        spend.raise(LAST_MS + 1, 2);
        spend.raise(LAST_MS, 9);
        assert_eq!(spend.nanos(LAST_MS + 1), 3, "never less, and not by the day before");
        spend.raise(LAST_MS + 1, 4);
        assert_eq!(spend.nanos(LAST_MS + 1), 4);
        spend.add(LAST_MS + 2, u64::MAX);
        assert_eq!(spend.nanos(LAST_MS + 2), u64::MAX);
    }
}
