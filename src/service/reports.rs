//! Reports over what trackers have measured, made of sums by day.

use super::{Caller, DAY_MS, Service, ServiceError};
use crate::clock::UnixMs;
use crate::measure::{Dimension, ReportBuilder, ReportRow, Window};
use crate::store::day_of;

/// The most rows of a report.
pub const REPORT_ROWS_MAX: usize = 10_000;
/// How far back a report goes by default, days.
pub const REPORT_DAYS_DEFAULT: u64 = 30;

/// The treatment of answers whose prompt names a brand of the tracker: that they name it too is no
/// news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Branded {
    #[default]
    Exclude,
    Include,
    Only,
}

/// A report as somebody asks for it.
#[derive(Clone, Debug, Default)]
pub struct ReportRequest {
    pub tracker: String,
    /// The latest where none is named.
    pub version: Option<u32>,
    pub since_ms: Option<UnixMs>,
    pub until_ms: Option<UnixMs>,
    pub by: Vec<Dimension>,
    pub branded: Branded,
    pub scraper: Option<String>,
    pub country: Option<String>,
    pub label: Option<String>,
}

/// A report.
#[derive(Clone, Debug)]
pub struct ReportReply {
    pub version: u32,
    /// Days since 1970-01-01, both included.
    pub window: Window,
    pub rows: Vec<ReportRow>,
}

impl Service {
    /// Returns a report over what a version of a tracker has measured, by whole days (UTC).
    ///
    /// # Errors
    /// Returns an error if there is no such tracker or version, the window is empty or the report
    /// too long, or the store failed.
    pub fn report(
        &self,
        caller: &Caller,
        asked: &ReportRequest,
    ) -> Result<ReportReply, ServiceError> {
        let (id, version, brands) = self.measured_by(caller, &asked.tracker, asked.version)?;
        let now_ms = self.clock.now_ms();
        let last_ms = asked.until_ms.unwrap_or(now_ms);
        let default_ms = last_ms.saturating_sub((REPORT_DAYS_DEFAULT - 1) * DAY_MS);
        let oldest_ms = now_ms.saturating_sub(self.settings.store.report_ms);
        let first_ms = asked.since_ms.unwrap_or(default_ms).max(oldest_ms);
        let window = Window { first: day_of(first_ms), last: day_of(last_ms.min(now_ms)) };
        if window.first > window.last {
            return Err(ServiceError::ReportWindowEmpty);
        }
        let before = window.days_before(&asked.by);
        let first = window.first.saturating_sub(before);
        let mut report = ReportBuilder::new(&asked.by, window, brands.brands());
        self.store.visit_sums((id, version), first, window.last, |group, branded, sums| {
            let is_wanted = match asked.branded {
                Branded::Exclude => !branded,
                Branded::Include => true,
                Branded::Only => branded,
            };
            let fits = |wanted: &Option<String>, value: &str| {
                wanted.as_ref().is_none_or(|wanted| wanted == value)
            };
            if is_wanted
                && fits(&asked.scraper, group.scraper)
                && fits(&asked.country, group.country)
                && fits(&asked.label, group.label)
            {
                report.add(group, sums);
            }
        })?;
        if report.len() > REPORT_ROWS_MAX {
            return Err(ServiceError::ReportTooLong { rows: report.len() });
        }
        Ok(ReportReply { version, window, rows: report.rows() })
    }
}
