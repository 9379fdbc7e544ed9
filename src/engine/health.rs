//! How a scraper has fared over the last hour: attempts, their times, and which arrays had
//! something in them. In minutes that fall away; the store keeps them over a restart.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::catalog::Array;
use crate::clock::UnixMs;
use crate::job::{HealthEffect, Reason};
use crate::store::{Counts, CountsKind};

/// How far back it looks, minutes.
pub const WINDOW_MINUTES: u64 = 60;
pub(super) const MINUTE_MS: u64 = 60_000;
/// Each doubling of a time is cut into this many steps, so a quantile is right to 1 in 16.
const STEPS: usize = 8;
const STEPS_SHIFT: u32 = STEPS.trailing_zeros();
/// Doublings that are told apart: up to 2^21 ms, more than half an hour.
const DOUBLINGS: usize = 19;
pub(super) const TIMES: usize = DOUBLINGS * STEPS;

/// The minutes in which something happened, oldest first; at most [`WINDOW_MINUTES`].
#[derive(Default)]
pub struct Health(Mutex<VecDeque<Minute>>);

#[derive(Clone)]
struct Minute {
    /// Since the Unix epoch.
    number: u64,
    succeeded: u32,
    failed: u32,
    /// Answers in which an array had something, by the array's place in the enum.
    filled: [u32; Array::COUNT],
    /// Successes by how long they took: see [`place`].
    times: [u32; TIMES],
}

/// What an hour looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthReport {
    pub attempts: u64,
    pub succeeded: u64,
    /// Of successes, milliseconds; `None` when there are none.
    pub p50_ms: Option<u64>,
    pub p95_ms: Option<u64>,
    filled: [u64; Array::COUNT],
}

impl Health {
    /// Notes an attempt's end: the arrays that had something, or why there was no answer.
    pub fn note(&self, now_ms: UnixMs, run_ms: u64, outcome: Result<&[Array], Reason>) {
        if outcome.is_err_and(|reason| !counts(reason)) {
            return;
        }
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now_ms / MINUTE_MS;
        if minutes.back().is_some_and(|latest| latest.number > number) {
            // The clock was set back: nobody knows how old these are.
            minutes.clear();
        }
        minutes.retain(|minute| minute.number + WINDOW_MINUTES > number);
        if minutes.back().is_none_or(|latest| latest.number != number) {
            minutes.push_back(Minute::new(number));
        }
        let Some(minute) = minutes.back_mut() else { return };
        match outcome {
            Ok(filled) => {
                minute.succeeded += 1;
                minute.times[place(run_ms)] += 1;
                for array in filled {
                    minute.filled[*array as usize] += 1;
                }
            }
            Err(_) => minute.failed += 1,
        }
    }

    /// Returns the minutes from `from` on, as they are kept.
    pub fn records(&self, scraper: u16, from: u64) -> Vec<Counts> {
        let minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minutes
            .iter()
            .filter(|minute| minute.number >= from)
            .map(|minute| {
                let filled = Array::ALL.map(|array| (array.name(), minute.filled[array as usize]));
                let ends = [(SUCCEEDED, minute.succeeded), (FAILED, minute.failed)];
                Counts {
                    kind: CountsKind::Minute,
                    scraper,
                    number: minute.number,
                    named: named(ends.into_iter().chain(filled)),
                    times: sparse(&minute.times),
                }
            })
            .collect()
    }

    /// Takes up a minute that was kept, after those before it.
    pub fn restore(&self, record: &Counts, now_ms: UnixMs) {
        let number = now_ms / MINUTE_MS;
        if record.number > number || record.number + WINDOW_MINUTES <= number {
            return;
        }
        let mut minute = Minute::new(record.number);
        minute.succeeded = record.named(SUCCEEDED);
        minute.failed = record.named(FAILED);
        for array in Array::ALL {
            minute.filled[array as usize] = record.named(array.name());
        }
        minute.times = dense(&record.times);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(minute);
    }

    /// The hour before `now_ms`, give or take the minute that has begun.
    pub fn report(&self, now_ms: UnixMs) -> HealthReport {
        let minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now_ms / MINUTE_MS;
        let mut times = [0_u64; TIMES];
        let (mut failed, mut succeeded, mut filled) = (0, 0, [0; Array::COUNT]);
        for minute in minutes.iter().filter(|minute| minute.number + WINDOW_MINUTES > number) {
            failed += u64::from(minute.failed);
            succeeded += u64::from(minute.succeeded);
            add(&mut filled, &minute.filled);
            add(&mut times, &minute.times);
        }
        HealthReport {
            attempts: failed + succeeded,
            succeeded,
            p50_ms: quantile(&times, succeeded, 50),
            p95_ms: quantile(&times, succeeded, 95),
            filled,
        }
    }
}

impl Minute {
    fn new(number: u64) -> Minute {
        Minute { number, succeeded: 0, failed: 0, filled: [0; Array::COUNT], times: [0; TIMES] }
    }
}

impl HealthReport {
    /// Of the answers, the part in which an array had something; `None` when there are none.
    pub fn fill_rate(&self, array: Array) -> Option<f64> {
        (self.succeeded > 0).then(|| self.filled[array as usize] as f64 / self.succeeded as f64)
    }
}

const SUCCEEDED: &str = "succeeded";
const FAILED: &str = "failed";

