//! `answerd recipe`: lists the recipes, checks files, and runs one against its page, which is what
//! an operator does on the day a page changes. What a run prints is in `report`.

mod report;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;
use tempfile::TempDir;

use super::console::{Console, Style};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::settings::ConfigArgs;
use super::table::{Cell, Column, Table};
use crate::api::EvidenceStep;
use crate::clock::Clock;
use crate::config::suggestion;
use crate::config::{KeepRaw, Settings};
use crate::job::{RawRequest, ScrapeRequest};
use crate::server::Server;
use crate::upstream::browser::recipe::{Problem, Recipe};
use crate::upstream::browser::recipes::{self, Recipes};
use crate::upstream::browser::{
    BrowserUpstream, Browsers, Keep, Limits, LocalDriver, Parts, Runtime, Setup,
};
use crate::upstream::{Call, Upstream};
use report::Run;

const EXAMPLES: &str = "\
Examples:
  answerd recipe list
  answerd recipe check my_page.toml
  answerd recipe run practice --prompt \"How long are results kept?\"
  answerd recipe run ./my_page.toml --prompt \"What is Rust?\" --headed --evidence ./evidence";

const LIST_EXAMPLES: &str = "\
Examples:
  answerd recipe list
  answerd recipe list --json | jq -r '.recipes[].name'";

