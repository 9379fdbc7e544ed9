//! answerd: prompts to AI answer engines as durable jobs, answers back as data.
//!
#![doc = include_str!("ARCHITECTURE.md")]
#![cfg_attr(test, allow(clippy::wildcard_enum_match_arm))]

pub mod alert;
pub mod answer;
pub mod api;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod country;
pub mod engine;
pub mod guide;
pub mod http;
pub mod id;
pub mod job;
pub mod measure;
pub mod net;
pub mod practice;
pub mod rate;
pub mod server;
pub mod service;
pub mod store;
pub mod tally;
#[cfg(test)]
mod tests;
pub mod upstream;
