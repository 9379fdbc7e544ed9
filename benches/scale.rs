//! The scale bench: a store with a million finished jobs of 2 KiB each and a hundred thousand that
//! wait, beside an empty one. Prints how fast each serves polls and submits, what memory and disk
//! they take, how long a start takes after a kill, and what the expiry of the million does to those
//! who poll meanwhile. `cargo bench --bench scale`; `SCALE_JOBS` changes the million.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod shared;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use answerd::job::{Job, State};
use answerd::store::{Blocking, QuickRepair, Store, SubmitLimits};
use shared::{
    Http, Load, RESULT_BYTES, fsync_ms, load, now_ms, open_store, queued_job, serve, submit,
};

/// Finished jobs, unless `SCALE_JOBS` says otherwise.
const JOBS: usize = 1_000_000;
/// One job that waits for ten that have finished.
const FINISHED_FOR_EACH_WAITING: usize = 10;
/// Writes that are under way at once while the store is filled.
const FILLING: usize = 4_096;
/// What there is time for between the filling and the expiry, seconds.
const EXPIRES_AFTER_SECONDS: u64 = 120;
/// The most that the filling may take, seconds.
const FILL_SECONDS_MAX: u64 = 90;
/// How long the expiry is watched, seconds.
const SWEEP_SECONDS: u64 = 60;
/// Jobs that do not expire, to be polled while the others do.
const LASTING: usize = 1_000;
const CONNECTIONS: usize = 16;
/// Longer than the writer waits until it settles the database.
const REST: Duration = Duration::from_secs(1);
const CELL_SECONDS: u64 = 5;

fn main() {
    let jobs = std::env::var("SCALE_JOBS").map_or(JOBS, |jobs| jobs.parse().unwrap());
    let directory = shared::directory();
    let (full, empty) = (directory.path().join("full"), directory.path().join("empty"));

    let began = Instant::now();
    let (ids, lasting) = fill(&full, jobs);
    assert!(
        began.elapsed().as_secs() < FILL_SECONDS_MAX,
        "too slow: they expire before they are polled"
    );
    println!(
        "{jobs} finished and {} waiting jobs written in {:.0} s; {}; fsync takes {:.2} ms",
        jobs / FINISHED_FOR_EACH_WAITING,
        began.elapsed().as_secs_f64(),
        size(&full),
        fsync_ms(directory.path())
    );
    let (_, lasting_of_empty) = fill(&empty, 0);
    let expiry = began + Duration::from_secs(EXPIRES_AFTER_SECONDS + FILL_SECONDS_MAX);

    println!("store | ready s | polls/s  p50 ms  p99 ms | submits/s  p50 ms  p99 ms | memory MiB");
    let server = Process::start(&empty, false);
    measure("empty", &server, &lasting_of_empty);
    server.kill();
    let server = Process::start(&full, false);
    measure("full ", &server, &ids);
    server.kill();
    let server = Process::start(&full, false);
    println!(
        "killed under load: ready in {:.2} s, {:.0} MiB",
        server.ready_seconds,
        server.memory_mib()
    );
    std::thread::sleep(REST);
    server.kill();
    let server = Process::start(&full, true);
    println!("killed at rest: ready in {:.2} s; now with quick_repair:", server.ready_seconds);
    measure("full ", &server, &ids);
    server.kill();
    let server = Process::start(&full, false);
    println!("killed under load with it: ready in {:.2} s", server.ready_seconds);

    let quiet = polls(&server, &lasting);
    let before = size(&full);
    std::thread::sleep(expiry.saturating_duration_since(Instant::now()));
    let mut meanwhile: Vec<f64> = (0..SWEEP_SECONDS / CELL_SECONDS)
        .map(|_| polls(&server, &lasting).quantile_ms(0.99))
        .collect();
    meanwhile.sort_by(f64::total_cmp);
    server.kill();
    let left = Store::check(&full).unwrap().jobs;
    println!(
        "expiry while serving: {} jobs left after {SWEEP_SECONDS} s; p99 of polls {:.2} ms before, {:.2} ms \
         in the middle, {:.2} at the worst; {before} before, {} after",
        left,
        quiet.quantile_ms(0.99),
        meanwhile[meanwhile.len() / 2],
        meanwhile[meanwhile.len() - 1],
        size(&full)
    );
}

