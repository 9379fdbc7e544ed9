//! The bytes of a backup on its way: a header, blocks of rows by table, and an end that counts
//! them. Every table of a store has its row in [`TABLES`].

use std::io::Read;
use std::ops::Bound;

use redb::{Key, ReadTransaction, ReadableTableMetadata, TableDefinition, Value, WriteTransaction};

use super::error::BackupError;
use crate::store::StoreError;
use crate::store::embedded::tables::{self, later};

/// The first bytes, with the version of what follows.
const MAGIC: &[u8] = b"answerd backup 1\n";
/// About how much of a table is read at once, bytes.
const BLOCK_BYTES: usize = 256 << 10;
/// The longest block, bytes: a row may be longer than what is read at once.
const BLOCK_BYTES_MAX: usize = 256 << 20;

/// The rows that were read of a table.
pub(super) struct TableRead {
    pub rows: u64,
    /// The key of the last of them, where there may be more.
    pub last_key: Option<Vec<u8>>,
}

/// Appends the rows of a table behind a key, about [`BLOCK_BYTES`] of them.
type ReadRows = fn(&ReadTransaction, Option<&[u8]>, &mut Vec<u8>) -> Result<TableRead, StoreError>;

/// A table of the store, without the types of its keys and values.
pub(super) struct AnyTable {
    pub name: &'static str,
    pub count: fn(&ReadTransaction) -> Result<u64, StoreError>,
    pub read: ReadRows,
    /// Inserts rows, and returns how many they were; `None` if they are cut off.
    pub write: fn(&WriteTransaction, &[u8]) -> Result<Option<u64>, StoreError>,
}

/// Declares the tables, each once.
macro_rules! tables {
    ($($name:literal: $table:ident,)*) => {
        /// Every table of a store. The reads and writes are of their types.
        pub(super) const TABLES: &[AnyTable] = &[$(AnyTable {
            name: $name,
            count: |transaction| count_rows(transaction, tables::$table),
            read: |transaction, after, out| read_rows(transaction, tables::$table, after, out),
            write: |transaction, rows| write_rows(transaction, tables::$table, rows),
        },)*];

        #[cfg(test)]
        const NAMED: &[(&str, fn() -> String)] =
            &[$(($name, || redb::TableHandle::name(&tables::$table).to_owned()),)*];
    };
}

tables! {
    "meta": META,
    "scrapers": SCRAPERS,
    "jobs": JOBS,
    "prompts": PROMPTS,
    "results": RESULTS,
    "ready": READY,
    "expiry": EXPIRY,
    "deadlines": DEADLINES,
    "idempotency": IDEMPOTENCY,
    "batches": BATCHES,
    "batch_counts": BATCH_PROGRESS,
    "outbox": OUTBOX,
    "deliveries": DELIVERIES,
    "cache": CACHE,
    "credits": CREDITS,
    "attempts": ATTEMPTS,
    "vendor_tasks": VENDOR_TASKS,
    "raws": RAWS,
    "spend": SPEND,
    "models": MODELS,
    "completions": COMPLETIONS,
    "schedules": SCHEDULES,
    "schedule_batches": SCHEDULE_BATCHES,
    "schedules_due": SCHEDULES_DUE,
    "schedule_runs": SCHEDULE_RUNS,
    "alerts": ALERTS,
    "alert_watches": ALERT_WATCHES,
    "alerts_due": ALERTS_DUE,
    "alert_runs": ALERT_RUNS,
    "notices": NOTICES,
    "counts": COUNTS,
    "trackers": TRACKERS,
    "tracker_versions": TRACKER_VERSIONS,
    "observations": OBSERVATIONS,
    "observation_sums": SUMS,
    "observation_pages": PAGE_SUMS,
}

fn count_rows<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'static, K, V>,
) -> Result<u64, StoreError> {
    later(transaction, definition)?.map_or(Ok(0), |table| Ok(table.len()?))
}

