//! What SIGHUP does to a running service: keys, recipes and the level of the log are read again.
//! All or nothing: settings that a start would refuse change nothing, and neither do settings
//! without a key where there were keys.

use super::error::CommandError;
use super::log::Level;
use super::settings::ConfigArgs;
use crate::server::Reloader;
use crate::service::ReloadedKeys;

/// Why nothing was reloaded.
enum ReloadError {
    Error(CommandError),
    /// The settings have no key, and the service needs one.
    NoKeys,
}

/// Reads the settings again and puts in force what can change while the service runs. Jobs go on.
/// The log says what changed.
pub(crate) fn again(config: &ConfigArgs, level: &Level, server: &Reloader) {
    const UNCHANGED: &str = "nothing was reloaded; what held before goes on to hold";
    match try_again(config, level, server) {
        Ok(ReloadedKeys { keys, revoked }) => {
            if !revoked.is_empty() {
                tracing::warn!(
                    keys = revoked.join(", "),
                    "keys that are not listed any more were revoked"
                );
            }
            tracing::info!(
                keys,
                "keys, recipes and the log level were read again; other settings hold from the \
                 next start"
            );
        }
        Err(ReloadError::NoKeys) => tracing::warn!(
            "the settings list no key, as a file that is empty or half written does: {UNCHANGED}; \
             to remove the last key, restart the service"
        ),
        Err(ReloadError::Error(CommandError::Config(error))) => {
            for problem in error.problems {
                tracing::error!(problem, "the settings were refused");
            }
            tracing::error!("{UNCHANGED}");
        }
        Err(ReloadError::Error(error)) => tracing::error!(%error, "{UNCHANGED}"),
    }
}

fn try_again(
    config: &ConfigArgs,
    level: &Level,
    server: &Reloader,
) -> Result<ReloadedKeys, ReloadError> {
    let (settings, _) =
        config.load().map_err(|error| ReloadError::Error(CommandError::Config(error)))?;
    if settings.keys.is_empty() && server.has_keys() {
        return Err(ReloadError::NoKeys);
    }
    // First, because it can still be refused.
    level.set(&settings.log.level).map_err(ReloadError::Error)?;
    Ok(server.reload(&settings))
}
