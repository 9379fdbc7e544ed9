//! `answerd schedule`: batches that a running server submits again and again.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::client::{Client, ClientError, Verb};
use super::console::{Console, Style, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::table::{Cell, Column, Table};
use crate::api::{ScheduleRunView, ScheduleRunsView, ScheduleStatus, ScheduleView, SchedulesView};

const EXAMPLES: &str = "\
Examples:
  answerd schedule add often --every 8h --batch batch.json
  answerd schedule list
  answerd schedule runs daily
  answerd schedule pause daily";

const ADD_EXAMPLES: &str = "\
Examples:
  answerd schedule add daily --cron \"0 6 * * *\" --timezone Europe/Berlin \\
    --prompt \"best shoes\" --scraper chatgpt --scraper perplexity --samples 5
  answerd schedule add often --every 8h --batch batch.json --missed run-once";

/// Submit batches again and again
///
/// A schedule submits a batch at each of its slots, which a cron pattern or an interval gives. A
/// schedule is named by its name or its id.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Add(Box<AddArgs>),
    List(ListArgs),
    /// Stop the slots of a schedule until it is resumed
    #[command(after_help = "Examples:\n  answerd schedule pause daily")]
    Pause(OneArgs),
    /// Let a paused schedule go on with its next slot
    #[command(after_help = "Examples:\n  answerd schedule resume daily")]
    Resume(OneArgs),
    /// Submit the batch of a schedule now
    ///
    /// Beside its slots, paused or not. Exits with 1 while the run before has not ended.
    #[command(after_help = "Examples:\n  answerd schedule run daily")]
    Run(OneArgs),
    /// Show the newest runs of a schedule, and why some did not come about
    #[command(after_help = "Examples:\n  answerd schedule runs daily")]
    Runs(OneArgs),
    /// Remove a schedule
    ///
    /// With the record of its runs. Its batches stay and go on.
    #[command(after_help = "Examples:\n  answerd schedule rm daily")]
    Rm(OneArgs),
}

/// Make a schedule
///
/// Prints its id. With --batch the file has the body of `POST /batches`, and `-` is stdin.
#[derive(Debug, ClapArgs)]
#[command(after_help = ADD_EXAMPLES)]
struct AddArgs {
    /// A name that no other schedule of the key has
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// When, as a cron pattern: minute, hour, day of the month, month, day of the week
    #[arg(long, value_name = "PATTERN", required_unless_present = "every")]
    cron: Option<String>,
    /// The IANA time zone of --cron [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "cron")]
    timezone: Option<String>,
    /// How often, from now on: 8h, 90m, 1d12h
    #[arg(long, value_name = "INTERVAL", conflicts_with = "cron")]
    every: Option<String>,
    /// The most that a slot is delayed by chance, seconds
    #[arg(long, value_name = "SECONDS")]
    jitter: Option<u32>,
    /// What is done about slots that were missed [default: skip]
    #[arg(long, value_enum, value_name = "WHAT")]
    missed: Option<MissedWord>,
    /// No slot is later: RFC 3339, a date, or Unix seconds
    #[arg(long, value_name = "TIME")]
    ends_at: Option<String>,
    /// How many slots may submit a batch
    #[arg(long, value_name = "N")]
    max_runs: Option<u64>,
    /// Make it paused
    #[arg(long)]
    paused: bool,
    /// A file with the body of `POST /batches`; - reads stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "scraper"])]
    batch: Option<PathBuf>,
    /// A prompt; several may be given
    #[arg(long, value_name = "TEXT", required_unless_present = "batch", requires = "scraper")]
    prompt: Vec<String>,
    /// A scraper to ask; several may be given
    #[arg(long, value_name = "NAME", requires = "prompt")]
    scraper: Vec<String>,
    /// A country to ask in; several may be given
    #[arg(long, value_name = "CODE", requires = "prompt")]
    country: Vec<String>,
    /// How often each prompt is asked in a run
    #[arg(long, value_name = "COUNT", requires = "prompt")]
    samples: Option<u32>,
    /// Your own word for the batches and their jobs
    #[arg(long, value_name = "TEXT", requires = "prompt")]
    label: Option<String>,
    /// The tracker whose brands the answers are measured by
    #[arg(long, value_name = "NAME", requires = "prompt")]
    track: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MissedWord {
    /// Nothing
    Skip,
    /// One run for all of them
    RunOnce,
}

/// List the schedules of a key
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  answerd schedule list")]
struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, ClapArgs)]
struct OneArgs {
    /// The schedule's name or its id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    schedule: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Does what the line says.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    match args.action {
        Action::Add(args) => add(*args, console),
        Action::List(args) => list(args, console),
        Action::Pause(args) => change(args, &json!({ "paused": true }), console),
        Action::Resume(args) => change(args, &json!({ "paused": false }), console),
        Action::Run(args) => run_now(args, console),
        Action::Runs(args) => runs(args, console),
        Action::Rm(args) => remove(args, console),
    }
}

fn add(args: AddArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let batch = match &args.batch {
        Some(file) => batch_of_file(file)?,
        None => batch_of_options(&args),
    };
    let missed = args.missed.map(|missed| match missed {
        MissedWord::Skip => "skip",
        MissedWord::RunOnce => "run_once",
    });
    let body = without_nulls(json!({
        "name": args.name,
        "cron": args.cron,
        "timezone": args.timezone,
        "every": args.every,
        "jitter_seconds": args.jitter,
        "missed": missed,
        "ends_at": args.ends_at,
        "max_runs": args.max_runs,
        "paused": args.paused,
        "batch": batch,
    }));
    let client = args.server.client()?;
    let document = client.send(Verb::Post, &["schedules"], Some(&body))?;
    let schedule: ScheduleView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        console.result(&schedule.schedule_id.to_string())?;
        match &schedule.next_at {
            Some(next_at) => console.note(&format!("the first slot is at {next_at}")),
            None => console.note("it is paused, and has no slot until it is resumed"),
        }
    }
    Ok(ExitCode::Done)
}

