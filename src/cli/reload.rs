//! What SIGHUP does to a running service: keys, recipes and the level of the log are read again. All
//! or nothing: settings that a start would refuse change nothing.

use super::error::CommandError;
use super::log::Level;
use super::settings::ConfigArgs;
use crate::http::Reloader;

/// Reads the settings again and puts in force what can change while the service runs. Jobs go on.
/// What came of it is in the log.
pub fn again(config: &ConfigArgs, level: &Level, server: &Reloader) {
    match try_again(config, level, server) {
        Ok(keys) => tracing::info!(
            keys,
            "keys, recipes and the log level were read again; other settings hold from the next start"
        ),
        Err(CommandError::Config(error)) => {
            for problem in error.problems() {
                tracing::error!(problem, "the settings were refused");
            }
            tracing::error!("nothing was reloaded; what held before goes on to hold");
        }
        Err(error) => {
            tracing::error!(%error, "nothing was reloaded; what held before goes on to hold")
        }
    }
}

fn try_again(config: &ConfigArgs, level: &Level, server: &Reloader) -> Result<usize, CommandError> {
    let (settings, _) = config.load()?;
    // First, because it can still be refused.
    level.set(&settings.log.level)?;
    Ok(server.reload(&settings))
}
