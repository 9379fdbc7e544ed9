//! `answerd db backup` and `answerd db restore`: a checked copy of the store, of a service that
//! runs or is stopped, and the way back.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::progress::Progress;
use super::settings::ConfigArgs;
use crate::http::local_url;
use crate::store::{BackupError, BackupReport, Store, StoreError, restore, write_backup};

const BACKUP_EXAMPLES: &str = "\
Examples:
  answerd db backup answerd-$(date +%F).redb
  ANSWERD_API_KEY=ak_... answerd db backup --url https://answers.example.com answers.redb";

const RESTORE_EXAMPLES: &str = "\
Examples:
  answerd db restore answerd-2026-05-11.redb
  answerd db restore answerd-2026-05-11.redb --replace";

/// Copy the store into a new file, while the service runs or is stopped
///
/// The copy is the store as it was at one moment, and is checked before it has its name; until then
/// the file ends in .part. A running service makes the copy itself: it is reached at --url, or else
/// at the address of the settings, and where it has keys wants an operator's, with
/// `http.operators_read_jobs`. The evidence of browsers, the directory `evidence` beside the store,
/// is not in it.
#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(crate) struct BackupArgs {
    /// The new file
    #[arg(value_name = "DEST")]
    path: PathBuf,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// Put a backup in the place of the store, while the service is stopped
///
/// The backup is checked first. A store that is there is only replaced with --replace, and never
/// while a service has it open.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(crate) struct RestoreArgs {
    /// The file of `db backup`, or the copied data directory of a stopped service
    #[arg(value_name = "SRC")]
    source: PathBuf,
    /// Replace the store that is there; its jobs are gone then
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Writes a backup and prints what it holds.
///
/// # Errors
/// Returns an error if the file is there already, the store or the server refuses, or the copy is
/// not whole and sound.
pub(crate) fn back_up(args: BackupArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let BackupArgs { path, config, server } = args;
    let report = if server.is_named() {
        of_service(&server.client()?, &path, console)?
    } else {
        let (settings, _) = config.load()?;
        match Store::backup_of_stopped(&settings.store.path) {
            Ok(stopped) => {
                let working = Progress::working("copying the store", console);
                write_backup(stopped, &path, |rows, total| working.say(copied(rows, total)))?
            }
            // The service has it.
            Err(StoreError::InUse(_)) => {
                let client = server.client_or(&local_url(settings.http.bind))?;
                of_service(&client, &path, console)?
            }
            Err(error) => return Err(error.into()),
        }
    };
    let BackupReport { rows, jobs, file_bytes } = report;
    if console.is_json() {
        console.document(
            &json!({ "path": path, "jobs": jobs, "rows": rows, "file_bytes": file_bytes }),
        )?;
    } else {
        console.result(&path.display().to_string())?;
        let noun = if jobs == 1 { "job" } else { "jobs" };
        console.note(&format!("{jobs} {noun}, {rows} rows; checked, and sound"));
        console.note("without the evidence of browsers, the directory `evidence` beside the store");
    }
    Ok(ExitCode::Done)
}

fn of_service(
    client: &Client,
    path: &Path,
    console: &mut Console,
) -> Result<BackupReport, CommandError> {
    if path.exists() {
        // Before the service begins.
        return Err(BackupError::Exists(path.display().to_string()).into());
    }
    let working = Progress::working("copying the store of the service", console);
    let source = BufReader::new(client.download(&["backup"], &[])?);
    Ok(write_backup(source, path, |rows, total| working.say(copied(rows, total)))?)
}

/// Puts a backup back and prints what it holds.
///
/// # Errors
/// Returns an error if a store is there or in use, or the backup is not sound.
pub(crate) fn put_back(args: RestoreArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let (settings, _) = args.config.load()?;
    let directory = &settings.store.path;
    let report = {
        let working = Progress::working("reading the backup", console);
        restore(&args.source, directory, args.replace, |bytes, total| {
            working.say(format!("{} of {} MiB copied", bytes >> 20, total >> 20));
        })?
    };
    if console.is_json() {
        console.document(&json!({
            "directory": directory,
            "jobs": report.jobs,
            "unfinished": report.unfinished,
            "file_bytes": report.file_bytes,
            "replaced": report.replaced,
        }))?;
    } else {
        let (jobs, unfinished) = (report.jobs, report.unfinished);
        let noun = if jobs == 1 { "job" } else { "jobs" };
        console.result(&format!("{jobs} {noun}, {unfinished} unfinished"))?;
        console.note("unfinished jobs run once the service starts, even if they ended meanwhile");
    }
    Ok(ExitCode::Done)
}

fn copied(rows: u64, total: u64) -> String {
    format!("{rows} of {total} rows copied")
}
