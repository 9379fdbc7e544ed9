//! `answerd db move` and `answerd db migrate`: a store in a file becomes a shared one, and the
//! tables of a shared one become those of this version.

use serde_json::json;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::progress::Progress;
use super::settings::ConfigArgs;
use super::startup_summary::fact;
use crate::clock::Clock;
use crate::config::Settings;
use crate::store::{MigrateReport, MoveReport, Store};

pub(super) const MOVE_EXAMPLES: &str = "\
Examples:
  answerd db move --config /etc/answerd/config.toml
  ANSWERD_STORE__URL=postgres://answerd@db1,db2/answerd answerd db move";

pub(super) const MIGRATE_EXAMPLES: &str = "\
Examples:
  answerd db migrate
  answerd db migrate --json | jq '.after'";

/// Moves the store at `store.path` to the database at `store.url`, and prints what there is now.
///
/// # Errors
/// Returns an error if the settings name no database, or nothing could be moved.
pub(super) fn move_store(
    config: &ConfigArgs,
    console: &mut Console,
) -> Result<ExitCode, CommandError> {
    let (Settings { store, .. }, _) = config.load()?;
    let Some(shared) = store.shared else { return Err(no_database("that the store moves to")) };
    let report = {
        let working = Progress::working("moving the store", console);
        let mut seen = |rows| working.say(format!("moving the store, {rows} rows so far"));
        Store::move_to_shared(&store.path, &shared, &Clock::corrected(), &mut seen)?
    };
    let MoveReport { jobs, unfinished, batches, deliveries, keys, cache_entries, .. } = report;
    let MoveReport { records, evidence, left, .. } = report;
    if console.is_json() {
        console.document(&json!({
            "jobs": jobs,
            "unfinished": unfinished,
            "batches": batches,
            "deliveries": deliveries,
            "keys": keys,
            "cache_entries": cache_entries,
            "records": records,
            "evidence": evidence,
            "left": left,
        }))?;
        return Ok(ExitCode::Done);
    }
    let (mut text, styled) = (String::new(), console.styled());
    fact(&mut text, styled, "jobs", &format!("{jobs}, {unfinished} of them unfinished"));
    for (name, count) in [
        ("batches", batches),
        ("webhooks", deliveries),
        ("keys", keys),
        ("cache", cache_entries),
        ("records", records),
        ("evidence", evidence),
    ] {
        fact(&mut text, styled, name, &count.to_string());
    }
    console.result(&text)?;
    for what in left {
        console.note(&format!("left where it is: {what}"));
    }
    console
        .note(&format!("the file stays in {}; start no service on it again", store.path.display()));
    Ok(ExitCode::Done)
}

/// Brings the tables of a shared store to the version of this build, and prints it.
///
/// # Errors
/// Returns an error if the settings name no database, or the tables could not be changed.
pub(super) fn migrate(
    config: &ConfigArgs,
    console: &mut Console,
) -> Result<ExitCode, CommandError> {
    let (Settings { store, .. }, _) = config.load()?;
    let Some(shared) = store.shared else { return Err(no_database("whose tables to change")) };
    let MigrateReport { before, after } = {
        let _working = Progress::working("changing the tables", console);
        Store::migrate(&shared)?
    };
    if console.is_json() {
        console.document(&json!({ "before": before, "after": after }))?;
    } else if before == after {
        console.result(&format!("the tables are of version {after} already"))?;
    } else {
        console.result(&format!("version {before} before, {after} now"))?;
    }
    Ok(ExitCode::Done)
}

fn no_database(which: &str) -> CommandError {
    CommandError::WrongUse(format!("`store.url` names no database {which}"))
}
