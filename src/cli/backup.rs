//! `answerd db backup` and `answerd db restore`: a checked copy of the store, of a service that
//! runs or is stopped, and the way back.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::client::{Client, ClientError};
use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::progress::Progress;
use super::settings::ConfigArgs;
use crate::clock::Clock;
use crate::config::Settings;
use crate::http::local_url;
use crate::store::{
    BackupError, BackupReport, PartialBackup, Store, StoreError, restore, write_backup,
};

/// The pause before a lost connection is made again, milliseconds.
const PAUSE_MS: u64 = 500;
/// How often a connection may be lost, or not be made, before more has come: about a minute of a
/// server that is gone.
const LOSSES_MAX: u32 = 120;
/// How often one run may begin: a service that restarts meanwhile has to begin again.
const BEGINS_MAX: u32 = 2;

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
/// `http.operators_read_jobs`. Where the connection breaks off the copy goes on, and after a kill
/// the same command goes on with it, within ten minutes. The evidence of browsers, the directory
/// `evidence` beside the store, is not in it.
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
        refuse_shared(&settings)?;
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

/// Refuses what is done to a store in a file where the settings name a database.
fn refuse_shared(settings: &Settings) -> Result<(), CommandError> {
    if settings.store.shared.is_none() {
        return Ok(());
    }
    Err(CommandError::WrongUse(
        "`store.url` names a database, and PostgreSQL's own tools make its backups and put them \
         back: `pg_basebackup` with an archive of the WAL, or `pg_dump` and `pg_restore`"
            .to_owned(),
    ))
}

fn of_service(
    client: &Client,
    path: &Path,
    console: &mut Console,
) -> Result<BackupReport, CommandError> {
    // Before the service begins.
    let mut backup = PartialBackup::open(path)?;
    let outcome = Copy { client, connections: 0, begins: 0 }.run(&mut backup, console);
    let Err(error) = outcome else {
        let _working = Progress::working("checking the copy", console);
        return Ok(backup.finish()?);
    };
    if may_go_on(&error) && backup.resume_point().is_some() {
        backup.leave();
        console.note("what has come is kept; the same command goes on with it");
    }
    Err(error)
}

/// A copy of the store of a service, over as many connections as it takes.
struct Copy<'a> {
    client: &'a Client,
    connections: u32,
    begins: u32,
}

impl Copy<'_> {
    fn run(
        &mut self,
        backup: &mut PartialBackup,
        console: &mut Console,
    ) -> Result<(), CommandError> {
        let (mut losses, mut blocks) = (0, 0);
        while !backup.is_whole() {
            let Err(error) = self.receive(backup, console) else { continue };
            let point = backup.resume_point().filter(|_| self.connections > 0);
            let Some(point) = point.filter(|_| is_passing(&error)) else { return Err(error) };
            if point.block != blocks {
                (losses, blocks) = (0, point.block);
                console.note(&format!("{error}; connecting again"));
            }
            losses += 1;
            if losses > LOSSES_MAX {
                return Err(error);
            }
            pause();
        }
        Ok(())
    }

    /// Copies what comes over one connection.
    fn receive(
        &mut self,
        backup: &mut PartialBackup,
        console: &mut Console,
    ) -> Result<(), CommandError> {
        let point = backup.resume_point();
        let mut reply = self.client.backup(point);
        let mut begins = point.is_none();
        if !begins && reply.as_ref().is_err_and(is_gone) && self.begins < BEGINS_MAX {
            console.note("the service does not have that backup any more; it begins again");
            reply = self.client.backup(None);
            begins = true;
        }
        let (id, reply) = reply?;
        self.connections += 1;
        if begins {
            self.begins += 1;
            backup.begin(id)?;
        }
        let working = Progress::working("copying the store of the service", console);
        let mut source = BufReader::new(reply);
        Ok(backup.copy(&mut source, |rows, total| working.say(copied(rows, total)))?)
    }
}

/// Returns whether the server has ended the backup that it was asked to go on with.
fn is_gone(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { code: Some(code), .. } if code == "backup_not_found")
}

/// Returns whether another connection may well bring what is missing.
fn is_passing(error: &CommandError) -> bool {
    if let CommandError::Client(error) = error {
        error.is_transient()
    } else {
        is_broken_off(error)
    }
}

/// Returns whether what has come is of use to the next run.
fn may_go_on(error: &CommandError) -> bool {
    matches!(error, CommandError::Client(_)) || is_broken_off(error)
}

fn is_broken_off(error: &CommandError) -> bool {
    matches!(error, CommandError::Backup(BackupError::Broken(_)))
}

fn pause() {
    let until_ms = Clock::System.now_ms() + PAUSE_MS;
    let _ = Clock::System.recv_until(&crossbeam_channel::never::<()>(), Some(until_ms));
}

/// Puts a backup back and prints what it holds.
///
/// # Errors
/// Returns an error if a store is there or in use, or the backup is not sound.
pub(crate) fn put_back(args: RestoreArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let (settings, _) = args.config.load()?;
    refuse_shared(&settings)?;
    let directory = &settings.store.path;
    let report = {
        let working = Progress::working("reading the backup", console);
        restore(&args.source, directory, args.replace, |bytes, total| {
            working.say(match bytes < total {
                true => format!("{} of {} MiB copied", bytes >> 20, total >> 20),
                false => "checking the copy".to_owned(),
            });
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
    match rows < total {
        true => format!("{rows} of {total} rows copied"),
        // It follows at once, and may take as long.
        false => "checking the copy".to_owned(),
    }
}
