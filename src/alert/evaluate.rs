//! The evaluation of an alert over what was measured: what it changes, and whether a notice
//! follows.

use std::collections::BTreeMap;

use super::definition::{AlertKind, AlertWindow, SUCCESS_SHARE_DEFAULT};
use super::notice::{NoticeFacts, NoticeRow, ROWS_OF_NOTICE_MAX};
use super::progress::{RunMark, RunSums};
use super::{ALERT_SAMPLE_MIN, Alert, EVALUATIONS_MIN};
use crate::clock::{UnixMs, rfc3339_seconds};

const DAY_MS: u64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;
const NANOS_PER_USD: f64 = 1e9;

/// Counts of one day of a tracker, over the answers that the alert looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackedDay {
    pub measured: u64,
    /// Answers that name the brand.
    pub mentioned: u64,
    /// By how many answers each domain was used.
    pub domains: BTreeMap<String, u64>,
}

/// Counts of a version of a tracker, by day since 1970-01-01.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackedMeasure {
    /// The tracker's id and version: another one of the same name counts from the start.
    pub version: (u64, u32),
    pub days: BTreeMap<u32, TrackedDay>,
}

/// Attempts of a scraper in the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthMeasure {
    pub attempts: u64,
    pub succeeded: u64,
}

/// Spending of an account on the present day (UTC).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendMeasure {
    pub upstreams: Vec<UpstreamSpend>,
    /// The cap of the key, nanodollars in a day.
    pub cap_nanos: Option<u64>,
}

/// Spending of an account at one upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamSpend {
    pub upstream: String,
    pub calls: u64,
    pub nanos: u64,
}

/// The sums of a window.
#[derive(Default)]
pub(super) struct WindowSums {
    pub measured: u64,
    pub mentioned: u64,
    pub since_ms: UnixMs,
    pub rows: Vec<NoticeRow>,
}

impl Alert {
    /// Returns the first day (since 1970-01-01) that an evaluation at `now_ms` has to read.
    pub fn first_day(&self, now_ms: UnixMs) -> u32 {
        let today = day_of(now_ms);
        match self.definition.over {
            Some(AlertWindow::Days(days)) => today.saturating_sub(days - 1),
            Some(AlertWindow::Runs(_)) | None => {
                self.progress.mark.map_or(today, |mark| mark.day.min(today))
            }
        }
    }

    /// Begins to count runs after what a tracker has measured up to now.
    pub fn begin_runs(&mut self, measure: &TrackedMeasure, now_ms: UnixMs) {
        self.set_mark(measure, day_of(now_ms));
    }

    /// Evaluates an alert of a tracker; returns the facts of the notice that follows, if one does.
    pub fn evaluate_tracked(
        &mut self,
        measure: &TrackedMeasure,
        now_ms: UnixMs,
    ) -> Option<NoticeFacts> {
        let window = match self.definition.over? {
            AlertWindow::Runs(runs_max) => self.runs_window(measure, runs_max as usize, now_ms),
            AlertWindow::Days(days) => days_window(measure, days, now_ms),
        };
        self.progress.evaluated_ms = Some(now_ms);
        self.progress.sample = window.measured;
        if self.definition.kind.is_of_domains() {
            return self.evaluate_domains(measure, &window, now_ms);
        }
        let rate = (window.measured > 0).then(|| window.mentioned as f64 / window.measured as f64);
        self.progress.value = rate;
        let rate = rate.filter(|_| window.measured >= ALERT_SAMPLE_MIN)?;
        let threshold = self.definition.threshold.unwrap_or_default();
        let is_above = self.definition.kind == AlertKind::MentionRateAbove;
        let holds = if is_above { rate > threshold } else { rate < threshold };
        let begins = self.progress.observe(holds, EVALUATIONS_MIN, now_ms);
        begins.then_some(NoticeFacts {
            value: Some(rate),
            sample: window.measured,
            since_ms: window.since_ms,
            rows: window.rows,
        })
    }

    /// Evaluates an alert of a scraper's health.
    pub fn evaluate_health(
        &mut self,
        measure: HealthMeasure,
        now_ms: UnixMs,
    ) -> Option<NoticeFacts> {
        let HealthMeasure { attempts, succeeded } = measure;
        self.progress.evaluated_ms = Some(now_ms);
        self.progress.sample = attempts;
        let share = (attempts > 0).then(|| succeeded as f64 / attempts as f64);
        self.progress.value = share;
        let share = share.filter(|_| attempts >= ALERT_SAMPLE_MIN)?;
        let holds = share < self.definition.threshold.unwrap_or(SUCCESS_SHARE_DEFAULT);
        let begins = self.progress.observe(holds, EVALUATIONS_MIN, now_ms);
        let subject = self.definition.scraper.clone().unwrap_or_default();
        begins.then(|| NoticeFacts {
            value: Some(share),
            sample: attempts,
            since_ms: now_ms.saturating_sub(HOUR_MS),
            rows: vec![NoticeRow { subject, hits: succeeded, total: attempts, nanos: None }],
        })
    }

