//! `answerd alert`: notices of a running server when what was measured crosses a limit.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::client::{Client, ClientError, Verb};
use super::console::{Console, Style, Styled, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::startup_summary::fact;
use super::table::{Cell, Column, Table};
use crate::api::{AlertView, AlertsView, NoticeView};

const EXAMPLES: &str = "\
Examples:
  answerd alert list
  answerd alert test fewer-mentions
  answerd alert show fewer-mentions
  answerd alert pause fewer-mentions";

const ADD_EXAMPLES: &str = "\
Examples:
  answerd alert add fewer-mentions --when mention-rate-below --tracker acme --threshold 0.3 \\
    --over \"3 runs\" --webhook https://hooks.slack.com/services/T0/B0/x --format slack
  answerd alert add spent --when budget-reached --threshold 5 \\
    --webhook https://app.example.com/hook";

/// Get a notice when a measure crosses a limit
///
/// An alert watches what a tracker measures, the health of a scraper, or what the key spends. A
/// notice is sent once for each crossing. An alert is named by its name or its id.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: AlertAction,
}

#[derive(Debug, Subcommand)]
enum AlertAction {
    Add(Box<AddAlertArgs>),
    List(ListAlertsArgs),
    /// Show an alert, its state and its newest notices
    #[command(after_help = "Examples:\n  answerd alert show fewer-mentions")]
    Show(NamedAlertArgs),
    /// Stop evaluating an alert until it is resumed
    #[command(after_help = "Examples:\n  answerd alert pause fewer-mentions")]
    Pause(NamedAlertArgs),
    /// Let a paused alert go on, from the start
    #[command(after_help = "Examples:\n  answerd alert resume fewer-mentions")]
    Resume(NamedAlertArgs),
    /// Send a notice that is marked as a test
    ///
    /// Its figures are made up. `alert show` says whether it was delivered.
    #[command(after_help = "Examples:\n  answerd alert test fewer-mentions")]
    Test(NamedAlertArgs),
    /// Remove an alert
    ///
    /// With its notices; those that were not delivered yet are not sent.
    #[command(after_help = "Examples:\n  answerd alert rm fewer-mentions")]
    Rm(NamedAlertArgs),
}

/// Make an alert
///
/// Prints its id, and says whether its notices will have links.
#[derive(Debug, ClapArgs)]
#[command(after_help = ADD_EXAMPLES)]
struct AddAlertArgs {
    /// A name that no other alert of the key has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// The condition
    #[arg(long, value_enum, value_name = "CONDITION")]
    when: WhenWord,
    /// The tracker whose measures are watched
    #[arg(long, value_name = "NAME")]
    tracker: Option<String>,
    /// A brand of the tracker [default: your own as one, or every domain]
    #[arg(long, value_name = "NAME", requires = "tracker")]
    brand: Option<String>,
    /// The scraper whose answers count, or whose health is watched
    #[arg(long, value_name = "NAME")]
    scraper: Option<String>,
    /// A share of 0 to 1, or US dollars in a day of a budget
    #[arg(long, value_name = "NUMBER")]
    threshold: Option<f64>,
    /// The answers that are looked at together: 3 runs, 7 days [default: 3 runs]
    #[arg(long, value_name = "WINDOW", requires = "tracker")]
    over: Option<String>,
    /// The address that notices are posted to
    #[arg(long, value_name = "URL")]
    webhook: String,
    /// The form of notices
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "standard")]
    format: FormatWord,
    /// Make it paused
    #[arg(long)]
    paused: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhenWord {
    /// The mention rate is below the threshold
    MentionRateBelow,
    /// The mention rate is above the threshold
    MentionRateAbove,
    /// Answers use a domain that they did not use
    DomainAppeared,
    /// No answer uses a domain any more
    DomainVanished,
    /// Less than this share of attempts succeed
    ScraperUnhealthy,
    /// The key has spent this much today
    BudgetReached,
}

impl WhenWord {
    fn word(self) -> &'static str {
        use crate::alert::AlertKind;
        let kind = match self {
            WhenWord::MentionRateBelow => AlertKind::MentionRateBelow,
            WhenWord::MentionRateAbove => AlertKind::MentionRateAbove,
            WhenWord::DomainAppeared => AlertKind::DomainAppeared,
            WhenWord::DomainVanished => AlertKind::DomainVanished,
            WhenWord::ScraperUnhealthy => AlertKind::ScraperUnhealthy,
            WhenWord::BudgetReached => AlertKind::BudgetReached,
        };
        kind.word()
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatWord {
    /// JSON for programs, signed as every webhook
    Standard,
    /// An incoming webhook of Slack
    Slack,
    /// A webhook of Discord
    Discord,
}

/// List the alerts of a key
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  answerd alert list")]
struct ListAlertsArgs {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, ClapArgs)]
struct NamedAlertArgs {
    /// The alert's name or its id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    alert: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Does what the line says.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    match args.action {
        AlertAction::Add(args) => add(*args, console),
        AlertAction::List(args) => list(args, console),
        AlertAction::Show(args) => show(args, console),
        AlertAction::Pause(args) => change(args, &json!({ "paused": true }), console),
        AlertAction::Resume(args) => change(args, &json!({ "paused": false }), console),
        AlertAction::Test(args) => test(args, console),
        AlertAction::Rm(args) => remove(args, console),
    }
}

