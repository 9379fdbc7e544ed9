//! Where a command writes: results to stdout, messages to stderr, colors only where a person
//! looks on.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// A failure to write to stdout.
#[derive(Debug)]
pub(crate) struct OutputError(pub io::Error);

/// The meaning of a piece of text, shown as a color where there are colors.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    Heading,
    Good,
    Warning,
    Bad,
    Aside,
}

/// Colors text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Styled(bool);

impl Styled {
    /// Text without colors.
    #[cfg(test)]
    pub(crate) const PLAIN: Styled = Styled(false);

    fn for_stream(stream: &impl IsTerminal) -> Styled {
        // https://no-color.org: set and not empty, whatever its value.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Styled(stream.is_terminal() && !refused)
    }

    pub(crate) const fn is_on(self) -> bool {
        self.0
    }

    pub(crate) fn apply(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Heading => "1",
            Style::Good => "32",
            Style::Warning => "33",
            Style::Bad => "31",
            Style::Aside => "2",
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The two streams of a command and who reads them.
pub(crate) struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    json: bool,
    out_styled: Styled,
    err_styled: Styled,
    out_is_terminal: bool,
    err_is_terminal: bool,
}

impl Console {
    /// Creates the console of this process.
    pub(crate) fn of_process(json: bool) -> Console {
        Console {
            out_styled: Styled::for_stream(&io::stdout()),
            err_styled: Styled::for_stream(&io::stderr()),
            out_is_terminal: io::stdout().is_terminal(),
            err_is_terminal: io::stderr().is_terminal(),
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            json,
        }
    }

    /// Streams of a test; no terminal looks on.
    #[cfg(test)]
    pub(crate) fn of_test(out: Box<dyn Write>, err: Box<dyn Write>, json: bool) -> Console {
        Console {
            out,
            err,
            json,
            out_styled: Styled::PLAIN,
            err_styled: Styled::PLAIN,
            out_is_terminal: false,
            err_is_terminal: false,
        }
    }

    /// Returns whether results are for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Returns whether a person sees stdout as it is written.
    pub(crate) fn out_is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Returns whether a person sees stderr as it is written.
    pub(crate) fn err_is_terminal(&self) -> bool {
        self.err_is_terminal
    }

    /// Returns the colors of stdout.
    pub(crate) fn styled(&self) -> Styled {
        self.out_styled
    }

    /// Returns the colors of stderr.
    pub(crate) fn err_styled(&self) -> Styled {
        self.err_styled
    }

    /// Writes a result for people, as lines.
    ///
    /// # Errors
    /// Returns an error if stdout cannot be written to.
    pub(crate) fn result(&mut self, text: &str) -> Result<(), OutputError> {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        write!(self.out, "{text}{end}").and_then(|()| self.out.flush()).map_err(OutputError)
    }

    /// Writes bytes of a result as they are.
    ///
    /// # Errors
    /// Returns an error if stdout cannot be written to.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.out.write_all(bytes).and_then(|()| self.out.flush()).map_err(OutputError)
    }

    /// Writes a result for programs: one JSON document on one line.
    ///
    /// # Errors
    /// Returns an error if stdout cannot be written to.
    pub(crate) fn document(&mut self, document: &impl Serialize) -> Result<(), OutputError> {
        let text = serde_json::to_string(document).map_err(io::Error::from);
        text.map_err(OutputError).and_then(|text| self.result(&text))
    }

    /// Writes a message to stderr. A failure of that is ignored.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }
}

/// Returns text from elsewhere without what a terminal would obey: all control characters but line
/// breaks and tabs.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_wrap_the_text_or_are_not_there() {
        assert_eq!(Styled(true).apply(Style::Good, "ready"), "\x1b[32mready\x1b[0m");
        assert_eq!(Styled::PLAIN.apply(Style::Bad, "failed"), "failed");
    }

    #[test]
    fn an_answer_cannot_command_the_terminal() {
        assert_eq!(printable("a\x1b[2J\u{9b}b\r\n\tc\u{7}"), "a[2Jb\n\tc");
    }
}
