//! Why a command ends without its result: the sentence, the word for programs, the exit code.

use std::io;
use std::path::PathBuf;

use super::client::ClientError;
use super::console::OutputError;
use super::exit_code::ExitCode;
use crate::config::ConfigError;
use crate::server::{ServeError, StartError};
use crate::store::{BackupError, StoreError};

/// The error of a command. Each says what to do if something can be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    WrongUse(String),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("the job {job_id} has no answer yet: `answerd watch {job_id}` waits for it")]
    NotDone { job_id: String },
    #[error("the job failed: {sentence}")]
    JobFailed { sentence: String, code: Option<String> },
    /// The error of one of several jobs.
    #[error("{id}: {error}")]
    OfJob { id: String, error: Box<CommandError> },
    /// What was done until then.
    #[error("{0}")]
    Interrupted(String),
    #[error("cannot use the directory {path}: {error}")]
    Directory { path: PathBuf, error: io::Error },
    #[error("cannot read the prompt from stdin: {0}")]
    Input(io::Error),
    #[error("cannot write to stdout: {0}")]
    Output(io::Error),
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("cannot start a thread for the browser: {0}")]
    Browser(io::Error),
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
    #[error("cannot start the log: {0}")]
    Log(String),
}

impl CommandError {
    /// Returns the code that the process exits with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            CommandError::OfJob { error, .. } => error.exit_code(),
            CommandError::Config(_) | CommandError::WrongUse(_) => ExitCode::WrongUse,
            CommandError::Client(error) => match error {
                ClientError::Address { .. } | ClientError::Key => ExitCode::WrongUse,
                ClientError::Unreachable { .. } => ExitCode::Unreachable,
                ClientError::Refused { .. } | ClientError::InvalidResponse { .. } => {
                    ExitCode::Failed
                }
            },
            CommandError::Start(_)
            | CommandError::Serve(_)
            | CommandError::Store(_)
            | CommandError::Backup(_)
            | CommandError::NotDone { .. }
            | CommandError::JobFailed { .. }
            | CommandError::Interrupted(_)
            | CommandError::Directory { .. }
            | CommandError::Input(_)
            | CommandError::Output(_)
            | CommandError::Signals(_)
            | CommandError::Browser(_)
            | CommandError::Random(_)
            | CommandError::Log(_) => ExitCode::Failed,
        }
    }

    /// Returns the stable word for programs; the server's own where it gave one.
    pub(crate) fn code(&self) -> &str {
        self.servers_code().unwrap_or(match self {
            CommandError::OfJob { error, .. } => error.code(),
            CommandError::Config(_) => "settings_invalid",
            CommandError::WrongUse(_) => "wrong_use",
            CommandError::Client(error) => match error {
                ClientError::Address { .. } => "address_invalid",
                ClientError::Key => "key_invalid",
                ClientError::Unreachable { .. } => "server_unreachable",
                ClientError::Refused { .. } => "refused",
                ClientError::InvalidResponse { .. } => "invalid_response",
            },
            CommandError::Start(_) => "start_failed",
            CommandError::Serve(_) => "serve_failed",
            CommandError::Store(_) => "store_failed",
            CommandError::Backup(error) => match error {
                BackupError::Store(_) => "store_failed",
                BackupError::Exists(_) | BackupError::StoreExists(_) => "already_exists",
                BackupError::InUse(_)
                | BackupError::File { .. }
                | BackupError::Broken(_)
                | BackupError::Unknown(_)
                | BackupError::Unsound(_) => "backup_failed",
            },
            CommandError::NotDone { .. } => "not_done",
            CommandError::JobFailed { .. } => "job_failed",
            CommandError::Interrupted(_) => "interrupted",
            CommandError::Directory { .. } => "directory_unusable",
            CommandError::Input(_) => "input_unreadable",
            CommandError::Output(_) => "output_unwritable",
            CommandError::Signals(_) => "signals_unavailable",
            CommandError::Browser(_) => "browser_unavailable",
            CommandError::Random(_) => "random_unavailable",
            CommandError::Log(_) => "log_unavailable",
        })
    }

    /// Returns what to do next, where the server's sentence does not say it for somebody at a
    /// terminal.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.servers_code()? {
            "key_missing" => Some("set ANSWERD_API_KEY, or give --key"),
            "key_invalid" => {
                Some("`answerd keygen NAME` makes a key; its lines go into the server's settings")
            }
            "job_not_found" => Some("`answerd list` shows the jobs of your key"),
            "scraper_not_configured" => {
                Some("`answerd check`, where the server runs, shows what it lacks")
            }
            "credit_limit" => {
                Some("`answerd usage` shows what was used, and when the next month begins")
            }
            "operator_needed" => Some(
                "set ANSWERD_API_KEY to the key of an operator; `answerd keygen NAME --operator` \
                 makes one",
            ),
            "backup_not_found" => Some("the same command begins again"),
            "backup_running" | "queue_full" | "rate_limit" => {
                Some("the same command works a little later")
            }
            _ => None,
        }
    }

    /// Returns the word with which the server itself said why.
    pub(crate) fn servers_code(&self) -> Option<&str> {
        match self {
            CommandError::OfJob { error, .. } => error.servers_code(),
            CommandError::Client(ClientError::Refused { code, .. })
            | CommandError::JobFailed { code, .. } => code.as_deref(),
            CommandError::Client(
                ClientError::Address { .. }
                | ClientError::Key
                | ClientError::Unreachable { .. }
                | ClientError::InvalidResponse { .. },
            )
            | CommandError::Config(_)
            | CommandError::WrongUse(_)
            | CommandError::Start(_)
            | CommandError::Serve(_)
            | CommandError::Store(_)
            | CommandError::Backup(_)
            | CommandError::NotDone { .. }
            | CommandError::Interrupted(_)
            | CommandError::Directory { .. }
            | CommandError::Input(_)
            | CommandError::Output(_)
            | CommandError::Signals(_)
            | CommandError::Browser(_)
            | CommandError::Random(_)
            | CommandError::Log(_) => None,
        }
    }
}

impl From<OutputError> for CommandError {
    fn from(OutputError(error): OutputError) -> CommandError {
        CommandError::Output(error)
    }
}
