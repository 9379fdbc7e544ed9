//! `answerd check`: whether a start would succeed, and which scrapers would be ready; with --live
//! also whether the upstreams answer.

use clap::Args as ClapArgs;
use serde_json::json;

use super::console::{Console, Style};
use super::database_check::DatabaseCheck;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::live;
use super::settings::ConfigArgs;
use super::startup_summary::StartupSummary;
use super::table::Audience;
use crate::clock::Clock;
use crate::config::{ConfigError, Settings};

const EXAMPLES: &str = "\
Examples:
  answerd check
  answerd check --offline                     do not ask the database of a shared store
  answerd check --config /etc/answerd/config.toml
  answerd check --json | jq '.scrapers[] | select(.ready).name'
  answerd check --live                        call every upstream that is ready, once
  answerd check --live --json | jq '.upstreams[] | select(.state == \"failed\")'";

/// Check the settings and show which scrapers are ready
///
/// Reads the settings as `serve` would and, without --live, calls no upstream. Exits with 2 and
/// names everything that is wrong when `serve` would refuse them. A scraper that lacks a key is
/// shown with the setting it lacks and is no error. With --live it exits with 1 when an upstream
/// that was called did not answer. A database that processes share is looked at too, and nothing is
/// written there; it exits with 1 when `serve` would refuse it.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Call every upstream that is ready once and show what came back
    ///
    /// Costs one request at each provider, or what one answer takes there. The calls are made one
    /// after the other, each within its upstream's `timeout_seconds`; no service has to run.
    #[arg(long)]
    live: bool,
    /// Do not ask the database that processes share
    #[arg(long, conflicts_with = "live")]
    offline: bool,
    /// What --live asks
    #[arg(long, value_name = "PROMPT", default_value = live::PROMPT, requires = "live")]
    prompt: String,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Prints what is wrong with the settings, or what they amount to; with --live what the upstreams
/// said.
///
/// # Errors
/// Returns an error if the prompt breaks its rule, or stdout cannot be written to.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let loaded = args.config.load_for_service();
    let (settings, origin) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return refused(&error, console),
    };
    let summary = StartupSummary::new(&settings, &origin, settings.http.bind);
    if args.live {
        return match call_all(&settings, &summary, &args.prompt, console) {
            Err(CommandError::Config(error)) => refused(&error, console),
            outcome => outcome,
        };
    }
    let mut warnings = training_warnings(&settings);
    let database =
        if args.offline { DatabaseCheck::default() } else { DatabaseCheck::run(&settings) };
    warnings.extend(database.warnings());
    if console.is_json() {
        let mut document = json!(summary);
        document["ok"] = json!(database.problems().is_empty());
        database.add_to(&mut document);
        if !warnings.is_empty() {
            document["warnings"] = json!(warnings);
        }
        console.document(&document)?;
    } else {
        console.result(&summary.table(Audience::of(console), console.styled()))?;
        if let Some(text) = database.text(console.styled()) {
            console.result(&text)?;
        }
    }
    for warning in warnings.into_iter().chain(summary.unauthenticated_warning()) {
        let mark = console.err_styled().apply(Style::Warning, "note:");
        console.note(&format!("{mark} {warning}"));
    }
    note_problems(database.problems(), console);
    Ok(if database.problems().is_empty() { ExitCode::Done } else { ExitCode::Failed })
}

/// Returns a warning for each model whose provider trains on the prompts.
fn training_warnings(settings: &Settings) -> Vec<String> {
    let upstreams = settings.upstreams.values();
    let models = upstreams.flat_map(|upstream| {
        let models = std::iter::once(&upstream.model).chain(&upstream.models_allowed);
        models.map(|model| (upstream.name.as_str(), model))
    });
    let trained_on = models.filter(|(_, model)| model.ends_with("-contributor"));
    trained_on
        .map(|(name, model)| {
            format!("the provider of `{model}` of [upstreams.{name}] trains on the prompts")
        })
        .collect()
}

fn refused(error: &ConfigError, console: &mut Console) -> Result<ExitCode, CommandError> {
    let problems = &error.problems;
    if console.is_json() {
        console.document(&json!({ "ok": false, "problems": problems }))?;
    }
    note_problems(problems, console);
    Ok(ExitCode::WrongUse)
}

fn note_problems(problems: &[String], console: &mut Console) {
    for problem in problems {
        let mark = console.err_styled().apply(Style::Bad, "wrong:");
        console.note(&format!("{mark} {problem}"));
    }
}

fn call_all(
    settings: &Settings,
    summary: &StartupSummary,
    prompt: &str,
    console: &mut Console,
) -> Result<ExitCode, CommandError> {
    let report = live::call_all(settings, prompt, &Clock::System, console)?;
    let all_answered = report.all_answered();
    if console.is_json() {
        let mut document = json!(summary);
        document["upstreams"] = report.document();
        document["ok"] = json!(all_answered);
        console.document(&document)?;
    } else {
        console.result(&report.table().text(Audience::of(console), console.styled()))?;
    }
    console.note(&report.summary());
    Ok(if all_answered { ExitCode::Done } else { ExitCode::Failed })
}
