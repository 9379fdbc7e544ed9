//! `answerd reread`: results rendered again from the raw replies that are kept, with today's
//! parsers.

use clap::Args as ClapArgs;
use serde_json::json;

use super::console::{Console, Style};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::settings::ConfigArgs;
use crate::clock::{Clock, parse_moment};
use crate::service::{Reread, RereadOptions, reread};
use crate::store::hide_guarded_panics;

const EXAMPLES: &str = "\
Examples:
  answerd reread --dry-run
  answerd reread --since 2026-05-11
  answerd reread --json | jq '.changed'";

/// Render results again from the raw replies that are kept
///
/// Reads what upstreams have sent (`keep_raw`, `raw=true`) with the parsers of this version, and
/// stores the results that differ; each keeps its id and says when in `reread_at`. Nothing is asked
/// again and nothing is charged. The store is the one that the settings name; while the service
/// runs, the command refuses to start, as the `db` commands do.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only jobs submitted at this time or later: RFC 3339, a date, or Unix seconds
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Reads again, and prints a line for each job that changes or cannot be read.
///
/// # Errors
/// Returns an error if `--since` is no time, the settings are refused, or the store cannot be used.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    hide_guarded_panics();
    let since = args.since.as_deref().map(|given| {
        let wrong = "--since must be a time such as 2026-05-11T12:00:00Z, a date, or Unix seconds";
        parse_moment(given).ok_or_else(|| CommandError::WrongUse(wrong.to_owned()))
    });
    let since_ms = since.transpose()?.map(|since| since.first_ms);
    let (settings, _) = args.config.load()?;
    let options = RereadOptions { since_ms, dry_run: args.dry_run };
    let mut jobs = Vec::new();
    let report = reread(&settings, options, &Clock::System, |id, outcome| {
        if *outcome != Reread::Same {
            jobs.push((id, outcome.clone()));
        }
    })?;
    if console.is_json() {
        let jobs = jobs.iter().map(|(id, outcome)| match outcome {
            Reread::Changed(fields) => json!({ "job_id": id.to_string(), "changed": fields }),
            Reread::Skipped(why) => json!({ "job_id": id.to_string(), "skipped": why }),
            Reread::Same => json!({ "job_id": id.to_string() }),
        });
        console.document(&json!({
            "dry_run": args.dry_run,
            "same": report.same,
            "changed": report.changed,
            "skipped": report.skipped,
            "jobs": jobs.collect::<Vec<_>>(),
        }))?;
        return Ok(ExitCode::Done);
    }
    let styled = console.styled();
    for (id, outcome) in &jobs {
        let what = match outcome {
            Reread::Changed(fields) => styled.apply(Style::Good, &fields.join(", ")),
            Reread::Skipped(why) => format!("left as it is: {why}"),
            Reread::Same => continue,
        };
        console.result(&format!("{id}  {what}"))?;
    }
    let verb = if args.dry_run { "would change" } else { "changed" };
    console.note(&format!(
        "{} {verb}, {} the same, {} left as they are",
        report.changed, report.same, report.skipped
    ));
    Ok(ExitCode::Done)
}
