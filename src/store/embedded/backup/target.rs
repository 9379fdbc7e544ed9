//! The file of a backup: written under another name, and then given its own.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, StorageBackend};
use tempfile::TempPath;

use super::error::{BackupError, database_error};
use crate::store::embedded::open::TOOL_CACHE_BYTES;

/// What the name of a file ends with while it is no backup yet.
const PART: &str = ".part";

/// A file that is no backup yet. It is removed when it is dropped, unless it is to stay.
pub(super) struct PartFile {
    file: File,
    path: TempPath,
}

impl PartFile {
    /// Opens the file whose name is that of `path` with `.part` behind it, and empties it.
    pub(super) fn beside(path: &Path) -> Result<PartFile, BackupError> {
        let part = PartFile::as_it_is(path)?;
        part.clear()?;
        Ok(part)
    }

    /// Opens the file whose name is that of `path` with `.part` behind it, a new one where there is
    /// none.
    pub(super) fn as_it_is(path: &Path) -> Result<PartFile, BackupError> {
        let mut name = OsString::from(path);
        name.push(PART);
        let name = PathBuf::from(name);
        let failed = |error| BackupError::file(&name, error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&name).map_err(failed)?;
        let lock = FileBackend::new(file.try_clone().map_err(failed)?).map_err(database_error)?;
        // Of the file as it is: another process may be writing to it.
        if matches!(lock.try_lock_range(Bound::Unbounded, Bound::Unbounded), Ok(false)) {
            return Err(BackupError::InUse(name.display().to_string()));
        }
        let path = TempPath::try_from_path(&name).map_err(failed)?;
        Ok(PartFile { file, path })
    }

    /// Removes what is in it.
    pub(super) fn clear(&self) -> Result<(), BackupError> {
        self.file.set_len(0).map_err(|error| BackupError::file(&self.path, error))
    }

    /// Leaves it where it is.
    pub(super) fn keep(&mut self) {
        self.path.disable_cleanup(true);
    }

    pub(super) fn is_empty(&self) -> Result<bool, BackupError> {
        let found = self.file.metadata().map_err(|error| BackupError::file(&self.path, error))?;
        Ok(found.len() == 0)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Opens it as a database, a new one where it is empty.
    pub(super) fn database(&self) -> Result<Database, BackupError> {
        let file = self.file.try_clone().map_err(|error| BackupError::file(&self.path, error))?;
        let backend = FileBackend::new(file).map_err(database_error)?;
        let mut builder = Database::builder();
        builder.set_cache_size(TOOL_CACHE_BYTES);
        builder.create_with_backend(backend).map_err(database_error)
    }

    /// Gives it its name, in the place of another file only if that is to be replaced; returns its
    /// size, bytes.
    pub(super) fn finish(self, path: &Path, replace: bool) -> Result<u64, BackupError> {
        let failed = |error| BackupError::file(path, error);
        self.file.sync_all().map_err(failed)?;
        let bytes = self.file.metadata().map_err(failed)?.len();
        let named = match replace {
            true => self.path.persist(path),
            false => self.path.persist_noclobber(path),
        };
        named.map_err(|refused| failed(refused.error))?;
        let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        // The name is on disk when its directory is.
        File::open(directory).and_then(|it| it.sync_all()).map_err(failed)?;
        Ok(bytes)
    }
}
