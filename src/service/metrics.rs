//! What the metrics tell beside how the scrapers stand: counts since the start, the store, and the
//! process.

use super::Service;
use crate::engine::{DeliveryCounts, TotalsReport};
use crate::store::StoreSizes;
use crate::tally::HistogramReport;
use crate::upstream::CallCounts;

/// What the operating system says of this process; `None` where it has no `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessUse {
    pub resident_bytes: Option<u64>,
    /// User and system time of all threads, seconds.
    pub processor_seconds: Option<f64>,
    pub open_files: Option<u64>,
    pub threads: Option<u64>,
}

impl Service {
    /// What a scraper has done since the start; `None` for one that the store does not know.
    pub fn totals(&self, scraper: &str) -> Option<TotalsReport> {
        self.engine.totals(scraper)
    }

    /// What the calls of every upstream have come to since the start.
    pub fn upstream_calls(&self) -> Vec<CallCounts> {
        self.engine.upstreams().calls()
    }

    /// What has become of the attempts to deliver webhooks since the start.
    pub fn deliveries(&self) -> DeliveryCounts {
        self.engine.deliveries()
    }

    /// How many writes the store's commits since the start have had.
    pub fn store_batches(&self) -> HistogramReport {
        self.store.batches()
    }

    /// How much the store holds; `None` while it cannot be read.
    pub fn store_sizes(&self) -> Option<StoreSizes> {
        self.store.sizes().ok()
    }

    /// What is free where the store's files are, bytes; `None` where nobody knows.
    pub fn store_free_bytes(&self) -> Option<u64> {
        self.store.free_bytes()
    }

    /// What the pages of the database's file take that hold nothing, bytes, as it was found within the
    /// last minutes; `None` before it was found first.
    pub fn store_free_page_bytes(&self) -> Option<u64> {
        self.free_space.bytes(&self.store)
    }

    /// The size of the store's files, bytes; `None` when it cannot be told.
    pub fn store_bytes(&self) -> Option<u64> {
        let folder = std::fs::read_dir(&self.settings.store.path).ok()?;
        let files = folder.filter_map(|entry| entry.ok()?.metadata().ok());
        Some(files.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum())
    }

    pub fn process_use(&self) -> ProcessUse {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        ProcessUse {
            resident_bytes: field("VmRSS:").map(|kib| kib * 1024),
            processor_seconds: processor_seconds(),
            open_files: std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
            threads: field("Threads:"),
        }
    }
}

/// proc(5): fields 14 and 15 of `stat`, in ticks of which Linux shows a hundred a second.
fn processor_seconds() -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name before may hold spaces and brackets.
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_name.split(' ').skip(11).map(|field| field.parse::<f64>().ok());
    Some((fields.next()?? + fields.next()??) / TICKS_PER_SECOND)
}
