//! An alert: a condition that is watched, and a notice when it becomes true. Decides what an
//! evaluation changes, and whether a notice follows. Pure: the time and the measures are
//! parameters.

mod definition;
mod domains;
mod evaluate;
mod notice;
mod progress;
#[cfg(test)]
mod tests;

pub use definition::{
    ALERT_NAME_CHARS_MAX, AlertDefinition, AlertKind, AlertWindow, DAYS_WATCHED_MAX,
    DOMAIN_SHARE_DEFAULT, NoticeFormat, RUNS_WATCHED_MAX, SUCCESS_SHARE_DEFAULT,
};
pub use evaluate::{HealthMeasure, SpendMeasure, TrackedDay, TrackedMeasure, UpstreamSpend};
pub use notice::{Notice, NoticeFacts, NoticeRow, ROWS_OF_NOTICE_MAX};
pub use progress::{
    AlertProgress, AlertState, DOMAINS_WATCHED_MAX, RunMark, RunSums, WatchedDomain,
};

use crate::clock::UnixMs;

/// The most alerts of an account.
pub const ALERTS_MAX: usize = 1_000;
/// The notices of an alert that are kept, the newest.
pub const NOTICES_KEPT_MAX: usize = 20;
/// The least that must have been measured before an evaluation counts: answers, or attempts.
pub const ALERT_SAMPLE_MIN: u64 = 5;
/// How many evaluations in a row must find the opposite before an alert changes its state.
pub const EVALUATIONS_MIN: u32 = 2;
/// How long after an answer outside of a batch its tracker's alerts are evaluated, milliseconds:
/// what comes until then is one run.
pub const SINGLE_ANSWERS_MS: u64 = 60_000;
/// How long after the end of an attempt its scraper's alerts are evaluated, milliseconds.
pub const HEALTH_EVERY_MS: u64 = 60_000;
/// How long after a call its account's budget is looked at, milliseconds.
pub const SPEND_EVERY_MS: u64 = 1_000;

const DAY_MS: u64 = 86_400_000;

/// An alert with its progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub row: u64,
    pub nonce: u128,
    /// Whose key made it.
    pub account: String,
    pub definition: AlertDefinition,
    pub paused: bool,
    pub created_ms: UnixMs,
    /// Rises with every write: what was decided of an earlier state is not applied to a later one.
    pub version: u64,
    pub progress: AlertProgress,
}

impl Alert {
    /// Returns what is watched, as one text: whatever changes that makes the alert due.
    pub fn watch(&self) -> String {
        let AlertDefinition { kind, tracker, scraper, .. } = &self.definition;
        match kind {
            AlertKind::MentionRateBelow
            | AlertKind::MentionRateAbove
            | AlertKind::DomainAppeared
            | AlertKind::DomainVanished => {
                tracker_watch(&self.account, tracker.as_deref().unwrap_or_default())
            }
            AlertKind::ScraperUnhealthy => scraper_watch(scraper.as_deref().unwrap_or_default()),
            AlertKind::BudgetReached => spend_watch(&self.account),
        }
    }

    /// Returns its state: what was spent on an earlier day is over.
    pub fn state(&self, now_ms: UnixMs) -> AlertState {
        let is_over = self.definition.kind == AlertKind::BudgetReached
            && self.progress.spent_day.is_some_and(|day| u64::from(day) != now_ms / DAY_MS);
        let state = self.progress.state();
        if is_over && state == AlertState::Firing { AlertState::Ok } else { state }
    }

    /// Returns the row of a notice that must go because a newer one is added.
    pub fn add_notice(&mut self, row: u64) -> Option<u64> {
        self.progress.next_notice += 1;
        self.progress.notices.push(row);
        let is_full = self.progress.notices.len() > NOTICES_KEPT_MAX;
        is_full.then(|| self.progress.notices.remove(0))
    }
}

/// Returns what alerts about the tracker of an account watch.
pub fn tracker_watch(account: &str, tracker: &str) -> String {
    format!("tracker\n{account}\n{tracker}")
}

/// Returns what alerts about a scraper watch.
pub fn scraper_watch(scraper: &str) -> String {
    format!("scraper\n{scraper}")
}

/// Returns what alerts about the spending of an account watch.
pub fn spend_watch(account: &str) -> String {
    format!("spend\n{account}")
}
