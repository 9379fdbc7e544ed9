//! The table of sizes: whole jobs and polls whose results are greater and greater, each size with a
//! server and a store of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::shared::{self, After, Connection, Http, Load, load, text};
use crate::{CELL_SECONDS, Meter, job_id};

/// About what the results are to have, KiB.
const RESULTS_KIB: [usize; 4] = [2, 16, 128, 1_024];
/// A result is so many times as long as its answer's Markdown: it has it as text as well.
const RESULT_TO_ANSWER: f64 = 2.3;
const CONNECTIONS: usize = 64;

pub(crate) fn table() {
    println!("results of greater size, {CONNECTIONS} connections: whole jobs, and polls of one");
    println!(
        "result KiB |  jobs/s  p50 ms  p99 ms   MiB/s | {} | polls/s  p50 ms  p99 ms   MiB/s",
        Meter::HEADINGS
    );
    for kib in RESULTS_KIB {
        row(kib);
    }
}

fn row(kib: usize) {
    let directory = shared::directory();
    let answer = text(((kib << 10) as f64 / RESULT_TO_ANSWER) as usize);
    let server =
        shared::start_with(directory.path(), Arc::new(After("practice", Duration::ZERO, answer)));
    let mut connection = Connection::open(server.address());
    let whole = |client: usize, n: usize| {
        format!(
            "GET /scrapers/practice?prompt=sized+{client}+{n} HTTP/1.1\r\nhost: localhost\r\n\r\n"
        )
    };
    let reply = connection.exchange(&whole(CONNECTIONS, 0));
    let result_bytes = reply.split_once("\r\n\r\n").unwrap().1.len();

    let meter = Meter::begin(directory.path());
    let jobs = load(server.address(), CONNECTIONS, CELL_SECONDS, &Http(whole));
    let spent = meter.end(directory.path(), jobs.times.len());
    let poll = format!("GET /jobs/{} HTTP/1.1\r\nhost: localhost\r\n\r\n", job_id(&reply));
    let polls = load(server.address(), CONNECTIONS, CELL_SECONDS, &Http(|_, _| poll.clone()));
    println!(
        "{:10.1} | {} | {spent} | {}",
        result_bytes as f64 / 1024.0,
        cells(&jobs, result_bytes),
        cells(&polls, result_bytes)
    );
    server.stop();
    server.wait().unwrap();
}

fn cells(load: &Load, bytes: usize) -> String {
    format!(
        "{:7.0} {:7.2} {:7.2} {:7.0}",
        load.per_second,
        load.quantile_ms(0.5),
        load.quantile_ms(0.99),
        load.per_second * bytes as f64 / f64::from(1 << 20)
    )
}
