//! The integration tests: one binary, a real server on a port of its own, real sockets, a real
//! store in a directory of its own.
// A test may panic: that is how it fails.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

mod alerts;
mod app;
mod attacks;
mod backup;
mod batch_file;
mod batches;
mod bodies;
mod browser;
mod bulk;
mod cancel;
mod child;
mod chromium;
mod circles;
mod cli;
mod cluster;
mod completion;
mod contract;
mod costs;
mod cross_site;
mod dashboard;
mod deletion;
mod discovery;
mod disk;
mod docs;
mod edge;
mod errors;
mod events;
mod guide;
mod handling;
mod head;
mod hours;
mod kill_client;
mod kill_loop;
mod layers;
mod lifecycle;
mod limits;
mod list;
mod mcp;
mod metrics;
mod moving;
mod nodes;
mod openapi;
mod operators;
mod origin;
mod page_server;
mod pages;
mod places;
mod poll;
#[allow(dead_code, reason = "the tests of the store use the rest of it")]
#[path = "../../src/store/shared/tests/postgres.rs"]
mod postgres;
mod providers;
#[allow(dead_code, reason = "the tests of the store use the rest of it")]
#[path = "../../src/store/shared/tests/proxy.rs"]
mod proxy;
mod receiver;
mod reload;
mod replicas;
mod reread;
mod restart;
mod results;
mod schedules;
mod shared_db;
mod sharing;
mod stats;
mod store_methods;
mod submit;
mod tidy;
mod trace;
mod trackers;
mod watchdog;
mod webhooks;
mod wrong_input;
