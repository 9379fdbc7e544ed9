//! `answerd batches`: the batches of a key on a running server.

use clap::Args as ClapArgs;

use super::console::{Console, Style};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::table::{Cell, Column, Table};
use crate::api::{BatchView, BatchesView};

const EXAMPLES: &str = "\
Examples:
  answerd batches
  answerd batches -L 200 --json | jq -r '.batches[] | select(.counts.failed > 0).batch_id'
  answerd list --batch 5d7f6f4e-0d0f-4c59-9d43-0a4f8d0f3b1c";

/// List the batches of a key, newest first
///
/// With how many of their jobs are done, have failed, and are still to come.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The most batches to list, 1 to 200
    #[arg(
        short = 'L', long, value_name = "N", default_value_t = 50,
        value_parser = clap::value_parser!(u16).range(1..=200)
    )]
    limit: u16,
    #[command(flatten)]
    server: ServerArgs,
}

/// Lists batches.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let document = client.listed("batches", &[("limit", args.limit.to_string().as_str())])?;
    let page: BatchesView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
        return Ok(ExitCode::Done);
    }
    table(&page.batches).print(console)?;
    let count = page.batches.len();
    let noun = if count == 1 { "batch" } else { "batches" };
    let more = if page.next_cursor.is_some() { "; there may be more" } else { "" };
    console.note(&format!("{count} {noun}{more}"));
    Ok(ExitCode::Done)
}

fn table(batches: &[BatchView]) -> Table {
    let mut table = Table::new(&[
        Column::id("id"),
        Column::time("when"),
        Column::number("done"),
        Column::number("failed"),
        Column::number("pending"),
        Column::text("label"),
    ]);
    for batch in batches {
        let failed = match batch.counts.failed {
            0 => Cell::from(0),
            failed => Cell::styled(failed.to_string(), Style::Bad),
        };
        let cells: [Cell; 6] = [
            batch.batch_id.0.as_str().into(),
            batch.created_at.0.as_str().into(),
            batch.counts.done.into(),
            failed,
            batch.counts.pending.into(),
            batch.label.as_deref().unwrap_or_default().into(),
        ];
        table.row(cells);
    }
    table
}
