//! `answerd retry` and `answerd cancel`: jobs by their ids, or all that match.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::client::Client;
use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::job_filters::{JobFilters, note_unknown};
use super::jobs::{self, ServerArgs};
use super::several::each;

const CANCEL_EXAMPLES: &str = "\
Examples:
  answerd cancel 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10
  answerd cancel --label nightly --dry-run
  answerd cancel --batch 5d7f6f4e-0d0f-4c59-9d43-0a4f8d0f3b1c";

/// Cancel jobs that have not ended, by their ids or by a filter
///
/// Takes the key that made them. Their credits come back, and a running attempt is asked to stop.
/// Exits with 1 when a job that is named does not exist or has ended already.
#[derive(Debug, Args)]
#[command(after_help = CANCEL_EXAMPLES)]
pub(crate) struct CancelArgs {
    /// The ids, as `submit` printed them
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    ids: Vec<String>,
    #[command(flatten)]
    filters: JobFilters,
    /// Count the jobs that match, and cancel nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

const RETRY_EXAMPLES: &str = "\
Examples:
  answerd retry 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10
  answerd retry --batch 5d7f6f4e-0d0f-4c59-9d43-0a4f8d0f3b1c
  answerd retry --scraper copilot --since 2026-05-11 --dry-run";

/// Submit failed jobs again as a new batch, by their ids or a filter
///
/// With the parameters that they had, but without their webhooks. Prints the id of the batch. The
/// failed jobs stay as they are. Exits with 1 when a job that is named does not exist or has not
/// failed.
#[derive(Debug, Args)]
#[command(after_help = RETRY_EXAMPLES)]
pub(crate) struct RetryArgs {
    /// The ids, as `submit` printed them; at most 1,000
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    ids: Vec<String>,
    #[command(flatten)]
    filters: JobFilters,
    /// Count the jobs that match, and submit nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Cancels jobs and prints them, or how many match.
///
/// # Errors
/// Returns an error if neither an id nor a filter is given, or both; if one of the jobs that are
/// named could not be canceled; or if the server refuses or cannot be reached.
pub(crate) fn cancel(args: CancelArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let CancelArgs { ids, filters, dry_run, server } = args;
    let filters = filters.query();
    if ids.is_empty() {
        all_that_match("cancel", filters, dry_run, &server.client()?, console)?;
        return Ok(ExitCode::Done);
    }
    if !filters.is_empty() || dry_run {
        let rule = "ids cannot be combined with a filter or --dry-run";
        return Err(CommandError::WrongUse(rule.to_owned()));
    }
    let client = server.client()?;
    each(&ids, console, |id, console| {
        jobs::show(&client.cancel(id)?, console)?;
        Ok(ExitCode::Done)
    })
}

/// Submits failed jobs again and prints the id of their batch, or how many match.
///
/// # Errors
/// Returns an error if neither an id nor a filter is given, or both; if one of the jobs that are
/// named is not there; or if the server refuses or cannot be reached.
pub(crate) fn retry(args: RetryArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let RetryArgs { mut ids, filters, dry_run, server } = args;
    let mut query = filters.query();
    if !ids.is_empty() && !query.is_empty() {
        let rule = "ids cannot be combined with a filter";
        return Err(CommandError::WrongUse(rule.to_owned()));
    }
    ids.sort_unstable();
    ids.dedup();
    if !ids.is_empty() {
        query.push(("ids", ids.join(",")));
    }
    let matched = all_that_match("retry", query, dry_run, &server.client()?, console)?;
    let others = ids.len().saturating_sub(matched);
    if others > 0 {
        console.note(&format!("{others} of the {} that are named have not failed", ids.len()));
        return Ok(ExitCode::Failed);
    }
    Ok(ExitCode::Done)
}

/// Repeats an action until no more jobs match; returns how many did.
fn all_that_match(
    action: &str,
    filters: Vec<(&'static str, String)>,
    dry_run: bool,
    client: &Client,
    console: &mut Console,
) -> Result<usize, CommandError> {
    if filters.is_empty() {
        let rule = "name jobs by their ids or by a filter, such as --batch or --label";
        return Err(CommandError::WrongUse(rule.to_owned()));
    }
    let (mut matched, mut changed) = (0, 0);
    let mut batches: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = filters.clone();
        query.push(("dry_run", dry_run.to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let done = client.bulk(action, &query)?;
        matched += done.matched;
        changed += done.changed;
        if let Some(id) = done.batch_id {
            if !console.is_json() {
                console.result(&id.0)?;
            }
            batches.push(id.0.into());
        }
        cursor = done.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if console.is_json() {
        console.document(&json!({
            "dry_run": dry_run, "matched": matched, "changed": changed, "batch_ids": batches,
        }))?;
        return Ok(matched);
    }
    let noun = if matched == 1 { "job matches" } else { "jobs match" };
    let done = match (dry_run, action) {
        (true, _) => "nothing was changed".to_owned(),
        (false, "retry") => format!("{changed} submitted again"),
        (false, _) => format!("{changed} canceled"),
    };
    console.note(&format!("{matched} {noun}; {done}"));
    if matched == 0 {
        note_unknown(client, &filters, console);
    }
    Ok(matched)
}
