//! `answerd usage`: what a key has spent this month and has left.

use clap::Args as ClapArgs;

use super::Exit;
use super::client::Usage;
use super::console::{Console, Paint, printable};
use super::error::CommandError;
use super::jobs::ServerArgs;
use super::overview::fact;

const EXAMPLES: &str = "\
Examples:
  answerd usage
  answerd usage --json | jq .left";

/// Show the credits that a key has spent and has left
///
/// They count by calendar month (UTC). Reserved credits belong to jobs that have not ended: they
/// become used when the job is done, and come back when it fails.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// Asks the server and prints what it says.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub fn run(args: Args, console: &mut Console) -> Result<Exit, CommandError> {
    let usage = args.server.client()?.usage()?;
    if console.is_json() {
        console.document(&usage.document)?;
    } else {
        console.result(&text(&usage, console.paint()))?;
    }
    Ok(Exit::Done)
}

fn text(usage: &Usage, paint: Paint) -> String {
    let bounded = |credits: Option<u64>| credits.map_or("no limit".to_owned(), |n| n.to_string());
    let mut text = String::new();
    fact(&mut text, paint, "account", &printable(&usage.account));
    fact(&mut text, paint, "allowance", &bounded(usage.monthly_credits));
    fact(&mut text, paint, "used", &usage.used.to_string());
    fact(&mut text, paint, "reserved", &usage.reserved.to_string());
    fact(&mut text, paint, "left", &bounded(usage.left));
    fact(&mut text, paint, "resets", &printable(&usage.resets_at));
    text
}
