//! The log of a service: lines for people or JSON for programs, always on stderr. It hears `tracing`
//! alone: what the HTTP client writes to the `log` crate names addresses, and those hold prompts.

use std::io;

use tracing_subscriber::EnvFilter;

use super::console::Console;
use super::error::CommandError;
use crate::config::LogFormat;
use crate::config::file::Log;

/// What libraries say at these levels is nothing for an operator: how they start, and that a client
/// sent what is no HTTP. Whoever names a library in the filter hears it all the same.
const QUIET: &str = "actix_server=warn,actix_http=off";

/// Starts the log of this process. There is one, so this is called once.
///
/// # Errors
/// The filter is none, or a log was started before.
pub fn start(settings: &Log, console: &Console) -> Result<(), CommandError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", settings.level))
        .map_err(|error| CommandError::Log(error.to_string()))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(console.err_paint().is_on());
    let started = match settings.format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().with_ansi(false).flatten_event(true).try_init(),
    };
    started.map_err(|error| CommandError::Log(error.to_string()))
}
