//! The signals of a service: SIGHUP reloads; of those that end it the first asks it to stop, the
//! second ends the process.

use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use super::error::CommandError;

/// Runs `begin` on a thread of its own at the first SIGINT or SIGTERM. At the second the process
/// exits with 130 or 143 there and then: somebody does not want to wait for the graceful stop.
///
/// # Errors
/// Returns an error if the operating system refuses the handler or the thread.
pub(crate) fn on_stop(begin: impl FnOnce() + Send + 'static) -> Result<(), CommandError> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(CommandError::Signals)?;
    // A limit on the size of files fails a write then, as a full disk does, and not the process.
    flag::register(SIGXFSZ, Arc::default()).map_err(CommandError::Signals)?;
    let mut begin = Some(begin);
    let watch = move || {
        for signal in signals.forever() {
            match begin.take() {
                Some(begin) => begin(),
                None => low_level::exit(128 + signal),
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(watch)
        .map(drop)
        .map_err(CommandError::Signals)
}

/// Ends the process at once with exit code 0: a stop was asked for before anything had begun.
pub(crate) fn exit_now() {
    low_level::exit(0);
}

/// SIGHUPs since this was made; without it they would end the process.
pub(crate) struct Hangups(Signals);

impl Hangups {
    /// Begins to catch SIGHUP.
    ///
    /// # Errors
    /// Returns an error if the operating system refuses the handler.
    pub(crate) fn caught() -> Result<Hangups, CommandError> {
        Signals::new([SIGHUP]).map(Hangups).map_err(CommandError::Signals)
    }

    /// Runs `again` on a thread of its own at every SIGHUP, at once if one has come before.
    ///
    /// # Errors
    /// Returns an error if the operating system refuses the thread.
    pub(crate) fn each(mut self, again: impl Fn() + Send + 'static) -> Result<(), CommandError> {
        thread::Builder::new()
            .name("hangups".to_owned())
            .spawn(move || self.0.forever().for_each(|_| again()))
            .map(drop)
            .map_err(CommandError::Signals)
    }
}
