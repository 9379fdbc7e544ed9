//! What a job does while somebody waits: a spinner where a person looks on, otherwise a line on
//! stderr whenever it changes.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::console::Console;

const SPINNER_STEP: Duration = Duration::from_millis(100);

/// The live status of one wait. It leaves the screen when it is dropped.
pub(crate) struct Progress {
    spinner: Option<ProgressBar>,
    shown: String,
}

impl Progress {
    pub(crate) fn new(console: &Console) -> Progress {
        let spinner = console.err_is_terminal().then(|| {
            let template = if console.err_styled().is_on() {
                "{spinner:.cyan} {msg} {elapsed:.dim}"
            } else {
                "{spinner} {msg} {elapsed}"
            };
            let spinner = ProgressBar::new_spinner();
            // A template that cannot be read leaves the spinner as indicatif draws it.
            if let Ok(style) = ProgressStyle::with_template(template) {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(SPINNER_STEP);
            spinner
        });
        Progress { spinner, shown: String::new() }
    }

    /// Shows that something runs which may take long; nothing if no person is watching.
    pub(crate) fn working(what: &str, console: &Console) -> Progress {
        let progress = Progress::new(console);
        progress.say(what.to_owned());
        progress
    }

    /// Shows how far it has come; nothing if no person is watching.
    pub(crate) fn say(&self, what: String) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(what);
        }
    }

    /// Shows where the job stands.
    pub(crate) fn show(&mut self, status: &str, console: &mut Console) {
        if self.shown == status {
            return;
        }
        status.clone_into(&mut self.shown);
        match &self.spinner {
            Some(spinner) => spinner.set_message(self.shown.clone()),
            None => console.note(status),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