    /// Evaluates an alert of a budget. What was spent only rises until midnight, so that one
    /// evaluation is enough, and each day has a crossing of its own.
    pub fn evaluate_spend(
        &mut self,
        measure: &SpendMeasure,
        now_ms: UnixMs,
    ) -> Option<NoticeFacts> {
        let today = day_of(now_ms);
        let spent: u64 = measure.upstreams.iter().map(|upstream| upstream.nanos).sum();
        let calls = measure.upstreams.iter().map(|upstream| upstream.calls).sum();
        self.progress.evaluated_ms = Some(now_ms);
        self.progress.sample = calls;
        self.progress.value = Some(spent as f64 / NANOS_PER_USD);
        if self.progress.spent_day != Some(today) {
            self.progress.spent_day = Some(today);
            self.progress.is_firing = false;
        }
        let given = self.definition.threshold.map(|usd| (usd * NANOS_PER_USD).round() as u64);
        let budget = given.or(measure.cap_nanos)?;
        let begins = self.progress.observe(spent >= budget, 1, now_ms);
        let mut upstreams: Vec<&UpstreamSpend> = measure.upstreams.iter().collect();
        upstreams.sort_by_key(|upstream| std::cmp::Reverse(upstream.nanos));
        let rows = upstreams.into_iter().take(ROWS_OF_NOTICE_MAX).map(|upstream| NoticeRow {
            subject: upstream.upstream.clone(),
            hits: upstream.calls,
            total: calls,
            nanos: Some(upstream.nanos),
        });
        begins.then(|| NoticeFacts {
            value: Some(spent as f64 / NANOS_PER_USD),
            sample: calls,
            since_ms: u64::from(today) * DAY_MS,
            rows: rows.collect(),
        })
    }

    /// Takes what was measured since the mark as a run, and sums the newest runs.
    fn runs_window(
        &mut self,
        measure: &TrackedMeasure,
        runs_max: usize,
        now_ms: UnixMs,
    ) -> WindowSums {
        let mark = self.progress.mark.filter(|mark| mark.version == measure.version);
        if mark.is_none() {
            // Brands have changed: counts of other brands say nothing about these.
            self.progress.runs.clear();
            self.progress.domains.iter_mut().for_each(|domain| {
                domain.runs.clear();
                domain.marked = 0;
            });
        }
        let first = mark.map_or(0, |mark| mark.day);
        let (mut measured, mut mentioned) = (0, 0);
        for day in measure.days.range(first..).map(|(_, day)| day) {
            measured += day.measured;
            mentioned += day.mentioned;
        }
        let before = mark.map_or((0, 0), |mark| (mark.measured, mark.mentioned));
        let run = RunSums {
            ended_ms: now_ms,
            measured: measured.saturating_sub(before.0),
            mentioned: mentioned.saturating_sub(before.1),
        };
        if run.measured > 0 {
            self.progress.runs.push(run);
            let surplus = self.progress.runs.len().saturating_sub(runs_max);
            self.progress.runs.drain(..surplus);
            self.note_run_domains(measure, first, runs_max);
            self.set_mark(measure, day_of(now_ms));
        }
        let runs = &self.progress.runs;
        WindowSums {
            measured: runs.iter().map(|run| run.measured).sum(),
            mentioned: runs.iter().map(|run| run.mentioned).sum(),
            since_ms: runs.first().map_or(now_ms, |run| run.ended_ms),
            rows: runs
                .iter()
                .map(|run| row(rfc3339_seconds(run.ended_ms), run.mentioned, run.measured))
                .collect(),
        }
    }

    fn set_mark(&mut self, measure: &TrackedMeasure, today: u32) {
        let counts = measure.days.get(&today);
        self.progress.mark = Some(RunMark {
            version: measure.version,
            day: today,
            measured: counts.map_or(0, |day| day.measured),
            mentioned: counts.map_or(0, |day| day.mentioned),
        });
        if self.definition.kind.is_of_domains() {
            self.mark_domains(counts);
        }
    }
}

fn days_window(measure: &TrackedMeasure, days: u32, now_ms: UnixMs) -> WindowSums {
    let first = day_of(now_ms).saturating_sub(days - 1);
    let mut window = WindowSums { since_ms: u64::from(first) * DAY_MS, ..WindowSums::default() };
    for (number, day) in measure.days.range(first..) {
        window.measured += day.measured;
        window.mentioned += day.mentioned;
        let date = rfc3339_seconds(u64::from(*number) * DAY_MS)[..10].to_owned();
        window.rows.push(row(date, day.mentioned, day.measured));
    }
    // The newest days say most.
    let surplus = window.rows.len().saturating_sub(ROWS_OF_NOTICE_MAX);
    window.rows.drain(..surplus);
    window
}

pub(super) fn row(subject: String, hits: u64, total: u64) -> NoticeRow {
    NoticeRow { subject, hits, total, nanos: None }
}

/// Returns the day of a moment, since 1970-01-01.
fn day_of(at_ms: UnixMs) -> u32 {
    u32::try_from(at_ms / DAY_MS).unwrap_or(u32::MAX)
}
