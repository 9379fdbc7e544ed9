//! Which settings file a command uses: the one that is named, ./config.toml where there is one, or
//! none.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{self, ConfigError, Settings};
use crate::upstream;

/// The file that is read without being named.
const FILE_NAME: &str = "config.toml";

#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The settings file; without it ./config.toml is read where there is one
    ///
    /// A file needs only what differs from the defaults. Every setting can also be given in the
    /// environment, which takes precedence over the file: `bind` in [http] is ANSWERD_HTTP__BIND.
    // An empty variable is how compose files say "not set", and clap takes no empty path.
    #[arg(
        long,
        env = "ANSWERD_CONFIG",
        value_name = "FILE",
        value_parser = clap::value_parser!(OsString)
    )]
    config: Option<OsString>,
}

/// The origin of settings, beside the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// --config or ANSWERD_CONFIG.
    Named(PathBuf),
    /// The working directory has a config.toml.
    WorkingDirectory,
    /// The defaults that are built in.
    Defaults,
}

impl Origin {
    fn path(&self) -> Option<&Path> {
        match self {
            Origin::Named(path) => Some(path),
            Origin::WorkingDirectory => Some(Path::new(FILE_NAME)),
            Origin::Defaults => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Named(path) => write!(formatter, "{}", path.display()),
            Origin::WorkingDirectory => write!(formatter, "./{FILE_NAME}"),
            Origin::Defaults => formatter.write_str("the built-in defaults"),
        }
    }
}

impl ConfigArgs {
    /// Returns the settings and where they come from.
    ///
    /// # Errors
    /// Returns all that is wrong with them.
    pub(crate) fn load(&self) -> Result<(Settings, Origin), ConfigError> {
        let origin = self.origin(Path::new(""));
        Settings::load(origin.path()).map(|settings| (settings, origin))
    }

    /// Does what [`ConfigArgs::load`] does, and checks the recipes that they name as well.
    ///
    /// # Errors
    /// Returns all that is wrong with them.
    pub(crate) fn load_for_service(&self) -> Result<(Settings, Origin), ConfigError> {
        let origin = self.origin(Path::new(""));
        let (settings, mut problems) =
            Settings::examine(origin.path(), &config::process_environment());
        problems.extend(settings.iter().flat_map(upstream::recipe_problems));
        match settings {
            Some(settings) if problems.is_empty() => Ok((settings, origin)),
            _ => Err(ConfigError { problems }),
        }
    }

    fn origin(&self, working_directory: &Path) -> Origin {
        match self.config.as_ref().filter(|path| !path.is_empty()) {
            Some(path) => Origin::Named(path.into()),
            None if working_directory.join(FILE_NAME).is_file() => Origin::WorkingDirectory,
            None => Origin::Defaults,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_goes_before_the_one_that_lies_there() {
        let directory = tempfile::tempdir().unwrap();
        let origin = |config: Option<&str>| {
            ConfigArgs { config: config.map(OsString::from) }.origin(directory.path())
        };
        assert_eq!(origin(None), Origin::Defaults);
        assert_eq!(origin(Some("")), Origin::Defaults);
        std::fs::write(directory.path().join(FILE_NAME), "").unwrap();
        assert_eq!(origin(None), Origin::WorkingDirectory);
        assert_eq!(origin(Some("other.toml")), Origin::Named("other.toml".into()));
    }
}
