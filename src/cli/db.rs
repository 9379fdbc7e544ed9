//! `answerd db`: looks after the store: check, compact and export of a service that does not run,
//! or of a shared store beside its processes, and backups.

use std::cell::Cell;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;

use super::backup::{self, BackupArgs, RestoreArgs};
use super::console::{Console, Style, Styled};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::moving;
use super::progress::Progress;
use super::settings::ConfigArgs;
use super::startup_summary::fact;
use crate::api::job_object;
use crate::clock::Clock;
use crate::config::SharedStoreSettings;
use crate::store::{CheckReport, ExportReport, HoursProgress, Store, hide_guarded_panics};

/// After how many jobs of an export the count that is shown changes.
const PROGRESS_JOBS: u64 = 1_000;

const EXAMPLES: &str = "\
Examples:
  answerd db backup answerd-$(date +%F).redb
  answerd db check
  answerd db compact --config /etc/answerd/config.toml
  answerd db export > jobs.ndjson
  answerd db export | jq -r 'select(.status == \"failed\").error'";

const CHECK_EXAMPLES: &str = "\
Examples:
  answerd db check
  answerd db check --json | jq -r '.problems[]'";

const COMPACT_EXAMPLES: &str = "\
Examples:
  answerd db compact
  answerd db compact --config /etc/answerd/config.toml";

const EXPORT_EXAMPLES: &str = "\
Examples:
  answerd db export > jobs.ndjson
  answerd db export | jq -r 'select(.status == \"failed\").error'";

/// Look after the store, and back it up
///
/// The store is the one that the settings name. One in a file belongs to one process at a time:
/// while the service runs, all but `backup` refuse to start and leave everything as it is. A
/// shared one, of `store.url`, is checked and exported while its processes run; PostgreSQL's own
/// tools make its backups.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Check that the store is sound
    ///
    /// Reads every page and every row and compares rows with their indexes. Exits with 1 when
    /// something is wrong, and says what.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(ConfigArgs),
    /// Give unused space back to the file system
    ///
    /// The file grows by doubling and keeps its size when jobs expire; this makes it small again. A
    /// shared store needs none of it.
    #[command(after_help = COMPACT_EXAMPLES)]
    Compact(ConfigArgs),
    /// Print every job that is in the store
    ///
    /// One job object on a line (NDJSON), oldest first, as `GET /jobs/{id}` would show it.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ConfigArgs),
    Backup(BackupArgs),
    Restore(RestoreArgs),
    /// Move the store from its file to the database that several processes share
    ///
    /// From `store.path` to `store.url`, while no service has either: all of it or, if it is broken
    /// off, nothing. Ids and cursors stay valid, jobs that wait or ran are run there, and the file
    /// stays as it is. A database that has had jobs is refused.
    #[command(after_help = moving::MOVE_EXAMPLES)]
    Move(ConfigArgs),
    /// Update the tables of a shared store to this version
    ///
    /// Before the first process of a new version starts; those of the version before go on.
    #[command(after_help = moving::MIGRATE_EXAMPLES)]
    Migrate(ConfigArgs),
}

/// Runs the task on the store that the settings name.
///
/// # Errors
/// Returns an error if the settings are refused, or the store cannot be opened or read.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    hide_guarded_panics();
    match args.task {
        Task::Check(config) => check(&KeptIn::load(&config)?, console),
        Task::Compact(config) => compact(&KeptIn::load(&config)?, console),
        Task::Export(config) => export(&KeptIn::load(&config)?, console),
        Task::Backup(args) => backup::back_up(args, console),
        Task::Restore(args) => backup::put_back(args, console),
        Task::Move(config) => moving::move_store(&config, console),
        Task::Migrate(config) => moving::migrate(&config, console),
    }
}

/// The place of the store that the settings name.
enum KeptIn {
    File(PathBuf),
    Database(SharedStoreSettings),
}

impl KeptIn {
    fn load(config: &ConfigArgs) -> Result<KeptIn, CommandError> {
        let (settings, _) = config.load()?;
        let file = KeptIn::File(settings.store.path);
        Ok(settings.store.shared.map_or(file, KeptIn::Database))
    }
}

fn check(store: &KeptIn, console: &mut Console) -> Result<ExitCode, CommandError> {
    let working = Progress::working("reading every page and every row", console);
    let report = match store {
        KeptIn::File(path) => Store::check(path)?,
        KeptIn::Database(settings) => {
            let mut seen = |progress| working.say(said("reading every row", progress));
            Store::check_shared(settings, &Clock::corrected(), &mut seen)?
        }
    };
    drop(working);
    if console.is_json() {
        let free_bytes = report.hours.is_none().then(|| free_bytes(&report));
        console.document(&json!({
            "ok": report.problems_total == 0,
            "jobs": report.jobs,
            "unfinished": report.unfinished,
            "results": report.results,
            "raws": report.raws,
            "cache_entries": report.cache_entries,
            "accounts": report.accounts,
            "observations": report.observations,
            "alerts": report.alerts,
            "notices": report.notices,
            "hours": report.hours,
            "file_bytes": report.file_bytes,
            "free_bytes": free_bytes,
            "problems_total": report.problems_total,
            "problems": report.problems,
        }))?;
    } else {
        console.result(&check_text(&report, console.styled()))?;
    }
    Ok(if report.problems_total == 0 { ExitCode::Done } else { ExitCode::Failed })
}

