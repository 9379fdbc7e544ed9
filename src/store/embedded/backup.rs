//! Backups: a store that is in use is copied row by row from one committed state, into a file that
//! is checked before it has its name; and put back in the place of a store.

mod error;
mod format;
mod partial;
mod restore;
mod source;
mod target;

pub use error::BackupError;
pub use partial::{BackupReport, PartialBackup, ResumePoint, write_backup};
pub use restore::{RestoreReport, restore};
pub use source::{BackupSource, BackupStream};
