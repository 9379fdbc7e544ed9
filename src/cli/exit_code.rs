//! What the exit code of a command says.

/// The exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCode {
    Done,
    /// The job or the call failed.
    Failed,
    /// The command line or the settings are wrong.
    WrongUse,
    /// No server answers at the address.
    Unreachable,
}

impl ExitCode {
    /// Returns the number that the process exits with.
    pub(crate) const fn code(self) -> u8 {
        match self {
            ExitCode::Done => 0,
            ExitCode::Failed => 1,
            // What clap exits with as well.
            ExitCode::WrongUse => 2,
            ExitCode::Unreachable => 3,
        }
    }
}
