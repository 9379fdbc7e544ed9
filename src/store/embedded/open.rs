//! Opening the store: the directory and the file, the format's version, the id key, the scrapers'
//! numbers, and the indexes that live in memory.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, WriteTransaction};

use super::database::guarded;
use super::shared::{BATCH_BOUNDS, Shared};
use super::storage::{FileStorage, Storage, directory_error};
use super::tables::{self, META, SCRAPERS};
use super::{Embedded, completions, transaction, writer};
use crate::clock::UnixMs;
use crate::id::{self, IdCipher};
use crate::job::BatchProgress;
use crate::store::cache::{CacheEntry, CacheIndex};
use crate::store::evidence_files::EvidenceFolder;
use crate::store::scrapers::ScraperEntry;
use crate::store::{OpenOptions, Scrapers, StoreError, record};
use crate::tally::Histogram;

/// The version of the tables' layout that this build writes. It reads the first too, whose records
/// have no checksums, and makes it the second.
const FORMAT: u32 = 2;
const META_FORMAT: &str = "format";
const META_ID_KEY: &str = "id_key";
const META_PROBE: &str = "probe";
/// What a probe of the disk writes, bytes.
const PROBE_BYTES: usize = 256 << 10;
/// The least that redb is given for its pages while `db` commands run, bytes.
pub(super) const TOOL_CACHE_BYTES: usize = 64 << 20;

impl Embedded {
    /// Opens the store in a directory, makes it when it is not there, repairs it after a crash, and
    /// starts its writer.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be used, another process has it, it was written by
    /// another version, or the database is damaged.
    pub(crate) fn open(options: &OpenOptions) -> Result<Embedded, StoreError> {
        Embedded::open_on(Box::new(FileStorage::new(&options.directory)), options)
    }

    /// Does what [`Embedded::open`] does, if the store is there.
    ///
    /// # Errors
    /// Returns an error if [`Embedded::open`] would, or there is no store.
    pub(crate) fn open_existing(options: &OpenOptions) -> Result<Embedded, StoreError> {
        FileStorage::new(&options.directory).bytes()?;
        Embedded::open(options)
    }

    /// Opens the store on whatever keeps its bytes.
    ///
    /// # Errors
    /// Returns an error if [`Embedded::open`] would.
    pub(super) fn open_on(
        storage: Box<dyn Storage>,
        options: &OpenOptions,
    ) -> Result<Embedded, StoreError> {
        let database = open_database(storage.as_ref(), options.cache_bytes, true)?;
        let (key, scrapers) = guarded(|| prepare(&database, &options.scrapers))?;
        let (next_row, cache) =
            guarded(|| rebuild(&database, options.cache_entries_max, options.cache_from_ms))?;
        let scrapers = Arc::new(scrapers);
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(database)),
            latest: Mutex::new(None),
            quick_repair: options.quick_repair,
            scrapers: scrapers.clone(),
            cache: Mutex::new(cache),
            listener: OnceLock::new(),
            outage: Mutex::new(None),
            batches: Histogram::new(&BATCH_BOUNDS),
            room_seen: AtomicBool::new(false),
            only_read: AtomicBool::new(false),
            #[cfg(test)]
            after_commit: Mutex::default(),
        });
        let (queue, thread) = writer::spawn(shared.clone())
            .map_err(|error| directory_error(&options.directory, error))?;
        Ok(Embedded {
            cipher: IdCipher::new(key),
            shared,
            next_row: AtomicU64::new(next_row),
            queue: RwLock::new(Some(queue)),
            writer: Mutex::new(Some(thread)),
            options: options.clone(),
            storage,
            evidence: EvidenceFolder::new(&options.directory, options.evidence_bytes_max),
        })
    }
}

/// Opens a storage's database. What is damaged so that redb panics is refused as damaged.
pub(super) fn open_database(
    storage: &dyn Storage,
    cache_bytes: usize,
    make: bool,
) -> Result<Database, StoreError> {
    guarded(|| storage.open(cache_bytes, make))
}

