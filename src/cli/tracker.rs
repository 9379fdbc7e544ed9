//! `answerd tracker`: which brands are looked for in answers, and measuring results that are still
//! there.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, Verb};
use super::console::{Console, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::startup_summary::fact;
use super::table::{Cell, Column, Table};
use crate::api::{AppliedView, TrackerView, TrackersView};

const EXAMPLES: &str = "\
Examples:
  answerd tracker put acme --own Acme=acme.com --rival Globex=globex.com,globex.io
  answerd tracker put acme --file tracker.json
  answerd tracker apply acme
  answerd tracker list";

const PUT_EXAMPLES: &str = "\
Examples:
  answerd tracker put acme --own Acme=acme.com --rival Globex=globex.com,globex.io
  answerd tracker put acme --file tracker.json";
const LIST_EXAMPLES: &str = "\
Examples:
  answerd tracker list
  answerd tracker list --json | jq -r '.trackers[].name'";
const SHOW_EXAMPLES: &str = "\
Examples:
  answerd tracker show acme
  answerd tracker show acme --json | jq .brands";
const RM_EXAMPLES: &str = "\
Examples:
  answerd tracker rm acme";
const APPLY_EXAMPLES: &str = "\
Examples:
  answerd tracker apply acme
  answerd tracker apply acme --json | jq .measured";

/// The longest file, bytes.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Keep the brands that are looked for in answers
///
/// Jobs with `--track NAME` are measured by the tracker's latest version, and `answerd report`
/// shows the rates. A change of the brands makes a new version; what was measured before stays
/// under the version that measured it.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make a tracker, or a new version of it
    #[command(after_help = PUT_EXAMPLES)]
    Put(PutArgs),
    /// List the trackers of a key
    #[command(after_help = LIST_EXAMPLES)]
    List(ServerArgs),
    /// Show a tracker
    #[command(after_help = SHOW_EXAMPLES)]
    Show(NamedArgs),
    /// Delete a tracker with all that it has measured
    #[command(after_help = RM_EXAMPLES)]
    Rm(NamedArgs),
    /// Measure the results that are still there
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(NamedArgs),
}

#[derive(Debug, ClapArgs)]
struct NamedArgs {
    /// The tracker's name
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, ClapArgs)]
struct PutArgs {
    /// The tracker's name: lower-case letters, digits, `-` and `_`
    name: String,
    /// A JSON file as `PUT /trackers/{tracker}` takes it; `-` reads stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["own", "rival"])]
    file: Option<PathBuf>,
    /// A brand of yours, with its domains: NAME or NAME=DOMAIN,DOMAIN
    #[arg(long, value_name = "BRAND", required_unless_present_any = ["file", "rival"])]
    own: Vec<String>,
    /// Another brand, in the same form
    #[arg(long, value_name = "BRAND")]
    rival: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
}

/// Does the task and prints what has come of it.
///
/// # Errors
/// Returns an error if the file cannot be read, or the server refuses or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    match args.task {
        Task::Put(args) => {
            let body = match &args.file {
                Some(file) => read(file)?,
                None => brands(&args.own, &args.rival),
            };
            let client = args.server.client()?;
            let path = ["trackers", &args.name];
            let document = client.send(Verb::Put, &path, Some(&body))?;
            show(&client.read(&document)?, &document, console)?;
        }
        Task::List(server) => {
            let client = server.client()?;
            let document = client.send(Verb::Get, &["trackers"], None)?;
            let list: TrackersView = client.read(&document)?;
            if console.is_json() {
                console.document(&document)?;
            } else {
                table(&list.trackers).print(console)?;
                let count = list.trackers.len();
                let noun = if count == 1 { "tracker" } else { "trackers" };
                console.note(&format!("{count} {noun}"));
            }
        }
        Task::Show(args) => {
            let client = args.server.client()?;
            let document = client.send(Verb::Get, &["trackers", &args.name], None)?;
            show(&client.read(&document)?, &document, console)?;
        }
        Task::Rm(args) => {
            let client = args.server.client()?;
            let document = client.send(Verb::Delete, &["trackers", &args.name], None)?;
            let tracker: TrackerView = client.read(&document)?;
            if console.is_json() {
                console.document(&document)?;
            } else {
                console.note(&format!("tracker {} deleted", printable(&tracker.name)));
            }
        }
        Task::Apply(args) => apply(args.server.client()?, &args.name, console)?,
    }
    Ok(ExitCode::Done)
}

fn apply(client: Client, name: &str, console: &mut Console) -> Result<(), CommandError> {
    let document = client.apply_tracker(name)?;
    let applied: AppliedView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
        return Ok(());
    }
    let mut text = String::new();
    let styled = console.styled();
    fact(&mut text, styled, "version", &applied.version.to_string());
    fact(&mut text, styled, "measured", &applied.measured.to_string());
    fact(&mut text, styled, "already", &applied.already.to_string());
    fact(&mut text, styled, "cached", &applied.cached.to_string());
    console.result(&text)?;
    Ok(())
}

/// Reads a body from a file.
fn read(file: &Path) -> Result<Value, CommandError> {
    let failed = |error: &dyn std::fmt::Display| {
        CommandError::WrongUse(format!("cannot read the tracker from {}: {error}", file.display()))
    };
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text),
        false => {
            File::open(file).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        }
    };
    read.map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

/// Returns the body of brands as options give them.
fn brands(own: &[String], rivals: &[String]) -> Value {
    let brand = |given: &String, own: bool| {
        let (name, domains) = given.split_once('=').unwrap_or((given, ""));
        let domains = domains.split(',').map(str::trim).filter(|domain| !domain.is_empty());
        json!({ "name": name, "domains": domains.collect::<Vec<_>>(), "own": own })
    };
    let own = own.iter().map(|it| brand(it, true));
    let brands: Vec<Value> = own.chain(rivals.iter().map(|it| brand(it, false))).collect();
    json!({ "brands": brands })
}

fn show(
    tracker: &TrackerView,
    document: &Value,
    console: &mut Console,
) -> Result<(), CommandError> {
    if console.is_json() {
        console.document(document)?;
        return Ok(());
    }
    let mut text = String::new();
    let styled = console.styled();
    fact(&mut text, styled, "tracker", &printable(&tracker.name));
    fact(&mut text, styled, "version", &tracker.version.to_string());
    fact(&mut text, styled, "changed", &printable(&tracker.changed_at.0));
    for brand in &tracker.brands {
        let names: Vec<&str> =
            std::iter::once(&brand.name).chain(&brand.aliases).map(String::as_str).collect();
        let shown = format!("{} ({})", names.join(", "), brand.domains.join(", "));
        let label = if brand.own { "own" } else { "rival" };
        fact(&mut text, styled, label, &printable(shown.trim_end_matches(" ()")));
    }
    console.result(&text)?;
    for warning in &tracker.warnings {
        console.note(&printable(warning));
    }
    Ok(())
}

fn table(trackers: &[TrackerView]) -> Table {
    let mut table = Table::new(&[
        Column::word("tracker"),
        Column::number("version"),
        Column::time("changed"),
        Column::text("brands"),
    ]);
    for tracker in trackers {
        let names: Vec<&str> = tracker.brands.iter().map(|brand| brand.name.as_str()).collect();
        let cells: [Cell; 4] = [
            tracker.name.as_str().into(),
            tracker.version.into(),
            tracker.changed_at.0.as_str().into(),
            names.join(", ").into(),
        ];
        table.row(cells);
    }
    table
}
