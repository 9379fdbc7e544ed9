//! `answerd open`: the dashboard of a server in a browser.

use clap::Args as ClapArgs;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::jobs::ServerArgs;
use super::page_opener;

const EXAMPLES: &str = "\
Examples:
  answerd open
  answerd open 6f1c0e0e-52f1-4b0a-9a51-0b7c5a3f2b10
  answerd open batches
  answerd open docs/batches --print";

/// Open the dashboard in a browser
///
/// Prints the address as well, and only prints it where there is no display. The dashboard asks
/// for the key itself: the address holds none.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The id of a job, a view such as jobs, batches or usage, or a page of the guide: docs/batches
    #[arg(value_name = "WHAT")]
    what: Option<String>,
    /// Print the address, and open nothing
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Prints the address and opens it.
///
/// # Errors
/// Returns an error if the server's address is invalid, or stdout cannot be written to.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    page_opener::show(&args.server.client()?, args.what.as_deref(), !args.print, console)
}
