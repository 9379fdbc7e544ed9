//! Jobs that have ended, as they were written or read some moments ago: what is polled often is not
//! asked of the database each time, and can be read while the database is away. A job that has
//! ended changes no more; a deletion the processes tell each other, and what is too old is read
//! again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_postgres::Row as PgRow;

use crate::clock::UnixMs;
use crate::job::UpstreamUsage;
use crate::store::Row;

/// For how long what was written or read is used, milliseconds: a hint of a deletion may be lost.
const TRUSTED_MS: u64 = 10_000;

/// A job that has ended, as a commit of this process has written it.
#[derive(Debug)]
pub(super) struct WrittenJob {
    pub row: Row,
    /// The records of the three tables.
    pub asked: Vec<u8>,
    pub standing: Vec<u8>,
    pub result: Option<Vec<u8>>,
}

/// The records of a job.
pub(super) enum JobRecords {
    /// As the tables have them.
    Read(Arc<PgRow>),
    Written(WrittenJob),
}

impl JobRecords {
    pub(super) fn row(&self) -> Row {
        match self {
            JobRecords::Read(found) => found.get::<_, i64>(0) as Row,
            JobRecords::Written(job) => job.row,
        }
    }

    pub(super) fn asked(&self) -> &[u8] {
        match self {
            JobRecords::Read(found) => found.get(1),
            JobRecords::Written(job) => &job.asked,
        }
    }

    /// Returns how it stands; `None` if it has expired before it could end.
    pub(super) fn standing(&self) -> Option<&[u8]> {
        match self {
            JobRecords::Read(found) => found.get(2),
            JobRecords::Written(job) => Some(&job.standing),
        }
    }

    pub(super) fn result(&self) -> Option<&[u8]> {
        match self {
            JobRecords::Read(found) => found.get(3),
            JobRecords::Written(job) => job.result.as_deref(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            JobRecords::Read(found) => found.raw_size_bytes(),
            JobRecords::Written(WrittenJob { asked, standing, result, .. }) => {
                asked.len() + standing.len() + result.as_ref().map_or(0, Vec::len)
            }
        }
    }
}

/// A job as it was written or read.
pub(super) struct ReadJob {
    pub records: JobRecords,
    /// What its attempts have used, once that was read.
    pub usage: OnceLock<Option<UpstreamUsage>>,
    read_ms: UnixMs,
}

impl ReadJob {
    pub(super) fn new(records: JobRecords, read_ms: UnixMs) -> ReadJob {
        ReadJob { records, usage: OnceLock::new(), read_ms }
    }
}

/// The number of times that jobs were forgotten, as of the begin of a read.
#[derive(Clone, Copy, Debug)]
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

    /// Returns what [`EndedJobs::keep`] takes, at the begin of a read or a commit.
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
        let bytes = job.records.bytes();
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
