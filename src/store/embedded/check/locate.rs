//! Where the pages of a damaged database cannot be read: the table, and the keys between which that
//! is.

use redb::{Key, ReadTransaction, ReadableTable, TableDefinition, Value};

use crate::store::CheckReport;
use crate::store::embedded::database::guarded;
use crate::store::embedded::tables;

/// Reports every table that cannot be walked through; returns whether there is one.
pub(super) fn unreadable_tables(transaction: &ReadTransaction, report: &mut CheckReport) -> bool {
    let mut any = false;
    macro_rules! locate {
        ($($table:ident),*) => {$(
            any |= locate(transaction, tables::$table, report);
        )*};
    }
    locate!(
        META,
        SCRAPERS,
        JOBS,
        PROMPTS,
        RESULTS,
        READY,
        EXPIRY,
        DEADLINES,
        IDEMPOTENCY,
        BATCHES,
        BATCH_PROGRESS,
        OUTBOX,
        DELIVERIES,
        CACHE,
        ATTEMPTS,
        VENDOR_TASKS,
        RAWS,
        COUNTS,
        SPEND,
        MODELS,
        CREDITS
    );
    any
}

fn locate<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'static, K, V>,
    report: &mut CheckReport,
) -> bool {
    let (mut first, mut last) = (None, None);
    let Err(error) = walk(transaction, definition, false, &mut first) else { return false };
    // What this walk stops at is the other end of the same damage.
    let _ = walk(transaction, definition, true, &mut last);
    let after =
        first.map_or_else(|| "from its beginning".to_owned(), |key| format!("after key {key}"));
    let before = last.map_or_else(|| "to its end".to_owned(), |key| format!("before key {key}"));
    let name = redb::TableHandle::name(&definition);
    report.problem(format!("table {name} cannot be read {after} {before}: {}", error.kind()));
    true
}

/// Reads every key and value from one end; `read` is the last key that could be read.
fn walk<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    definition: TableDefinition<'static, K, V>,
    backward: bool,
    read: &mut Option<String>,
) -> Result<(), crate::store::StoreError> {
    guarded(|| {
        let Some(table) = tables::later(transaction, definition)? else { return Ok(()) };
        let mut entries = table.iter()?;
        loop {
            let entry = if backward { entries.next_back() } else { entries.next() };
            let Some(entry) = entry else { return Ok(()) };
            let (key, value) = entry?;
            let key = format!("{:?}", key.value());
            // Text that is none makes redb panic.
            let _ = value.value();
            *read = Some(key);
        }
    })
}
