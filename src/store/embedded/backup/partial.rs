//! A backup on its way into its file. The file says how far it has come, so that it can go on after
//! a broken connection or a kill; it is checked before it has its name.

use std::io::Read;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, TableDefinition, TableError, WriteTransaction};
use uuid::Uuid;

use super::error::{BackupError, database_error};
use super::format::{BackupBlock, read_block, read_header};
use super::target::PartFile;
use crate::store::embedded::database::guarded;
use crate::store::embedded::transaction::make_tables;
use crate::store::{CheckReport, StoreError};

/// How much is written in one transaction, bytes: a kill loses as much of what has come.
const TRANSACTION_BYTES: usize = 4 << 20;
/// Says how far the copy is, in the same transactions as its rows. No store has this table.
const PROGRESS: TableDefinition<'static, (), (Option<u128>, u64, u64, u64, bool)> =
    TableDefinition::new("backup_progress");

/// The content of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupReport {
    pub rows: u64,
    pub jobs: u64,
    pub file_bytes: u64,
}

/// The first block of a backup that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    pub backup: Uuid,
    pub block: u64,
}

/// How much of a backup is in its file.
#[derive(Clone, Copy, Default)]
struct Copied {
    /// `None` where its source cannot go on with it.
    id: Option<Uuid>,
    blocks: u64,
    rows: u64,
    rows_total: u64,
    is_whole: bool,
}

/// A backup that is being written. Its file is removed when it is dropped; [`PartialBackup::leave`]
/// leaves it for the next run.
pub struct PartialBackup {
    path: PathBuf,
    part: PartFile,
    /// `None` until it begins, where nothing was left.
    database: Option<Database>,
    copied: Copied,
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
    progress: impl FnMut(u64, u64),
) -> Result<BackupReport, BackupError> {
    let mut backup = PartialBackup::open(path)?;
    backup.begin(None)?;
    backup.copy(&mut source, progress)?;
    backup.finish()
}

impl PartialBackup {
    /// Opens the file of a backup, with what an earlier run has left in it.
    ///
    /// # Errors
    /// Returns an error if there is a backup of that name, another process writes it, or the file
    /// cannot be used.
    pub fn open(path: &Path) -> Result<PartialBackup, BackupError> {
        if path.exists() {
            return Err(BackupError::Exists(path.display().to_string()));
        }
        let part = PartFile::as_it_is(path)?;
        // What cannot be read is written over.
        let left = if part.is_empty()? { None } else { read_left(&part).ok().flatten() };
        let (database, copied) = left.unzip();
        Ok(PartialBackup {
            path: path.to_owned(),
            part,
            database,
            copied: copied.unwrap_or_default(),
        })
    }

    /// Returns where the copy can go on; `None` where it has to begin.
    pub fn resume_point(&self) -> Option<ResumePoint> {
        let Copied { id, blocks: block, .. } = self.copied;
        // A header alone is nothing.
        id.filter(|_| block > 1).map(|backup| ResumePoint { backup, block })
    }

    /// Returns whether all rows are there, so that only the check is left.
    pub fn is_whole(&self) -> bool {
        self.copied.is_whole
    }

