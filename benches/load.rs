//! The load bench: a real server with a real store, real sockets, an upstream that answers at once
//! with 2 KiB, and one that does not answer, so that what is submitted to it only waits. Prints
//! submits, polls and whole jobs a second at several numbers of connections,
//! with the same poll of a static body from the same actix beside it. `cargo bench --bench load`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use actix_web::{App, HttpResponse, HttpServer, web};
use answerd::answer::{Answer, Kind};
use answerd::clock::Clock;
use answerd::config::Settings;
use answerd::http::Server;
use answerd::job::ScrapeRequest;
use answerd::upstream::{Call, Injected, Upstream, UpstreamError};

const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
const ANSWER_BYTES: usize = 2_048;
/// How long each cell is measured, seconds.
const CELL_SECONDS: u64 = 4;

struct Instantly;

impl Upstream for Instantly {
    fn name(&self) -> &str {
        "practice"
    }

    fn kind(&self) -> Kind {
        Kind::Practice
    }

    fn ask(&self, _: &ScrapeRequest, _: &Call) -> Result<Answer, UpstreamError> {
        Ok(Answer { markdown: "x".repeat(ANSWER_BYTES), ..Answer::default() })
    }
}

struct Never;

impl Upstream for Never {
    fn name(&self) -> &str {
        "never"
    }

    fn kind(&self) -> Kind {
        Kind::Practice
    }

    fn ask(&self, _: &ScrapeRequest, _: &Call) -> Result<Answer, UpstreamError> {
        loop {
            std::thread::park();
        }
    }
}

fn main() {
    let directory = std::env::var("BENCH_DIR").map_or_else(|_| std::env::temp_dir(), Into::into);
    let directory = tempfile::tempdir_in(directory).unwrap();
    let server = start(directory.path());
    let address = server.address();

    let id = job_id(&exchange(&mut connect(address), &submit("practice", "the polled one", 0)));
    exchange(&mut connect(address), &format!("GET /jobs/{id}?wait=30 HTTP/1.1\r\nhost: b\r\n\r\n"));
    let poll = format!("GET /jobs/{id} HTTP/1.1\r\nhost: b\r\n\r\n");
    let body = exchange(&mut connect(address), &poll);
    let body = body.split_once("\r\n\r\n").unwrap().1.to_owned();
    let static_address = start_static(body.clone());

    println!("a body of {} bytes; fsync takes {:.2} ms", body.len(), fsync_ms(directory.path()));
    println!(
        "connections | submits/s  p99 ms  writes/fsync | polls/s  p99 ms | static/s | polls:static"
    );
    for connections in CONNECTIONS {
        let before = server.writer_stats();
        let submits = load(address, connections, |client, n| {
            submit("chatgpt", &format!("{connections} {client}"), n)
        });
        let after = server.writer_stats();
        let per_commit =
            (after.writes - before.writes) as f64 / (after.commits - before.commits).max(1) as f64;
        let polls = load(address, connections, |_, _| poll.clone());
        let fixed = load(static_address, connections, |_, _| poll.clone());
        println!(
            "{connections:11} | {:9.0} {:7.2} {:13.1} | {:7.0} {:7.2} | {:8.0} | {:.2}",
            submits.per_second,
            submits.p99_ms,
            per_commit,
            polls.per_second,
            polls.p99_ms,
            fixed.per_second,
            polls.per_second / fixed.per_second
        );
    }
    for connections in CONNECTIONS {
        let jobs = load(address, connections, |client, n| {
            let prompt = format!("whole+{connections}+{client}+{n}");
            format!("GET /scrapers/practice?prompt={prompt} HTTP/1.1\r\nhost: b\r\n\r\n")
        });
        println!(
            "{connections:11} | {:9.0} whole jobs/s, p99 {:.2} ms",
            jobs.per_second, jobs.p99_ms
        );
    }
    server.stop();
    server.wait().unwrap();
}

