//! `answerd usage`: what a key has spent this month and has left.

use clap::Args as ClapArgs;

use super::console::{Console, Styled, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::startup_summary::fact;
use super::table::{Audience, Cell, Column, Table};
use crate::api::{AccountCreditsView, UsageView, UsedView};

const EXAMPLES: &str = "\
Examples:
  answerd usage
  answerd usage --days 30
  answerd usage --json | jq .left";

/// Show the credits that a key has spent and has left
///
/// They count by calendar month (UTC). Reserved credits belong to jobs that have not ended: they
/// become used when the job is done, and come back when it fails. Below them stands what was used
/// of each scraper, day by day. The key of an operator (`operator = true`) is shown the credits of
/// every key as well.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Show the use of the last 1 to 400 days [default: the days of this month]
    #[arg(long, value_name = "N")]
    days: Option<u64>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Asks the server and prints what it says.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let (usage, document) = args.server.client()?.usage(args.days)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        console.result(&text(&usage, Audience::of(console), console.styled()))?;
    }
    Ok(ExitCode::Done)
}

/// Every day's scrapers, and after them the sums of the whole period.
fn lines(usage: &UsageView) -> impl Iterator<Item = (&str, &str, &UsedView)> {
    let days = usage.days.iter();
    let days =
        days.flat_map(|day| day.scrapers.0.iter().map(|(name, used)| (&*day.date.0, name, used)));
    let sums = usage.scrapers.0.iter().map(|(name, used)| ("in all", name, used));
    days.chain(sums).map(|(date, name, used)| (date, name.as_str(), used))
}

/// A number of credits, where there is one.
fn bounded(credits: Option<u64>) -> String {
    credits.map_or("no limit".to_owned(), |credits| credits.to_string())
}

fn text(usage: &UsageView, audience: Audience, styled: Styled) -> String {
    let parts = [
        facts(usage, styled),
        days(usage).text(audience, styled),
        accounts(usage.accounts.as_deref().unwrap_or_default()).text(audience, styled),
    ];
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_end()).collect();
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn facts(usage: &UsageView, styled: Styled) -> String {
    let mut text = String::new();
    let credits = &usage.credits;
    fact(&mut text, styled, "account", &printable(&credits.account));
    fact(&mut text, styled, "allowance", &bounded(credits.monthly_credits));
    fact(&mut text, styled, "used", &credits.used.to_string());
    fact(&mut text, styled, "reserved", &credits.reserved.to_string());
    fact(&mut text, styled, "left", &bounded(credits.left));
    fact(&mut text, styled, "resets", &printable(&usage.resets_at.0));
    if credits.usd_per_day.is_some() || credits.usd_spent_today > 0.0 {
        let cap = credits.usd_per_day.map_or("no limit".to_owned(), |cap| cap.to_string());
        let told = format!("{} USD today, of {cap}", credits.usd_spent_today);
        fact(&mut text, styled, "cost", &told);
    }
    text
}

/// Empty where nothing was used.
fn days(usage: &UsageView) -> Table {
    let mut table = Table::new(&[
        Column::word("day"),
        Column::text("scraper"),
        Column::number("jobs"),
        Column::number("done"),
        Column::number("failed"),
        Column::number("cached"),
        Column::number("credits"),
    ])
    .always_named();
    let used_lines = lines(usage).filter(|_| !usage.days.is_empty());
    for (date, scraper, used) in used_lines {
        let counts = [used.jobs, used.done, used.failed, used.cached, used.credits];
        let named: [Cell; 2] = [date.into(), scraper.into()];
        table.row(named.into_iter().chain(counts.map(Cell::from)));
    }
    table
}

/// Empty where the key is no operator's.
fn accounts(accounts: &[AccountCreditsView]) -> Table {
    let mut table = Table::new(&[
        Column::text("account"),
        Column::number("allowance"),
        Column::number("used"),
        Column::number("reserved"),
        Column::number("left"),
    ])
    .always_named();
    for of in accounts {
        let cells: [Cell; 5] = [
            of.account.as_str().into(),
            bounded(of.monthly_credits).into(),
            of.used.into(),
            of.reserved.into(),
            bounded(of.left).into(),
        ];
        table.row(cells);
    }
    table
}