fn add(args: AddAlertArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let format = match args.format {
        FormatWord::Standard => "standard",
        FormatWord::Slack => "slack",
        FormatWord::Discord => "discord",
    };
    let mut body = Map::new();
    for (name, value) in [
        ("name", json!(args.name)),
        ("when", json!(args.when.word())),
        ("tracker", json!(args.tracker)),
        ("brand", json!(args.brand)),
        ("scraper", json!(args.scraper)),
        ("threshold", json!(args.threshold)),
        ("over", json!(args.over)),
        ("to", json!({ "webhook": args.webhook, "format": format })),
        ("paused", json!(args.paused)),
    ] {
        if !value.is_null() {
            body.insert(name.to_owned(), value);
        }
    }
    let client = args.server.client()?;
    let document = client.send(Verb::Post, &["alerts"], Some(&Value::Object(body)))?;
    let alert: AlertView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
        return Ok(ExitCode::Done);
    }
    console.result(&alert.alert_id.to_string())?;
    if alert.links {
        console.note("send a notice to see whether it arrives: answerd alert test NAME");
    } else {
        console.note("its notices have no links: set `public_url` in [http] for them");
    }
    Ok(ExitCode::Done)
}

fn list(args: ListAlertsArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let document = client.send(Verb::Get, &["alerts"], None)?;
    let all: AlertsView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
        return Ok(ExitCode::Done);
    }
    table(&all.alerts).print(console)?;
    let count = all.alerts.len();
    console.note(&format!("{count} {}", if count == 1 { "alert" } else { "alerts" }));
    Ok(ExitCode::Done)
}

fn state(alert: &AlertView) -> (&str, Style) {
    if alert.paused {
        return ("paused", Style::Aside);
    }
    let style = match alert.state.as_ref() {
        "firing" => Style::Bad,
        "ok" => Style::Good,
        _ => Style::Aside,
    };
    (alert.state.as_ref(), style)
}

/// Returns the condition with what it is about.
fn condition(alert: &AlertView) -> String {
    let mut text = alert.when.clone().into_owned();
    if let Some(threshold) = alert.threshold {
        text.push_str(&format!(" {threshold}"));
    }
    for of in [&alert.tracker, &alert.brand, &alert.scraper].into_iter().flatten() {
        text.push_str(&format!(" {of}"));
    }
    if let Some(over) = &alert.over {
        text.push_str(&format!(" over {over}"));
    }
    text
}

fn table(alerts: &[AlertView]) -> Table {
    let mut table = Table::new(&[
        Column::id("id"),
        Column::word("state"),
        Column::text("name"),
        Column::text("condition"),
        Column::time("evaluated"),
    ]);
    for alert in alerts {
        let (word, style) = state(alert);
        let cells: [Cell; 5] = [
            alert.alert_id.0.as_str().into(),
            Cell::styled(word, style),
            alert.name.as_str().into(),
            condition(alert).into(),
            alert.evaluated_at.as_ref().map_or("", |at| at.0.as_str()).into(),
        ];
        table.row(cells);
    }
    table
}

/// Finds the id of an alert by its name, if it is no id.
fn find(client: &Client, named: &str) -> Result<String, ClientError> {
    if uuid::Uuid::try_parse(named).is_ok() {
        return Ok(named.to_owned());
    }
    let document = client.send(Verb::Get, &["alerts"], None)?;
    let all: AlertsView = client.read(&document)?;
    let found = all.alerts.into_iter().find(|alert| alert.name == named);
    // The server says that there is none.
    Ok(found.map_or_else(|| named.to_owned(), |alert| alert.alert_id.to_string()))
}

fn show(args: NamedAlertArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let id = find(&client, &args.alert)?;
    let document = client.send(Verb::Get, &["alerts", &id], None)?;
    let alert: AlertView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        console.result(&text(&alert, console.styled()))?;
    }
    Ok(ExitCode::Done)
}

fn text(alert: &AlertView, styled: Styled) -> String {
    let mut text = String::new();
    fact(&mut text, styled, "name", &printable(&alert.name));
    let (word, style) = state(alert);
    fact(&mut text, styled, "state", &styled.apply(style, &printable(word)));
    fact(&mut text, styled, "when", &printable(&condition(alert)));
    let value = alert.value.map_or("-".to_owned(), |value| value.to_string());
    fact(&mut text, styled, "value", &format!("{value}, of {}", alert.sample));
    if let Some(at) = &alert.evaluated_at {
        fact(&mut text, styled, "evaluated", &at.to_string());
    }
    let to = format!("{} ({})", alert.to.webhook, alert.to.format);
    fact(&mut text, styled, "to", &printable(&to));
    for notice in alert.notices.iter().flatten() {
        fact(&mut text, styled, "notice", &printable(&notice_text(notice)));
    }
    text
}

fn notice_text(notice: &NoticeView) -> String {
    let NoticeView { at, state, message, .. } = notice;
    match &notice.reason {
        Some(reason) => format!("{at}  {state} ({reason})  {message}"),
        None => format!("{at}  {state}  {message}"),
    }
}

fn change(
    args: NamedAlertArgs,
    body: &Value,
    console: &mut Console,
) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let id = find(&client, &args.alert)?;
    let document = client.send(Verb::Patch, &["alerts", &id], Some(body))?;
    let alert: AlertView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        table(&[alert]).print(console)?;
    }
    Ok(ExitCode::Done)
}

fn test(args: NamedAlertArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let id = find(&client, &args.alert)?;
    let document = client.send(Verb::Post, &["alerts", &id, "test"], None)?;
    let notice: NoticeView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        console.result(&notice.notice_id.to_string())?;
        console.note("on its way; `answerd alert show` says whether it was delivered");
    }
    Ok(ExitCode::Done)
}

fn remove(args: NamedAlertArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let id = find(&client, &args.alert)?;
    let document = client.send(Verb::Delete, &["alerts", &id], None)?;
    let alert: AlertView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        console.note(&format!("removed {}", printable(&alert.name)));
    }
    Ok(ExitCode::Done)
}
