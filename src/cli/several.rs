//! A command that takes several ids does each, and says at the end whether one of them failed.

use super::console::{Console, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;

/// Does something with each id, in their order; a failure does not keep the others from it.
///
/// # Errors
/// Returns the last error, once all of them were done; the earlier ones are printed.
pub(crate) fn each(
    ids: &[String],
    console: &mut Console,
    mut act: impl FnMut(&str, &mut Console) -> Result<ExitCode, CommandError>,
) -> Result<ExitCode, CommandError> {
    let mut worst = ExitCode::Done;
    let mut failed: Option<CommandError> = None;
    for id in ids {
        match act(id, console) {
            Ok(ExitCode::Done) => {}
            Ok(exit) => worst = exit,
            Err(error) => {
                let error = match ids {
                    [_] => error,
                    _ => CommandError::OfJob { id: printable(id), error: Box::new(error) },
                };
                if let Some(earlier) = failed.replace(error) {
                    console.note(&earlier.to_string());
                }
            }
        }
    }
    failed.map_or(Ok(worst), Err)
}