fn read_rows<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'static, K, V>,
    after: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<TableRead, StoreError> {
    let mut read = TableRead { rows: 0, last_key: None };
    let Some(table) = later(transaction, definition)? else { return Ok(read) };
    let first = after.map_or(Bound::Unbounded, |key| Bound::Excluded(K::from_bytes(key)));
    for row in table.range::<K::SelfType<'_>>((first, Bound::Unbounded))? {
        let (key, value) = row?;
        let (key, value) = (key.value(), value.value());
        let key = K::as_bytes(&key);
        put(out, key.as_ref());
        put(out, V::as_bytes(&value).as_ref());
        read.rows += 1;
        if out.len() >= BLOCK_BYTES {
            read.last_key = Some(key.as_ref().to_vec());
            break;
        }
    }
    Ok(read)
}

fn write_rows<K: Key + 'static, V: Value + 'static>(
    transaction: &WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    mut rows: &[u8],
) -> Result<Option<u64>, StoreError> {
    let mut table = transaction.open_table(definition)?;
    let mut written = 0;
    while !rows.is_empty() {
        let (Some(key), Some(value)) = (take(&mut rows), take(&mut rows)) else { return Ok(None) };
        table.insert(K::from_bytes(key), V::from_bytes(value))?;
        written += 1;
    }
    Ok(Some(written))
}

/// Appends bytes after their length.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    // No row of a store is that long.
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Takes bytes and their length from the front; `None` if they are cut off.
fn take<'a>(rows: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = rows.split_first_chunk::<4>()?;
    let (bytes, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rows = rest;
    Some(bytes)
}

/// Returns the header of a backup with this many rows.
pub(super) fn header(rows_total: u64) -> Vec<u8> {
    [MAGIC, &rows_total.to_be_bytes()].concat()
}

/// Reads the header; returns how many rows follow.
///
/// # Errors
/// Returns an error if it is another one, or is cut off.
pub(super) fn read_header(source: &mut impl Read) -> Result<u64, BackupError> {
    let mut magic = vec![0; MAGIC.len()];
    read_whole(source, &mut magic)?;
    if magic != MAGIC {
        return Err(BackupError::Unknown("it begins with something else".to_owned()));
    }
    Ok(u64::from_be_bytes(read_array(source)?))
}

/// The head of a block: whose rows follow, how long they are, and their checksum.
pub(super) struct BlockHead {
    table: String,
    bytes: u64,
    checksum: u32,
}

/// A block that was read.
pub(super) enum BackupBlock {
    Rows {
        table: &'static AnyTable,
        payload: Vec<u8>,
    },
    /// How many rows there were.
    End(u64),
}

impl BlockHead {
    pub(super) fn of(table: &str, payload: &[u8]) -> BlockHead {
        let bytes = payload.len() as u64;
        BlockHead { table: table.to_owned(), bytes, checksum: crc32fast::hash(payload) }
    }

    /// Creates the last block, which has the number of rows in the place of a length.
    pub(super) fn end(rows: u64) -> BlockHead {
        let checksum = crc32fast::hash(&rows.to_be_bytes());
        BlockHead { table: String::new(), bytes: rows, checksum }
    }

    /// Returns the block.
    pub(super) fn before(&self, payload: &[u8]) -> Vec<u8> {
        // The names of the tables are short.
        let name_bytes = [u8::try_from(self.table.len()).unwrap_or(u8::MAX)];
        let (length, checksum) = (self.bytes.to_be_bytes(), self.checksum.to_be_bytes());
        [&name_bytes, self.table.as_bytes(), &length, &checksum, payload].concat()
    }
}

