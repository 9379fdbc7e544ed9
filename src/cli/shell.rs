//! `answerd completions` and `answerd man`: what shells and `man` want to know of the command line,
//! made from its definition.

use std::io;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Command};
use clap_complete::{Generator, Shell};
use clap_mangen::Man;
use serde_json::json;

use super::console::Console;
use super::error::CommandError;
use super::exit_code::ExitCode;

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  answerd completions bash | sudo tee /usr/share/bash-completion/completions/answerd
  answerd completions zsh > ~/.zfunc/_answerd
  answerd completions fish > ~/.config/fish/completions/answerd.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  answerd man | man -l -
  answerd man --out /usr/local/share/man/man1   a page for each command as well";

const BASH_NAMES: &str = include_str!("assets/names.bash");
const FISH_NAMES: &str = include_str!("assets/names.fish");
const ZSH_NAMES: &str = include_str!("assets/names.zsh");
/// Where the function begins that completes in zsh.
const ZSH_BEGIN: &str = "_answerd() {\n";

/// Print what lets a shell complete commands and options
///
/// In bash, zsh and fish also the scrapers, ids, labels and names that the running server has, the
/// one that ANSWERD_URL or --url names; where it does not answer at once there are none.
///
/// Bash and fish find the file under the names below at the next start; zsh wants its directory in
/// `fpath` before `compinit`.
#[derive(Debug, ClapArgs)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Print the manual page
///
/// With --out it writes a page for every command into a directory: answerd.1, answerd-submit.1 and
/// so on.
#[derive(Debug, ClapArgs)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write all pages into this directory, which must be there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the completions of a shell.
///
/// # Errors
/// Returns an error if stdout cannot be written to.
pub(crate) fn completions(
    args: &CompletionsArgs,
    mut command: Command,
    console: &mut Console,
) -> Result<ExitCode, CommandError> {
    command.set_bin_name("answerd");
    command.build();
    let mut bytes = Vec::new();
    args.shell.try_generate(&command, &mut bytes).map_err(CommandError::Output)?;
    let script = String::from_utf8(bytes).map_err(io::Error::other);
    let script = with_names(args.shell, script.map_err(CommandError::Output)?);
    print("completions", script.as_bytes(), console)
}

/// Returns a script that asks the running service for names first, where the shell can.
#[expect(clippy::wildcard_enum_match_arm, reason = "the list of shells is open")]
fn with_names(shell: Shell, script: String) -> String {
    match shell {
        Shell::Bash => script + BASH_NAMES,
        Shell::Fish => script + FISH_NAMES,
        Shell::Zsh => script.replacen(ZSH_BEGIN, &format!("{ZSH_BEGIN}{ZSH_NAMES}"), 1),
        // Elvish and PowerShell complete commands and options.
        _ => script,
    }
}

/// Prints the manual page, or writes all of them.
///
/// # Errors
/// Returns an error if stdout or the directory cannot be written to.
pub(crate) fn man(
    args: &ManArgs,
    command: Command,
    console: &mut Console,
) -> Result<ExitCode, CommandError> {
    let Some(path) = &args.out else {
        let mut bytes = Vec::new();
        Man::new(command).render(&mut bytes).map_err(CommandError::Output)?;
        return print("man", &bytes, console);
    };
    clap_mangen::generate_to(command, path)
        .map_err(|error| CommandError::Directory { path: path.clone(), error })?;
    if console.is_json() {
        console.document(&json!({ "directory": path }))?;
    } else {
        console.note(&format!("wrote the pages into {}", path.display()));
    }
    Ok(ExitCode::Done)
}

fn print(name: &str, bytes: &[u8], console: &mut Console) -> Result<ExitCode, CommandError> {
    let text = std::str::from_utf8(bytes).map_err(io::Error::other);
    let text = text.map_err(CommandError::Output)?;
    if console.is_json() {
        console.document(&json!({ name: text }))?;
    } else {
        console.result(text)?;
    }
    Ok(ExitCode::Done)
}
