//! `answerd nodes`: the processes that share the store of a running service.

use clap::Args as ClapArgs;

use super::client::Verb;
use super::console::{Console, Style};
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::table::{Cell, Column, Table};
use crate::api::{NodeView, NodesView};

const EXAMPLES: &str = "\
Examples:
  answerd nodes
  answerd nodes --url https://answers.example.com --key ak_...
  answerd nodes --json | jq -r '.nodes[] | select(.leader).name'";

/// List the processes that share the store of a running service
///
/// Each with its workers, the jobs that it runs, its last heartbeat, and the parts of its settings
/// that differ from those of the process that answers. One of them leads: it does what one at a
/// time does. With a store in a file there is one process. Where there are keys, it takes that of
/// an operator.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// Lists the processes, by their names.
///
/// # Errors
/// Returns an error if the server refuses, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let client = args.server.client()?;
    let document = client.send(Verb::Get, &["nodes"], None)?;
    let known: NodesView = client.read(&document)?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        table(&known.nodes).print(console)?;
    }
    Ok(ExitCode::Done)
}

fn table(nodes: &[NodeView]) -> Table {
    let mut table = Table::new(&[
        Column::word("node"),
        Column::number("number"),
        Column::time("started"),
        Column::text("version"),
        Column::number("workers"),
        Column::number("running"),
        Column::number("beat"),
        Column::text("settings"),
        Column::text("role"),
    ]);
    for node in nodes {
        let settings = match node.settings_differ.as_slice() {
            [] => Cell::from("same"),
            differ => Cell::styled(format!("differ: {}", differ.join(", ")), Style::Warning),
        };
        let roles = [(node.leader, "leader"), (node.is_self, "answers")];
        let roles: Vec<&str> = roles.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
        let cells: [Cell; 9] = [
            node.name.as_str().into(),
            node.number.into(),
            node.started_at.0.as_str().into(),
            node.version.as_str().into(),
            node.workers.into(),
            node.running.into(),
            format!("{:.1} s", node.beat_seconds).into(),
            settings,
            roles.join(", ").into(),
        ];
        table.row(cells);
    }
    table
}
