//! The store in one redb file, which belongs to one process. Nothing outside of this folder knows
//! redb.

mod alert_marks;
mod alerts;
mod attempts;
mod backup;
mod batch_progress;
mod batches;
mod check;
mod completions;
mod counts;
mod credits;
mod database;
mod deletion;
mod error;
mod evidence;
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
mod source;
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

pub use backup::{
    BackupError, BackupReport, BackupSource, BackupStream, PartialBackup, RestoreReport,
    ResumePoint, restore, write_backup,
};
pub use database::hide_guarded_panics;
pub(crate) use handle::Embedded;
pub(crate) use source::MoveSource;
