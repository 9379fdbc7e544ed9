//! What other nodes have done, as far as this one keeps it in memory: how many jobs of each scraper
//! are unfinished, new scrapers, and which results may serve others. It is some moments old.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::handle::SharedStore;
use super::hours::HourTable;
use super::process::Process;
use super::round::Value;
use super::row_number::Hour;
use super::things::{KeyReader, ThingKind};
use crate::clock::UnixMs;
use crate::store::effects::Effect;
use crate::store::scrapers::ScraperEntry;
use crate::store::{Blocking, CacheEntry, StoreError};

/// How much later than others a result may be seen that was stored at the same time, milliseconds.
const LATE_MS_MAX: u64 = 10_000;

/// One read of this many looks at the results of all hours. The others look at those of jobs of
/// this hour and the last one, which nearly all are: a statement over the tables of a day takes
/// long to plan.
const READS_FOR_ALL_HOURS: u64 = 60;

/// The scrapers that have open jobs which are due at `$1`.
const OPEN: &str = "
    SELECT number FROM scrapers WHERE EXISTS (
        SELECT FROM queue WHERE scraper = number AND interactive AND node IS NULL AND due_ms <= $1
    ) OR EXISTS (
        SELECT FROM queue WHERE scraper = number AND NOT interactive AND node IS NULL
        AND due_ms <= $1
    )";

/// How long a delivery is due until another node than that which has filed it sends it,
/// milliseconds.
const DELIVERY_LATE_MS: u64 = 1_000;
/// The first start deadline, the keys of the first slot and of the first alert that are due, and
/// whether no node sends a delivery that has been due since `$3`.
const NEXT_DUE: &str = "
    SELECT (SELECT min(start_by_ms) FROM queue WHERE start_by_ms IS NOT NULL),
           (SELECT key FROM things WHERE kind = $1 AND value <> '' ORDER BY key LIMIT 1),
           (SELECT key FROM things WHERE kind = $2 AND value <> '' ORDER BY key LIMIT 1),
           EXISTS (SELECT FROM outbox WHERE node IS NULL AND due_ms <= $3)";

/// The place up to which the feed has been read.
pub(super) struct Feed {
    /// Results of jobs of the last hours that were stored before are known.
    late_from_ms: UnixMs,
    /// Results of jobs of all hours that were stored before are known.
    all_from_ms: UnixMs,
    reads: u64,
}

impl Feed {
    /// Creates one that begins with the results that were stored from `stored_from_ms` on.
    pub(super) fn new(stored_from_ms: UnixMs) -> Feed {
        Feed { late_from_ms: stored_from_ms, all_from_ms: stored_from_ms, reads: 0 }
    }

    /// Reads what is new.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn read(&mut self, process: &Process) -> Result<(), StoreError> {
        read_depths(process).await?;
        let is_of_all = self.reads.is_multiple_of(READS_FOR_ALL_HOURS);
        self.reads += 1;
        let (from_ms, first_hour) = if is_of_all {
            (&mut self.all_from_ms, i32::MIN)
        } else {
            let this_hour = Hour::of_ms(process.status.wall_ms()).number();
            (&mut self.late_from_ms, this_hour - 1)
        };
        let newest_ms = read_cache(process, first_hour, *from_ms).await?;
        let known_ms = newest_ms.map_or(0, |newest_ms| newest_ms.saturating_sub(LATE_MS_MAX));
        *from_ms = known_ms.max(*from_ms);
        Ok(())
    }
}

/// Returns the effects of open jobs that are due at `now_ms`: a process with idle workers may
/// reserve them.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn open_jobs(
    process: &Process,
    now_ms: UnixMs,
) -> Result<Vec<Effect>, StoreError> {
    let now: Vec<Value> = vec![Arc::new(now_ms as i64)];
    let open = process.reads.ask_text(OPEN, now).committed().await?;
    let scraper = |row: &tokio_postgres::Row| row.get::<_, i16>(0) as u16;
    Ok(open.iter().map(|row| Effect::Open { scraper: scraper(row) }).collect())
}

