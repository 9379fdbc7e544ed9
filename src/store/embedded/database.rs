//! The database itself: making and repairing it on a backend, and reading it where it may be
//! damaged.

use crate::store::StoreError;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{Builder, Database, DatabaseError, StorageBackend};

/// What redb is given for its pages while it repairs a database, bytes: the branches above a page.
const REPAIR_CACHE_BYTES: usize = 1 << 20;

/// Opens the database on a backend, which is opened by the first argument: made when that is empty,
/// repaired when it was not closed. A repair reads every page twice, in two walks. Caching pages
/// that are not read again would only evict others from the processor's caches, so the repair is
/// done with little memory, and the database is opened once more.
pub(super) fn create<B: StorageBackend>(
    backend: impl Fn() -> Result<B, DatabaseError>,
    cache_bytes: usize,
) -> Result<Database, DatabaseError> {
    let open = |builder: &mut Builder| builder.create_with_backend(backend()?);
    let unrepaired = open(
        Database::builder()
            .set_cache_size(cache_bytes)
            .set_repair_callback(redb::RepairSession::abort),
    );
    match unrepaired {
        Err(DatabaseError::RepairAborted) => {}
        outcome => return outcome,
    }
    open(Database::builder().set_cache_size(REPAIR_CACHE_BYTES))?.close()?;
    open(Database::builder().set_cache_size(cache_bytes))
}

/// Runs what reads the database. Bytes that are not what redb has written can make it panic: that
/// is damage, and the end of this reading only.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let outer = GUARDED.replace(true);
    let read = catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(outer);
    read.unwrap_or(Err(StoreError::Damaged("a page of the database cannot be read")))
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Keeps panics that reading a damaged database brings about off the standard error stream, for the
/// commands that report the damage themselves. Others are shown as before.
pub fn hide_guarded_panics() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !GUARDED.get() {
            shown(panic);
        }
    }));
}
