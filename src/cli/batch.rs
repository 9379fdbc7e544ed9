//! `answerd batch`: the prompts of a file, submitted in batches, and their answers, collected in
//! the order of the file.

mod input;
mod output;
mod work;

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::json;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::signals;
use crate::clock::Clock;
use crate::http::Formulas;
use input::{InputFormat, InputLine};
use output::Output;
use work::{Defaults, Tally, Work};

const EXAMPLES: &str = "\
Examples:
  answerd batch prompts.csv --scraper chatgpt --out answers.csv
  answerd batch prompts.ndjson --out answers.ndjson
  answerd batch prompts.csv --scraper practice | jq -r .job.result.result
  grep -v '^#' prompts.txt | answerd batch - --scraper chatgpt --out answers.csv

A CSV file needs a header with the column `prompt`, and has its cells between `,`, `;` or tabs; an
NDJSON file has an object on each line, and a text file a prompt. Other columns and fields are
passed through to the output.";

/// Submit the prompts of a file and collect the answers
///
/// Writes a line for each line of the file, in its order, once all have ended. Stopped half way,
/// with Ctrl-C for example, the same command continues where it stopped: no prompt is asked twice.
/// Exits with 1 when it was stopped, a line was refused or its job failed.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The file: FILE.csv, FILE.ndjson, FILE.jsonl or FILE.txt; `-` reads stdin
    file: PathBuf,
    /// Its format [default: by its name, or by the first line of stdin]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<InputFormat>,
    /// Where the answers go: CSV when it ends in .csv, otherwise NDJSON [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Cells of a CSV file that a spreadsheet would run: escape puts a ' before them, keep leaves
    /// them
    #[arg(long, value_name = "HOW", default_value = "escape", value_parser = formulas)]
    formulas: Formulas,
    /// The scraper of lines that name none
    #[arg(long, value_name = "NAME")]
    scraper: Option<String>,
    /// The country of lines that name none, ISO 3166-1 alpha-2 [default: US]
    #[arg(long, value_name = "CODE")]
    country: Option<String>,
    /// The label of lines that have none
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// How long one attempt may take where the line does not say, 10 to 600 seconds [default: 300]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Ask even where the cache holds an answer
    #[arg(long)]
    bypass_cache: bool,
    /// Ignore saved progress and resubmit every line
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    server: ServerArgs,
}

fn formulas(word: &str) -> Result<Formulas, String> {
    Formulas::of(word).ok_or_else(|| "must be escape or keep".to_owned())
}

/// Refuses a file with lines for no scraper before anything is asked: the server would refuse each.
fn check_scrapers(lines: &[InputLine]) -> Result<(), CommandError> {
    let without = lines.iter().enumerate().filter(|(_, line)| !line.has_scraper());
    let numbers: Vec<usize> = without.map(|(at, _)| at + 1).collect();
    match numbers.first() {
        None => Ok(()),
        Some(first) => Err(CommandError::WrongUse(format!(
            "{} of {} prompts name no scraper, the first is number {first}: give --scraper NAME, \
             or fill the column `scraper`",
            numbers.len(),
            lines.len()
        ))),
    }
}

/// Works through a file.
///
/// # Errors
/// Returns an error if the file or the output is unusable, the server refuses or stays out of
/// reach, or the work is stopped.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let input = input::read(&args.file, args.format)?;
    if args.scraper.is_none() {
        check_scrapers(&input.lines)?;
    }
    let mut output = Output::open(args.out.as_deref(), &input.columns, args.formulas)?;
    let defaults = Defaults {
        scraper: args.scraper,
        country: args.country,
        label: args.label,
        timeout: args.timeout,
        bypass_cache: args.bypass_cache.then_some(true),
    };
    let salt = if args.again { work::fresh_salt()? } else { String::new() };
    let client = args.server.client()?;
    let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
    signals::on_stop(move || drop(stop))?;
    let lines = &input.lines;
    let work = Work {
        client: &client,
        clock: &Clock::System,
        lines,
        defaults: &defaults,
        salt: &salt,
        stopped: &stopped,
    };
    let tally = work.run(console, &mut output)?;
    output.finish()?;
    let lines = input.lines.len();
    if console.is_json() && args.out.is_some() {
        let Tally { done, failed, refused } = tally;
        console.document(
            &json!({ "lines": lines, "done": done, "failed": failed, "refused": refused }),
        )?;
    }
    Ok(if tally.done == lines { ExitCode::Done } else { ExitCode::Failed })
}
