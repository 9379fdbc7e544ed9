//! The state of a store that is copied: of one that is in use, or of a stopped service.

use std::io;
use std::path::Path;
use std::sync::PoisonError;

use redb::{Database, ReadTransaction, ReadableDatabase};

use super::format::{BlockHead, TABLES, header};
use crate::store::embedded::Embedded;
use crate::store::embedded::open::open_existing;
use crate::store::embedded::storage::FileStorage;
use crate::store::{Store, StoreError};

/// A committed state of a store, read block by block.
///
/// It pins that state: what is written meanwhile takes pages of its own. Once the database is
/// closed, every read fails.
pub struct BackupSource {
    transaction: ReadTransaction,
    rows_total: u64,
    at: ReadPosition,
    /// Where every [`MARK_BLOCKS`]th block begins, of those that were read.
    marks: Vec<ReadPosition>,
    /// Keeps a database open that no service has open.
    held: Option<Database>,
}

/// How many blocks lie between two marks: as many are read again where a copy goes on. A store of
/// 100 GB has some 6,000 marks.
const MARK_BLOCKS: u64 = 64;

/// How far a source has been read.
#[derive(Clone)]
struct ReadPosition {
    blocks: u64,
    rows: u64,
    next: NextBlock,
}

/// The block that comes next.
#[derive(Clone)]
enum NextBlock {
    Header,
    /// Of a table, the rows behind this key.
    Table(usize, Option<Vec<u8>>),
    End,
    Nothing,
}

impl BackupSource {
    fn new(database: &Database) -> Result<BackupSource, StoreError> {
        let transaction = database.begin_read()?;
        let mut rows_total = 0;
        for table in TABLES {
            rows_total += (table.count)(&transaction)?;
        }
        let at = ReadPosition { blocks: 0, rows: 0, next: NextBlock::Header };
        Ok(BackupSource { transaction, rows_total, at, marks: Vec::new(), held: None })
    }

    /// Goes back to a block, by its number from zero on, so that it is the next; returns whether
    /// the source had come that far.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read, or was closed.
    pub fn go_to(&mut self, block: u64) -> Result<bool, StoreError> {
        let mark = usize::try_from(block / MARK_BLOCKS).ok().and_then(|at| self.marks.get(at));
        let Some(mark) = mark else { return Ok(false) };
        self.at = mark.clone();
        while self.at.blocks < block {
            if self.next_block()?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the next block, or `None` behind the last.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read, or was closed.
    pub fn next_block(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.at.blocks == self.marks.len() as u64 * MARK_BLOCKS {
            self.marks.push(self.at.clone());
        }
        let block = self.read_block()?;
        self.at.blocks += u64::from(block.is_some());
        Ok(block)
    }

    fn read_block(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        loop {
            match std::mem::replace(&mut self.at.next, NextBlock::Nothing) {
                NextBlock::Header => {
                    self.at.next = NextBlock::Table(0, None);
                    return Ok(Some(header(self.rows_total)));
                }
                NextBlock::Table(at, after) => {
                    let Some(table) = TABLES.get(at) else {
                        self.at.next = NextBlock::End;
                        continue;
                    };
                    let mut payload = Vec::new();
                    let read = (table.read)(&self.transaction, after.as_deref(), &mut payload)?;
                    self.at.rows += read.rows;
                    self.at.next = match read.last_key {
                        Some(key) => NextBlock::Table(at, Some(key)),
                        None => NextBlock::Table(at + 1, None),
                    };
                    if read.rows > 0 {
                        return Ok(Some(BlockHead::of(table.name, &payload).before(&payload)));
                    }
                }
                NextBlock::End => return Ok(Some(BlockHead::end(self.at.rows).before(&[]))),
                NextBlock::Nothing => return Ok(None),
            }
        }
    }
}

/// The blocks of a source, one behind the other.
pub struct BackupStream {
    source: BackupSource,
    block: io::Cursor<Vec<u8>>,
}

impl From<BackupSource> for BackupStream {
    fn from(source: BackupSource) -> BackupStream {
        BackupStream { source, block: io::Cursor::default() }
    }
}

impl io::Read for BackupStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.block.read(bytes)?;
        if read > 0 || bytes.is_empty() {
            return Ok(read);
        }
        let Some(block) = self.source.next_block().map_err(io::Error::other)? else { return Ok(0) };
        self.block = io::Cursor::new(block);
        self.block.read(bytes)
    }
}

impl Embedded {
    pub(crate) fn backup(&self) -> Result<BackupSource, StoreError> {
        let database = self.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| self.shared.absent())?;
        BackupSource::new(database)
    }
}

impl Store {
    /// Returns the state of the store of a stopped service, to be copied.
    ///
    /// # Errors
    /// Returns an error if there is no store, or it cannot be opened.
    pub fn backup_of_stopped(directory: &Path) -> Result<BackupStream, StoreError> {
        let database = open_existing(&FileStorage::new(directory))?;
        let mut source = BackupSource::new(&database)?;
        source.held = Some(database);
        Ok(source.into())
    }
}