/// Reads a block.
///
/// # Errors
/// Returns an error if it is cut off or has changed, or of a table that is not known.
pub(super) fn read_block(source: &mut impl Read) -> Result<BackupBlock, BackupError> {
    let [name_bytes] = read_array::<1>(source)?;
    let mut name = vec![0; usize::from(name_bytes)];
    read_whole(source, &mut name)?;
    let length = u64::from_be_bytes(read_array(source)?);
    let checksum = u32::from_be_bytes(read_array(source)?);
    let changed = || BackupError::Broken("a block has changed on its way".to_owned());
    if name.is_empty() {
        let is_whole = crc32fast::hash(&length.to_be_bytes()) == checksum;
        return if is_whole { Ok(BackupBlock::End(length)) } else { Err(changed()) };
    }
    let table = TABLES.iter().find(|table| table.name.as_bytes() == name).ok_or_else(|| {
        let name = String::from_utf8_lossy(&name).escape_default().to_string();
        BackupError::Unknown(format!("it has the table `{name}`, of another version"))
    })?;
    let bytes = usize::try_from(length).ok().filter(|bytes| *bytes <= BLOCK_BYTES_MAX);
    let bytes = bytes.ok_or_else(|| {
        BackupError::Unknown(format!("a block has {length} bytes; the most are {BLOCK_BYTES_MAX}"))
    })?;
    let mut payload = vec![0; bytes];
    read_whole(source, &mut payload)?;
    if crc32fast::hash(&payload) != checksum {
        return Err(changed());
    }
    Ok(BackupBlock::Rows { table, payload })
}

fn read_array<const N: usize>(source: &mut impl Read) -> Result<[u8; N], BackupError> {
    let mut bytes = [0; N];
    read_whole(source, &mut bytes)?;
    Ok(bytes)
}

fn read_whole(source: &mut impl Read, bytes: &mut [u8]) -> Result<(), BackupError> {
    source.read_exact(bytes).map_err(|error| BackupError::Broken(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use redb::{Database, ReadableDatabase, TableHandle};

    use super::*;
    use crate::store::embedded::transaction::make_tables;

    #[test]
    fn every_table_of_a_store_is_in_its_backup() {
        let backend = redb::backends::InMemoryBackend::new();
        let database = Database::builder().create_with_backend(backend).unwrap();
        let transaction = database.begin_write().unwrap();
        make_tables(&transaction).unwrap();
        // Those two are made when the store says what it is.
        transaction.open_table(tables::META).unwrap();
        transaction.open_table(tables::SCRAPERS).unwrap();
        transaction.commit().unwrap();
        let made = database.begin_read().unwrap();
        let made: BTreeSet<String> =
            made.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
        let copied: BTreeSet<String> = TABLES.iter().map(|table| table.name.to_owned()).collect();
        assert_eq!(made, copied);
        for (name, named) in NAMED {
            assert_eq!(*name, named());
        }
    }

    #[test]
    fn a_block_that_was_cut_off_or_changed_is_refused() {
        let mut payload = Vec::new();
        put(&mut payload, &7_u64.to_be_bytes());
        put(&mut payload, b"a prompt");
        let whole = BlockHead::of("prompts", &payload).before(&payload);
        assert!(matches!(read_block(&mut &whole[..]), Ok(BackupBlock::Rows { .. })));
        for length in 0..whole.len() {
            let cut = read_block(&mut &whole[..length]);
            assert!(matches!(cut, Err(BackupError::Broken(_))), "{length}");
        }
        for at in 8..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(read_block(&mut &changed[..]).is_err(), "{at}");
        }
        let mut end = BlockHead::end(7).before(&[]);
        assert!(matches!(read_block(&mut &end[..]), Ok(BackupBlock::End(7))));
        end[8] ^= 1;
        assert!(read_block(&mut &end[..]).is_err());
        let other = BlockHead::of("other", &[]).before(&[]);
        let refused = read_block(&mut &other[..]).err().unwrap().to_string();
        assert!(refused.contains("`other`, of another version"), "{refused}");
        assert!(read_header(&mut &b"answerd backup 2\n12345678"[..]).is_err());
        assert_eq!(read_header(&mut &header(9)[..]).unwrap(), 9);
    }
}
