//! The store: jobs, results, credits and their indexes. Every method of [`Store`] is one atomic
//! step. Nothing outside of this folder knows what it is kept in, and nothing outside of
//! `embedded` knows redb.

mod accounts;
mod alert_marks;
mod alerts;
mod blocking;
mod cache;
mod change;
mod effects;
mod embedded;
mod envelope;
mod error;
mod evidence_files;
mod facade;
mod idempotency;
mod list;
mod moved;
mod nodes;
mod options;
mod outbox;
mod pending;
mod reads;
mod record;
mod removal;
mod reports;
mod results;
mod row;
mod schedules;
mod scrapers;
#[allow(dead_code, reason = "tests ask for more")]
mod shared;
mod trackers;
mod writes;

pub use accounts::{Credits, DAYS_KEPT_MAX, DailyUsage, Usage};
pub use alerts::{AlertError, DueAlert, EvaluationWritten, NewEvaluation, SentNotice};
pub use blocking::Blocking;
pub use cache::{CacheEntry, Cached, request_hash};
pub use effects::{Effect, Listener, UsageEvent, WaitedFor};
#[cfg(test)]
pub(crate) use embedded::tests;
pub use embedded::{
    BackupError, BackupReport, BackupSource, BackupStream, PartialBackup, RestoreReport,
    ResumePoint, hide_guarded_panics, restore, write_backup,
};
pub use error::{BackendError, StoreError};
pub use evidence_files::{EvidenceFile, EvidenceOwner};
pub use facade::Store;
pub use idempotency::{idempotency_of, idempotency_of_batch, idempotency_of_samples};
pub use list::{BatchFilter, BatchPage, Cursor, LIST_ROWS_MAX, ListFilter, ListPage};
pub use moved::MoveReport;
pub use nodes::{
    DatabaseFigures, DatabaseReport, NodeFiguresReport, NodeNews, NodeReport, ScraperLoad,
    StandbyReport,
};
pub use options::{OpenOptions, QuickRepair};
pub use outbox::{OutboxKey, Reported, ResendError};
pub use pending::{BATCH_WRITES_MAX, Pending, WRITES_WAITING_MAX, WriterStats};
pub use reads::{KeptRaw, LABELS_MAX, OTHER_LABELS, SpendRow, StoreSizes};
pub use record::SealedResult;
pub use record::{Counts, CountsKind, decode_job, encode_job};
pub use removal::{
    DELETION_ROWS_MAX, DeadlineOutcome, DeletionCounts, SWEEP_ROWS_MAX, SweepOutcome,
};
pub use reports::{CheckReport, ExportReport, HoursProgress};
pub use results::{CompletedJob, CompletedPage, ResultCursor, ResultFilter};
pub use row::{ReadyKey, Row};
pub use schedules::{NewRun, RunAction, RunWritten, ScheduleEntry, ScheduleError};
pub use scrapers::Scrapers;
pub use shared::MigrateReport;
pub use trackers::{
    ApplyCounts, LABELED_GROUPS_MAX, NewObservation, OTHER_LABEL, TRACKER_VERSIONS_MAX,
    TRACKERS_MAX, TrackerDeletion, TrackerLimit, day_of,
};
pub use writes::{
    NewAttemptEnd, NewIdentity, NewItem, NewOutcome, NewResult, SubmitError, SubmitLimits,
};
