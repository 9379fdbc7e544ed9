//! The peers bench: durable submits to answerd beside those of the queues that people would
//! otherwise take, each told to have every job on the disk before it answers; whole jobs beside those of
//! job servers; and polls beside a file that nginx serves. `benches/peers/install` installs them,
//! `cargo bench --bench peers` runs them in turns in one run; behind `--` the names of tables (`submits`,
//! `whole`, `polls`), where not all are wanted. A peer that is not there is left out and named.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

#[path = "../shared/mod.rs"]
mod shared;

mod process;
mod protocols;
mod scripts;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::rc::Rc;

use actix_web::http::StatusCode;
use process::Peer;
use shared::{CONNECTIONS, Http, Load, fsync_ms, http_reply_bytes, load, start_static, submit};

/// How often each cell is measured, in turns with the others, and how long each time, seconds.
const TURNS: usize = 3;
const TURN_SECONDS: u64 = 2;

/// One thing that takes jobs.
struct Contestant {
    name: &'static str,
    /// What its answer promises.
    promises: &'static str,
    /// Jobs a second with so many connections.
    measure: Box<dyn Fn(usize) -> f64>,
}

/// Who takes part in each table, answerd first.
struct Contestants {
    submits: Vec<Contestant>,
    /// Jobs that a worker takes and ends with 2 KiB, until that is acknowledged too.
    whole: Vec<Contestant>,
}

fn main() {
    // What begins with a dash is cargo's own.
    let named: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |table: &str| named.is_empty() || named.iter().any(|name| name == table);
    let directory = shared::directory();
    let server = shared::start(directory.path());
    let address = server.address();
    let reply = exchange(&server, &submit("chatgpt", "the+answered+one", 0));
    let body = reply.split_once("\r\n\r\n").unwrap().1.to_owned();
    let fixed = start_static(StatusCode::ACCEPTED, body);
    let mut contestants = Contestants {
        submits: vec![
            Contestant {
                name: "answerd",
                promises: "checked, priced, indexed, fsynced",
                measure: Box::new(move |connections| submits(address, connections)),
            },
            Contestant {
                name: "the same POST, a fixed answer",
                promises: "nothing: what HTTP alone takes",
                measure: Box::new(move |connections| submits(fixed, connections)),
            },
        ],
        whole: vec![Contestant {
            name: "answerd",
            promises: "submitted, started and ended, each fsynced",
            measure: Box::new(move |connections| whole(address, connections)),
        }],
    };
    peers(directory.path(), &mut contestants);

    println!("fsync takes {:.2} ms", fsync_ms(directory.path()));
    if wanted("submits") {
        table("durable submits a second", &contestants.submits);
    }
    if wanted("whole") {
        table("whole jobs a second, durable at both ends", &contestants.whole);
    }
    if wanted("polls") {
        polls(&server, directory.path());
    }
    println!("fsync takes {:.2} ms now", fsync_ms(directory.path()));
    drop(contestants);
    server.stop();
    server.wait().unwrap();
}

fn table(title: &str, contestants: &[Contestant]) {
    println!("{title}");
    print!("{:35}", "connections");
    CONNECTIONS.iter().for_each(|connections| print!(" | {connections:>15}"));
    println!(" | what an answer promises");
    let rates = in_turns(contestants);
    for (contestant, own) in contestants.iter().zip(&rates) {
        print!("{:35}", contestant.name);
        for (own, ours) in own.iter().zip(&rates[0]) {
            print!(" | {own:8.0} {:>6}", format!("x{:.2}", ours / own));
        }
        println!(" | {}", contestant.promises);
    }
    println!("xN: answerd's rate is N times this one's");
}

/// The submits a second that an HTTP server answers.
fn submits(address: SocketAddr, connections: usize) -> f64 {
    let protocol = Http(|client, n| submit("chatgpt", client, n));
    load(address, connections, TURN_SECONDS, &protocol).per_second
}

