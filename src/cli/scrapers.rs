//! `answerd scrapers`: what a running server can be asked.

use clap::Args as ClapArgs;
use serde::Deserialize;

use super::client::Verb;
use super::console::{Console, Style};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::table::{Cell, Column, Table};

const EXAMPLES: &str = "\
Examples:
  answerd scrapers
  answerd scrapers --url https://answers.example.com
  answerd scrapers --json | jq -r '.scrapers[] | select(.configured).name'";

/// List the scrapers of a server: which are ready, and what the others lack
///
/// With the upstreams that are tried, in their order, the model that answered last, and the
/// countries that are refused. `answerd check` shows the same of settings, without a server.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// The parts of `GET /scrapers` that are shown.
#[derive(Deserialize)]
struct ShownScrapers {
    scrapers: Vec<ShownScraper>,
}

#[derive(Deserialize)]
struct ShownScraper {
    name: String,
    configured: bool,
    missing: Option<String>,
    credits: u32,
    refused_countries: Vec<String>,
    upstreams: Vec<ShownUpstream>,
}

#[derive(Deserialize)]
struct ShownUpstream {
    name: String,
    llm_model: Option<String>,
}

/// Lists the scrapers, those that are ready first.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let document = client.send(Verb::Get, &["scrapers"], None)?;
    let mut all: ShownScrapers = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
        return Ok(ExitCode::Done);
    }
    all.scrapers.sort_by_key(|scraper| !scraper.configured);
    table(&all.scrapers).print(console)?;
    let ready = all.scrapers.iter().filter(|scraper| scraper.configured).count();
    console.note(&format!("{ready} of {} are ready", all.scrapers.len()));
    Ok(ExitCode::Done)
}

fn table(scrapers: &[ShownScraper]) -> Table {
    let mut table = Table::new(&[
        Column::word("scraper"),
        Column::word("state"),
        Column::number("credits"),
        Column::text("upstreams"),
        Column::text("model"),
        Column::text("refused"),
    ]);
    for scraper in scrapers {
        let state = match scraper.configured {
            true => Cell::styled("ready", Style::Good),
            false => Cell::styled("not ready", Style::Warning),
        };
        let upstreams: Vec<&str> = scraper.upstreams.iter().map(|it| it.name.as_str()).collect();
        let model = scraper.upstreams.iter().find_map(|it| it.llm_model.as_deref());
        let cells: [Cell; 6] = [
            scraper.name.as_str().into(),
            state,
            scraper.credits.into(),
            upstreams.join(", ").into(),
            model.unwrap_or_default().into(),
            scraper.refused_countries.join(", ").into(),
        ];
        table.row_with_notes(cells, scraper.missing.iter().cloned().collect());
    }
    table
}
