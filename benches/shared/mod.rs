//! What the benches share: a server of answerd with upstreams of the bench's own, and a client that
//! keeps a number of connections busy from one thread.
#![allow(dead_code, reason = "each bench uses its part")]

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};
use answerd::answer::{Answer, Kind};
use answerd::clock::Clock;
use answerd::config::Settings;
use answerd::job::{Job, RawRequest, ScrapeRequest, State};
use answerd::server::Server;
use answerd::store::{NewIdentity, OpenOptions, QuickRepair, Store};
use answerd::upstream::{Call, Upstream, UpstreamError, UpstreamOverrides};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// As in the binary, so that what is measured is what people run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The numbers of connections at which everything is measured.
pub(crate) const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
/// The results that are measured, bytes.
pub(crate) const RESULT_BYTES: usize = 2_048;
/// The Markdown of every answer, bytes: its result, which has it twice, has [`RESULT_BYTES`].
pub(crate) const ANSWER_BYTES: usize = 720;
/// What a client has for a reply at first, and at most, bytes.
const REPLY_BYTES: usize = 16 << 10;
const REPLY_BYTES_MAX: usize = 2 << 20;

/// How long the slow upstream takes, milliseconds, and how many it is asked by at once.
pub(crate) const SLOW_MS: u64 = 100;
pub(crate) const SLOW_WORKERS: usize = 512;

