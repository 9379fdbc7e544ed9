//! `answerd ready`: whether a running service takes jobs, for health checks that have no curl.

use clap::Args as ClapArgs;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;

const EXAMPLES: &str = "\
Examples:
  answerd ready
  answerd ready --url http://127.0.0.1:9000 || echo \"not ready\"";

/// Ask whether the service takes jobs
///
/// Exits with 0 when it does, with 1 and the reason when it stops or its store has failed, and with
/// 3 when it cannot be reached. Needs no key and asks no upstream.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// Asks the server and prints what it says.
///
/// # Errors
/// Returns an error if the service takes no jobs, or cannot be reached.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let document = args.server.client()?.ready()?;
    if console.is_json() {
        console.document(&document)?;
    } else {
        console.result("ready")?;
    }
    Ok(ExitCode::Done)
}
