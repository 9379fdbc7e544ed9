//! The handlers, one file per resource. A handler parses, calls the service and answers.

pub mod attempts;
pub mod batches;
pub mod discovery;
pub mod document;
pub mod events;
pub mod evidence;
pub mod export;
pub mod health;
pub mod jobs;
pub mod list;
pub mod metrics;
pub mod pieces;
pub mod poll;
pub mod raw;
pub mod reports;
pub mod result_rows;
pub mod results;
pub mod schedules;
pub mod scrapers;
pub mod stats;
pub mod streams;
pub mod trackers;
pub mod usage;
pub mod webhooks;
