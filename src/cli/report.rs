//! `answerd report`: rates over what a tracker has measured, as a table.

use std::fmt::Write;

use clap::Args as ClapArgs;

use super::console::{Console, Style, Styled, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::job_filters::country_code;
use super::jobs::ServerArgs;
use crate::api::{ReportRowView, ReportView};

const EXAMPLES: &str = "\
Examples:
  answerd report acme
  answerd report acme --by scraper,brand --since 2026-05-01
  answerd report acme --by scraper --top 20 --pages
  answerd report acme --by day --json | jq '.rows[] | [.day, .mention_rate]'";

/// Show how often answers name and cite the brands of a tracker
///
/// By whole days (UTC), the last 30 where no others are named. Without `brand` in --by a row is
/// about your own brands as one. The interval behind a rate holds the true one in 95 of 100 cases;
/// with few answers it is wide.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The tracker's name
    tracker: String,
    /// What to tell apart: scraper, country, label, brand, and day or week, with commas
    #[arg(long, value_name = "WORDS")]
    by: Option<String>,
    /// The first day: a date, a time or Unix seconds
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The last day
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only answers of this scraper
    #[arg(long, value_name = "NAME")]
    scraper: Option<String>,
    /// Only answers for this country
    #[arg(long, value_name = "CODE", value_parser = country_code)]
    country: Option<String>,
    /// Only answers with exactly this label
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Answers whose prompt names a brand: exclude, include or only [default: exclude]
    #[arg(long, value_name = "WORD")]
    branded: Option<String>,
    /// List this many domains below each row, 1 to 100, and which are new and lost
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// List pages, too
    #[arg(long)]
    pages: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Asks the server and prints what it says.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let mut query = vec![("tracker", args.tracker)];
    for (name, given) in [
        ("by", args.by),
        ("since", args.since),
        ("until", args.until),
        ("scraper", args.scraper),
        ("country", args.country),
        ("label", args.label),
        ("branded", args.branded),
        ("top", args.top.map(|top| top.to_string())),
        ("pages", args.pages.then(|| "true".to_owned())),
    ] {
        query.extend(given.map(|given| (name, given)));
    }
    let client = args.server.client()?;
    let document = client.report(&query)?;
    let report: ReportView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
    } else if report.rows.is_empty() {
        console.note("nothing was measured in these days");
    } else {
        let has_lists = args.top.is_some() || args.pages;
        console.result(&text(&report, has_lists, console.styled()))?;
    }
    Ok(ExitCode::Done)
}

fn text(report: &ReportView, has_lists: bool, styled: Styled) -> String {
    let header = "answers  named   interval      cited   interval      share   rank  of";
    let mut text = styled.apply(Style::Aside, header);
    for row in &report.rows {
        let mention = interval(row.mention_low, row.mention_high);
        let citation = interval(row.citation_low, row.citation_high);
        let rank = row.mean_rank.map_or("-".to_owned(), |rank| format!("{rank:.1}"));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{:>7}  {:>5}  {mention:<12}  {:>5}  {citation:<12}  {:>5}  {rank:>5}  {}",
            row.measured,
            percent(row.mention_rate),
            percent(row.citation_rate),
            percent(row.share),
            printable(&place(row)),
        );
        if has_lists {
            add_lists(&mut text, row);
        }
    }
    text
}

/// Adds the sources of a row: how many answers used each, then what is new and what is lost.
fn add_lists(text: &mut String, row: &ReportRowView) {
    let domains = row.top_domains.iter().map(|top| (top.answers, top.answers_before, &top.domain));
    let pages = row.top_pages.iter().flatten();
    let pages = pages.map(|top| (top.answers, top.answers_before, &top.url));
    for (answers, before, name) in domains.chain(pages) {
        let before = before.map_or(String::new(), |before| format!(" (before: {before})"));
        let _ = write!(text, "\n{answers:>7}  {}{before}", printable(name));
    }
    let Some(since) = &row.since_before else { return };
    for (word, names) in [
        ("new", Some(&since.new_domains)),
        ("lost", Some(&since.lost_domains)),
        ("new pages", since.new_pages.as_ref()),
        ("lost pages", since.lost_pages.as_ref()),
    ] {
        if let Some(names) = names.filter(|names| !names.is_empty()) {
            let _ = write!(text, "\n         {word}: {}", printable(&names.join(", ")));
        }
    }
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or("-".to_owned(), |rate| format!("{:.0} %", rate * 100.0))
}

fn interval(low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("{:.0} to {:.0} %", low * 100.0, high * 100.0),
        _ => "-".to_owned(),
    }
}

/// Returns what a row is about.
fn place(row: &ReportRowView) -> String {
    let day = row.day.as_ref().or(row.week.as_ref()).map(|day| &day.0);
    let parts = [day, row.scraper.as_ref(), row.country.as_ref(), row.label.as_ref()];
    let parts = parts.into_iter().chain([row.brand.as_ref()]).flatten();
    let parts: Vec<&str> = parts.map(String::as_str).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "all".to_owned() } else { parts.join(" ") }
}
