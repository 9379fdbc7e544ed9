//! The log of a service: lines for people or JSON for programs, always on stderr. It hears `tracing`
//! alone: what the HTTP client writes to the `log` crate names addresses, and those hold prompts.

use std::io;

use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use super::console::Console;
use super::error::CommandError;
use crate::config::LogFormat;
use crate::config::file::Log;

/// What libraries say at these levels is nothing for an operator: how they start, and that a client
/// sent what is no HTTP. Whoever names a library in the filter hears it all the same.
const QUIET: &str = "actix_server=warn,actix_http=off";

/// Changes the level of the log that was started.
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// From now on the log hears what `level` says.
    ///
    /// # Errors
    /// The filter is none; the one before stays.
    pub fn set(&self, level: &str) -> Result<(), CommandError> {
        let filter = filter(level)?;
        self.0.reload(filter).map_err(|error| CommandError::Log(error.to_string()))
    }
}

/// Starts the log of this process. There is one, so this is called once.
///
/// # Errors
/// The filter is none, or a log was started before.
pub fn start(settings: &Log, console: &Console) -> Result<Level, CommandError> {
    let (filter, handle) = reload::Layer::new(filter(&settings.level)?);
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(console.err_paint().is_on());
    let lines = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().with_ansi(false).flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    started.map_err(|error| CommandError::Log(error.to_string()))?;
    Ok(Level(handle))
}

fn filter(level: &str) -> Result<EnvFilter, CommandError> {
    EnvFilter::try_new(format!("{QUIET},{level}"))
        .map_err(|error| CommandError::Log(error.to_string()))
}
