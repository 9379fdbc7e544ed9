//! Printing why a command ended without its result.

use std::io;

use serde_json::json;

use super::console::{Console, Style, printable};
use super::error::CommandError;
use super::exit_code::ExitCode;

/// Prints why a command ended, and returns its exit code.
pub(crate) fn report(error: &CommandError, console: &mut Console) -> ExitCode {
    if let CommandError::Output(error) = error
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        // `answerd get ID | head` is no failure.
        return ExitCode::Done;
    }
    let label = console.err_styled().apply(Style::Bad, "answerd:");
    let code = error.servers_code().map_or_else(String::new, |code| format!(" ({code})"));
    console.note(&format!("{label} {}", printable(&format!("{error}{code}"))));
    if let Some(hint) = error.hint() {
        console.note(&format!("{} {hint}", console.err_styled().apply(Style::Aside, "next:")));
    }
    if console.is_json() {
        let document = json!({ "detail": error.to_string(), "code": error.code() });
        // Stdout is gone too, then; stderr has the sentence.
        let _ = console.document(&document);
    }
    error.exit_code()
}

#[cfg(test)]
mod tests {
    use super::super::client::ClientError;
    use super::super::test_server::streams;
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_next() {
        let (mut console, written) = streams(false);
        let (code, detail) = (Some("key_missing".to_owned()), "Missing API key.".to_owned());
        let error = ClientError::Refused { status: 401, code, detail }.into();
        assert_eq!(report(&error, &mut console), ExitCode::Failed);
        assert_eq!(
            written.err(),
            "answerd: Missing API key. (key_missing)\nnext: set ANSWERD_API_KEY, or give --key\n"
        );
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let mut console = Console::of_test(Box::new(io::sink()), Box::new(io::sink()), false);
        let error = CommandError::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(report(&error, &mut console), ExitCode::Done);
        let error = CommandError::Output(io::ErrorKind::StorageFull.into());
        assert_eq!(report(&error, &mut console), ExitCode::Failed);
    }
}