/// Returns the effects of what is due next, whichever node has written it: the one that has may be
/// gone, or may not be able to do it.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn next_due(process: &Process, now_ms: UnixMs) -> Result<Vec<Effect>, StoreError> {
    let late_ms = now_ms.saturating_sub(DELIVERY_LATE_MS);
    let values: Vec<Value> = vec![
        Arc::new(ThingKind::ScheduleDue as i16),
        Arc::new(ThingKind::AlertDue as i16),
        Arc::new(late_ms as i64),
    ];
    let found = process.reads.ask_text(NEXT_DUE, values).committed().await?;
    let Some(found) = found.first() else { return Ok(Vec::new()) };
    let first_ms =
        |column| found.get::<_, Option<&[u8]>>(column).and_then(|it| KeyReader(it).u64());
    let deadline_ms = found.get::<_, Option<i64>>(0).filter(|_| process.status.leads());
    let effects = [
        deadline_ms.map(|at_ms| Effect::Deadline { at_ms: at_ms as UnixMs }),
        first_ms(1).map(|due_ms| Effect::Slot { due_ms }),
        first_ms(2).map(|due_ms| Effect::Alert { due_ms }),
        found.get::<_, bool>(3).then_some(Effect::Delivery { due_ms: late_ms }),
    ];
    Ok(effects.into_iter().flatten().collect())
}

/// Reads the counts of unfinished jobs, and the names of scrapers that are new.
async fn read_depths(process: &Process) -> Result<(), StoreError> {
    let depths = "SELECT scraper, sum(n)::int8 FROM depth GROUP BY scraper";
    let depths = process.reads.ask_text(depths, Vec::new()).committed().await?;
    let depths = depths.iter().map(|row| (row.get::<_, i16>(0) as u16, row.get::<_, i64>(1)));
    let depths: Vec<(u16, i64)> = depths.collect();
    if depths.iter().any(|(scraper, _)| process.scrapers.entry(*scraper).is_none()) {
        learn_scrapers(process).await?;
    }
    for (scraper, unfinished) in depths {
        if let Some(entry) = process.scrapers.entry(scraper) {
            // What this process commits at this moment is counted by the next read.
            let unfinished = usize::try_from(unfinished).unwrap_or(0);
            entry.unfinished.store(unfinished, Ordering::Relaxed);
        }
    }
    Ok(())
}

async fn learn_scrapers(process: &Process) -> Result<(), StoreError> {
    let all = "SELECT number, name FROM scrapers ORDER BY number";
    let all = process.reads.ask_text(all, Vec::new()).committed().await?;
    let entries = all.iter().map(|row| ScraperEntry {
        number: row.get::<_, i16>(0) as u16,
        name: row.get(1),
        unfinished: AtomicUsize::new(0),
    });
    process.scrapers.add(entries.collect());
    Ok(())
}

/// Reads the results that were stored from `from_ms` on, of jobs from `first_hour` on. Returns when
/// the newest of them was.
async fn read_cache(
    process: &Process,
    first_hour: i32,
    from_ms: UnixMs,
) -> Result<Option<UnixMs>, StoreError> {
    let hours = "SELECT hour FROM hours WHERE hour >= $1 ORDER BY hour";
    let hours = process.reads.ask_text(hours, vec![Arc::new(first_hour)]).committed().await?;
    let hours = hours.iter().filter_map(|row| Hour::of_number(row.get(0)));
    let mut text = String::new();
    for hour in hours {
        let union = if text.is_empty() { "" } else { " UNION ALL " };
        let table = HourTable::Cache.in_hour(hour);
        let _ = write!(text, "{union}SELECT stored_ms, row, hash FROM {table} ");
        text.push_str("WHERE stored_ms >= $1");
    }
    if text.is_empty() {
        return Ok(None);
    }
    text.push_str(" ORDER BY 1, 2");
    let from: Vec<Value> = vec![Arc::new(from_ms as i64)];
    let found = process.reads.ask_text(&text, from).committed().await?;
    let mut cache = process.cache_index();
    for row in &found {
        let (stored_ms, of, hash): (i64, i64, Uuid) = (row.get(0), row.get(1), row.get(2));
        let entry = CacheEntry { row: of as u64, stored_ms: stored_ms as u64 };
        let known = cache.get(hash.as_u128(), 0, UnixMs::MAX);
        if known.is_none_or(|known| known.stored_ms < entry.stored_ms) {
            cache.insert(hash.as_u128(), entry);
        }
    }
    Ok(found.last().map(|row| row.get::<_, i64>(0) as UnixMs))
}

impl SharedStore {
    /// Reads what other nodes have done, with the results that were stored from `cache_from_ms` on.
    /// Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn refresh(&self, cache_from_ms: UnixMs) -> Result<(), StoreError> {
        Feed::new(cache_from_ms).read(&self.process).wait()
    }
}
