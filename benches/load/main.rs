//! The load bench: a real server with a real store, real sockets, an upstream that answers at once
//! with 2 KiB, one that takes its time, and one that does not answer, so that what is submitted to it
//! only waits. Prints submits, polls and whole jobs a second at several numbers of connections, with the
//! same poll of a static body from the same actix beside it. `cargo bench --bench load`; behind `--` the
//! names of tables (`submits`, `polls`, `whole`, `slow`, `sizes`, `starts`, `shared`) and numbers of connections, where
//! not all are wanted.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

#[path = "../../src/store/shared/tests/postgres.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod postgres;
#[path = "../shared/mod.rs"]
mod shared;

mod shared_store;
mod sizes;
mod starts;

use std::net::SocketAddr;
use std::path::Path;

use actix_web::http::StatusCode;
use answerd::server::Server;
use shared::{
    CONNECTIONS, Connection, Http, SLOW_MS, SLOW_WORKERS, fsync_ms, load, processor_seconds,
    start_static, submit,
};

/// How long each cell is measured, seconds.
const CELL_SECONDS: u64 = 4;
/// A cell during which the disk's own fsync changed by more than this is not to be trusted.
const FSYNC_DRIFT_MAX: f64 = 2.0;

fn main() {
    let directory = shared::directory();
    let server = shared::start(directory.path());
    let address = server.address();

    let mut connection = Connection::open(address);
    let id = job_id(&connection.exchange(&submit("practice", "the+polled+one", 0)));
    connection.exchange(&format!("GET /jobs/{id}?wait=30 HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    let poll = format!("GET /jobs/{id} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let body = connection.exchange(&poll);
    let body = body.split_once("\r\n\r\n").unwrap().1.to_owned();
    let static_address = start_static(StatusCode::OK, body.clone());

    let named: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let (counts, tables): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let wanted = |table: &str| tables.is_empty() || tables.iter().any(|name| name == table);
    let counts: Vec<usize> = match counts.as_slice() {
        [] => CONNECTIONS.to_vec(),
        counts => counts.iter().map(|count| count.parse().unwrap()).collect(),
    };
    if wanted("submits") {
        println!("submits: durable; the jobs only wait");
        println!("{HEADINGS} | {} | jobs/fsync", Meter::HEADINGS);
        for &connections in &counts {
            submits(&server, directory.path(), connections);
        }
    }
    if wanted("polls") {
        println!("polls of a body of {} bytes, and the same body sent as it is", body.len());
        println!("{HEADINGS} |  static/s | ratio");
        for &connections in &counts {
            polls(address, static_address, &poll, connections);
        }
    }
    if wanted("whole") {
        println!("whole jobs: submitted, run and answered on one connection");
        println!("{HEADINGS} | {}", Meter::HEADINGS);
        for &connections in &counts {
            whole_jobs(address, directory.path(), "practice", connections);
        }
    }
    if wanted("slow") {
        println!("the same with an upstream that takes {SLOW_MS} ms, and {SLOW_WORKERS} workers");
        println!("{HEADINGS} | {}", Meter::HEADINGS);
        for connections in [SLOW_WORKERS / 2, SLOW_WORKERS] {
            whole_jobs(address, directory.path(), "perplexity", connections);
        }
    }
    server.stop();
    server.wait().unwrap();
    // It needs PostgreSQL, which the rest does not.
    if tables.iter().any(|name| name == "shared") {
        shared_store::table(&counts, directory.path());
    }
    if wanted("sizes") {
        sizes::table();
    }
    if wanted("starts") {
        starts::table();
    }
}

fn submits(server: &Server, directory: &Path, connections: usize) {
    let (before, meter) = (server.writer_stats(), Meter::begin(directory));
    let protocol = Http(|client, n| submit("chatgpt", format_args!("{connections}+{client}"), n));
    let load = load(server.address(), connections, CELL_SECONDS, &protocol);
    let spent = meter.end(directory, load.times.len());
    let after = server.writer_stats();
    let commits = (after.commits - before.commits).max(1) as f64;
    let per_commit = (after.writes - before.writes) as f64 / commits;
    println!("{} | {spent} | {per_commit:10.1}", row(connections, &load));
}

fn polls(address: SocketAddr, static_address: SocketAddr, poll: &str, connections: usize) {
    let protocol = Http(|_, _| poll.to_owned());
    // In turns, because the machine's mood changes by the second.
    let mut both = [Vec::new(), Vec::new()];
    for _ in 0..CELL_SECONDS {
        for (loads, address) in both.iter_mut().zip([address, static_address]) {
            loads.push(load(address, connections, 1, &protocol));
        }
    }
    let [polls, fixed] = both.map(shared::Load::together);
    println!(
        "{} | {:9.0} | {:.2}",
        row(connections, &polls),
        fixed.per_second,
        polls.per_second / fixed.per_second
    );
}

fn whole_jobs(address: SocketAddr, directory: &Path, scraper: &str, connections: usize) {
    let meter = Meter::begin(directory);
    let protocol = Http(|client, n| {
        let prompt = format!("whole+{connections}+{client}+{n}");
        format!("GET /scrapers/{scraper}?prompt={prompt} HTTP/1.1\r\nhost: localhost\r\n\r\n")
    });
    let load = load(address, connections, CELL_SECONDS, &protocol);
    println!("{} | {}", row(connections, &load), meter.end(directory, load.times.len()));
}

/// What a cell costs this process: the client's part is in it.
struct Meter {
    processor_seconds: f64,
    written_bytes: u64,
    fsync_ms: f64,
}

impl Meter {
    const HEADINGS: &str = "processor us each  KiB written each  resident MiB  fsync ms";

    fn begin(directory: &Path) -> Meter {
        Meter {
            fsync_ms: fsync_ms(directory),
            written_bytes: process_figure("io", "write_bytes:"),
            processor_seconds: processor_seconds("self"),
        }
    }

    fn end(self, directory: &Path, jobs: usize) -> String {
        let processor_us = (processor_seconds("self") - self.processor_seconds) * 1e6;
        let written_kib =
            (process_figure("io", "write_bytes:") - self.written_bytes) as f64 / 1024.0;
        let resident_mib = process_figure("status", "VmRSS:") / 1024;
        let drift = drift(self.fsync_ms, fsync_ms(directory));
        let (processor_us, written_kib) = (processor_us / jobs as f64, written_kib / jobs as f64);
        format!("{processor_us:17.0}  {written_kib:16.1}  {resident_mib:12}  {drift}")
    }
}

/// A number that the kernel tells of this process.
fn process_figure(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

const HEADINGS: &str = "connections |  per second  p50 ms  p99 ms  p99.9 ms";

fn row(connections: usize, load: &shared::Load) -> String {
    format!(
        "{connections:11} | {:11.0} {:7.2} {:7.2} {:9.2}",
        load.per_second,
        load.quantile_ms(0.5),
        load.quantile_ms(0.99),
        load.quantile_ms(0.999)
    )
}

/// The disk's own fsync before and after, and whether a cell between them counts.
fn drift(before_ms: f64, after_ms: f64) -> String {
    let ratio = (before_ms / after_ms).max(after_ms / before_ms);
    let verdict =
        if ratio > FSYNC_DRIFT_MAX { ", the disk changed: not to be trusted" } else { "" };
    format!("{before_ms:.2} to {after_ms:.2}{verdict}")
}

fn job_id(reply: &str) -> String {
    reply.split("\"job_id\":\"").nth(1).unwrap()[..36].to_owned()
}
