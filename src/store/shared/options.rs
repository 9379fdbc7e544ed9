//! How a shared store is opened.

use std::time::Duration;

use super::pg_options::PgOptions;
use super::wake::WakeBy;
use crate::clock::{Clock, UnixMs};

/// The options of opening a shared store.
#[derive(Clone)]
pub(crate) struct SharedOptions {
    pub pg: PgOptions,
    /// Connections that write.
    pub writers: u16,
    /// Connections that read.
    pub readers: u16,
    /// Every configured scraper.
    pub scrapers: Vec<String>,
    /// The most results that the cache remembers.
    pub cache_entries_max: usize,
    /// Results stored earlier are not taken into the cache.
    pub cache_from_ms: UnixMs,
    pub wake: WakeBy,
    /// How long an opening and a write wait for a database that is away.
    pub patience: Duration,
    /// Nothing is accepted where no synchronous standby is connected.
    pub require_standby: bool,
    /// What all evidence may take, bytes.
    pub evidence_bytes_max: u64,
    pub clock: Clock,
}
