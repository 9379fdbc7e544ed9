//! `answerd serve`: the service, from its settings to its last job.

use std::sync::{Arc, OnceLock};

use clap::Args as ClapArgs;
use sd_notify::NotifyState;
use serde_json::json;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use super::settings::ConfigArgs;
use super::startup_summary::StartupSummary;
use super::{log, reload, signals, watchdog};
use crate::clock::Clock;
use crate::server::{Server, ShutdownHandle};

const EXAMPLES: &str = "\
Examples:
  answerd serve
  answerd serve --config /etc/answerd/config.toml
  ANSWERD_HTTP__BIND=127.0.0.1:9000 ANSWERD_STORE__PATH=/tmp/answerd answerd serve
  OPENAI_API_KEY=sk-... answerd serve         the scraper `chatgpt` is ready then";

/// Run the service
///
/// Serves the HTTP API and runs the jobs until SIGTERM or Ctrl-C. Then it takes no more jobs, lets
/// running attempts end for as long as `grace_seconds` says, and exits; a second signal ends it at
/// once. What was acknowledged is on disk and goes on at the next start. Settings come from the
/// built-in defaults, the settings file and the environment, the later over the earlier. SIGHUP
/// reads API keys, recipes and the log level again. Logs go to stderr. Under systemd it notifies of
/// readiness, watchdog and stop (Type=notify, WatchdogSec).
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Serves until a signal comes or the store fails.
///
/// # Errors
/// Returns an error if the settings are refused, the server does not start, or its store fails.
pub(crate) fn run(args: Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    // Handlers come first: until they are there, a reload would end the process, and nothing would
    // stop the first process of a container.
    let hangups = signals::Hangups::caught()?;
    let running: Arc<OnceLock<ShutdownHandle>> = Arc::default();
    let to_stop = running.clone();
    signals::on_stop(move || {
        let Some(shutdown) = to_stop.get() else { return signals::exit_now() };
        tracing::info!("stopping; a second signal ends the process at once");
        watchdog::notify(NotifyState::Stopping);
        shutdown.stop();
    })?;
    let (settings, origin) = args.config.load_for_service()?;
    let level = log::start(&settings.log, console)?;
    // The processes that share a store go by the clock of its database.
    let clock = if settings.store.shared.is_some() { Clock::corrected() } else { Clock::System };
    let server = Server::start(settings.clone(), clock)?;
    // It is set once, here.
    let _ = running.set(server.shutdown_handle());
    let reloader = server.reloader();
    let hung_up = reloader.clone();
    hangups.each(move || reload::again(&args.config, &level, &hung_up))?;
    let summary = StartupSummary::new(&settings, &origin, server.address());
    if console.is_json() {
        let mut document = json!(summary);
        document["url"] = json!(server.base_url());
        console.document(&document)?;
    } else {
        let styled = console.styled();
        let mut text = format!("answerd {}\n", env!("CARGO_PKG_VERSION"));
        text.push_str(&summary.lines(&server.base_url(), styled));
        console.result(&text)?;
    }
    if let Some(warning) = summary.unauthenticated_warning() {
        tracing::warn!("{warning}");
    }
    tracing::info!(url = server.base_url(), "ready");
    watchdog::notify(NotifyState::Ready);
    // The watchdog ends with it.
    let (_running, ended) = crossbeam_channel::bounded(0);
    watchdog::start(reloader, Clock::System, ended)?;
    server.wait()?;
    tracing::info!("stopped");
    Ok(ExitCode::Done)
}
