//! Where the database's bytes are: a file in the store's directory. The tests have disks of their
//! own, which lose power and fail on command.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend};

use super::database::create;
use crate::store::StoreError;
use crate::store::error::BackendError;

/// The database's file in the store's directory.
const FILE_NAME: &str = "answerd.redb";

/// The storage that a database is opened on, and after a failure on again.
pub(super) trait Storage: Send + Sync {
    /// Opens the database with so much memory for its pages, bytes; one that is not there is made
    /// when `make` allows it.
    ///
    /// # Errors
    /// The storage cannot be used, or what is on it is no sound database.
    fn open(&self, cache_bytes: usize, make: bool) -> Result<Database, StoreError>;

    /// Checks whether what the database is in may be written at all.
    ///
    /// # Errors
    /// Returns an error if it may not, as on a file system that is read-only.
    fn writable(&self) -> Result<(), StoreError>;

    /// Opens what the database is in to be read, even if another process has it open.
    ///
    /// # Errors
    /// Returns an error if it is not there, or cannot be opened.
    fn reader(&self) -> Result<Box<dyn StorageBackend>, StoreError>;

    /// The size of what the database is in, bytes.
    ///
    /// # Errors
    /// It is not there, or cannot be looked at.
    fn bytes(&self) -> Result<u64, StoreError>;

    /// How many bytes can still be written; `None` if unknown.
    fn free_bytes(&self) -> Option<u64>;
}

/// The file of a store's directory.
pub(super) struct FileStorage {
    path: PathBuf,
}

impl FileStorage {
    pub(crate) fn new(directory: &Path) -> FileStorage {
        FileStorage { path: directory.join(FILE_NAME) }
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes an empty database under another name and renames it when it is whole: a cut while redb
    /// lays out a new file would leave one that it does not know for its own.
    fn make(&self, cache_bytes: usize) -> Result<(), StoreError> {
        let directory = self.directory();
        make_directory(directory)?;
        if self.path.exists() {
            return Ok(());
        }
        let failed = |error| directory_error(&self.path, error);
        // The crate makes it with mode 0600 and removes it when it is not renamed.
        let new =
            tempfile::Builder::new().prefix(".new-").tempfile_in(directory).map_err(failed)?;
        let backend = || FileBackend::new(new.as_file().try_clone()?);
        create(backend, cache_bytes)?.close()?;
        new.as_file().sync_all().map_err(failed)?;
        match new.persist_noclobber(&self.path) {
            Ok(_) => Ok(()),
            // Another process was faster; that it has the store is found when this one opens it.
            Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(refused) => Err(failed(refused.error)),
        }
    }

    fn unsound(&self, error: impl Into<BackendError>) -> StoreError {
        StoreError::Unsound { path: self.path.display().to_string(), error: error.into() }
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        }
    }
}

impl Storage for FileStorage {
    fn bytes(&self) -> Result<u64, StoreError> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(StoreError::Missing(self.path.display().to_string()))
            }
            Err(error) => Err(directory_error(&self.path, error)),
        }
    }

    fn writable(&self) -> Result<(), StoreError> {
        let file = File::options().write(true).open(&self.path);
        file.map(drop).map_err(|error| directory_error(&self.path, error))
    }

    fn reader(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        let file = File::open(&self.path).map_err(|error| directory_error(&self.path, error))?;
        Ok(Box::new(FileReader(file)))
    }

    fn free_bytes(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(self.directory()).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn open(&self, cache_bytes: usize, make: bool) -> Result<Database, StoreError> {
        if make {
            self.make(cache_bytes)?;
        }
        if self.bytes()? == 0 {
            // redb would make a new database of it. Ours are never made in their place.
            return Err(self.unsound(redb::Error::Corrupted("the file is empty".to_owned())));
        }
        let file = File::options().read(true).write(true).open(&self.path);
        let file = file.map_err(|error| directory_error(&self.path, error))?;
        let backend = || FileBackend::new(file.try_clone()?);
        // A new file's name is on disk only when its directory is, whatever is synced of the file.
        File::open(self.directory())
            .and_then(|directory| directory.sync_all())
            .map_err(|error| directory_error(self.directory(), error))?;
        match create(backend, cache_bytes) {
            Ok(database) => Ok(database),
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                Err(StoreError::InUse(self.path.display().to_string()))
            }
            Err(error) => {
                let error = StoreError::from(error);
                if let StoreError::Database(cause) = &error
                    && cause.is_unsound()
                {
                    return Err(self.unsound(cause.clone()));
                }
                Err(error)
            }
        }
    }
}

/// A file that is only read.
#[derive(Debug)]
struct FileReader(File);

impl StorageBackend for FileReader {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, at)
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }
}

pub(super) fn make_directory(directory: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| directory_error(directory, error))
}

pub(super) fn directory_error(path: &Path, error: io::Error) -> StoreError {
    StoreError::Directory { path: path.display().to_string(), error: Arc::new(error) }
}