/// Counts by their names, without those that are 0.
pub(super) fn named<'a>(counts: impl IntoIterator<Item = (&'a str, u32)>) -> Vec<(String, u32)> {
    let counted = counts.into_iter().filter(|(_, count)| *count > 0);
    counted.map(|(name, count)| (name.to_owned(), count)).collect()
}

/// Times by their places, without those that are 0.
pub(super) fn sparse(times: &[u32; TIMES]) -> Vec<(u16, u32)> {
    // There are less than 2^16 places.
    let placed = times.iter().enumerate().map(|(place, count)| (place as u16, *count));
    placed.filter(|(_, count)| *count > 0).collect()
}

/// The times that [`sparse`] was made of.
pub(super) fn dense(placed: &[(u16, u32)]) -> [u32; TIMES] {
    let mut times = [0; TIMES];
    for (place, count) in placed {
        if let Some(time) = times.get_mut(usize::from(*place)) {
            *time = *count;
        }
    }
    times
}

/// Returns whether a failed attempt says how the scraper fares.
pub(super) fn counts(reason: Reason) -> bool {
    reason.info().health == HealthEffect::Counts
}

fn add<const N: usize>(sums: &mut [u64; N], counts: &[u32; N]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += u64::from(*count);
    }
}

/// Where a time is counted: below [`STEPS`] each millisecond by itself, above it by the doubling
/// and the bits that follow its first.
pub(super) fn place(run_ms: u64) -> usize {
    let doubling = run_ms.max(1).ilog2().saturating_sub(STEPS_SHIFT);
    let step = (run_ms >> doubling) as usize;
    (doubling as usize * STEPS + step).min(TIMES - 1)
}

/// The middle of the times that are counted at a place, milliseconds.
fn middle_ms(place: usize) -> u64 {
    let doubling = (place / STEPS).saturating_sub(1);
    let step = (place - doubling * STEPS) as u64;
    (step << doubling) + ((1 << doubling) >> 1)
}

pub(super) fn quantile(times: &[u64; TIMES], count: u64, percent: u64) -> Option<u64> {
    let rank = (count * percent).div_ceil(100).max(1);
    let mut seen = 0;
    times
        .iter()
        .position(|times| {
            seen += times;
            seen >= rank
        })
        .map(middle_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: UnixMs = 1_778_500_800_000;

    #[test]
    fn every_time_is_counted_near_itself() {
        let mut previous = 0;
        for run_ms in (0..4_000).chain((4_000..900_000).step_by(997)) {
            let at = place(run_ms);
            assert!(at >= previous, "{run_ms}");
            previous = at;
            assert!(
                middle_ms(at).abs_diff(run_ms) <= run_ms / 16 + 1,
                "{run_ms}: {}",
                middle_ms(at)
            );
        }
        assert_eq!(place(u64::MAX), TIMES - 1);
    }

    #[test]
    fn an_hour_is_reported_and_no_more_is_kept() {
        let health = Health::default();
        for minute in 0..200 {
            let now_ms = START_MS + minute * 60_000;
            health.note(now_ms, 1_000, Ok(&[Array::Links]));
            health.note(now_ms, 100_000, Ok(&[]));
            health.note(now_ms, 5, Err(Reason::Overloaded));
            health.note(now_ms, 5, Err(Reason::Canceled));
            health.note(now_ms, 5, Err(Reason::CountryUnsupported));
        }
        assert_eq!(health.0.lock().unwrap().len() as u64, WINDOW_MINUTES);
        let report = health.report(START_MS + 199 * 60_000);
        assert_eq!((report.attempts, report.succeeded), (180, 120));
        assert!(report.p50_ms.is_some_and(|p50_ms| p50_ms.abs_diff(1_000) < 63));
        assert!(report.p95_ms.is_some_and(|p95_ms| p95_ms.abs_diff(100_000) < 6_250));
        assert_eq!(report.fill_rate(Array::Links), Some(0.5));
        assert_eq!(report.fill_rate(Array::Sources), Some(0.0));
        let later = health.report(START_MS + 400 * 60_000);
        assert_eq!((later.attempts, later.p50_ms, later.fill_rate(Array::Links)), (0, None, None));
    }

    #[test]
    fn health_goes_on_with_the_minutes_that_were_kept() {
        let health = Health::default();
        for minute in 0..70 {
            let now_ms = START_MS + minute * MINUTE_MS;
            health.note(now_ms, 1_000, Ok(&[Array::Links]));
            health.note(now_ms, 5, Err(Reason::Overloaded));
        }
        let now_ms = START_MS + 69 * MINUTE_MS;
        let restored = Health::default();
        for record in health.records(3, 0) {
            restored.restore(&record, now_ms);
        }
        assert_eq!(restored.report(now_ms), health.report(now_ms));
        let later_ms = now_ms + 30 * MINUTE_MS;
        let half = Health::default();
        for record in health.records(3, 0) {
            half.restore(&record, later_ms);
        }
        assert_eq!(half.report(later_ms), health.report(later_ms));
        let ahead = Health::default();
        ahead.restore(&health.records(3, 0)[59], START_MS);
        assert_eq!(ahead.report(START_MS).attempts, 0);
        assert_eq!(health.records(3, now_ms / MINUTE_MS).len(), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let health = Health::default();
        health.note(START_MS, 1, Ok(&[]));
        health.note(START_MS - 3_600_000, 1, Ok(&[]));
        assert_eq!(health.report(START_MS - 3_600_000).attempts, 1);
    }
}
