//! The source of the metrics: counts since the start, the store, and the process.

use super::Service;
use crate::engine::{DeliveryCounts, TotalsReport};
use crate::store::{NodeFiguresReport, StoreSizes};
use crate::tally::HistogramReport;
use crate::upstream::CallCounts;

/// The resources of this process; `None` if the system has no `/proc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessUse {
    pub resident_bytes: Option<u64>,
    /// User and system time of all threads, seconds.
    pub processor_seconds: Option<f64>,
    pub open_files: Option<u64>,
    pub threads: Option<u64>,
}

impl Service {
    /// Returns a scraper's counts since the start; `None` if the store does not know it.
    pub fn totals(&self, scraper: &str) -> Option<TotalsReport> {
        Some(self.engine.stats(scraper)?.totals.report())
    }

    /// Returns the counts of every upstream's calls since the start.
    pub fn upstream_calls(&self) -> Vec<CallCounts> {
        self.engine.upstreams().calls()
    }

    /// Returns the counts of webhook attempts since the start.
    pub fn deliveries(&self) -> DeliveryCounts {
        self.engine.deliveries()
    }

    /// Returns how many writes the store's commits since the start have had.
    pub fn store_batches(&self) -> HistogramReport {
        self.store.batches()
    }

    /// Returns how much the store holds; `None` while it cannot be read.
    pub async fn store_sizes(&self) -> Option<StoreSizes> {
        self.store.sizes().await.ok()
    }

    /// Returns what this process counts as a node of a shared store; `None` where the store is a
    /// file.
    pub fn node_figures(&self) -> Option<NodeFiguresReport> {
        self.store.node_figures()
    }

    /// Returns what is free on the volume of the store's files, bytes; `None` if unknown.
    pub fn store_free_bytes(&self) -> Option<u64> {
        self.store.free_bytes()
    }

    /// Returns the size of the free pages in the database's file, bytes, some minutes old; `None`
    /// before it was found first.
    pub fn store_free_page_bytes(&self) -> Option<u64> {
        self.free_space.bytes(&self.store)
    }

    /// Returns the size of the store's files, bytes; `None` if unknown.
    pub fn store_bytes(&self) -> Option<u64> {
        let folder = std::fs::read_dir(&self.settings.store.path).ok()?;
        let files = folder.filter_map(|entry| entry.ok()?.metadata().ok());
        Some(files.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum())
    }

    /// Returns the resources that this process uses now.
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

/// Returns the processor time so far, seconds. proc(5): fields 14 and 15 of `stat`, in ticks of
/// which Linux shows a hundred a second.
fn processor_seconds() -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name before may hold spaces and brackets.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11).map(|field| field.parse::<f64>().ok());
    Some((fields.next()?? + fields.next()??) / TICKS_PER_SECOND)
}