/// Opens the database of a stopped service, for the `db` commands. It must be there.
pub(super) fn open_existing(storage: &dyn Storage) -> Result<Database, StoreError> {
    let database = open_database(storage, TOOL_CACHE_BYTES, false)?;
    bring_up_to_date(&database)?;
    Ok(database)
}

/// Brings a store of an older format to the present one.
pub(super) fn bring_up_to_date(database: &Database) -> Result<(), StoreError> {
    guarded(|| {
        let transaction = database.begin_read()?;
        let format = transaction.open_table(META)?.get(META_FORMAT)?;
        if check_format(format.map(|found| found.value().to_vec()))? < FORMAT {
            drop(transaction);
            prepare(database, &[])?;
        }
        Ok(())
    })
}

/// Returns the key of the ids.
pub(super) fn id_key(transaction: &ReadTransaction) -> Result<[u8; 16], StoreError> {
    let key = transaction.open_table(META)?.get(META_ID_KEY)?;
    let key = key.and_then(|key| <[u8; 16]>::try_from(key.value()).ok());
    key.ok_or(StoreError::Damaged("the key of the ids is missing"))
}

/// Returns what the pages in use take, of a database that is not shared. redb reports it only
/// together with what a walk through every tree finds, so it is no metric.
pub(super) fn used_bytes(database: &Database) -> Result<u64, StoreError> {
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    Ok(stats.allocated_pages() * stats.page_size() as u64)
}

/// The format of a store, if it is one that this build reads.
fn check_format(stored: Option<Vec<u8>>) -> Result<u32, StoreError> {
    let Some(bytes) = stored else {
        return Err(StoreError::Damaged("the store does not say its format"));
    };
    match bytes.try_into().map(u32::from_be_bytes) {
        Ok(known @ 1..=FORMAT) => Ok(known),
        Ok(other) => Err(StoreError::Version(other)),
        Err(_) => Err(StoreError::Damaged("the store's format is not readable")),
    }
}

/// Makes what a new store needs, checks what an old one says, and gives every scraper a number.
pub(super) fn prepare(
    database: &Database,
    scrapers: &[String],
) -> Result<([u8; 16], Scrapers), StoreError> {
    let transaction = database.begin_write()?;
    let key = prepare_meta(&transaction)?;
    let entries = number_scrapers(&transaction, scrapers)?;
    // Opening a table makes it, so that readers find every table there.
    transaction::make_tables(&transaction)?;
    let name = |number| {
        let entry = entries.iter().find(|entry| entry.number == number);
        entry.map(|entry| entry.name.clone())
    };
    completions::number_all(&transaction, name)?;
    transaction.commit()?;
    Ok((key, Scrapers::new(entries)))
}

/// Writes something and removes it again, each for good: there is room, and the disk takes it.
pub(super) fn probe(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(META_PROBE, vec![0; PROBE_BYTES].as_slice())?;
    transaction.commit()?;
    let transaction = database.begin_write()?;
    drop(transaction.open_table(META)?.remove(META_PROBE)?);
    transaction.commit()?;
    Ok(())
}

fn prepare_meta(transaction: &WriteTransaction) -> Result<[u8; 16], StoreError> {
    let mut meta = transaction.open_table(META)?;
    let stored_key = meta.get(META_ID_KEY)?.map(|key| key.value().to_vec());
    let Some(stored_key) = stored_key else {
        let key = id::fresh_key()?;
        meta.insert(META_ID_KEY, key.as_slice())?;
        meta.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice())?;
        return Ok(key);
    };
    if check_format(meta.get(META_FORMAT)?.map(|format| format.value().to_vec()))? < FORMAT {
        seal_batch_counts(transaction)?;
        meta.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice())?;
    }
    stored_key.try_into().map_err(|_| StoreError::Damaged("the key of the ids is not readable"))
}

