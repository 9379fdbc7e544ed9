//! Reports over what trackers have measured, made of sums by day.

use super::error::ReportExcess;
use super::{Caller, DAY_MS, Service, ServiceError};
use crate::clock::UnixMs;
use crate::measure::{
    Dimension, GroupKey, Listing, PAGES_OF_REPORT_MAX, ReportBuilder, ReportRow, Window,
};
use crate::store::{Blocking, day_of};

/// The most rows of a report.
pub const REPORT_ROWS_MAX: usize = 10_000;
/// The most domains, and the most pages, that a row lists.
pub(crate) const REPORT_TOP_MAX: usize = 100;
/// The most entries of lists in a report, by which one with long lists has fewer rows.
const REPORT_ENTRIES_MAX: usize = 100_000;
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

impl ReportRequest {
    /// Returns whether the answers of a group are asked for.
    fn wants(&self, group: &GroupKey<'_>, branded: bool) -> bool {
        let is_wanted = match self.branded {
            Branded::Exclude => !branded,
            Branded::Include => true,
            Branded::Only => branded,
        };
        let fits = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        is_wanted
            && fits(&self.scraper, group.scraper)
            && fits(&self.country, group.country)
            && fits(&self.label, group.label)
    }
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
    pub listing: Listing,
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
    /// Blocks its thread.
    ///
    /// # Errors
    /// Returns an error if there is no such tracker or version, the window is empty or the report
    /// too long, or the store failed.
    pub fn report(
        &self,
        caller: &Caller,
        asked: &ReportRequest,
    ) -> Result<ReportReply, ServiceError> {
        let (id, version, brands) =
            self.measured_by(caller, &asked.tracker, asked.version).wait()?;
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
        let mut report = ReportBuilder::new(&asked.by, window, brands.brands(), asked.listing);
        let visited =
            self.store.visit_sums((id, version), first, window.last, |group, branded, sums| {
                if asked.wants(&group, branded) {
                    report.add(group, sums);
                }
            });
        visited.wait()?;
        let max = REPORT_ROWS_MAX.min(REPORT_ENTRIES_MAX / asked.listing.top.max(1));
        if report.len() > max {
            let given = report.len();
            return Err(ServiceError::ReportTooLong(ReportExcess::Rows { given, max }));
        }
        if asked.listing.pages {
            let mut has_room = true;
            let days = (first, window.last);
            self.store.visit_page_sums((id, version), days.0, days.1, |group, branded, sums| {
                if asked.wants(&group, branded) {
                    has_room = report.add_pages(group, sums);
                }
                has_room
            })?;
            if !has_room {
                let max = PAGES_OF_REPORT_MAX;
                return Err(ServiceError::ReportTooLong(ReportExcess::Pages { max }));
            }
        }
        Ok(ReportReply { version, window, rows: report.rows() })
    }
}