fn start(directory: &std::path::Path) -> Server {
    let environment = [
        ("ANSWERD_HTTP__BIND", "127.0.0.1:0".to_owned()),
        ("ANSWERD_STORE__PATH", directory.join("data").display().to_string()),
        ("ANSWERD_QUEUE__JOBS_MAX", "10000000".to_owned()),
        ("ANSWERD_SCRAPERS__PRACTICE__WORKERS", "64".to_owned()),
        ("ANSWERD_UPSTREAMS__NEVER__KIND", "practice".to_owned()),
        ("ANSWERD_SCRAPERS__CHATGPT__UPSTREAMS", "[\"never\"]".to_owned()),
        ("ANSWERD_SCRAPERS__CHATGPT__WORKERS", "1".to_owned()),
        ("ANSWERD_HTTP__GRACE_SECONDS", "0".to_owned()),
    ];
    let environment =
        environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let settings = Settings::load_from(None, &environment).unwrap();
    let mut injected = Injected::new();
    injected.insert("practice".to_owned(), Arc::new(Instantly));
    injected.insert("never".to_owned(), Arc::new(Never));
    Server::start_with(settings, Clock::System, injected).unwrap()
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

struct Load {
    per_second: f64,
    p99_ms: f64,
}

/// Keeps so many connections busy with requests and counts the answers. One thread drives them all,
/// so that the client leaves the processors to the server.
fn load(address: SocketAddr, connections: usize, request: impl Fn(usize, usize) -> String) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    let until = began + Duration::from_secs(CELL_SECONDS);
    let request = &request;
    let clients = (0..connections).map(|client| async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut times, mut reply) = (Vec::new(), vec![0; 64 << 10]);
        for n in 0.. {
            let sent = Instant::now();
            if sent >= until {
                break;
            }
            stream.write_all(request(client, n).as_bytes()).await.unwrap();
            read_reply(&mut stream, &mut reply).await;
            times.push(sent.elapsed());
        }
        times
    });
    let mut times: Vec<Duration> =
        runtime.block_on(futures_util::future::join_all(clients)).into_iter().flatten().collect();
    let seconds = began.elapsed().as_secs_f64();
    times.sort_unstable();
    let p99 = times[(times.len() - 1) * 99 / 100];
    Load { per_second: times.len() as f64 / seconds, p99_ms: p99.as_secs_f64() * 1000.0 }
}

/// Reads one whole reply; it must be a success.
async fn read_reply(stream: &mut tokio::net::TcpStream, reply: &mut [u8]) {
    let mut held = 0;
    loop {
        let read = stream.read(&mut reply[held..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        held += read;
        if let Some(end) = whole(&reply[..held]) {
            assert_eq!(held, end);
            assert!(
                reply.starts_with(b"HTTP/1.1 20"),
                "{}",
                String::from_utf8_lossy(&reply[..held])
            );
            return;
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn submit(scraper: &str, prompt: &str, n: usize) -> String {
    let prompt = prompt.replace(' ', "+");
    format!(
        "POST /scrapers/{scraper}/jobs?prompt={prompt}+{n} HTTP/1.1\r\nhost: b\r\n\
         content-length: 0\r\n\r\n"
    )
}

/// Sends a request and reads the whole reply; it must be a success.
fn exchange(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::with_capacity(8 << 10);
    let mut piece = [0; 16 << 10];
    loop {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the server closed the connection");
        reply.extend_from_slice(&piece[..read]);
        if let Some(end) = whole(&reply) {
            assert_eq!(reply.len(), end);
            break;
        }
    }
    let reply = String::from_utf8(reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 20"), "{reply}");
    reply
}

/// Where a reply ends, once all of it is there.
fn whole(reply: &[u8]) -> Option<usize> {
    let head = reply.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&reply[..head]).unwrap();
    let length: usize =
        text.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().unwrap();
    (reply.len() >= head + length).then_some(head + length)
}

fn job_id(reply: &str) -> String {
    reply.split("\"job_id\":\"").nth(1).unwrap()[..36].to_owned()
}

/// The middle of a hundred fsyncs of one page.
fn fsync_ms(directory: &std::path::Path) -> f64 {
    let mut file = std::fs::File::create(directory.join("fsync")).unwrap();
    let mut times: Vec<Duration> = (0..100)
        .map(|_| {
            file.write_all(&[7; 4096]).unwrap();
            let began = Instant::now();
            file.sync_data().unwrap();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[50].as_secs_f64() * 1000.0
}
