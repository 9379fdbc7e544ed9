//! Why there is no backup, or why it was not put back.

use std::io;
use std::path::Path;

use crate::store::StoreError;

/// The reason why there is no backup, or why it was not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} is there already; choose another name")]
    Exists(String),
    #[error("there is a store at {0} already; --replace puts the backup in its place")]
    StoreExists(String),
    #[error("{0} is being written by another process")]
    InUse(String),
    #[error("cannot use {path}: {error}")]
    File { path: String, error: io::Error },
    #[error("the copy broke off: {0}")]
    Broken(String),
    #[error("what came is no backup that this answerd can read: {0}")]
    Unknown(String),
    #[error("the copy is not sound, and was not kept: {0}")]
    Unsound(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    pub(super) fn file(path: &Path, error: io::Error) -> BackupError {
        BackupError::File { path: path.display().to_string(), error }
    }
}

/// Returns the error of an operation of the database on a file.
pub(super) fn database_error(error: impl Into<redb::Error>) -> BackupError {
    BackupError::Store(StoreError::Database(error.into().into()))
}
