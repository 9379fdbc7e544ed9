//! The soak: a server process under a steady mixed load, with jobs that expire after two minutes, for
//! `SOAK_MINUTES`. Prints for each minute what the process holds and how fast it answers, says whether
//! that stayed flat, and fails if it did not. `cargo bench --bench soak`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod client;
mod minute;
mod server;
#[path = "../shared/mod.rs"]
mod shared;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use answerd::store::Store;
use client::{Client, Told};
use minute::Minute;
use server::Process;

/// How long it lasts, unless `SOAK_MINUTES` says otherwise.
const MINUTES: usize = 10;
/// After so many minutes as much expires as comes in.
const WARM_UP_MINUTES: usize = 3;
const CLIENTS: usize = 8;
/// What each client waits for between the beginnings of two steps, at least.
const STEP: Duration = Duration::from_millis(25);

fn main() -> ExitCode {
    if server::is_asked_for() {
        server::run();
        return ExitCode::SUCCESS;
    }
    let minutes = std::env::var("SOAK_MINUTES").map_or(MINUTES, |text| text.parse().unwrap());
    assert!(minutes >= WARM_UP_MINUTES + 3, "too short to say anything");
    let directory = shared::directory();
    let store = directory.path().join("data");
    let told = Told::start();
    let server = Process::start(&store);
    let (stopped, began) = (AtomicBool::new(false), Instant::now());

    println!("{}", Minute::HEAD);
    let mut table: Vec<Minute> = Vec::new();
    let totals = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|name| {
                let (mut client, stopped) = (Client::new(name, &server.base, told.url()), &stopped);
                let times = client.times();
                let runs = scope.spawn(move || {
                    while !stopped.load(Ordering::Relaxed) {
                        let next = Instant::now() + STEP;
                        client.step();
                        std::thread::sleep(next.saturating_duration_since(Instant::now()));
                    }
                    client
                });
                (times, runs)
            })
            .collect();
        for number in 1..=minutes {
            let ends = began + Duration::from_secs(60 * number as u64);
            std::thread::sleep(ends.saturating_duration_since(Instant::now()));
            let times =
                clients.iter().map(|(times, _)| std::mem::take(&mut *times.lock().unwrap()));
            let minute = Minute::measure(number, server.id(), &store, times.collect());
            println!("{minute}");
            table.push(minute);
        }
        stopped.store(true, Ordering::Relaxed);
        let ended = clients.into_iter().map(|(_, runs)| runs.join().unwrap());
        ended.fold([0; client::STEPS], |sum, client| {
            std::array::from_fn(|at| sum[at] + client.made[at])
        })
    });
    server.stop();
    let report = Store::check(&store).unwrap();
    assert!(report.problems.is_empty(), "{:#?}", report.problems);

    let made: Vec<String> =
        client::NAMES.iter().zip(totals).map(|(name, made)| format!("{made} {name}")).collect();
    println!("{}; {} webhooks received; {} jobs left", made.join(", "), told.count(), report.jobs);
    let grown = minute::grown(&table[WARM_UP_MINUTES..]);
    if grown.is_empty() {
        println!("flat");
        return ExitCode::SUCCESS;
    }
    println!("not flat: {}", grown.join("; "));
    ExitCode::FAILURE
}
