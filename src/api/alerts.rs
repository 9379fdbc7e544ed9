//! The replies about alerts and their notices.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::wire::{Id, Time};
use crate::alert::{Notice, NoticeRow};

/// An alert: what it watches, where its notices go, and its state.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Alert")]
pub struct AlertView {
    /// The id to ask for.
    pub alert_id: Id,
    /// Unique among the alerts of the key.
    pub name: String,
    /// `mention_rate_below`, `mention_rate_above`, `domain_appeared`, `domain_vanished`,
    /// `scraper_unhealthy` or `budget_reached`.
    pub when: Cow<'static, str>,
    /// The tracker whose measures are watched; null where none is.
    pub tracker: Option<String>,
    /// The brand; null for your own as one, and for the domains of all.
    pub brand: Option<String>,
    /// The scraper; null for all of them.
    pub scraper: Option<String>,
    /// A share of 0 to 1, or US dollars in a day; null for the `usd_per_day` of the key.
    pub threshold: Option<f64>,
    /// The answers that are looked at together, such as `3 runs`; null without a tracker.
    pub over: Option<String>,
    pub to: AlertTargetView,
    /// Whether it is not evaluated for now.
    pub paused: bool,
    /// `no_data`, `ok`, `pending` (the condition held once and must hold again) or `firing`.
    pub state: Cow<'static, str>,
    /// Since when it has been firing, or not.
    pub state_since: Option<Time>,
    /// The latest evaluation; null before the first.
    pub evaluated_at: Option<Time>,
    /// What the latest evaluation measured: a share, or US dollars.
    pub value: Option<f64>,
    /// How many answers, attempts or calls the latest evaluation looked at.
    pub sample: u64,
    pub created_at: Time,
    /// How many notices there were.
    pub notice_count: u64,
    /// Whether notices have links: they do where `public_url` is set.
    pub links: bool,
    /// The newest notices, newest first; only where one alert is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notices: Option<Vec<NoticeView>>,
}

/// The receiver of an alert's notices.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "AlertTarget")]
pub struct AlertTargetView {
    /// The address that notices are posted to.
    pub webhook: String,
    /// `standard`, `slack` or `discord`.
    pub format: Cow<'static, str>,
}

/// The alerts of a key, oldest first.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Alerts")]
pub struct AlertsView {
    pub alerts: Vec<AlertView>,
}

/// A notice of an alert.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Notice")]
pub struct NoticeView {
    pub notice_id: Id,
    /// The header of each attempt to deliver it.
    pub webhook_id: String,
    pub at: Time,
    /// Whether somebody asked for it, to see whether it arrives.
    pub test: bool,
    /// What has happened, as a sentence.
    pub message: String,
    /// What was measured: a share, or US dollars; null of domains.
    pub value: Option<f64>,
    /// Over how many answers, attempts or calls.
    pub sample: u64,
    /// The beginning of what was looked at; of runs, the end of the first.
    pub since: Time,
    /// The rows that caused it.
    pub rows: Vec<NoticeRowView>,
    /// `pending`, `delivered` or `failed`.
    pub state: Cow<'static, str>,
    /// The reason of a failure: `gone` or `exhausted`.
    pub reason: Option<String>,
    /// Attempts to deliver it.
    pub attempts: u32,
    pub next_attempt_at: Option<Time>,
}

/// A row that caused a notice.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "NoticeRow")]
pub struct NoticeRowView {
    /// The end of a run, a day, a domain, a scraper or an upstream.
    pub subject: String,
    /// Answers that name the brand or use the domain, attempts that succeeded, or calls.
    pub hits: u64,
    /// Of how many.
    pub total: u64,
    /// Of the two; null over nothing, and of a budget.
    pub share: Option<f64>,
    /// The cost of the calls, US dollars; only of a budget.
    pub cost_usd: Option<f64>,
}

impl From<&NoticeRow> for NoticeRowView {
    fn from(row: &NoticeRow) -> NoticeRowView {
        NoticeRowView {
            subject: row.subject.clone(),
            hits: row.hits,
            total: row.total,
            share: row.share(),
            cost_usd: row.nanos.map(super::usd),
        }
    }
}

/// A notice as it is sent in the format `standard`.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "NoticeMessage")]
pub struct NoticeMessageView {
    /// Always `alert`; what is sent at the end of a job or a batch has no such field.
    pub r#type: Cow<'static, str>,
    pub notice_id: Id,
    pub alert_id: Id,
    /// The name of the alert.
    pub alert: String,
    pub when: Cow<'static, str>,
    pub tracker: Option<String>,
    pub brand: Option<String>,
    pub scraper: Option<String>,
    pub threshold: Option<f64>,
    pub over: Option<String>,
    pub at: Time,
    /// Whether somebody asked for it, to see whether it arrives.
    pub test: bool,
    /// What has happened, as a sentence.
    pub message: String,
    pub value: Option<f64>,
    pub sample: u64,
    pub since: Time,
    pub rows: Vec<NoticeRowView>,
    /// Absolute addresses; null without `public_url`.
    pub links: Option<NoticeLinksView>,
}

/// The addresses in a notice.
#[derive(Clone, Debug, JsonSchema, PartialEq, Eq, Serialize)]
#[schemars(rename = "NoticeLinks")]
pub struct NoticeLinksView {
    /// The alerts in the dashboard.
    pub dashboard: String,
    /// The alert in the API.
    pub alert: String,
    /// The report of the tracker in the API; null where a tracker is not watched.
    pub report: Option<String>,
}

impl NoticeLinksView {
    /// Returns the addresses below the public address of the service.
    pub fn of(notice: &Notice, public_url: &str) -> NoticeLinksView {
        let tracker = notice.definition.tracker.as_ref();
        NoticeLinksView {
            dashboard: format!("{public_url}/#/alerts"),
            alert: format!("{public_url}/alerts/{}", notice.alert),
            report: tracker.map(|name| format!("{public_url}/reports?tracker={name}&by=day")),
        }
    }
}
