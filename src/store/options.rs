//! How a store is opened.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::UnixMs;
use crate::config::Settings;

/// How long nothing is written until the store is made to need no repair after a crash.
const STORE_REST: Duration = Duration::from_millis(100);

/// The commits after which an opening after a crash needs no repair, which reads
/// the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuickRepair {
    /// All of them, which makes each take longer.
    Always,
    /// Those before which nothing was written for so long; where none was, one is made for it.
    AfterRest(Duration),
    Never,
}

/// The options of opening a store.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Made, with mode 0700, when it is not there.
    pub directory: PathBuf,
    /// Memory for the database's pages, bytes.
    pub cache_bytes: usize,
    pub quick_repair: QuickRepair,
    /// Below this much free space no new job is taken, MiB; 0 sets no such floor.
    pub free_mib_min: u64,
    /// Every configured scraper.
    pub scrapers: Vec<String>,
    /// The most results that the cache remembers.
    pub cache_entries_max: usize,
    /// Results stored earlier are not taken into the cache.
    pub cache_from_ms: UnixMs,
}

impl OpenOptions {
    /// Returns the options of the settings, for an opening at `now_ms`.
    pub fn of(settings: &Settings, now_ms: UnixMs) -> OpenOptions {
        OpenOptions {
            directory: settings.store.path.clone(),
            cache_bytes: settings.store.cache_bytes,
            quick_repair: if settings.store.quick_repair {
                QuickRepair::Always
            } else {
                QuickRepair::AfterRest(STORE_REST)
            },
            free_mib_min: settings.store.free_mib_min,
            scrapers: settings.scrapers.keys().cloned().collect(),
            cache_entries_max: settings.cache.entries_max,
            cache_from_ms: now_ms.saturating_sub(settings.cache.ttl_seconds.saturating_mul(1000)),
        }
    }
}
