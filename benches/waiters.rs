//! The waiters bench: a real server process, many long polls and event streams of one job, and one
//! commit that ends them all. Prints the memory of each and how long it takes until all have their
//! answer. `cargo bench --bench waiters`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LONG_POLLS: usize = 10_000;
const EVENT_STREAMS: usize = 1_000;
/// How long the job runs that everybody waits for: long enough for all to be there, milliseconds.
const JOB_MS: u64 = 15_000;

fn main() {
    println!("waiters      |  count | KiB each | connected s | all answered ms after the first");
    run("long polls", LONG_POLLS, "?wait=60", "\"status\":\"done\"");
    run("event streams", EVENT_STREAMS, "/events", "event: done");
}

fn run(name: &str, count: usize, path: &str, wanted: &str) {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, address) = start(directory.path());
    let id = submit(&address);
    let request = format!("GET /jobs/{id}{path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let before_kib = resident_kib(&server);
    let began = Instant::now();
    let mut waiting: Vec<TcpStream> = (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let connected = began.elapsed();
    // The server has read them all when one more request, on a connection of its own, is answered.
    let mut probe = TcpStream::connect(&address).unwrap();
    probe.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert!(probe.read(&mut [0; 512]).unwrap() > 0);
    let each_kib = (resident_kib(&server) - before_kib) as f64 / count as f64;
    assert!(connected < Duration::from_millis(JOB_MS), "the job ended before all were there");

    let mut first = None;
    for stream in &mut waiting {
        read_until(stream, wanted);
        first.get_or_insert_with(Instant::now);
    }
    let all_ms = first.map_or(0.0, |first| first.elapsed().as_secs_f64() * 1000.0);
    println!(
        "{name:13}| {count:6} | {each_kib:8.1} | {:11.2} | {all_ms:.0}",
        connected.as_secs_f64()
    );
    server.kill().unwrap();
    server.wait().unwrap();
}

fn start(directory: &std::path::Path) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_answerd"))
        .args(["serve", "--json"])
        .env("ANSWERD_STORE__PATH", directory.join("data"))
        .env("ANSWERD_HTTP__BIND", "127.0.0.1:0")
        .env("ANSWERD_LOG__LEVEL", "warn")
        .env("ANSWERD_PRACTICE__LATENCY_MS", JOB_MS.to_string())
        .current_dir(directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let started: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = started["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    (server, address)
}

fn submit(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "POST /scrapers/practice/jobs?prompt=What+is+a+job HTTP/1.1\r\nhost: localhost\r\n\
                   content-length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let answer = read_until(&mut stream, "\"job_id\":\"");
    answer.split("\"job_id\":\"").nth(1).unwrap()[..36].to_owned()
}

fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let (mut answer, mut chunk) = (Vec::new(), [0; 16 << 10]);
    loop {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&answer);
        if text.find(wanted).is_some_and(|at| text.len() >= at + wanted.len() + 37) {
            return text.into_owned();
        }
    }
}

fn resident_kib(server: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
