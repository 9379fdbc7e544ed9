//! `answerd config`: every setting with its default and a sentence, to begin a settings file with.

use clap::Args as ClapArgs;
use serde_json::json;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;
use crate::config::file::DEFAULTS;

const EXAMPLES: &str = "\
Examples:
  answerd config | less
  answerd config --commented > config.toml
  answerd check --config config.toml";

/// Print every setting with its default and what it is for
///
/// What is printed is a settings file. With --commented every setting in it is a comment, so that
/// the file changes nothing until you take the `#` away in front of one.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Make every setting a comment
    #[arg(long)]
    commented: bool,
}

/// Prints the defaults.
///
/// # Errors
/// Returns an error if stdout cannot be written to.
pub(crate) fn run(args: &Args, console: &mut Console) -> Result<ExitCode, CommandError> {
    let text = if args.commented { commented(DEFAULTS) } else { DEFAULTS.to_owned() };
    if console.is_json() {
        console.document(&json!({ "config": text }))?;
    } else {
        console.result(&text)?;
    }
    Ok(ExitCode::Done)
}

/// Returns a settings file whose settings are comments. Its sections stay: they are empty then, and
/// a setting that is no comment any more is in its own.
fn commented(file: &str) -> String {
    let line = |line: &str| {
        let is_setting = !line.is_empty() && !line.starts_with(['#', '[']);
        if is_setting { format!("# {line}\n") } else { format!("{line}\n") }
    };
    file.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Settings;

    /// The settings of a file, as text.
    fn settings(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        format!("{:?}", Settings::load_from(Some(&path), &BTreeMap::new()).unwrap())
    }

    #[test]
    fn a_file_of_comments_changes_nothing_until_one_is_taken_away() {
        let text = commented(DEFAULTS);
        assert_eq!(settings(&text), settings(""));
        assert_eq!(settings(DEFAULTS), settings(""));
        assert!(!text.lines().any(|line| !line.starts_with(['#', '[']) && !line.is_empty()));
        let changed = text.replace("# retention_hours = 24", "retention_hours = 48");
        assert_ne!(settings(&changed), settings(""));
        // Each setting is in its own section, whichever is the one that is no comment.
        for line in
            DEFAULTS.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '[']))
        {
            settings(&text.replacen(&format!("# {line}\n"), &format!("{line}\n"), 1));
        }
    }
}
