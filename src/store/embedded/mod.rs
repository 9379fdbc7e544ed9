//! The store in one redb file, which belongs to one process. Nothing outside of this folder knows
//! redb.

mod alert_marks;
mod alerts;
mod attempts;
mod batch_progress;
mod batches;
mod check;
mod completions;
mod counts;
mod credits;
mod database;
mod deletion;
mod error;
mod expiry;
mod handle;
mod idempotency;
mod jobs;
mod lazy_table;
mod list;
mod models;
mod notices;
mod observations;
mod open;
mod outage;
mod outbox;
mod overlay;
mod page_sums;
mod raws;
mod reads;
mod recovery;
mod rows;
mod schedules;
mod shared;
mod sizes;
mod snapshot;
mod spend;
mod storage;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod trackers;
mod transaction;
mod transitions;
mod usage;
mod vendor_tasks;
mod writer;

pub use alerts::{AlertError, DueAlert, EvaluationWritten, NewEvaluation, SentNotice};
pub use attempts::NewAttemptEnd;
pub use batches::NewItem;
pub use check::{CheckReport, ExportReport};
pub use completions::{CompletedJob, CompletedPage, ResultCursor, ResultFilter};
pub use database::hide_guarded_panics;
pub use deletion::{DELETION_ROWS_MAX, DeletionCounts};
pub use expiry::{DeadlineOutcome, SWEEP_ROWS_MAX, SweepOutcome};
pub use handle::{NewIdentity, Store, WriterStats};
pub use idempotency::{idempotency_of, idempotency_of_batch, idempotency_of_samples};
pub use jobs::{NewResult, SubmitError, SubmitLimits};
pub use list::{BatchFilter, BatchPage, Cursor, LIST_ROWS_MAX, ListFilter, ListPage};
pub use observations::{
    ApplyCounts, LABELED_GROUPS_MAX, NewObservation, OTHER_LABEL, TrackerDeletion, day_of,
};
pub use outbox::{OutboxKey, Reported, ResendError};
pub use raws::KeptRaw;
pub use schedules::{NewRun, RunAction, RunWritten, ScheduleEntry, ScheduleError};
pub use sizes::StoreSizes;
pub use spend::{LABELS_MAX, OTHER_LABELS, SpendRow};
pub use trackers::{TRACKER_VERSIONS_MAX, TRACKERS_MAX, TrackerLimit};
pub use transitions::NewOutcome;
pub use usage::DAYS_KEPT_MAX;
pub use writer::{BATCH_WRITES_MAX, Pending, WRITES_WAITING_MAX};
