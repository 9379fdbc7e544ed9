//! The processes that share a store: what each says of itself, and how it is seen by the others.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::config::Agreement;
use crate::tally::HistogramReport;

/// The news that a process publishes with each beat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeNews {
    pub scrapers: Vec<ScraperLoad>,
    /// The names of the upstreams that it may ask.
    pub upstreams: Vec<String>,
    /// Published on its own.
    #[serde(skip)]
    pub settings: Option<Agreement>,
}

/// The workers of a process for one scraper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScraperLoad {
    /// The store's number of the scraper.
    pub scraper: u16,
    pub workers: usize,
    /// Its jobs whose attempt runs.
    pub running: usize,
    /// How long an attempt takes on average, milliseconds; 0 before the first.
    pub run_ms: u64,
}

/// A process that shares the store, as this one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    pub name: String,
    /// New at each start.
    pub number: u32,
    pub version: String,
    pub started_ms: UnixMs,
    pub news: NodeNews,
    pub leads: bool,
    /// How long ago its latest beat was seen first, milliseconds.
    pub silent_ms: u64,
    /// The parts of the settings in which it differs from this process.
    pub settings_differ: Vec<&'static str>,
    pub is_self: bool,
}

/// The state of a process as a node of a shared store, and its counts since the start.
#[derive(Clone, Debug)]
pub struct NodeFiguresReport {
    pub name: String,
    pub number: u32,
    pub leads: bool,
    /// The nodes at the latest beat, this one included.
    pub nodes: Vec<NodeReport>,
    /// Nodes that this one has declared dead.
    pub nodes_dead: u64,
    /// The open connections, by what they are for.
    pub connections: Vec<(&'static str, u64)>,
    /// Transactions of unknown outcome, by what was found out.
    pub unknown_committed: u64,
    pub unknown_again: u64,
    /// The rows that were read by one statement.
    pub read_rows: HistogramReport,
    /// How long it took to take open jobs, microseconds.
    pub reserves_us: HistogramReport,
    /// How long hints took from a node to a node, microseconds.
    pub wake_lags_us: HistogramReport,
    /// Ends that no hint has reported in time.
    pub wakes_missed: u64,
    /// How far the database's clock is ahead of the machine's, milliseconds.
    pub clock_ahead_ms: Option<i64>,
    /// `None` before the database was asked first.
    pub database: Option<DatabaseFigures>,
}

/// The figures of the store in its database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseFigures {
    /// The hours that have tables.
    pub hours: u64,
    /// Removed rows of the queue that are still there.
    pub queue_dead_rows: u64,
    /// The age of the oldest transaction that keeps removed rows, milliseconds; 0 without one.
    pub oldest_snapshot_ms: u64,
}

/// The database of a shared store, before a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseReport {
    pub server_version: String,
    pub schema: String,
    /// The version of the tables; `None` before the first start has made them, or if they cannot be
    /// used.
    pub schema_version: Option<u32>,
    pub standbys: Vec<StandbyReport>,
    /// How far its clock is ahead of that of this machine, milliseconds.
    pub clock_ahead_ms: Option<i64>,
    /// The processes that share the store now, with their versions.
    pub nodes: Vec<String>,
    /// The reasons why a start would be refused, each with the way out.
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

/// A standby of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandbyReport {
    pub name: String,
    /// Its word for how it follows: `sync`, `quorum`, `potential`, `async`.
    pub state: String,
    /// How far it is behind, milliseconds; `None` if nothing was written for a while.
    pub lag_ms: Option<u64>,
}
