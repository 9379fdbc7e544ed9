//! The part of an alert that its owner writes.

/// The longest name of an alert, characters.
pub const ALERT_NAME_CHARS_MAX: usize = 100;
/// The most runs that an alert looks at together.
pub const RUNS_WATCHED_MAX: u32 = 10;
/// The most days that an alert looks at together.
pub const DAYS_WATCHED_MAX: u32 = 90;
/// The share of answers from which on a domain is there, where none is given.
pub const DOMAIN_SHARE_DEFAULT: f64 = 0.1;
/// The share of attempts that succeed below which a scraper is unhealthy, where none is given.
pub const SUCCESS_SHARE_DEFAULT: f64 = 0.5;

/// The condition of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertKind {
    MentionRateBelow,
    MentionRateAbove,
    DomainAppeared,
    DomainVanished,
    ScraperUnhealthy,
    BudgetReached,
}

impl AlertKind {
    pub const ALL: [AlertKind; 6] = [
        AlertKind::MentionRateBelow,
        AlertKind::MentionRateAbove,
        AlertKind::DomainAppeared,
        AlertKind::DomainVanished,
        AlertKind::ScraperUnhealthy,
        AlertKind::BudgetReached,
    ];

    /// Returns the stable word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            AlertKind::MentionRateBelow => "mention_rate_below",
            AlertKind::MentionRateAbove => "mention_rate_above",
            AlertKind::DomainAppeared => "domain_appeared",
            AlertKind::DomainVanished => "domain_vanished",
            AlertKind::ScraperUnhealthy => "scraper_unhealthy",
            AlertKind::BudgetReached => "budget_reached",
        }
    }

    /// Returns the kind with this word.
    pub fn parse(word: &str) -> Option<AlertKind> {
        AlertKind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Returns whether it watches what a tracker measures.
    pub const fn is_tracked(self) -> bool {
        match self {
            AlertKind::MentionRateBelow
            | AlertKind::MentionRateAbove
            | AlertKind::DomainAppeared
            | AlertKind::DomainVanished => true,
            AlertKind::ScraperUnhealthy | AlertKind::BudgetReached => false,
        }
    }

    /// Returns whether it watches domains one by one.
    pub const fn is_of_domains(self) -> bool {
        match self {
            AlertKind::DomainAppeared | AlertKind::DomainVanished => true,
            AlertKind::MentionRateBelow
            | AlertKind::MentionRateAbove
            | AlertKind::ScraperUnhealthy
            | AlertKind::BudgetReached => false,
        }
    }
}

/// The answers that an alert looks at together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertWindow {
    /// The newest runs: a run has the answers of a batch, or single ones that come together.
    Runs(u32),
    /// The newest days (UTC), today included.
    Days(u32),
}

impl AlertWindow {
    /// Reads `3 runs` or `7 days`; `None` if it is neither, or more than can be looked at.
    pub fn parse(text: &str) -> Option<AlertWindow> {
        let (count, unit) = text.split_once(' ')?;
        if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let count: u32 = count.parse().ok()?;
        match unit {
            "run" | "runs" if (1..=RUNS_WATCHED_MAX).contains(&count) => {
                Some(AlertWindow::Runs(count))
            }
            "day" | "days" if (1..=DAYS_WATCHED_MAX).contains(&count) => {
                Some(AlertWindow::Days(count))
            }
            _ => None,
        }
    }

    /// Returns it as [`AlertWindow::parse`] reads it.
    pub fn text(self) -> String {
        let (count, unit) = match self {
            AlertWindow::Runs(count) => (count, "run"),
            AlertWindow::Days(count) => (count, "day"),
        };
        format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// The form of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeFormat {
    /// JSON for programs, signed as every webhook.
    Standard,
    /// What an incoming webhook of Slack takes.
    Slack,
    /// What a webhook of Discord takes.
    Discord,
}

impl NoticeFormat {
    pub const ALL: [NoticeFormat; 3] =
        [NoticeFormat::Standard, NoticeFormat::Slack, NoticeFormat::Discord];

    /// Returns the stable word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            NoticeFormat::Standard => "standard",
            NoticeFormat::Slack => "slack",
            NoticeFormat::Discord => "discord",
        }
    }

    /// Returns the format with this word.
    pub fn parse(word: &str) -> Option<NoticeFormat> {
        NoticeFormat::ALL.into_iter().find(|format| format.word() == word)
    }

    /// Returns whether it is signed: only the standard's receivers look at a signature.
    pub const fn is_signed(self) -> bool {
        match self {
            NoticeFormat::Standard => true,
            NoticeFormat::Slack | NoticeFormat::Discord => false,
        }
    }
}

/// The part of an alert that its owner writes.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertDefinition {
    pub name: String,
    pub kind: AlertKind,
    /// Whose measures are watched; only with a kind that is tracked.
    pub tracker: Option<String>,
    /// The brand that is meant; without one your own as one, or every domain.
    pub brand: Option<String>,
    /// The scraper whose answers count, or whose health is watched.
    pub scraper: Option<String>,
    /// A share of 0 to 1, or US dollars in a day. `None` for the cap of the key.
    pub threshold: Option<f64>,
    /// Only with a kind that is tracked.
    pub over: Option<AlertWindow>,
    pub url: String,
    pub format: NoticeFormat,
}

impl AlertDefinition {
    /// Returns the condition as a sentence without its end.
    pub fn condition(&self) -> String {
        let percent = |share: Option<f64>| format!("{}", Percent(share.unwrap_or_default()));
        let threshold = self.threshold;
        match self.kind {
            AlertKind::MentionRateBelow => format!("mention rate below {}", percent(threshold)),
            AlertKind::MentionRateAbove => format!("mention rate above {}", percent(threshold)),
            AlertKind::DomainAppeared => {
                format!("a domain appeared in {} of the answers or more", percent(threshold))
            }
            AlertKind::DomainVanished => {
                format!("a domain vanished that was in {} of the answers", percent(threshold))
            }
            AlertKind::ScraperUnhealthy => {
                format!("less than {} of the attempts succeed", percent(threshold))
            }
            AlertKind::BudgetReached => match threshold {
                Some(dollars) => format!("{dollars} USD spent in a day"),
                None => "the key's `usd_per_day` is spent".to_owned(),
            },
        }
    }
}

/// A share, shown as a percentage with at most one decimal.
pub(super) struct Percent(pub f64);

impl std::fmt::Display for Percent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (self.0 * 1_000.0).round();
        if tenths % 10.0 == 0.0 {
            write!(formatter, "{} %", tenths / 10.0)
        } else {
            write!(formatter, "{:.1} %", tenths / 10.0)
        }
    }
}