const CHECK_EXAMPLES: &str = "\
Examples:
  answerd recipe check my_page.toml
  answerd recipe check /etc/answerd/recipes/*.toml";

const RUN_EXAMPLES: &str = "\
Examples:
  answerd recipe run practice --prompt \"How long are results kept?\"
  answerd recipe run ./my_page.toml --prompt \"What is Rust?\" --headed --evidence ./evidence";

/// Look after recipes: how pages are asked in a browser
///
/// A recipe is a TOML file that says where on an answer engine's page the prompt goes and where the
/// answer is. The guide's page on recipes says how to write one.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Show the recipes that ship and those in the folder of the settings
    #[command(after_help = LIST_EXAMPLES)]
    List(ConfigArgs),
    /// Check files: every rule that they break, with its line
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Ask a page by its recipe, and show each step
    ///
    /// Starts a browser, shows each step with its time and the selector that matched, and where one
    /// matched nothing the elements that could have been meant. The recipe `practice` is run
    /// against a practice page of its own unless --base-url names another.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
}

#[derive(Debug, ClapArgs)]
struct RunArgs {
    /// The name of a recipe, or the path of a file
    recipe: String,
    /// What to ask
    #[arg(long)]
    prompt: String,
    /// Where to ask from (ISO 3166-1 alpha-2)
    #[arg(long, default_value = "US")]
    country: String,
    /// Show the browser's window
    #[arg(long)]
    headed: bool,
    /// Write a screenshot, the page and the steps into this directory
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// An address that takes the place of the origin of the recipe's
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// A WebDriver server; without it chromedriver is started
    #[arg(long, value_name = "URL")]
    webdriver_url: Option<String>,
    /// The longest that the whole may take, seconds
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the task.
///
/// # Errors
/// Returns an error if the settings or a recipe are wrong, or the browser cannot be started.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    match args.task {
        Task::List(config) => {
            let (settings, _) = config.load()?;
            list(&settings, console)
        }
        Task::Check { files } => check(&files, console),
        Task::Run(args) => ask(args, console),
    }
}

/// The recipes of the settings, and what is wrong with those that are not among them.
fn known(settings: &Settings) -> (Recipes, Vec<Problem>) {
    let (mut recipes, mut problems) = match recipes::shipped() {
        Ok(recipes) => (recipes, Vec::new()),
        Err(problems) => (Recipes::new(), problems),
    };
    if let Some(folder) = &settings.browser.recipes {
        problems.extend(recipes::read_folder(folder, &mut recipes));
    }
    (recipes, problems)
}

fn list(settings: &Settings, console: &mut Console) -> Result<ExitCode, CommandError> {
    let (recipes, problems) = known(settings);
    if console.is_json() {
        let shown: Vec<_> = recipes
            .values()
            .map(|recipe| {
                json!({
                    "name": recipe.name, "version": recipe.version, "url": recipe.url,
                    "last_verified": recipe.last_verified,
                })
            })
            .collect();
        console.document(&json!({ "recipes": shown, "problems": told(&problems) }))?;
    } else {
        let mut table = Table::new(&[
            Column::word("name"),
            Column::number("version"),
            Column::word("last verified"),
            Column::text("page"),
        ]);
        for recipe in recipes.values() {
            let verified = recipe.last_verified.as_deref().unwrap_or("never");
            let cells: [Cell; 4] = [
                recipe.name.as_str().into(),
                recipe.version.into(),
                verified.into(),
                recipe.url.as_str().into(),
            ];
            table.row(cells);
        }
        table.print(console)?;
        note(&problems, console);
    }
    Ok(if problems.is_empty() { ExitCode::Done } else { ExitCode::Failed })
}

fn told(problems: &[Problem]) -> Vec<serde_json::Value> {
    let one = |problem: &Problem| json!({ "file": problem.file, "line": problem.line, "rule": problem.rule });
    problems.iter().map(one).collect()
}

fn note(problems: &[Problem], console: &mut Console) {
    for problem in problems {
        console.note(&console.err_styled().apply(Style::Bad, &problem.to_string()));
    }
}

fn check(files: &[PathBuf], console: &mut Console) -> Result<ExitCode, CommandError> {
    let mut problems = Vec::new();
    for file in files {
        match recipes::read_file(file) {
            Ok(recipe) if !console.is_json() => {
                let name = &recipe.name;
                console.result(&format!("{}: recipe `{name}` is valid", file.display()))?;
            }
            Ok(_) => {}
            Err(broken) => problems.extend(broken),
        }
    }
    if console.is_json() {
        console.document(&json!({ "ok": problems.is_empty(), "problems": told(&problems) }))?;
    } else {
        note(&problems, console);
    }
    Ok(if problems.is_empty() { ExitCode::Done } else { ExitCode::Failed })
}

fn find(
    wanted: &str,
    settings: &Settings,
    console: &mut Console,
) -> Result<Arc<Recipe>, CommandError> {
    if wanted.contains('/') || wanted.ends_with(".toml") {
        return recipes::read_file(Path::new(wanted)).map(Arc::new).map_err(|problems| {
            note(&problems, console);
            CommandError::WrongUse(format!("{wanted} is no sound recipe"))
        });
    }
    let (mut recipes, problems) = known(settings);
    note(&problems, console);
    recipes.remove(wanted).ok_or_else(|| {
        let names: Vec<&str> = recipes.keys().map(String::as_str).collect();
        let offer = suggestion(wanted, &names);
        CommandError::WrongUse(format!("there is no recipe `{wanted}`; {offer}"))
    })
}

fn ask(args: RunArgs, console: &mut Console) -> Result<ExitCode, CommandError> {
    let raw = RawRequest {
        prompt: Some(args.prompt),
        country: Some(args.country),
        ..RawRequest::default()
    };
    let request =
        raw.check(&args.recipe, &[]).map_err(|invalid| CommandError::WrongUse(invalid.sentence))?;
    let (settings, _) = args.config.load()?;
    let recipe = find(&args.recipe, &settings, console)?;
    let temporary = temporary()?;
    let page = match &args.base_url {
        Some(url) => Page { url: Some(url.trim_end_matches('/').to_owned()), server: None },
        None if recipe.url.starts_with('/') => Page::own(temporary.path())?,
        None => Page { url: None, server: None },
    };
    let local = args.webdriver_url.is_none().then(|| {
        let authorities = settings.browser.authorities.clone();
        LocalDriver::new(temporary.path().join("browser"), authorities)
    });
    let clock = Clock::System;
    let limits = Limits { jobs_max: 1, memory_bytes_max: settings.browser.session_bytes_max };
    let setup = Setup {
        webdriver_url: args.webdriver_url.unwrap_or_default(),
        folder: local.as_ref().map(|driver| driver.folder().to_owned()),
        proxy: None,
        viewport: settings.browser.viewport,
        trusted_keys: settings.browser.trusted_keys.clone(),
        headed: args.headed,
    };
    let browsers = Browsers::new(limits, setup, local.clone());
    let upstream = BrowserUpstream::new(Parts {
        name: recipe.name.clone(),
        recipe: recipe.clone(),
        base_url: page.url.clone(),
        sessions: 1,
        browsers,
        local,
        timeout: Duration::from_secs(args.timeout),
        keep: Keep::All,
        keep_raw: KeepRaw::None,
        watch: (!console.is_json()).then_some(show as fn(&EvidenceStep)),
        runtime: Arc::new(Runtime::start().map_err(CommandError::Browser)?),
        clock: clock.clone(),
    });
    let run = call(&upstream, &request, args.timeout, &clock);
    upstream.close();
    if let Some(server) = page.server {
        server.stop();
        server.wait()?;
    }
    if let Some(folder) = &args.evidence {
        run.write_evidence(folder)
            .map_err(|error| CommandError::Directory { path: folder.clone(), error })?;
    }
    run.print(console)
}

fn call(upstream: &BrowserUpstream, request: &ScrapeRequest, seconds: u64, clock: &Clock) -> Run {
    let begun = clock.instant();
    let call = Call::until(begun + Duration::from_secs(seconds));
    let answer = upstream.ask(request, &call).map(crate::answer::Answer::normalized);
    let evidence = call.take_evidence().pop().unwrap_or_default();
    let took = clock.instant().saturating_duration_since(begun);
    Run { recipe: request.scraper.clone(), answer, evidence, took }
}

/// Where the page of a recipe is.
struct Page {
    url: Option<String>,
    /// A service of our own that serves it.
    server: Option<Server>,
}

impl Page {
    /// The practice page, served for this run alone.
    fn own(folder: &Path) -> Result<Page, CommandError> {
        let mut settings = Settings::load_from(None, &BTreeMap::new())?;
        settings.store.path = folder.join("data");
        settings.http.bind.set_port(0);
        let server = Server::start(settings, Clock::System)?;
        Ok(Page { url: Some(server.base_url()), server: Some(server) })
    }
}

fn temporary() -> Result<TempDir, CommandError> {
    let directory = tempfile::Builder::new().prefix("answerd-recipe-").tempdir();
    directory.map_err(|error| CommandError::Directory { path: std::env::temp_dir(), error })
}

/// A step as it is done, on stderr.
fn show(step: &EvidenceStep) {
    // A failure of that is ignored.
    let _ = writeln!(std::io::stderr(), "{}", report::step_line(step));
}