/// Reads the batch of a file.
fn batch_of_file(file: &Path) -> Result<Value, CommandError> {
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let unreadable = |why: String| {
        CommandError::WrongUse(format!("cannot read the batch of {}: {why}", file.display()))
    };
    let text = text.map_err(|error| unreadable(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))
}

fn batch_of_options(args: &AddArgs) -> Value {
    without_nulls(json!({
        "prompts": args.prompt,
        "scrapers": args.scraper,
        "countries": (!args.country.is_empty()).then_some(&args.country),
        "samples": args.samples,
        "label": args.label,
        "track": args.track,
    }))
}

fn without_nulls(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
}

fn list(args: ListArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let document = client.send(Verb::Get, &["schedules"], None)?;
    let all: SchedulesView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
        return Ok(ExitCode::Done);
    }
    table(&all.schedules).print(console)?;
    let count = all.schedules.len();
    console.note(&format!("{count} {}", if count == 1 { "schedule" } else { "schedules" }));
    Ok(ExitCode::Done)
}

fn table(schedules: &[ScheduleView]) -> Table {
    let mut table = Table::new(&[
        Column::id("id"),
        Column::word("status"),
        Column::text("name"),
        Column::text("when"),
        Column::time("next"),
        Column::time("last"),
        Column::word("outcome"),
    ]);
    for schedule in schedules {
        let last = schedule.last_run.as_ref();
        let cells: [Cell; 7] = [
            schedule.schedule_id.0.as_str().into(),
            status(schedule),
            schedule.name.as_str().into(),
            when(schedule).into(),
            schedule.next_at.as_ref().map_or("", |at| at.0.as_str()).into(),
            last.map_or("", |run| run.at.0.as_str()).into(),
            last.map_or("", |run| run.outcome.as_ref()).into(),
        ];
        table.row(cells);
    }
    table
}

fn status(schedule: &ScheduleView) -> Cell {
    match schedule.status {
        ScheduleStatus::Active if schedule.refused_in_row > 0 => {
            Cell::styled("refused", Style::Bad)
        }
        ScheduleStatus::Active => Cell::styled("active", Style::Good),
        ScheduleStatus::Paused => Cell::styled("paused", Style::Aside),
        ScheduleStatus::Ended => Cell::styled("ended", Style::Aside),
    }
}

fn when(schedule: &ScheduleView) -> String {
    match (&schedule.cron, &schedule.every) {
        (Some(cron), _) => format!("{cron} ({})", schedule.timezone.as_deref().unwrap_or("UTC")),
        (None, every) => format!("every {}", every.as_deref().unwrap_or("?")),
    }
}

/// Finds the id of a schedule by its name, if it is no id.
fn find(client: &Client, named: &str) -> Result<String, ClientError> {
    if uuid::Uuid::try_parse(named).is_ok() {
        return Ok(named.to_owned());
    }
    let document = client.send(Verb::Get, &["schedules"], None)?;
    let all: SchedulesView = client.read(&document)?;
    let found = all.schedules.into_iter().find(|schedule| schedule.name == named);
    // The server says that there is none.
    Ok(found.map_or_else(|| named.to_owned(), |schedule| schedule.schedule_id.to_string()))
}

fn change(args: OneArgs, body: &Value, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let id = find(&client, &args.schedule)?;
    let document = client.send(Verb::Patch, &["schedules", &id], Some(body))?;
    let schedule: ScheduleView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        table(&[schedule]).print(console)?;
    }
    Ok(ExitCode::Done)
}

fn run_now(args: OneArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let id = find(&client, &args.schedule)?;
    let document = client.send(Verb::Post, &["schedules", &id, "run"], None)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        console.result(document["batch_id"].as_str().unwrap_or_default())?;
    }
    Ok(ExitCode::Done)
}

fn remove(args: OneArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let id = find(&client, &args.schedule)?;
    let document = client.send(Verb::Delete, &["schedules", &id], None)?;
    let schedule: ScheduleView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        console.note(&format!("removed {}", printable(&schedule.name)));
    }
    Ok(ExitCode::Done)
}

fn runs(args: OneArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let id = find(&client, &args.schedule)?;
    let document = client.send(Verb::Get, &["schedules", &id, "runs"], None)?;
    let runs: ScheduleRunsView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
        return Ok(ExitCode::Done);
    }
    runs_table(&runs.runs).print(console)?;
    let count = runs.runs.len();
    console.note(&format!("{count} {}", if count == 1 { "run" } else { "runs" }));
    Ok(ExitCode::Done)
}

fn runs_table(runs: &[ScheduleRunView]) -> Table {
    let mut table = Table::new(&[
        Column::word("outcome"),
        Column::time("slot"),
        Column::time("decided"),
        Column::id("batch"),
        Column::number("refused"),
        Column::number("missed"),
        Column::word("code"),
    ]);
    for run in runs {
        let style = if run.outcome == "submitted" { Style::Good } else { Style::Warning };
        let cells: [Cell; 7] = [
            Cell::styled(run.outcome.as_ref(), style),
            run.slot_at.as_ref().map_or("", |at| at.0.as_str()).into(),
            run.at.0.as_str().into(),
            run.batch_id.as_ref().map_or("", |id| id.0.as_str()).into(),
            run.refused_items.into(),
            run.missed.into(),
            run.code.as_deref().unwrap_or_default().into(),
        ];
        table.row_with_notes(cells, run.reason.iter().cloned().collect());
    }
    table
}
