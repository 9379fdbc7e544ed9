//! A notice: what an alert has to say at the moment at which it begins to fire.

use uuid::Uuid;

use super::definition::{AlertDefinition, AlertKind, Percent};
use crate::clock::UnixMs;

/// The most rows of a notice.
pub const ROWS_OF_NOTICE_MAX: usize = 20;

/// A row that caused a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    /// The end of a run, a day, a domain, a scraper or an upstream.
    pub subject: String,
    /// Of `total` answers, attempts or calls.
    pub hits: u64,
    pub total: u64,
    /// What calls have cost, nanodollars; only of a budget.
    pub nanos: Option<u64>,
}

impl NoticeRow {
    /// Returns the share of the hits; `None` over nothing, and of money.
    pub fn share(&self) -> Option<f64> {
        let is_share = self.total > 0 && self.nanos.is_none();
        is_share.then(|| self.hits as f64 / self.total as f64)
    }
}

/// Facts that a notice is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoticeFacts {
    /// A share, or US dollars; `None` of domains.
    pub value: Option<f64>,
    /// Over how many answers, attempts or calls.
    pub sample: u64,
    /// When the window begins that was looked at.
    pub since_ms: UnixMs,
    pub rows: Vec<NoticeRow>,
}

/// A notice as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub row: u64,
    pub nonce: u128,
    /// The id of its alert.
    pub alert: Uuid,
    pub alert_row: u64,
    pub account: String,
    /// Counts the notices of the alert from 0.
    pub number: u64,
    pub at_ms: UnixMs,
    /// Whether somebody asked for it to see whether it arrives.
    pub is_test: bool,
    /// The alert's, at that moment.
    pub definition: AlertDefinition,
    pub facts: NoticeFacts,
}

impl Notice {
    /// Returns what has happened, in one sentence.
    pub fn sentence(&self) -> String {
        let definition = &self.definition;
        let whose = match (&definition.tracker, &definition.brand) {
            (Some(tracker), Some(brand)) => format!("{brand} ({tracker})"),
            (Some(tracker), None) => tracker.clone(),
            (None, _) => String::new(),
        };
        let at = definition.scraper.as_ref().map_or(String::new(), |it| format!(" at {it}"));
        let over = definition.over.map_or(String::new(), |over| format!(" over {}", over.text()));
        let value = self.facts.value.unwrap_or_default();
        let sample = self.facts.sample;
        let threshold = definition.threshold.unwrap_or_default();
        let sentence = match definition.kind {
            AlertKind::MentionRateBelow | AlertKind::MentionRateAbove => {
                let is_above = definition.kind == AlertKind::MentionRateAbove;
                let side = if is_above { "above" } else { "below" };
                format!(
                    "The mention rate of {whose}{at} is {}{over} ({sample} answers), {side} {}.",
                    Percent(value),
                    Percent(threshold)
                )
            }
            AlertKind::DomainAppeared => {
                format!(
                    "Domains appeared in the answers of {whose}{at}{over}: {}.",
                    self.subjects()
                )
            }
            AlertKind::DomainVanished => format!(
                "Domains vanished from the answers of {whose}{at}{over}: {}.",
                self.subjects()
            ),
            AlertKind::ScraperUnhealthy => format!(
                "Of the {sample} attempts{at} in the last hour {} succeeded, less than {}.",
                Percent(value),
                Percent(threshold)
            ),
            AlertKind::BudgetReached => {
                format!("The jobs of the key have cost {value} USD today (UTC).")
            }
        };
        match self.is_test {
            true => format!("Test of the alert, nothing has happened. It would say: {sentence}"),
            false => sentence,
        }
    }

    fn subjects(&self) -> String {
        let names: Vec<&str> = self.facts.rows.iter().map(|row| row.subject.as_str()).collect();
        names.join(", ")
    }
}
