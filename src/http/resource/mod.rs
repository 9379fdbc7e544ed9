//! The handlers, one file per resource. A handler parses, calls the service and answers.

pub(crate) mod alerts;
pub(crate) mod attempts;
pub(crate) mod batches;
pub(crate) mod bulk;
pub(crate) mod discovery;
pub(crate) mod document;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod list;
pub(crate) mod metrics;
pub(crate) mod pieces;
pub(crate) mod poll;
pub(crate) mod raw;
pub(crate) mod reports;
pub(crate) mod result_rows;
pub(crate) mod results;
pub(crate) mod schedules;
pub(crate) mod scrapers;
pub(crate) mod stats;
pub(crate) mod streams;
pub(crate) mod trackers;
pub(crate) mod usage;
pub(crate) mod webhooks;
