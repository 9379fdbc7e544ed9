//! The file of a backup: written under another name, checked, and then given its own.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, StorageBackend};
use tempfile::TempPath;

use super::error::{BackupError, database_error};
use super::format::{BackupBlock, read_block, read_header};
use crate::store::CheckReport;
use crate::store::embedded::database::guarded;
use crate::store::embedded::open::TOOL_CACHE_BYTES;
use crate::store::embedded::transaction::make_tables;

/// How much is written in one transaction, bytes.
const TRANSACTION_BYTES: usize = 16 << 20;
/// What the name of a file ends with while it is no backup yet.
const PART: &str = ".part";

/// The content of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    pub rows: u64,
    pub jobs: u64,
    pub file_bytes: u64,
}

/// Writes what a source sends into a new file, checks it and gives it its name. `progress` hears
/// how many rows of how many are there.
///
/// # Errors
/// Returns an error if the file is there already or cannot be written, the source breaks off, or
/// the copy is not sound; no file of that name is there then.
pub fn write_backup(
    mut source: impl Read,
    path: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<BackupReport, BackupError> {
    if path.exists() {
        return Err(BackupError::Exists(path.display().to_string()));
    }
    let rows_total = read_header(&mut source)?;
    let part = PartFile::beside(path)?;
    let database = part.database()?;
    let rows = fill(&database, &mut source, |rows| progress(rows, rows_total))?;
    let checked = check(database)?;
    let file_bytes = part.finish(path, false)?;
    Ok(BackupReport { rows, jobs: checked.jobs, file_bytes })
}

/// Copies the rows, some megabytes in each transaction; returns how many there were.
fn fill(
    database: &Database,
    source: &mut impl Read,
    mut progress: impl FnMut(u64),
) -> Result<u64, BackupError> {
    let mut rows = 0;
    loop {
        let transaction = database.begin_write().map_err(database_error)?;
        make_tables(&transaction)?;
        let mut bytes = 0;
        let end = loop {
            if bytes >= TRANSACTION_BYTES {
                break None;
            }
            match read_block(source)? {
                BackupBlock::End(sent) => break Some(sent),
                BackupBlock::Rows { table, payload } => {
                    bytes += payload.len();
                    let written = guarded(|| (table.write)(&transaction, &payload))?;
                    rows += written.ok_or_else(|| {
                        BackupError::Unknown(format!("a row of `{}` is cut off", table.name))
                    })?;
                }
            }
        };
        transaction.commit().map_err(database_error)?;
        progress(rows);
        match end {
            Some(sent) if sent == rows => return Ok(rows),
            Some(sent) => {
                return Err(BackupError::Broken(format!("{rows} of {sent} rows have come")));
            }
            None => {}
        }
    }
}

/// Checks a store as `db check` does, and closes it.
pub(super) fn check(database: Database) -> Result<CheckReport, BackupError> {
    let mut report = CheckReport::default();
    report.check_database(database);
    match report.problems.first() {
        None => Ok(report),
        Some(first) => {
            let more = report.problems_total.saturating_sub(1);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            Err(BackupError::Unsound(format!("{first}{more}")))
        }
    }
}

/// A file that is no backup yet. It is removed when it is dropped; what a kill leaves is written
/// over by the next.
pub(super) struct PartFile {
    file: File,
    path: TempPath,
}

impl PartFile {
    /// Opens an empty file whose name is that of `path` with `.part` behind it.
    pub(super) fn beside(path: &Path) -> Result<PartFile, BackupError> {
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
        file.set_len(0).map_err(failed)?;
        let path = TempPath::try_from_path(&name).map_err(failed)?;
        Ok(PartFile { file, path })
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