/// Fills a new store; gives the ids of some finished jobs and of those that do not expire soon.
fn fill(directory: &Path, jobs: usize) -> (Vec<String>, Vec<String>) {
    let store = open_store(directory, QuickRepair::Always, &["practice", "chatgpt"]);
    let now_ms = now_ms();
    let result = format!("{{\"result\":\"{}\"}}", "x".repeat(RESULT_BYTES)).into_bytes();
    let limits = SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };
    let waiting = jobs / FINISHED_FOR_EACH_WAITING;
    let (mut ids, mut lasting) = (Vec::new(), Vec::new());
    let mut under_way = VecDeque::new();
    for number in 0..jobs + LASTING + waiting {
        let identity = store.new_identity("team-a").wait().unwrap();
        let done = number < jobs + LASTING;
        let lasts = number >= jobs;
        if done && lasts {
            lasting.push(identity.id.to_string());
        } else if done && number % 97 == 0 {
            ids.push(identity.id.to_string());
        }
        let prompt = format!("What is said about number {number}?");
        let scraper = if done { "practice" } else { "chatgpt" };
        let soon_ms = EXPIRES_AFTER_SECONDS * 1000 + FILL_SECONDS_MAX * 1000;
        let expires_ms = now_ms + if lasts { 86_400_000 } else { soon_ms };
        let job = queued_job(identity, scraper, prompt, now_ms, expires_ms);
        let job = if done {
            Job { state: State::Done, attempts: 1, completed_ms: Some(now_ms), ..job }
        } else {
            job
        };
        under_way.push_back(store.submit(job, done.then(|| result.clone()), limits));
        if under_way.len() >= FILLING {
            under_way.pop_front().unwrap().wait().unwrap().unwrap();
        }
    }
    for pending in under_way {
        pending.wait().unwrap().unwrap();
    }
    store.close();
    (ids, lasting)
}

fn measure(name: &str, server: &Process, ids: &[String]) {
    let polls = polls(server, ids);
    let protocol = Http(|client, n| submit("chatgpt", format_args!("more+{client}"), n));
    let submits = load(server.address, CONNECTIONS, CELL_SECONDS, &protocol);
    println!(
        "{name} | {:7.2} | {} | {} | {:10.0}",
        server.ready_seconds,
        shown(&polls),
        shown(&submits),
        server.memory_mib()
    );
}

fn shown(load: &Load) -> String {
    let (p50, p99) = (load.quantile_ms(0.5), load.quantile_ms(0.99));
    format!("{:7.0} {p50:7.2} {p99:7.2}", load.per_second)
}

/// Polls jobs all over the store.
fn polls(server: &Process, ids: &[String]) -> Load {
    let protocol = Http(|client, n| {
        let id = &ids[(client * 7_919 + n * 104_729) % ids.len()];
        format!("GET /jobs/{id} HTTP/1.1\r\nhost: localhost\r\n\r\n")
    });
    load(server.address, CONNECTIONS, CELL_SECONDS, &protocol)
}

/// How large the database is, in MiB.
fn size(directory: &Path) -> String {
    let bytes: u64 = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    format!("{:.0} MiB on disk", bytes as f64 / f64::from(1 << 20))
}

/// `answerd serve` on a store, with nothing configured but the practice engine.
struct Process {
    child: Child,
    address: SocketAddr,
    /// From the start of the process to the first `/readyz` that says so.
    ready_seconds: f64,
}

impl Process {
    fn start(store: &Path, quick_repair: bool) -> Process {
        let began = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_answerd"));
        command
            .args(["serve", "--json"])
            .env("ANSWERD_STORE__PATH", store)
            .env("ANSWERD_HTTP__BIND", "127.0.0.1:0")
            .env("ANSWERD_LOG__LEVEL", "error")
            .env("ANSWERD_QUEUE__JOBS_MAX", "10000000")
            .env("ANSWERD_STORE__QUICK_REPAIR", quick_repair.to_string())
            // So that what is submitted to it only waits.
            .env("ANSWERD_SCRAPERS__CHATGPT__UPSTREAMS", "[\"slow\"]")
            .env("ANSWERD_UPSTREAMS__SLOW__KIND", "practice")
            .env("ANSWERD_SCRAPERS__CHATGPT__WORKERS", "1")
            .env("ANSWERD_PRACTICE__LATENCY_MS", "60000")
            .stderr(Stdio::null());
        let (child, address) = serve(&mut command);
        let ready = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
            let mut reply = [0; 12];
            stream.read_exact(&mut reply)?;
            Ok(&reply == b"HTTP/1.1 200")
        };
        while !ready().unwrap_or(false) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Process { child, address, ready_seconds: began.elapsed().as_secs_f64() }
    }

    fn memory_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        resident.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
