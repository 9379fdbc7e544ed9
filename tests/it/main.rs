//! The integration tests: one binary, a real server on a port of its own, real sockets, a real
//! store in a directory of its own.
// A test may panic: that is how it fails.
#![allow(clippy::unwrap_used)]

mod app;
mod attacks;
mod batch_file;
mod batches;
mod bodies;
mod browser;
mod cancel;
mod child;
mod chromium;
mod circles;
mod cli;
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
mod kill_client;
mod kill_loop;
mod layers;
mod lifecycle;
mod limits;
mod list;
mod metrics;
mod openapi;
mod origin;
mod page_server;
mod pages;
mod places;
mod poll;
mod providers;
mod receiver;
mod reload;
mod replicas;
mod restart;
mod results;
mod schedules;
mod sharing;
mod stats;
mod submit;
mod tidy;
mod trackers;
mod watchdog;
mod webhooks;
mod wrong_input;
