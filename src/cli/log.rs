//! The log of a service: lines for people or JSON for programs, always on stderr. It hears
//! `tracing` alone: what the HTTP client writes to the `log` crate names addresses, and those hold
//! prompts.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::panic::PanicHookInfo;

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

use super::console::Console;
use super::error::CommandError;
use crate::config::LogFormat;
use crate::config::file::Log;

/// What libraries say at these levels is nothing for an operator: how they start, and that a client
/// sent what is no HTTP. A filter that names a library still shows its lines.
const QUIET: &str = "actix_server=warn,actix_http=off";

/// Changes the level of the log that was started.
pub(crate) struct Level(reload::Handle<Targets, Registry>);

impl Level {
    /// Sets the filter of the log to `level`.
    ///
    /// # Errors
    /// Returns an error if the filter is invalid; the one before stays.
    pub(crate) fn set(&self, level: &str) -> Result<(), CommandError> {
        let filter = filter(level)?;
        self.0.reload(filter).map_err(|error| CommandError::Log(error.to_string()))
    }
}

/// Starts the log of this process. There is one, so this is called once.
///
/// # Errors
/// Returns an error if the filter is invalid, or a log was started before.
pub(crate) fn start(settings: &Log, console: &Console) -> Result<Level, CommandError> {
    let (filter, handle) = reload::Layer::new(filter(&settings.level)?);
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(console.err_styled().is_on());
    let lines = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().with_ansi(false).flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    started.map_err(|error| CommandError::Log(error.to_string()))?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(Level(handle))
}

/// Logs where a thread panicked. Of its message only what the code itself says: what was put
/// together at run time may quote a prompt, as the message of a slice that splits a character does.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let (thread, what) = (thread.name().unwrap_or_default(), constant_message(panic));
    // Captured if RUST_BACKTRACE asks for it.
    let trace = Backtrace::capture();
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    tracing::error!(thread, place, what, trace, "a thread panicked");
}

fn constant_message(panic: &PanicHookInfo<'_>) -> &'static str {
    panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("a message made at run time")
}

fn filter(level: &str) -> Result<Targets, CommandError> {
    format!("{QUIET},{level}")
        .parse()
        .map_err(|error: ParseError| CommandError::Log(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_panic_is_logged_without_what_it_quotes() {
        let (sender, messages) = mpsc::channel();
        let own = std::thread::current().id();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // Other tests may panic meanwhile.
            if std::thread::current().id() == own {
                sender.send(constant_message(panic)).unwrap();
            } else {
                before(panic);
            }
        }));
        let prompt = "a private prömpt".to_owned();
        assert!(catch_unwind(|| panic!("a constant")).is_err());
        assert!(catch_unwind(|| prompt[..13].len()).is_err());
        drop(std::panic::take_hook());
        let messages: Vec<&str> = messages.iter().collect();
        assert_eq!(messages, ["a constant", "a message made at run time"]);
    }
}
