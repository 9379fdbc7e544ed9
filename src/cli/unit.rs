//! `answerd unit`: the systemd unit that ships with the binary.

use clap::Args as ClapArgs;
use serde_json::json;

use super::Exit;
use super::console::Console;
use super::error::CommandError;

const UNIT: &str = include_str!("assets/answerd.service");

const EXAMPLES: &str = "\
Examples:
  sudo install answerd /usr/local/bin/
  answerd unit | sudo tee /etc/systemd/system/answerd.service
  sudo systemctl daemon-reload && sudo systemctl enable --now answerd";

/// Print a systemd unit for the service
///
/// The unit runs /usr/local/bin/answerd as a user of its own that owns nothing but its data in
/// /var/lib/answerd, with settings in /etc/answerd/config.toml and keys of upstreams in
/// /etc/answerd/environment or as systemd credentials; both files may be missing.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Prints the unit.
///
/// # Errors
/// Stdout cannot be written to.
pub fn run(console: &mut Console) -> Result<Exit, CommandError> {
    if console.is_json() {
        console.document(&json!({ "unit": UNIT }))?;
    } else {
        console.result(UNIT)?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
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
        let settings = Settings::load_from(None, &Default::default()).unwrap();
        let seconds: u64 = directive("TimeoutStopSec").parse().unwrap();
        assert!(seconds > settings.http.grace_seconds + 10);
    }

    #[test]
    fn the_unit_leaves_room_for_the_connections_of_the_defaults() {
        let settings = Settings::load_from(None, &Default::default()).unwrap();
        let files: usize = directive("LimitNOFILE").parse().unwrap();
        assert!(files > settings.http.workers * settings.http.connections_max + 1_000);
    }

    #[test]
    fn the_unit_names_settings_that_exist() {
        assert!(directive("Environment").starts_with("ANSWERD_STORE__PATH="));
        assert!(file::DEFAULTS.contains("[store]") && file::DEFAULTS.contains("\npath = "));
        assert_eq!(directive("RestartPreventExitStatus"), Exit::WrongUse.code().to_string());
    }
}