/// Answers by this name after a time, always the same.
pub(crate) struct After(pub &'static str, pub Duration, pub String);

impl Upstream for After {
    fn name(&self) -> &str {
        self.0
    }

    fn kind(&self) -> Kind {
        Kind::Practice
    }

    fn ask(&self, _: &ScrapeRequest, _: &Call) -> Result<Answer, UpstreamError> {
        std::thread::sleep(self.1);
        Ok(Answer { markdown: self.2.clone(), ..Answer::default() })
    }
}

/// Never answers, so that what is submitted to it only waits.
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

/// The start of the guide as an answer: real Markdown of so many bytes.
pub(crate) fn text(bytes: usize) -> String {
    let pages = [
        include_str!("../../src/docs/concepts.md"),
        include_str!("../../src/docs/storage.md"),
        include_str!("../../src/docs/recipes.md"),
    ];
    let mut text = pages.concat().repeat(1 + bytes / pages[0].len());
    while !text.is_char_boundary(bytes) {
        text.push(' ');
    }
    text.truncate(bytes);
    text
}

/// A server whose scraper `practice` answers at once, `perplexity` after [`SLOW_MS`], and `chatgpt` never.
pub(crate) fn start(directory: &Path) -> Server {
    start_with(directory, Arc::new(After("practice", Duration::ZERO, text(ANSWER_BYTES))))
}

/// The same with another upstream for `practice`.
pub(crate) fn start_with(directory: &Path, practice: Arc<dyn Upstream>) -> Server {
    start_as(directory, practice, &[])
}

/// The same with more settings, as variables of the environment.
pub(crate) fn start_as(
    directory: &Path,
    practice: Arc<dyn Upstream>,
    more: &[(&'static str, String)],
) -> Server {
    let environment = [
        ("ANSWERD_HTTP__BIND", "127.0.0.1:0".to_owned()),
        ("ANSWERD_STORE__PATH", directory.join("data").display().to_string()),
        ("ANSWERD_QUEUE__JOBS_MAX", "10000000".to_owned()),
        ("ANSWERD_SCRAPERS__PRACTICE__WORKERS", "64".to_owned()),
        ("ANSWERD_UPSTREAMS__SLOW__KIND", "practice".to_owned()),
        ("ANSWERD_SCRAPERS__PERPLEXITY__UPSTREAMS", "[\"slow\"]".to_owned()),
        ("ANSWERD_SCRAPERS__PERPLEXITY__WORKERS", SLOW_WORKERS.to_string()),
        ("ANSWERD_UPSTREAMS__NEVER__KIND", "practice".to_owned()),
        ("ANSWERD_SCRAPERS__CHATGPT__UPSTREAMS", "[\"never\"]".to_owned()),
        ("ANSWERD_SCRAPERS__CHATGPT__WORKERS", "1".to_owned()),
        ("ANSWERD_HTTP__GRACE_SECONDS", "0".to_owned()),
    ];
    let environment =
        environment.iter().chain(more).map(|(name, value)| ((*name).to_owned(), value.clone()));
    let environment = environment.collect();
    let settings = Settings::load_from(None, &environment).unwrap();
    let mut injected = UpstreamOverrides::new();
    injected.insert("practice".to_owned(), practice);
    let slow = After("slow", Duration::from_millis(SLOW_MS), text(ANSWER_BYTES));
    injected.insert("slow".to_owned(), Arc::new(slow));
    injected.insert("never".to_owned(), Arc::new(Never));
    Server::start_with(settings, Clock::System, injected).unwrap()
}

/// A server of the same actix with the same number of workers, which answers whatever it is asked with
/// this status and this body: no service over this library can be faster.
pub(crate) fn start_static(status: StatusCode, body: String) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let server = HttpServer::new(move || {
            let body = web::Bytes::from(body.clone());
            App::new().default_service(web::to(move || {
                    let body = body.clone();
                    async move {
                        HttpResponse::build(status).content_type("application/json").body(body)
                    }
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

/// A folder for what is measured: below `BENCH_DIR`, where that is set.
pub(crate) fn directory() -> tempfile::TempDir {
    let parent = std::env::var("BENCH_DIR").map_or_else(|_| std::env::temp_dir(), Into::into);
    tempfile::tempdir_in(parent).unwrap()
}

/// A store of its own in a folder, without a cache of results.
pub(crate) fn open_store(directory: &Path, quick_repair: QuickRepair, scrapers: &[&str]) -> Store {
    Store::open(&OpenOptions {
        directory: directory.to_owned(),
        cache_bytes: 64 << 20,
        quick_repair,
        free_mib_min: 0,
        scrapers: scrapers.iter().map(|&name| name.to_owned()).collect(),
        cache_entries_max: 0,
        cache_from_ms: 0,
        evidence_bytes_max: 0,
        shared: None,
    })
    .unwrap()
}

/// A job that waits for its first attempt.
pub(crate) fn queued_job(
    identity: NewIdentity,
    scraper: &str,
    prompt: String,
    now_ms: u64,
    expires_ms: u64,
) -> Job {
    let raw = RawRequest { prompt: Some(prompt), ..RawRequest::default() };
    Job {
        row: identity.row,
        nonce: identity.nonce,
        request: raw.check(scraper, &[]).unwrap(),
        account: "anonymous".to_owned(),
        state: State::Queued,
        attempts: 0,
        lease: 0,
        created_ms: now_ms,
        due_ms: now_ms,
        expires_ms,
        started_ms: None,
        completed_ms: None,
        price: 0,
        interactive: false,
        deadline_ms: None,
        cached: false,
        label: None,
        start_by_ms: None,
        idempotency: None,
        batch: None,
        webhook_url: None,
        keep_raw: false,
        track: None,
        present: None,
    }
}

/// Runs what begins an `answerd serve --json`, and waits until it listens.
pub(crate) fn serve(command: &mut Command) -> (Child, SocketAddr) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let started: serde_json::Value = serde_json::from_str(&line).unwrap();
    let url = started["url"].as_str().unwrap();
    (child, url.trim_start_matches("http://").parse().unwrap())
}

/// The submit of a prompt that is encoded as a query is, with a number behind it.
pub(crate) fn submit(scraper: &str, prompt: impl Display, n: usize) -> String {
    format!(
        "POST /scrapers/{scraper}/jobs?prompt={prompt}+{n} HTTP/1.1\r\nhost: localhost\r\n\
         content-length: 0\r\n\r\n"
    )
}

/// What a load brought.
pub(crate) struct Load {
    pub per_second: f64,
    /// Sorted.
    pub times: Vec<Duration>,
}

impl Load {
    /// Several loads of equal length as one.
    pub(crate) fn together(loads: Vec<Load>) -> Load {
        let per_second = loads.iter().map(|load| load.per_second).sum::<f64>() / loads.len() as f64;
        let mut times: Vec<Duration> = loads.into_iter().flat_map(|load| load.times).collect();
        times.sort_unstable();
        Load { per_second, times }
    }

    /// A quantile of the times, milliseconds.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        let at = ((self.times.len() - 1) as f64 * quantile) as usize;
        self.times[at].as_secs_f64() * 1000.0
    }
}

/// How a protocol is spoken: what is sent first on a connection, the requests, and where a reply
/// ends.
pub(crate) trait Protocol {
    /// What is sent once on a connection, and how the answer to it ends.
    fn hello(&self, _client: usize) -> Option<(String, &'static [u8])> {
        None
    }

    fn request(&self, client: usize, n: usize) -> String;

    /// How long the reply at the front is, once all of it is there; it must be a success.
    fn reply(&self, held: &[u8]) -> Option<usize>;
}

/// Requests over HTTP/1.1.
pub(crate) struct Http<F>(pub F);

impl<F: Fn(usize, usize) -> String> Protocol for Http<F> {
    fn request(&self, client: usize, n: usize) -> String {
        self.0(client, n)
    }

    fn reply(&self, held: &[u8]) -> Option<usize> {
        let end = http_reply_bytes(held)?;
        assert!(held.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(held));
        Some(end)
    }
}

/// How long the HTTP reply at the front is, once all of it is there. Looks at each byte of the head
/// once and takes no memory: a client that costs more than the peers' would falsify what is compared.
pub(crate) fn http_reply_bytes(held: &[u8]) -> Option<usize> {
    const LENGTH: &[u8] = b"content-length: ";
    let (mut at, mut length) = (0, 0);
    loop {
        let line = held[at..].iter().position(|&byte| byte == b'\n')?;
        let line = &held[at..at + line + 1];
        at += line.len();
        if line == b"\r\n" {
            return (held.len() >= at + length).then_some(at + length);
        }
        if line.len() > LENGTH.len() && line[..LENGTH.len()].eq_ignore_ascii_case(LENGTH) {
            let digits = std::str::from_utf8(&line[LENGTH.len()..]).unwrap();
            length = digits.trim_end().parse().unwrap();
        }
    }
}

/// A connection that waits for each reply before it sends the next request.
pub(crate) struct Connection(std::net::TcpStream);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Connection {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection(stream)
    }

    /// Sends a request and gives the whole reply; it must be a success.
    pub(crate) fn exchange(&mut self, request: &str) -> String {
        self.0.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::with_capacity(8 << 10);
        let mut piece = [0; 16 << 10];
        while http_reply_bytes(&reply).is_none() {
            let read = self.0.read(&mut piece).unwrap();
            assert!(read > 0, "the server closed the connection");
            reply.extend_from_slice(&piece[..read]);
        }
        assert_eq!(http_reply_bytes(&reply), Some(reply.len()));
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 20"), "{reply}");
        reply
    }
}

/// Keeps so many connections busy with requests for so many seconds and counts the answers. One
/// thread drives them all, so that the client leaves the processors to the server.
pub(crate) fn load(
    address: SocketAddr,
    connections: usize,
    seconds: u64,
    protocol: &impl Protocol,
) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let clients = (0..connections).map(|client| drive(address, client, until, protocol));
    let mut times: Vec<Duration> =
        runtime.block_on(futures_util::future::join_all(clients)).into_iter().flatten().collect();
    let seconds = began.elapsed().as_secs_f64();
    times.sort_unstable();
    Load { per_second: times.len() as f64 / seconds, times }
}

async fn drive(
    address: SocketAddr,
    client: usize,
    until: Instant,
    protocol: &impl Protocol,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut times, mut reply) = (Vec::new(), vec![0; REPLY_BYTES]);
    if let Some((hello, end)) = protocol.hello(client) {
        stream.write_all(hello.as_bytes()).await.unwrap();
        let mut held = 0;
        while !reply[..held].ends_with(end) {
            held += read(&mut stream, &mut reply[held..]).await;
        }
    }
    let mut sent = Instant::now();
    for n in 0.. {
        if sent >= until {
            break;
        }
        stream.write_all(protocol.request(client, n).as_bytes()).await.unwrap();
        let mut held = 0;
        loop {
            held += read(&mut stream, &mut reply[held..]).await;
            if let Some(end) = protocol.reply(&reply[..held]) {
                assert_eq!(held, end, "a reply has bytes behind its end");
                break;
            }
            if held == reply.len() {
                assert!(held < REPLY_BYTES_MAX, "a reply has no end");
                reply.resize(2 * held, 0);
            }
        }
        let answered = Instant::now();
        times.push(answered - sent);
        sent = answered;
    }
    times
}

async fn read(stream: &mut TcpStream, into: &mut [u8]) -> usize {
    let read = stream.read(into).await.unwrap();
    assert!(read > 0, "the server closed the connection");
    read
}

/// The wall clock, milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// The middle of a hundred fsyncs of one page, milliseconds.
pub(crate) fn fsync_ms(directory: &Path) -> f64 {
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

/// The processor time of a process so far, all threads. `self` is this one.
pub(crate) fn processor_seconds(process: &str) -> f64 {
    stat_seconds(process, 11)
}

/// The processor time of a process and its children so far, with those that have ended.
pub(crate) fn processor_seconds_of_family(parent: &str) -> f64 {
    let processes = std::fs::read_dir("/proc").unwrap();
    let names = processes.filter_map(|process| process.unwrap().file_name().into_string().ok());
    let children = names.filter(|name| {
        let stat = std::fs::read_to_string(format!("/proc/{name}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(parent))
    });
    let children: f64 = children.map(|child| stat_seconds(&child, 11)).sum();
    children + stat_seconds(parent, 11) + stat_seconds(parent, 13)
}

/// The sum of a field of `/proc/PID/stat` and the next one, counted from behind the name.
fn stat_seconds(process: &str, field: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let behind_name = stat.rsplit_once(") ").unwrap().1;
    let fields: Vec<&str> = behind_name.split(' ').collect();
    // User and system time in ticks of a hundredth of a second.
    (fields[field].parse::<f64>().unwrap() + fields[field + 1].parse::<f64>().unwrap()) / 100.0
}
