//! Jobs that have ended, as they were read some moments ago: what is polled often is not asked of
//! the database each time, and can be read while the database is away. A job that has ended
//! changes no more; a deletion the processes tell each other, and what is too old is read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_postgres::Row as PgRow;

use crate::clock::UnixMs;
use crate::job::UpstreamUsage;
use crate::store::Row;

/// For how long what was read is used, milliseconds: a hint of a deletion may be lost.
const TRUSTED_MS: u64 = 10_000;

/// A job as the tables have it.
pub(super) struct ReadJob {
    pub found: Arc<PgRow>,
    /// What its attempts have used, once that was read.
    pub usage: OnceLock<Option<UpstreamUsage>>,
    read_ms: UnixMs,
}

impl ReadJob {
    pub(super) fn new(found: Arc<PgRow>, read_ms: UnixMs) -> ReadJob {
        ReadJob { found, usage: OnceLock::new(), read_ms }
    }
}

/// The number of times that jobs were forgotten, as of the begin of a read.
#[derive(Clone, Copy)]
pub(super) struct Forgets(u64);

/// Jobs in memory: those that were asked for lately, and those before them.
#[derive(Default)]
struct Generations {
    recent: HashMap<Row, Arc<ReadJob>>,
    recent_bytes: usize,
    older: HashMap<Row, Arc<ReadJob>>,
    forgets: u64,
}

/// The jobs that a process keeps in memory.
pub(super) struct EndedJobs {
    /// What a generation takes at most, bytes.
    generation_bytes_max: usize,
    known: Mutex<Generations>,
}

impl EndedJobs {
    /// Creates a memory whose rows take this many bytes at most.
    pub(super) fn new(bytes_max: usize) -> EndedJobs {
        EndedJobs { generation_bytes_max: bytes_max / 2, known: Mutex::default() }
    }

    /// Returns a job that was read within [`TRUSTED_MS`], or at any time.
    pub(super) fn get(&self, row: Row, now_ms: UnixMs, at_any_time: bool) -> Option<Arc<ReadJob>> {
        let mut known = self.lock();
        let job = match known.recent.get(&row) {
            Some(job) => job.clone(),
            None => {
                let job = known.older.remove(&row)?;
                self.insert(&mut known, row, job.clone());
                job
            }
        };
        (at_any_time || job.read_ms.abs_diff(now_ms) <= TRUSTED_MS).then_some(job)
    }

    /// Returns what [`EndedJobs::keep`] takes, at the begin of a read.
    pub(super) fn forgets(&self) -> Forgets {
        Forgets(self.lock().forgets)
    }

    /// Keeps a job, unless one was forgotten since its read began: it may be this one.
    pub(super) fn keep(&self, since: Forgets, row: Row, job: Arc<ReadJob>) {
        let mut known = self.lock();
        if known.forgets == since.0 {
            self.insert(&mut known, row, job);
        }
    }

    /// Forgets jobs that have been deleted or changed.
    pub(super) fn forget(&self, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        let mut known = self.lock();
        known.forgets += 1;
        for row in rows {
            // What it takes is given back with its generation.
            known.recent.remove(row);
            known.older.remove(row);
        }
    }

    fn insert(&self, known: &mut Generations, row: Row, job: Arc<ReadJob>) {
        let bytes = job.found.raw_size_bytes();
        if known.recent_bytes + bytes > self.generation_bytes_max {
            known.older = std::mem::take(&mut known.recent);
            known.recent_bytes = 0;
        }
        if bytes <= self.generation_bytes_max {
            known.recent_bytes += bytes;
            known.recent.insert(row, job);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // What a panic has left half-changed can at worst miss a job.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
