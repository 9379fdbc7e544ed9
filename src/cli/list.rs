//! `answerd list`: the jobs of a key on a running server.

use clap::Args as ClapArgs;
use serde_json::json;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::job_filters::{JobFilters, note_unknown};
use super::jobs::ServerArgs;
use super::render::ShownJob;
use super::table::{Cell, Column, Table};

/// How many jobs are listed unless something else is said.
const LIMIT_DEFAULT: usize = 50;
/// The most jobs that `--limit` takes; `--all` has no limit.
const LIMIT_MAX: i64 = 1_000_000;
/// The most jobs that the API gives in a page.
const PAGE_JOBS_MAX: usize = 200;

const EXAMPLES: &str = "\
Examples:
  answerd list
  answerd list -s failed -L 200
  answerd list --status failed --since 2026-05-11T12:00:00Z
  answerd list --label nightly --all --json | jq -r '.jobs[].job_id'";

/// List the jobs of a key, newest first
///
/// One job on a line: id, time, status, scraper, label and prompt; on a terminal below a header and
/// cut to its width, elsewhere whole, between tabs. With --json one document with the job objects,
/// without their results, and a cursor where more are left.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only jobs with this status: pending, done or failed
    #[arg(short, long, value_parser = ["pending", "done", "failed"])]
    status: Option<String>,
    #[command(flatten)]
    filters: JobFilters,
    /// The most jobs to list, 1 to 1,000,000 [default: 50]
    #[arg(
        short = 'L', long, value_name = "N", conflicts_with = "all",
        value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX)
    )]
    limit: Option<u32>,
    /// List all of them
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Lists jobs, page after page until there are enough.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let given = args.limit.map_or(LIMIT_DEFAULT, |limit| limit as usize);
    let limit = if args.all { usize::MAX } else { given };
    let status = args.status.map(|status| ("status", status));
    let filters: Vec<_> = status.into_iter().chain(args.filters.query()).collect();
    let client = args.server.client()?;
    let mut jobs: Vec<ShownJob> = Vec::new();
    let mut cursor: Option<String> = None;
    while jobs.len() < limit {
        let mut query = filters.clone();
        query.push(("limit", (limit - jobs.len()).min(PAGE_JOBS_MAX).to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page = client.list(&query)?;
        jobs.extend(page.jobs);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    print(&jobs, cursor.as_deref(), console)?;
    if jobs.is_empty() {
        note_unknown(&client, &filters, console);
    }
    Ok(ExitCode::Done)
}

fn print(
    jobs: &[ShownJob],
    cursor: Option<&str>,
    console: &mut Console,
) -> Result<(), CommandError> {
    if console.is_json() {
        let documents: Vec<_> = jobs.iter().map(|job| &job.document).collect();
        return Ok(console.document(&json!({ "jobs": documents, "next_cursor": cursor }))?);
    }
    table(jobs).print(console)?;
    let more = if cursor.is_some() { "; there may be more, which --all lists" } else { "" };
    let noun = if jobs.len() == 1 { "job" } else { "jobs" };
    console.note(&format!("{} {noun}{more}", jobs.len()));
    Ok(())
}

fn table(jobs: &[ShownJob]) -> Table {
    let mut table = Table::new(&[
        Column::id("id"),
        Column::time("when"),
        Column::word("status"),
        Column::text("scraper"),
        Column::text("label"),
        Column::text("prompt"),
    ]);
    for job in jobs {
        let view = &job.view;
        let cells: [Cell; 6] = [
            view.job_id.0.as_str().into(),
            view.created_at.0.as_str().into(),
            job.status_cell(),
            view.scraper.as_ref().into(),
            view.label.as_deref().unwrap_or_default().into(),
            view.prompt.as_ref().into(),
        ];
        table.row(cells);
    }
    table
}