    /// Forgets what is there and begins a backup, of an id if it can be gone on with.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn begin(&mut self, id: Option<Uuid>) -> Result<(), BackupError> {
        self.database = None;
        self.part.clear()?;
        self.copied = Copied { id, ..Copied::default() };
        self.database = Some(self.part.database()?);
        Ok(())
    }

    /// Copies what a source sends from the first missing block on, some megabytes in each
    /// transaction. `progress` hears how many rows of how many are there.
    ///
    /// # Errors
    /// Returns an error if the source breaks off, which leaves what has come, or is no backup, or
    /// the file cannot be written.
    pub fn copy(
        &mut self,
        source: &mut impl Read,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), BackupError> {
        let Some(database) = &self.database else { return Ok(()) };
        if self.copied.blocks == 0 {
            self.copied.rows_total = read_header(source)?;
            self.copied.blocks = 1;
        }
        while !self.copied.is_whole {
            let transaction = database.begin_write().map_err(database_error)?;
            make_tables(&transaction)?;
            let mut copied = self.copied;
            let taken = copied.take_blocks(&transaction, source);
            if !matches!(taken, Ok(()) | Err(BackupError::Broken(_))) {
                return taken;
            }
            copied.note(&transaction)?;
            transaction.commit().map_err(database_error)?;
            self.copied = copied;
            taken?;
            progress(copied.rows, copied.rows_total);
        }
        Ok(())
    }

    /// Checks the copy and gives it its name.
    ///
    /// # Errors
    /// Returns an error if the copy is not sound, or the file cannot be written.
    pub fn finish(self) -> Result<BackupReport, BackupError> {
        let PartialBackup { path, part, database, copied } = self;
        if let Some(database) = database {
            let checked = check(database)?;
            // After the check, so that a kill in the middle of it costs no second copy.
            forget_progress(part.database()?)?;
            let file_bytes = part.finish(&path, false)?;
            return Ok(BackupReport { rows: copied.rows, jobs: checked.jobs, file_bytes });
        }
        Err(BackupError::Broken("nothing has come".to_owned()))
    }

    /// Leaves the file as it is, for the next run.
    pub fn leave(mut self) {
        self.part.keep();
    }
}

impl Copied {
    /// Writes whole blocks of a source until the transaction is large enough or all are there.
    fn take_blocks(
        &mut self,
        transaction: &WriteTransaction,
        source: &mut impl Read,
    ) -> Result<(), BackupError> {
        let mut bytes = 0;
        while bytes < TRANSACTION_BYTES && !self.is_whole {
            match read_block(source)? {
                BackupBlock::End(sent) if sent == self.rows => self.is_whole = true,
                BackupBlock::End(sent) => {
                    let rows = self.rows;
                    return Err(BackupError::Broken(format!("{rows} of {sent} rows have come")));
                }
                BackupBlock::Rows { table, payload } => {
                    bytes += payload.len();
                    let written = guarded(|| (table.write)(transaction, &payload))?;
                    self.rows += written.ok_or_else(|| {
                        BackupError::Unknown(format!("a row of `{}` is cut off", table.name))
                    })?;
                }
            }
            self.blocks += 1;
        }
        Ok(())
    }

    fn note(&self, transaction: &WriteTransaction) -> Result<(), BackupError> {
        let Copied { id, blocks, rows, rows_total, is_whole } = *self;
        let id = id.map(|id| id.as_u128());
        let mut table = transaction.open_table(PROGRESS).map_err(database_error)?;
        table.insert((), (id, blocks, rows, rows_total, is_whole)).map_err(database_error)?;
        Ok(())
    }
}

/// Returns what an earlier run has left in a file; `None` if it does not say how far it came.
fn read_left(part: &PartFile) -> Result<Option<(Database, Copied)>, BackupError> {
    let opened = guarded(|| {
        let database = part.database().map_err(|_| StoreError::Damaged("it is no database"))?;
        let left = read_progress(&database)?;
        Ok(left.map(|copied| (database, copied)))
    })?;
    Ok(opened)
}

fn read_progress(database: &Database) -> Result<Option<Copied>, StoreError> {
    let table = match database.begin_read()?.open_table(PROGRESS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(table.get(())?.map(|row| {
        let (id, blocks, rows, rows_total, is_whole) = row.value();
        Copied { id: id.map(Uuid::from_u128), blocks, rows, rows_total, is_whole }
    }))
}

/// Returns whether a database is a backup that is not whole, or was not checked.
pub(super) fn is_partial(database: &Database) -> Result<bool, StoreError> {
    Ok(read_progress(database)?.is_some())
}

fn forget_progress(database: Database) -> Result<(), BackupError> {
    let transaction = database.begin_write().map_err(database_error)?;
    transaction.delete_table(PROGRESS).map_err(database_error)?;
    transaction.commit().map_err(database_error)?;
    database.close().map_err(database_error)
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
