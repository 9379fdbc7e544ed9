//! A backup in the place of a store: copied beside it, checked, and renamed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

use super::error::BackupError;
use super::partial::{check, is_partial};
use super::target::PartFile;
use crate::store::StoreError;
use crate::store::embedded::open::{TOOL_CACHE_BYTES, bring_up_to_date};
use crate::store::embedded::storage::{FileStorage, Storage, make_directory};

/// How much is copied at once, bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// The store that was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    pub jobs: u64,
    pub unfinished: u64,
    pub file_bytes: u64,
    /// Whether another store was there.
    pub replaced: bool,
}

/// Puts a backup in the place of the store in a directory. `source` is a file that
/// a backup was written to, or the copied directory of a stopped service.
/// `progress` hears how many bytes of how many are there.
///
/// # Errors
/// Returns an error if a store is there that is not to be replaced or is in use, or the backup
/// cannot be read or is not sound; the store that was there stays as it is then.
pub fn restore(
    source: &Path,
    directory: &Path,
    replace: bool,
    progress: impl FnMut(u64, u64),
) -> Result<RestoreReport, BackupError> {
    let store = FileStorage::new(directory);
    let replaced = store.path().exists();
    if replaced && !replace {
        return Err(BackupError::StoreExists(store.path().display().to_string()));
    }
    // Held until the end, so that no service begins on what is replaced.
    let held = if replaced { Some(store.open(TOOL_CACHE_BYTES, false)) } else { None };
    match &held {
        Some(Err(error)) if !error.is_damage() => return Err(error.clone().into()),
        Some(_) | None => {}
    }
    make_directory(directory)?;
    let file =
        if source.is_dir() { FileStorage::new(source).path().to_owned() } else { source.into() };
    let part = PartFile::beside(store.path())?;
    copy(&file, &part, progress)?;
    let database = part.database().map_err(|error| no_backup(&file, error))?;
    bring_up_to_date(&database).map_err(|error| no_backup(&file, error.into()))?;
    if is_partial(&database)? {
        let goes_on = "a part of a backup; the same `db backup` goes on with it".to_owned();
        return Err(no_backup(&file, BackupError::Unknown(goes_on)));
    }
    let checked = check(database)?;
    hand_over(&part, if replaced { store.path() } else { directory })?;
    let file_bytes = part.finish(store.path(), replace)?;
    drop(held);
    Ok(RestoreReport { jobs: checked.jobs, unfinished: checked.unfinished, file_bytes, replaced })
}

/// Gives the file to the owner of what it replaces, or of its directory: root puts a backup back
/// for the user of the service.
fn hand_over(part: &PartFile, like: &Path) -> Result<(), BackupError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let failed = |error| BackupError::file(like, error);
    let owner = std::fs::metadata(like).map_err(failed)?;
    fchown(part.file(), Some(owner.uid()), Some(owner.gid())).map_err(failed)
}

fn no_backup(file: &Path, error: BackupError) -> BackupError {
    if let BackupError::Store(StoreError::Version(version)) = error {
        return StoreError::Version(version).into();
    }
    BackupError::Unsound(format!("{}: {error}", file.display()))
}

fn copy(
    file: &Path,
    part: &PartFile,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), BackupError> {
    let unreadable = |error| BackupError::file(file, error);
    let mut source = File::open(file).map_err(unreadable)?;
    let total = source.metadata().map_err(unreadable)?.len();
    if total == 0 {
        return Err(BackupError::Unsound(format!("{} is empty", file.display())));
    }
    let mut target = part.file();
    let (mut chunk, mut copied) = (vec![0; CHUNK_BYTES], 0);
    loop {
        let read = source.read(&mut chunk).map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        target.write_all(&chunk[..read]).map_err(|error| BackupError::file(file, error))?;
        copied += read as u64;
        progress(copied, total);
    }
}
