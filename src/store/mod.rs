//! The store: jobs, results, credits and their indexes. Every method of [`Store`] is one atomic
//! step. Nothing outside of this folder knows what it is kept in, and nothing outside of
//! `embedded` knows redb.

mod accounts;
mod cache;
mod effects;
mod embedded;
mod envelope;
mod error;
mod evidence_files;
mod options;
mod record;
mod row;
mod scrapers;

pub use accounts::{Credits, DailyUsage, Usage};
pub use cache::{CacheEntry, Cached, request_hash};
pub use effects::{Effect, Listener, UsageEvent};
#[cfg(test)]
pub(crate) use embedded::tests;
pub use embedded::{
    AlertError, ApplyCounts, BATCH_WRITES_MAX, BatchFilter, BatchPage, CheckReport, CompletedJob,
    CompletedPage, Cursor, DAYS_KEPT_MAX, DELETION_ROWS_MAX, DeadlineOutcome, DeletionCounts,
    DueAlert, EvaluationWritten, ExportReport, KeptRaw, LABELED_GROUPS_MAX, LABELS_MAX,
    LIST_ROWS_MAX, ListFilter, ListPage, NewAttemptEnd, NewEvaluation, NewIdentity, NewItem,
    NewObservation, NewOutcome, NewResult, NewRun, OTHER_LABEL, OTHER_LABELS, OutboxKey, Pending,
    Reported, ResendError, ResultCursor, ResultFilter, RunAction, RunWritten, SWEEP_ROWS_MAX,
    ScheduleEntry, ScheduleError, SentNotice, SpendRow, Store, StoreSizes, SubmitError,
    SubmitLimits, SweepOutcome, TRACKER_VERSIONS_MAX, TRACKERS_MAX, TrackerDeletion, TrackerLimit,
    WRITES_WAITING_MAX, WriterStats, day_of, hide_guarded_panics, idempotency_of,
    idempotency_of_batch, idempotency_of_samples,
};
pub use error::{BackendError, StoreError};
pub use evidence_files::{EvidenceFile, EvidenceFolder, EvidenceOwner};
pub use options::{OpenOptions, QuickRepair};
pub use record::SealedResult;
pub use record::{Counts, CountsKind, decode_job, encode_job};
pub use row::{ReadyKey, Row};
pub use scrapers::Scrapers;
