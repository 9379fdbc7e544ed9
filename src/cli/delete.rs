//! `answerd delete`: finished jobs, by their ids or a label, gone before they expire.

use clap::Args as ClapArgs;
use clap::builder::NonEmptyStringValueParser;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::startup_summary::fact;
use crate::api::DeletionView;

const EXAMPLES: &str = "\
Examples:
  answerd delete 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10
  answerd delete --label nightly --dry-run
  answerd delete --label nightly";

/// Delete finished jobs, by their ids or a label
///
/// With their results, raw replies, evidence, entries of the cache and pending webhooks. Jobs that
/// have not ended stay; `answerd cancel` ends them.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The ids, as `submit` printed them; at most 1,000
    #[arg(
        value_name = "ID", required_unless_present = "label", conflicts_with = "label",
        value_parser = NonEmptyStringValueParser::new()
    )]
    ids: Vec<String>,
    /// The whole label
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    label: Option<String>,
    /// Count what would go, and delete nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Deletes, and prints what is gone.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let which = args.label.map_or_else(|| ("ids", args.ids.join(",")), |label| ("label", label));
    let query = [which, ("dry_run", args.dry_run.to_string())];
    let (deletion, document) = args.server.client()?.delete(&query)?;
    if console.is_json() {
        console.document(&document)?;
        return Ok(ExitCode::Done);
    }
    let DeletionView {
        label: _,
        dry_run,
        jobs,
        results,
        raw,
        evidence,
        cache_entries,
        webhooks_pending,
        unfinished,
    } = deletion;
    let mut text = String::new();
    let styled = console.styled();
    for (name, count) in [
        ("jobs", jobs),
        ("results", results),
        ("raw", raw),
        ("evidence", evidence),
        ("cache", cache_entries),
        ("webhooks", webhooks_pending),
    ] {
        fact(&mut text, styled, name, &count.to_string());
    }
    console.result(&text)?;
    let stay = match unfinished {
        0 => String::new(),
        1 => "; 1 job that has not ended stays".to_owned(),
        more => format!("; {more} jobs that have not ended stay"),
    };
    let what = if dry_run { "counted, nothing is deleted" } else { "deleted" };
    console.note(&format!("{what}{stay}"));
    Ok(ExitCode::Done)
}