fn check_text(report: &CheckReport, styled: Styled) -> String {
    let mut text = String::new();
    let jobs = format!("{}, {} of them unfinished", report.jobs, report.unfinished);
    fact(&mut text, styled, "jobs", &jobs);
    fact(&mut text, styled, "results", &report.results.to_string());
    fact(&mut text, styled, "raws", &report.raws.to_string());
    fact(&mut text, styled, "cache", &report.cache_entries.to_string());
    fact(&mut text, styled, "accounts", &report.accounts.to_string());
    fact(&mut text, styled, "measured", &report.observations.to_string());
    let alerts = format!("{}, with {} notices", report.alerts, report.notices);
    fact(&mut text, styled, "alerts", &alerts);
    let file = mebibytes(report.file_bytes);
    match report.hours {
        Some(hours) => fact(&mut text, styled, "tables", &format!("{file}, of {hours} hours")),
        None => {
            let free = mebibytes(free_bytes(report));
            fact(&mut text, styled, "file", &format!("{file}, {free} of it free"));
        }
    }
    if report.problems_total == 0 {
        fact(&mut text, styled, "state", &styled.apply(Style::Good, "sound"));
    }
    for problem in &report.problems {
        fact(&mut text, styled, "wrong", &styled.apply(Style::Bad, problem));
    }
    let unlisted = report.problems_total - report.problems.len() as u64;
    if unlisted > 0 {
        fact(&mut text, styled, "wrong", &format!("and {unlisted} more"));
    }
    text
}

/// What the file has room for without growing.
fn free_bytes(report: &CheckReport) -> u64 {
    report.file_bytes.saturating_sub(report.used_bytes)
}

/// Returns how far something has come that goes hour by hour.
pub(super) fn said(what: &str, progress: HoursProgress) -> String {
    let HoursProgress { hours, hours_total, jobs } = progress;
    format!("{what}, {hours} of {hours_total} hours, {jobs} jobs so far")
}

fn compact(store: &KeptIn, console: &mut Console) -> Result<ExitCode, CommandError> {
    let path = match store {
        KeptIn::File(path) => path,
        KeptIn::Database(_) => return nothing_to_compact(console),
    };
    let (bytes_before, bytes_after) = {
        let _working = Progress::working("moving pages together", console);
        Store::compact(path)?
    };
    if console.is_json() {
        console.document(&json!({ "bytes_before": bytes_before, "bytes_after": bytes_after }))?;
    } else {
        let (before, after) = (mebibytes(bytes_before), mebibytes(bytes_after));
        console.result(&format!("{before} before, {after} now"))?;
    }
    Ok(ExitCode::Done)
}

fn nothing_to_compact(console: &mut Console) -> Result<ExitCode, CommandError> {
    let why = "there is nothing to do: the tables of an hour are dropped when its jobs have \
               expired, and PostgreSQL's autovacuum looks after the rest";
    if console.is_json() {
        console.document(&json!({ "compacted": false, "reason": why }))?;
    } else {
        console.result(why)?;
    }
    Ok(ExitCode::Done)
}

/// The same with and without --json: the lines are for programs anyway.
fn export(store: &KeptIn, console: &mut Console) -> Result<ExitCode, CommandError> {
    let mut lines = BufWriter::new(io::stdout().lock());
    let ExportReport { written, unreadable, unreadable_total } = {
        // Not among the lines, where a person sees those as well.
        let alone = !console.out_is_terminal();
        let working = alone.then(|| Progress::working("writing jobs", console));
        match store {
            KeptIn::File(path) => export_file(path, &mut lines, working.as_ref())?,
            KeptIn::Database(settings) => {
                let mut seen = |progress| {
                    if let Some(working) = &working {
                        working.say(said("writing jobs", progress));
                    }
                };
                Store::export_shared(settings, &mut lines, job_object, &mut seen)?
            }
        }
    };
    lines.flush().map_err(CommandError::Output)?;
    console.note(&format!("{written} jobs"));
    if unreadable_total == 0 {
        return Ok(ExitCode::Done);
    }
    let listed = unreadable.len() as u64;
    for what in unreadable {
        console.note(&format!("not read: {what}"));
    }
    if unreadable_total > listed {
        console.note(&format!("not read: and {} more", unreadable_total - listed));
    }
    console.note("`answerd db check` names what is damaged");
    Ok(ExitCode::Failed)
}

fn export_file(
    path: &Path,
    lines: &mut dyn Write,
    working: Option<&Progress>,
) -> Result<ExportReport, CommandError> {
    let seen = Cell::new(0_u64);
    Ok(Store::export(path, lines, |job, id, result| {
        seen.set(seen.get() + 1);
        if let Some(working) = working.filter(|_| seen.get().is_multiple_of(PROGRESS_JOBS)) {
            working.say(format!("writing jobs, {} so far", seen.get()));
        }
        job_object(job, id, result)
    })?)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_says_sound_or_what_is_wrong() {
        let sound = CheckReport {
            jobs: 12,
            unfinished: 2,
            results: 9,
            file_bytes: 3 << 20,
            used_bytes: 1 << 20,
            ..CheckReport::default()
        };
        insta::assert_snapshot!(check_text(&sound, Styled::PLAIN), @r"
        jobs       12, 2 of them unfinished
        results    9
        raws       0
        cache      0
        accounts   0
        measured   0
        alerts     0, with 0 notices
        file       3.0 MiB, 2.0 MiB of it free
        state      sound
        ");
        let problems = vec!["job row 7 is not in the expiry index".to_owned()];
        let wrong = CheckReport { problems, problems_total: 3, ..sound };
        let text = check_text(&wrong, Styled::PLAIN);
        assert!(text.contains("wrong      job row 7 is not in the expiry index\n"), "{text}");
        assert!(text.ends_with("wrong      and 2 more\n"), "{text}");
    }
}
