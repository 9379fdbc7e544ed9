//! The load bench: a real server with a real store, real sockets, an upstream that answers at once
//! with 2 KiB, and one that does not answer, so that what is submitted to it only waits. Prints
//! submits, polls and whole jobs a second at several numbers of connections, with the same poll of a
//! static body from the same actix beside it. `cargo bench --bench load`; behind `--` the names of
//! tables (`submits`, `polls`, `whole`) and numbers of connections, where not all are wanted.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod shared;

use std::net::SocketAddr;
use std::path::Path;

use actix_web::{App, HttpResponse, HttpServer, web};
use answerd::http::Server;
use shared::{CONNECTIONS, Connection, Http, fsync_ms, load, processor_seconds, submit};

/// How long each cell is measured, seconds.
const CELL_SECONDS: u64 = 4;
/// A cell during which the disk's own fsync changed by more than this is not to be trusted.
const FSYNC_DRIFT_MAX: f64 = 2.0;

fn main() {
    let directory = shared::directory();
    let server = shared::start(directory.path());
    let address = server.address();

    let mut connection = Connection::open(address);
    let id = job_id(&connection.exchange(&submit("practice", "the polled one", 0)));
    connection.exchange(&format!("GET /jobs/{id}?wait=30 HTTP/1.1\r\nhost: b\r\n\r\n"));
    let poll = format!("GET /jobs/{id} HTTP/1.1\r\nhost: b\r\n\r\n");
    let body = connection.exchange(&poll);
    let body = body.split_once("\r\n\r\n").unwrap().1.to_owned();
    let static_address = start_static(body.clone());

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
        println!(
            "connections |  per second  p50 ms  p99 ms  p99.9 ms | jobs/fsync | processor us each | \
             fsync ms"
        );
        for &connections in &counts {
            submits(&server, directory.path(), connections);
        }
    }
    if wanted("polls") {
        println!("polls of a body of {} bytes, and the same body sent as it is", body.len());
        println!("connections |  per second  p50 ms  p99 ms  p99.9 ms |  static/s | ratio");
        for &connections in &counts {
            polls(address, static_address, &poll, connections);
        }
    }
    if wanted("whole") {
        println!("whole jobs: submitted, run and answered on one connection");
        println!(
            "connections |  per second  p50 ms  p99 ms  p99.9 ms | processor us each | fsync ms"
        );
        for &connections in &counts {
            whole_jobs(address, directory.path(), connections);
        }
    }
    server.stop();
    server.wait().unwrap();
}

fn submits(server: &Server, directory: &Path, connections: usize) {
    let before = (server.writer_stats(), fsync_ms(directory));
    let spent = processor_seconds("self");
    let protocol = Http(|client, n| submit("chatgpt", &format!("{connections} {client}"), n));
    let load = load(server.address(), connections, CELL_SECONDS, &protocol);
    let each_us = (processor_seconds("self") - spent) * 1e6 / load.times.len() as f64;
    let after = (server.writer_stats(), fsync_ms(directory));
    let commits = (after.0.commits - before.0.commits).max(1) as f64;
    let per_commit = (after.0.writes - before.0.writes) as f64 / commits;
    let drift = drift(before.1, after.1);
    println!("{} | {per_commit:10.1} | {each_us:17.0} | {drift}", row(connections, &load));
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

fn whole_jobs(address: SocketAddr, directory: &Path, connections: usize) {
    let before = (processor_seconds("self"), fsync_ms(directory));
    let protocol = Http(|client, n| {
        let prompt = format!("whole+{connections}+{client}+{n}");
        format!("GET /scrapers/practice?prompt={prompt} HTTP/1.1\r\nhost: b\r\n\r\n")
    });
    let load = load(address, connections, CELL_SECONDS, &protocol);
    // The client's own is in it, because it is the same process.
    let each_us = (processor_seconds("self") - before.0) * 1e6 / load.times.len() as f64;
    let drift = drift(before.1, fsync_ms(directory));
    println!("{} | {each_us:17.0} | {drift}", row(connections, &load));
}

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

/// A server of the same actix with the same number of workers that sends the same body.
fn start_static(body: String) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let server = HttpServer::new(move || {
            let body = web::Bytes::from(body.clone());
            App::new().default_service(web::to(move || {
                let body = body.clone();
                async move { HttpResponse::Ok().content_type("application/json").body(body) }
            }))
        })
        .workers(2)
        .bind("127.0.0.1:0")
        .unwrap();
        sender.send(server.addrs()[0]).unwrap();
        actix_web::rt::System::new().block_on(server.run()).unwrap();
    });
    receiver.recv().unwrap()
}

fn job_id(reply: &str) -> String {
    reply.split("\"job_id\":\"").nth(1).unwrap()[..36].to_owned()
}
