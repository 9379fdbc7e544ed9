//! How a shared store is opened.

use std::time::Duration;

use super::pg_options::PgOptions;
use crate::clock::{Clock, UnixMs};
use crate::config::{SharedStoreSettings, WakeBy};
use crate::store::OpenOptions;

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
    /// What jobs that have ended take of memory, bytes.
    pub cache_bytes: usize,
    /// The most results that the cache remembers.
    pub cache_entries_max: usize,
    /// Results stored earlier are not taken into the cache.
    pub cache_from_ms: UnixMs,
    pub wake: WakeBy,
    /// How long an opening and a write wait for a database that is away.
    pub patience: Duration,
    /// A start migrates tables of an older version.
    pub migrate: bool,
    /// Nothing is accepted where no synchronous standby is connected.
    pub require_standby: bool,
    /// What all evidence may take, bytes.
    pub evidence_bytes_max: u64,
    pub clock: Clock,
}

impl SharedOptions {
    /// Returns the options of a store that the settings name.
    pub(crate) fn of(
        options: &OpenOptions,
        store: &SharedStoreSettings,
        clock: &Clock,
    ) -> SharedOptions {
        SharedOptions {
            pg: pg_options(store),
            writers: store.writers,
            readers: store.readers,
            scrapers: options.scrapers.clone(),
            cache_bytes: options.cache_bytes,
            cache_entries_max: options.cache_entries_max,
            cache_from_ms: options.cache_from_ms,
            wake: store.wake,
            patience: Duration::from_secs(store.patience_seconds),
            migrate: store.migrate,
            require_standby: store.require_standby,
            evidence_bytes_max: options.evidence_bytes_max,
            clock: clock.clone(),
        }
    }
}

/// Returns how the database is reached that the settings name.
pub(super) fn pg_options(store: &SharedStoreSettings) -> PgOptions {
    PgOptions {
        url: store.url.clone(),
        password: store.password.clone(),
        schema: store.schema.clone(),
        node: store.node.clone(),
        authorities: store.authorities.clone(),
    }
}
