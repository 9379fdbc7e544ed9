//! The command line: what can be typed, which command runs, and what its exit code says. Commands
//! parse, call and print; the rules are the server's.

mod alert;
mod backup;
mod batch;
mod batches;
mod bulk;
mod check;
mod client;
mod complete;
mod console;
mod database_check;
mod db;
mod defaults;
mod delete;
mod demo;
mod error;
mod exit_code;
mod export;
mod failure;
mod follow;
mod job_filters;
mod jobs;
mod keygen;
mod list;
mod live;
mod log;
mod mcp;
mod moving;
mod nodes;
mod open;
mod page_opener;
mod progress;
mod ready;
mod recipe;
mod reload;
mod render;
mod report;
mod reread;
mod schedule;
mod scrape_options;
mod scrapers;
mod serve;
mod settings;
mod several;
mod shell;
mod signals;
mod startup_summary;
mod table;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;
mod text_width;
mod tracker;
mod unit;
mod usage;
mod watchdog;
mod webhook;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use serde_json::json;

use console::Console;
use error::CommandError;
use exit_code::ExitCode;

const EXAMPLES: &str = "\
Examples:
  answerd demo                               see it work, without a key or a file
  answerd serve                              run the service
  answerd submit practice \"What is a job?\" --wait
                                             ask the running service

Exit codes: 0 done, 1 the job or the call failed, 2 wrong use, 3 the server cannot be reached.
`answerd COMMAND --help` says more than `answerd COMMAND -h`.";

const VERSION_EXAMPLES: &str = "\
Examples:
  answerd version
  answerd version --json | jq -r .version";

/// Prompts to AI answer engines as durable jobs, answers back as data
///
/// answerd takes prompts over an HTTP API, keeps them as jobs on disk, asks the engines that are
/// configured (official APIs, SERP vendors), tries again where that can help, and hands the answers
/// back as JSON. It is one binary with an embedded store and needs nothing beside it.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON on stdout, and nothing else there
    ///
    /// One document on one line. Errors are `{"detail", "code"}` on stdout as well; progress and
    /// messages for people stay on stderr.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Demo(demo::Args),
    Check(check::Args),
    Config(defaults::Args),
    Keygen(keygen::Args),
    Submit(jobs::SubmitArgs),
    Batch(batch::Args),
    Get(jobs::GetArgs),
    Watch(jobs::WatchArgs),
    List(list::Args),
    Batches(batches::Args),
    Scrapers(scrapers::Args),
    Cancel(bulk::CancelArgs),
    Retry(bulk::RetryArgs),
    Delete(delete::Args),
    Export(export::Args),
    Webhook(webhook::Args),
    Schedule(schedule::Args),
    Tracker(tracker::Args),
    Report(report::Args),
    Alert(alert::Args),
    Usage(usage::Args),
    Nodes(nodes::Args),
    Open(open::Args),
    Mcp(mcp::Args),
    Recipe(recipe::Args),
    Db(db::Args),
    Reread(reread::Args),
    Ready(ready::Args),
    Unit(unit::Args),
    Completions(shell::CompletionsArgs),
    Complete(complete::Args),
    Man(shell::ManArgs),
    /// Print the version
    ///
    /// The same as --version, and with --json a document for programs.
    #[command(after_help = VERSION_EXAMPLES)]
    Version,
}

/// Runs the command that this process was started with.
pub fn main() -> std::process::ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command, json }) => {
            let mut console = Console::of_process(json);
            std::process::ExitCode::from(run(command, &mut console).code())
        }
        Err(error) if error.use_stderr() => {
            // What was typed could not be read, so this looks for the word alone.
            let json = std::env::args_os().skip(1).any(|word| word == "--json");
            let mut console = Console::of_process(json);
            std::process::ExitCode::from(refuse_line(error, &mut console).code())
        }
        Err(help) => help.exit(),
    }
}

/// Prints what is wrong with a command line, as every other error is printed.
fn refuse_line(mut error: clap::Error, console: &mut Console) -> ExitCode {
    // clap names everything that is similar, the nearest last.
    if let Some(ContextValue::Strings(similar)) = error.get(ContextKind::SuggestedSubcommand) {
        let nearest = similar.last().cloned().into_iter().collect();
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(nearest));
    }
    if console.is_json() {
        let detail = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            "a command is missing; --help lists them".to_owned()
        } else {
            // The first paragraph says what is wrong, and what follows how it goes.
            let text = error.render().to_string();
            let words = text.split("\n\n").next().unwrap_or_default().split_whitespace();
            let words: Vec<&str> = words.skip_while(|word| *word == "error:").collect();
            words.join(" ")
        };
        // Stdout is gone too, then; stderr has the sentence.
        let _ = console.document(&json!({ "detail": detail, "code": "wrong_use" }));
    }
    let rendered = error.render();
    let text = if console.err_styled().is_on() {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    };
    console.note(text.trim_end());
    ExitCode::WrongUse
}

/// Prints the version.
///
/// # Errors
/// Returns an error if stdout cannot be written to.
fn version(console: &mut Console) -> Result<ExitCode, CommandError> {
    let version = env!("CARGO_PKG_VERSION");
    if console.is_json() {
        console.document(&json!({ "version": version }))?;
    } else {
        console.result(&format!("answerd {version}"))?;
    }
    Ok(ExitCode::Done)
}

fn run(command: Command, console: &mut Console) -> ExitCode {
    let outcome = match command {
        Command::Serve(args) => serve::run(args, console),
        Command::Demo(args) => demo::run(args, console),
        Command::Check(args) => check::run(args, console),
        Command::Config(args) => defaults::run(&args, console),
        Command::Keygen(args) => keygen::run(args, console),
        Command::Submit(args) => jobs::submit(args, console),
        Command::Batch(args) => batch::run(args, console),
        Command::Get(args) => jobs::get(args, console),
        Command::Watch(args) => jobs::watch(args, console),
        Command::List(args) => list::run(args, console),
        Command::Batches(args) => batches::run(args, console),
        Command::Scrapers(args) => scrapers::run(args, console),
        Command::Cancel(args) => bulk::cancel(args, console),
        Command::Retry(args) => bulk::retry(args, console),
        Command::Delete(args) => delete::run(args, console),
        Command::Export(args) => export::run(args, console),
        Command::Webhook(args) => webhook::run(args, console),
        Command::Schedule(args) => schedule::run(args, console),
        Command::Tracker(args) => tracker::run(args, console),
        Command::Report(args) => report::run(args, console),
        Command::Alert(args) => alert::run(args, console),
        Command::Usage(args) => usage::run(args, console),
        Command::Nodes(args) => nodes::run(args, console),
        Command::Open(args) => open::run(args, console),
        Command::Mcp(args) => mcp::run(args, console),
        Command::Recipe(args) => recipe::run(args, console),
        Command::Db(args) => db::run(args, console),
        Command::Reread(args) => reread::run(args, console),
        Command::Ready(args) => ready::run(args, console),
        Command::Unit(args) => unit::run(&args, console),
        Command::Completions(args) => shell::completions(&args, Cli::command(), console),
        Command::Complete(args) => complete::run(args, Cli::command(), console),
        Command::Man(args) => shell::man(&args, Cli::command(), console),
        Command::Version => version(console),
    };
    outcome.unwrap_or_else(|error| failure::report(&error, console))
}
