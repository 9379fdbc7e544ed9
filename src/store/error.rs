//! Why the store could not do something, and what that means for a transaction and for the service.

use std::error::Error;
use std::io::ErrorKind;
use std::sync::Arc;

/// An error of what the store is kept in.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct BackendError {
    error: Arc<dyn Error + Send + Sync>,
    is_unsound: bool,
}

impl BackendError {
    /// Returns the error of a database; `is_unsound` if its content is at fault, and not what it is
    /// kept on.
    pub(super) fn new(error: impl Error + Send + Sync + 'static, is_unsound: bool) -> BackendError {
        BackendError { error: Arc::new(error), is_unsound }
    }

    /// Returns whether the content of the database is at fault.
    pub(super) fn is_unsound(&self) -> bool {
        self.is_unsound
    }
}

/// An error of the store. Cheap to clone: everyone in a failed transaction gets it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database failed: {0}")]
    Database(BackendError),
    #[error("the database is not available: {0}")]
    Unavailable(BackendError),
    #[error("jobs would be on one machine only: {0}")]
    NoStandby(BackendError),
    #[error("the database cannot have the store: {0}")]
    Unsuitable(BackendError),
    #[error("{path} cannot be used: {error}; {}", directory_advice(.error.kind()))]
    Directory { path: String, error: Arc<std::io::Error> },
    #[error(
        "there is no store at {0}; `store.path` says where it is, and the first start of the \
         service makes it"
    )]
    Missing(String),
    #[error(
        "{0} is in use by another process; stop that one first: a store belongs to one process"
    )]
    InUse(String),
    #[error(
        "the store has records of version {0}, which this answerd does not know; it was written by \
         another version"
    )]
    Version(u32),
    #[error("the store is damaged: {0}; `answerd db check` shows more")]
    Damaged(&'static str),
    #[error(
        "{path} is damaged, or no database of answerd: {error}; `answerd db check` and the guide's \
         page on storage tell more"
    )]
    Unsound { path: String, error: BackendError },
    #[error("too many writes wait; try again in a moment")]
    Busy,
    #[error(
        "only {free_mib} MiB are free where the store is, and `store.free_mib_min` keeps \
         {free_mib_min} of them; no job is taken until there is more space"
    )]
    SpaceLow { free_mib: u64, free_mib_min: u64 },
    #[error("the store is closed")]
    Closed,
    #[error("a write to the store panicked; nothing of its transaction is stored")]
    Panicked,
    #[error(transparent)]
    NoRandomness(Arc<crate::id::NoRandomness>),
}

/// Returns what to do when the store's directory or file cannot be used.
#[expect(clippy::wildcard_enum_match_arm, reason = "the list of kinds is open")]
fn directory_advice(kind: ErrorKind) -> String {
    let place = "`store.path` says where the store is";
    match kind {
        ErrorKind::PermissionDenied => {
            let user = rustix::process::geteuid().as_raw();
            format!("the user {user} needs to read and write it; {place}")
        }
        ErrorKind::ReadOnlyFilesystem => format!("its file system is mounted read-only; {place}"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("free some space there; {place}")
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            format!("something else has that name; {place}")
        }
        // The list of kinds is open.
        _ => place.to_owned(),
    }
}

impl StoreError {
    /// Returns whether nothing of the transaction can be kept. The others are found before an
    /// operation has changed anything.
    pub(super) fn voids_transaction(&self) -> bool {
        match self {
            StoreError::Database(_) | StoreError::Panicked => true,
            StoreError::Unavailable(_)
            | StoreError::NoStandby(_)
            | StoreError::Unsuitable(_)
            | StoreError::Directory { .. }
            | StoreError::Missing(_)
            | StoreError::InUse(_)
            | StoreError::Version(_)
            | StoreError::Damaged(_)
            | StoreError::Unsound { .. }
            | StoreError::Busy
            | StoreError::SpaceLow { .. }
            | StoreError::Closed
            | StoreError::NoRandomness(_) => false,
        }
    }

    /// Returns whether everything later will fail as well, until the database has been opened
    /// again. What is damaged fails by itself and leaves the rest as it is.
    pub fn stops_writes(&self) -> bool {
        match self {
            StoreError::Database(_) => !self.is_damage(),
            StoreError::Unavailable(_) | StoreError::NoStandby(_) => true,
            StoreError::Panicked
            | StoreError::Unsuitable(_)
            | StoreError::Directory { .. }
            | StoreError::Missing(_)
            | StoreError::InUse(_)
            | StoreError::Version(_)
            | StoreError::Damaged(_)
            | StoreError::Unsound { .. }
            | StoreError::Busy
            | StoreError::SpaceLow { .. }
            | StoreError::Closed
            | StoreError::NoRandomness(_) => false,
        }
    }
}

impl StoreError {
    /// Returns whether the store was closed, as it is at a stop.
    pub fn is_closed(&self) -> bool {
        matches!(self, StoreError::Closed)
    }

    /// Returns what is wrong, for a report that has said already where: without what to do.
    pub(super) fn kind(&self) -> String {
        match self {
            StoreError::Damaged(what) => (*what).to_owned(),
            StoreError::Database(error) => error.to_string(),
            StoreError::Unsound { error, .. } => error.to_string(),
            StoreError::Version(_)
            | StoreError::Unavailable(_)
            | StoreError::NoStandby(_)
            | StoreError::Unsuitable(_)
            | StoreError::Directory { .. }
            | StoreError::Missing(_)
            | StoreError::InUse(_)
            | StoreError::Busy
            | StoreError::SpaceLow { .. }
            | StoreError::Closed
            | StoreError::Panicked
            | StoreError::NoRandomness(_) => self.to_string(),
        }
    }

    /// Returns whether opening the database again cannot help: what is in it is not sound, or not
    /// ours.
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Damaged(_) | StoreError::Version(_) | StoreError::Unsound { .. } => true,
            StoreError::Database(error) | StoreError::Unsuitable(error) => error.is_unsound(),
            StoreError::Unavailable(_)
            | StoreError::NoStandby(_)
            | StoreError::Directory { .. }
            | StoreError::Missing(_)
            | StoreError::InUse(_)
            | StoreError::Busy
            | StoreError::SpaceLow { .. }
            | StoreError::Closed
            | StoreError::Panicked
            | StoreError::NoRandomness(_) => false,
        }
    }
}

impl From<crate::id::NoRandomness> for StoreError {
    fn from(error: crate::id::NoRandomness) -> StoreError {
        StoreError::NoRandomness(Arc::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_that_cannot_be_used_says_why_and_what_to_do() {
        let text = |kind: ErrorKind| {
            let (path, error) = ("/data".to_owned(), Arc::new(std::io::Error::from(kind)));
            StoreError::Directory { path, error }.to_string()
        };
        let user = rustix::process::geteuid().as_raw();
        let denied = text(ErrorKind::PermissionDenied);
        assert!(denied.starts_with("/data cannot be used: permission denied; "), "{denied}");
        assert!(
            denied.contains(&format!("the user {user} needs to read and write it")),
            "{denied}"
        );
        assert!(!denied.contains("another"), "{denied}");
        for (kind, said) in [
            (ErrorKind::ReadOnlyFilesystem, "read-only"),
            (ErrorKind::StorageFull, "free some space"),
            (ErrorKind::NotADirectory, "something else has that name"),
            (ErrorKind::Other, "`store.path`"),
        ] {
            assert!(text(kind).contains(said), "{}", text(kind));
        }
    }
}