/// The jobs a second that answerd runs and answers on the connection of their submit.
fn whole(address: SocketAddr, connections: usize) -> f64 {
    // No prompt twice: the cache would answer.
    let began_ms = shared::now_ms();
    let protocol = Http(|client, n| {
        let prompt = format!("whole+{began_ms}+{client}+{n}");
        format!("GET /scrapers/practice?prompt={prompt} HTTP/1.1\r\nhost: localhost\r\n\r\n")
    });
    load(address, connections, TURN_SECONDS, &protocol).per_second
}

/// The middle of each contestant's turns, at each number of connections.
fn in_turns(contestants: &[Contestant]) -> Vec<Vec<f64>> {
    let mut rates = vec![Vec::new(); contestants.len()];
    for connections in CONNECTIONS {
        let mut turns = vec![Vec::new(); contestants.len()];
        for _ in 0..TURNS {
            for (contestant, turns) in contestants.iter().zip(&mut turns) {
                turns.push((contestant.measure)(connections));
            }
        }
        for (turns, rates) in turns.iter_mut().zip(&mut rates) {
            turns.sort_by(f64::total_cmp);
            rates.push(turns[TURNS / 2]);
        }
    }
    rates
}

fn peers(directory: &Path, found: &mut Contestants) {
    if let Some(redis) = process::redis(directory) {
        let redis = Rc::new(redis);
        let own = redis.clone();
        found.submits.push(Contestant {
            name: "Redis LPUSH, appendfsync always",
            promises: "appended, fsynced",
            measure: Box::new(move |connections| {
                load(own.address, connections, TURN_SECONDS, &protocols::Redis).per_second
            }),
        });
        scripts::bullmq(&redis, found);
    }
    if let Some(beanstalkd) = process::beanstalkd(directory) {
        found.submits.push(over(
            beanstalkd,
            "beanstalkd, fsync on each",
            "appended, fsynced",
            protocols::Beanstalkd,
        ));
    }
    if let Some(nats) = process::nats(directory) {
        let promises = "appended, fsynced";
        found.submits.push(over(nats, "NATS JetStream, sync always", promises, protocols::Nats));
    }
    if let Some(postgres) = process::postgres(directory) {
        scripts::postgres(postgres, found);
    }
}

/// A peer that our own client can speak to. It runs for as long as the contestant lives.
fn over(
    peer: Peer,
    name: &'static str,
    promises: &'static str,
    protocol: impl shared::Protocol + 'static,
) -> Contestant {
    let measure = Box::new(move |connections| {
        // All of it: what is not named here would be dropped, and the process with it.
        let peer = &peer;
        load(peer.address, connections, TURN_SECONDS, &protocol).per_second
    });
    Contestant { name, promises, measure }
}

/// Polls of a finished job beside the same body from nginx's disk.
fn polls(server: &answerd::server::Server, directory: &Path) {
    let reply = exchange(server, &submit("practice", "the+polled+one", 0));
    let id = &reply.split("\"job_id\":\"").nth(1).unwrap()[..36];
    let poll = format!("GET /jobs/{id} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    exchange(server, &format!("GET /jobs/{id}?wait=30 HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    let reply = exchange(server, &poll);
    let body = reply.split_once("\r\n\r\n").unwrap().1;
    let Some(nginx) = process::nginx(directory, body) else { return };
    println!("polls a second of a body of {} bytes", body.len());
    println!("connections |  answerd | nginx, a file | ratio");
    let get = "GET /body HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned();
    for connections in CONNECTIONS {
        let rate = |address, request: &str| {
            let turns = (0..TURNS)
                .map(|_| load(address, connections, 1, &Http(|_, _| request.to_owned())))
                .collect();
            Load::together(turns).per_second
        };
        let (ours, theirs) = (rate(server.address(), &poll), rate(nginx.address, &get));
        println!("{connections:11} | {ours:8.0} | {theirs:13.0} | {:.2}", ours / theirs);
    }
}

/// Sends a request on a connection of its own and reads the whole reply.
fn exchange(server: &answerd::server::Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut reply, mut piece) = (Vec::new(), [0; 16 << 10]);
    while http_reply_bytes(&reply).is_none() {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the server closed the connection");
        reply.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(reply).unwrap()
}
