//! The engine: fixed pools of worker threads, one per scraper, the scheduler, and the deliverer of
//! webhooks. It hears of every commit from the store, and what it forgets or misses the ready index
//! still has.

mod alerts;
mod attempt;
mod billing;
pub(crate) mod breakpoints;
mod clock_step;
mod commits;
mod context;
mod events;
mod evidence;
mod history;
mod ledger;
mod lifecycle;
mod lock;
mod pass_loop;
mod place;
mod pool;
mod queue;
mod raw;
mod recovery;
mod result;
mod retry;
mod run_times;
mod saved_counts;
mod scheduler;
mod single_flight;
mod slots;
mod state;
mod stats;
#[cfg(test)]
pub(crate) mod tests;
mod totals;
mod vendor_tasks;
mod waiters;
mod webhook;

pub use alerts::AlertEvaluator;
pub use history::{BUCKET_SECONDS, DayBucket, HealthReport, WINDOW_MINUTES};
pub use ledger::{CapReached, Ledger};
pub use place::Place;
pub use queue::QUEUE_ENTRIES_MAX;
pub use raw::RAW_BYTES_MAX;
pub use slots::SlotRunner;
pub use state::{Engine, QueueStatus};
pub use totals::TotalsReport;
pub use webhook::DeliveryCounts;
