//! What a process counts of its part in a shared store, and what it has last seen of the others.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{DatabaseFigures, NodeReport, ScraperLoad};
use crate::tally::Histogram;

/// The upper bounds of the histogram of reads, rows.
const READ_BOUNDS: [u64; 6] = [1, 2, 4, 16, 64, 256];
/// The upper bounds of the histograms of round trips, microseconds.
const TRIP_BOUNDS_US: [u64; 9] =
    [500, 1_000, 2_000, 5_000, 10_000, 50_000, 100_000, 1_000_000, 10_000_000];

/// The counts since the start, and what was seen last.
pub(super) struct NodeFigures {
    /// The rows that were read by one statement.
    pub read_rows: Arc<Histogram>,
    /// How long reserves took, microseconds.
    pub reserves_us: Histogram,
    /// How long hints of this node took until it heard them itself, microseconds: so no two clocks
    /// are compared.
    pub wake_lags_us: Histogram,
    /// Nodes that this one has declared dead.
    pub nodes_dead: AtomicU64,
    nodes: Mutex<Vec<NodeReport>>,
    database: Mutex<Option<DatabaseFigures>>,
}

impl Default for NodeFigures {
    fn default() -> NodeFigures {
        NodeFigures {
            read_rows: Arc::new(Histogram::new(&READ_BOUNDS)),
            reserves_us: Histogram::new(&TRIP_BOUNDS_US),
            wake_lags_us: Histogram::new(&TRIP_BOUNDS_US),
            nodes_dead: AtomicU64::new(0),
            nodes: Mutex::default(),
            database: Mutex::default(),
        }
    }
}

impl NodeFigures {
    /// Notes the nodes of the latest beat.
    pub(super) fn saw_nodes(&self, nodes: Vec<NodeReport>) {
        *lock(&self.nodes) = nodes;
    }

    /// Returns the nodes of the latest beat.
    pub(super) fn nodes(&self) -> Vec<NodeReport> {
        lock(&self.nodes).clone()
    }

    /// Returns what the database said last.
    pub(super) fn database(&self) -> Option<DatabaseFigures> {
        *lock(&self.database)
    }

    /// Returns how many of them are of a kind.
    pub(super) fn count_nodes(&self, is_counted: impl Fn(&NodeReport) -> bool) -> usize {
        lock(&self.nodes).iter().filter(|node| is_counted(node)).count()
    }

    /// Returns what the other nodes do for a scraper, in sum: an attempt takes as long as it does
    /// on average at a worker.
    pub(super) fn load_elsewhere(&self, scraper: u16) -> ScraperLoad {
        let nodes = lock(&self.nodes);
        let others = nodes.iter().filter(|node| !node.is_self);
        let loads = others.flat_map(|node| &node.news.scrapers);
        let mut sum = ScraperLoad { scraper, ..ScraperLoad::default() };
        let (mut run_ms, mut timed) = (0_u64, 0_u64);
        for load in loads.filter(|load| load.scraper == scraper) {
            sum.workers = sum.workers.saturating_add(load.workers);
            sum.running = sum.running.saturating_add(load.running);
            if load.run_ms > 0 {
                run_ms = run_ms.saturating_add(load.run_ms.saturating_mul(load.workers as u64));
                timed = timed.saturating_add(load.workers as u64);
            }
        }
        ScraperLoad { run_ms: run_ms / timed.max(1), ..sum }
    }

    /// Notes what the database said.
    pub(super) fn saw_database(&self, figures: DatabaseFigures) {
        *lock(&self.database) = Some(figures);
    }
}

fn lock<T>(seen: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is replaced whole.
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
