//! How a store is opened.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::{Clock, UnixMs};
use crate::config::{Settings, SharedStoreSettings};

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
    /// The most that all evidence may take, bytes.
    pub evidence_bytes_max: u64,
    /// The database that several processes share, in place of the directory, and the clock of this
    /// one.
    pub shared: Option<(SharedStoreSettings, Clock)>,
}

impl OpenOptions {
    /// Returns the options of the settings, for an opening now.
    pub fn of(settings: &Settings, clock: &Clock) -> OpenOptions {
        let ttl_ms = settings.cache.ttl_seconds.saturating_mul(1000);
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
            cache_from_ms: clock.now_ms().saturating_sub(ttl_ms),
            evidence_bytes_max: settings.browser.evidence_bytes_max,
            shared: settings.store.shared.clone().map(|shared| (shared, clock.clone())),
        }
    }
}
