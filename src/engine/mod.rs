//! The engine: fixed pools of worker threads, one per scraper, the scheduler, and the deliverer of
//! webhooks. It hears of every commit from the store, and what it forgets or misses the ready index
//! still has.

mod attempt;
pub(crate) mod breakpoints;
mod clock_step;
mod commits;
mod context;
mod day;
mod events;
mod evidence;
mod health;
mod lifecycle;
mod lock;
mod pool;
mod queue;
mod recovery;
mod retry;
mod saved_counts;
mod scheduler;
mod single_flight;
mod state;
mod stats;
#[cfg(test)]
pub(crate) mod tests;
mod totals;
mod waiters;
mod webhook;
mod window;

pub use day::{BUCKET_SECONDS, DayBucket};
pub use health::{HealthReport, WINDOW_MINUTES};
pub use queue::QUEUE_ENTRIES_MAX;
pub use state::{Engine, QueueStatus};
pub use totals::TotalsReport;
pub use webhook::DeliveryCounts;