/// From the first format: the one table whose values have no room for a checksum.
fn seal_batch_counts(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut sealed = transaction.open_table(tables::BATCH_PROGRESS)?;
    for entry in transaction.open_table(tables::BATCH_PROGRESS_1)?.iter()? {
        let (row, ended) = entry?;
        let (row, (done, failed, completed_ms)) = (row.value(), ended.value());
        let ended = BatchProgress { done, failed, completed_ms };
        sealed.insert(row, record::encode_progress(row, ended)?.as_slice())?;
    }
    transaction.delete_table(tables::BATCH_PROGRESS_1)?;
    Ok(())
}

fn number_scrapers(
    transaction: &WriteTransaction,
    configured: &[String],
) -> Result<Vec<ScraperEntry>, StoreError> {
    let mut table = transaction.open_table(SCRAPERS)?;
    let mut names: Vec<(u16, String)> = Vec::new();
    for entry in table.iter()? {
        let (number, name) = entry?;
        names.push((number.value(), name.value().to_owned()));
    }
    for name in configured {
        if !names.iter().any(|(_, known)| known == name) {
            let number = names.last().map_or(0, |(last, _)| last + 1);
            table.insert(number, name.as_str())?;
            names.push((number, name.clone()));
        }
    }
    let ready = transaction.open_table(tables::READY)?;
    let mut entries = Vec::with_capacity(names.len());
    for (number, name) in names {
        let waiting = ready.range((number, false, 0, 0)..=(number, true, u64::MAX, u64::MAX))?;
        let unfinished = AtomicUsize::new(waiting.count());
        entries.push(ScraperEntry { number, name, unfinished });
    }
    Ok(entries)
}

/// Reads the next row number and the cache's index. A cache entry outlives its job, and would serve
/// the result of whichever job had its row next: so it counts as a use of the row, as does all that
/// damage may have left of one.
pub(super) fn rebuild(
    database: &Database,
    cache_entries_max: usize,
    cache_from_ms: UnixMs,
) -> Result<(u64, CacheIndex), StoreError> {
    let transaction = database.begin_read()?;
    let jobs = transaction.open_table(tables::JOBS)?;
    let prompts = transaction.open_table(tables::PROMPTS)?;
    let results = transaction.open_table(tables::RESULTS)?;
    let mut last_row = jobs.last()?.map_or(0, |(row, _)| row.value());
    last_row = last_row.max(prompts.last()?.map_or(0, |(row, _)| row.value()));
    last_row = last_row.max(results.last()?.map_or(0, |(row, _)| row.value()));
    let batches = transaction.open_table(tables::BATCHES)?;
    last_row = last_row.max(batches.last()?.map_or(0, |(row, _)| row.value()));
    let deliveries = transaction.open_table(tables::DELIVERIES)?;
    last_row = last_row.max(deliveries.last()?.map_or(0, |(row, _)| row.value()));
    let attempts = transaction.open_table(tables::ATTEMPTS)?;
    last_row = last_row.max(attempts.last()?.map_or(0, |(row, _)| row.value()));
    let vendor_tasks = transaction.open_table(tables::VENDOR_TASKS)?;
    last_row = last_row.max(vendor_tasks.last()?.map_or(0, |(row, _)| row.value()));
    let raws = transaction.open_table(tables::RAWS)?;
    last_row = last_row.max(raws.last()?.map_or(0, |(row, _)| row.value()));
    let schedules = transaction.open_table(tables::SCHEDULES)?;
    last_row = last_row.max(schedules.last()?.map_or(0, |(row, _)| row.value()));
    let alerts = transaction.open_table(tables::ALERTS)?;
    last_row = last_row.max(alerts.last()?.map_or(0, |(row, _)| row.value()));
    let notices = transaction.open_table(tables::NOTICES)?;
    last_row = last_row.max(notices.last()?.map_or(0, |(row, _)| row.value()));
    let mut cache = CacheIndex::new(cache_entries_max);
    for entry in transaction.open_table(tables::CACHE)?.iter()? {
        let (key, hash) = entry?;
        let (stored_ms, row) = key.value();
        last_row = last_row.max(row);
        if stored_ms >= cache_from_ms {
            cache.insert(hash.value(), CacheEntry { row, stored_ms });
        }
    }
    Ok((last_row + 1, cache))
}
