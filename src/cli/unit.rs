//! `answerd unit`: the systemd unit that ships with the binary, and what browsers need beside it.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use serde_json::json;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;

const UNIT: &str = include_str!("assets/answerd.service");
const BROWSER: &str = include_str!("assets/browser.conf");
/// Where the unit, as it is kept, looks for the binary.
const BINARY: &str = "/usr/local/bin/answerd";

const EXAMPLES: &str = "\
Examples:
  sudo install answerd /usr/local/bin/
  answerd unit | sudo tee /etc/systemd/system/answerd.service
  sudo systemctl daemon-reload && sudo systemctl enable --now answerd
  answerd unit --browser                      what upstreams of the kind `browser` need beside it";

/// Print a systemd unit for the service
///
/// The unit runs the binary as a user of its own that owns nothing but its data in
/// /var/lib/answerd, with settings in /etc/answerd/config.toml and keys of upstreams in
/// /etc/answerd/environment or as systemd credentials; both files may be missing.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print the drop-in that lets the service drive Chromium instead
    ///
    /// Save it as /etc/systemd/system/answerd.service.d/browser.conf. It removes the restrictions
    /// that stop Chromium, and is needed for upstreams of the kind `browser` only.
    #[arg(long)]
    browser: bool,
    /// The binary that the unit runs
    #[arg(long, value_name = "PATH", default_value = BINARY, conflicts_with = "browser")]
    binary: PathBuf,
}

/// Prints the unit.
///
/// # Errors
/// Returns an error if stdout cannot be written to.
pub(crate) fn run(args: &Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let unit = if args.browser { BROWSER.to_owned() } else { unit_of(&args.binary)? };
    if console.is_json() {
        console.document(&json!({ "unit": unit }))?;
    } else {
        console.result(&unit)?;
    }
    Ok(ExitCode::Done)
}

/// The unit with another binary. systemd splits at spaces and reads `%` and `$`, so a path that has
/// to be quoted is refused.
fn unit_of(binary: &Path) -> Result<String, CommandError> {
    let path = binary.to_str().filter(|path| {
        path.starts_with('/')
            && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte))
    });
    path.map(|path| UNIT.replace(BINARY, path)).ok_or_else(|| {
        CommandError::WrongUse(format!(
            "--binary is an absolute path of letters, digits and `/._+-`; it is `{}`",
            binary.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Settings, file};

    /// The value of a directive that stands once.
    fn directive(name: &str) -> &'static str {
        let values: Vec<&str> =
            UNIT.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect();
        assert_eq!(values.len(), 1, "{name}");
        values[0]
    }

    #[test]
    fn the_unit_gives_a_stop_longer_than_the_service_takes() {
        let settings = Settings::load_from(None, &BTreeMap::new()).unwrap();
        let seconds: u64 = directive("TimeoutStopSec").parse().unwrap();
        assert!(seconds > settings.http.grace_seconds + 10);
    }

    #[test]
    fn the_unit_leaves_room_for_the_connections_of_the_defaults() {
        let settings = Settings::load_from(None, &BTreeMap::new()).unwrap();
        let files: usize = directive("LimitNOFILE").parse().unwrap();
        assert!(files > settings.http.workers * settings.http.connections_max + 1_000);
    }

    #[test]
    fn the_unit_leaves_no_core_dump() {
        assert_eq!(directive("LimitCORE"), "0");
    }

    #[test]
    fn the_unit_runs_the_binary_that_is_named() {
        let unit = unit_of(Path::new("/usr/bin/answerd")).unwrap();
        assert!(unit.contains("\nExecStart=/usr/bin/answerd serve\n") && !unit.contains("/local/"));
        assert_eq!(unit_of(Path::new(BINARY)).unwrap(), UNIT);
        for wrong in ["answerd", "/opt/two words/answerd", "/a%b"] {
            assert!(matches!(unit_of(Path::new(wrong)), Err(CommandError::WrongUse(_))), "{wrong}");
        }
    }

    #[test]
    fn the_unit_names_settings_that_exist() {
        assert!(directive("Environment").starts_with("ANSWERD_STORE__PATH="));
        assert!(file::DEFAULTS.contains("[store]") && file::DEFAULTS.contains("\npath = "));
        assert_eq!(directive("RestartPreventExitStatus"), ExitCode::WrongUse.code().to_string());
    }
}
