//! Health of a scraper over the last hour: attempts, their times, and which arrays had something in
//! them, by the minute.

use super::events::{AttemptOutcome, EngineEvent};
use super::window::{Layout, RunTimes, Window};
use crate::catalog::Array;
use crate::clock::UnixMs;
use crate::store::CountsKind;

/// How far back it looks, minutes.
pub const WINDOW_MINUTES: u64 = 60;

/// The places of the counts in a minute. Answers in which an array had something follow from
/// [`FILLED`] on, by the array's place in the enum.
const SUCCEEDED: usize = 0;
const FAILED: usize = 1;
const FILLED: usize = 2;
const COUNTS: usize = FILLED + Array::COUNT;

/// The attempts of the last hour.
pub struct Health(Window<COUNTS>);

/// The last hour in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthReport {
    pub attempts: u64,
    pub succeeded: u64,
    /// Of successes, milliseconds; `None` if there are none.
    pub p50_ms: Option<u64>,
    pub p95_ms: Option<u64>,
    filled: [u64; Array::COUNT],
}

impl Default for Health {
    fn default() -> Health {
        let mut names = ["succeeded"; COUNTS];
        names[FAILED] = "failed";
        for array in Array::ALL {
            names[FILLED + array as usize] = array.name();
        }
        let (bucket_ms, buckets_max) = (60_000, WINDOW_MINUTES);
        Health(Window::new(Layout { kind: CountsKind::Minute, bucket_ms, buckets_max, names }))
    }
}

impl Health {
    pub(super) fn on_event(&self, event: EngineEvent<'_>) {
        match event {
            EngineEvent::Ended(ended) => match ended.outcome() {
                AttemptOutcome::Succeeded(filled) => self.0.count(ended.at_ms, |minute| {
                    minute.counts[SUCCEEDED] += 1;
                    minute.run_times.add(ended.run_ms);
                    for array in filled {
                        minute.counts[FILLED + *array as usize] += 1;
                    }
                }),
                AttemptOutcome::Failed(_) => {
                    self.0.count(ended.at_ms, |minute| minute.counts[FAILED] += 1);
                }
                AttemptOutcome::Uncounted => {}
            },
            EngineEvent::Job { .. }
            | EngineEvent::PickedUp { .. }
            | EngineEvent::Started { .. } => {}
        }
    }

    pub(super) fn window(&self) -> &Window<COUNTS> {
        &self.0
    }

    /// Returns the hour before `now_ms`, give or take the minute that has begun.
    pub fn report(&self, now_ms: UnixMs) -> HealthReport {
        let mut counts = [0_u64; COUNTS];
        let mut run_times = RunTimes::default();
        self.0.visit(now_ms, |_, minute| {
            for (sum, count) in counts.iter_mut().zip(minute.counts) {
                *sum += u64::from(count);
            }
            run_times.merge(&minute.run_times);
        });
        HealthReport {
            attempts: counts[SUCCEEDED] + counts[FAILED],
            succeeded: counts[SUCCEEDED],
            p50_ms: run_times.percentile_ms(50),
            p95_ms: run_times.percentile_ms(95),
            filled: Array::ALL.map(|array| counts[FILLED + array as usize]),
        }
    }
}

impl HealthReport {
    /// Returns the share of answers in which an array had something; `None` if there are none.
    pub fn fill_rate(&self, array: Array) -> Option<f64> {
        (self.succeeded > 0).then(|| self.filled[array as usize] as f64 / self.succeeded as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::ended;
    use super::*;
    use crate::job::Reason;

    #[test]
    fn hour_is_reported_and_no_more_is_kept() {
        const START_MS: UnixMs = 1_778_500_800_000;
        let health = Health::default();
        for minute in 0..200 {
            let now_ms = START_MS + minute * 60_000;
            ended(now_ms, 1_000, Ok(&[Array::Links]), |event| health.on_event(event));
            ended(now_ms, 100_000, Ok(&[]), |event| health.on_event(event));
            for reason in [Reason::Overloaded, Reason::Canceled, Reason::CountryUnsupported] {
                ended(now_ms, 5, Err(reason), |event| health.on_event(event));
            }
        }
        assert_eq!(health.0.len(), WINDOW_MINUTES);
        let report = health.report(START_MS + 199 * 60_000);
        assert_eq!((report.attempts, report.succeeded), (180, 120));
        assert!(report.p50_ms.is_some_and(|p50_ms| p50_ms.abs_diff(1_000) < 63));
        assert!(report.p95_ms.is_some_and(|p95_ms| p95_ms.abs_diff(100_000) < 6_250));
        assert_eq!(report.fill_rate(Array::Links), Some(0.5));
        assert_eq!(report.fill_rate(Array::Sources), Some(0.0));
        let later = health.report(START_MS + 400 * 60_000);
        assert_eq!((later.attempts, later.p50_ms, later.fill_rate(Array::Links)), (0, None, None));
    }
}
