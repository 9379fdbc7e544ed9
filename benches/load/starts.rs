//! The table of starts: how long it takes from the commit of a submit until a worker has the job, as
//! the service's own metric counts it, and, seen from outside, until the submit is answered and until the
//! upstream is asked: that is behind the commit of the start. Idle, and at a share of the rate of
//! whole jobs that the machine just did.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use answerd::answer::{Answer, Kind};
use answerd::job::ScrapeRequest;
use answerd::upstream::{Call, Upstream, UpstreamError};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::shared::{self, ANSWER_BYTES, Connection, Http, http_reply_bytes, load, submit, text};
use crate::{CELL_SECONDS, Meter};

/// Submits one after the other, each once the one before has started.
const IDLE_SUBMITS: usize = 4_000;
const CONNECTIONS: usize = 256;
/// Of the rate of whole jobs.
const LOAD_SHARE: f64 = 0.7;
/// A start that takes longer than this is lost.
const START_SECONDS_MAX: u64 = 10;
const METRIC: &str = "answerd_worker_pickup_seconds_bucket{scraper=\"practice\",le=\"";
/// What a job should take until a worker has it: the median of an idle service, and the p99 of a
/// loaded one, microseconds.
const IDLE_GOAL: u64 = 100;
const LOADED_GOAL: u64 = 2_000;
const REPLY_BYTES_MAX: usize = 4 << 10;

/// Tells when it was asked for what.
struct Told(Sender<(String, Instant)>, String);

impl Upstream for Told {
    fn name(&self) -> &str {
        "practice"
    }

    fn kind(&self) -> Kind {
        Kind::Practice
    }

    fn ask(&self, request: &ScrapeRequest, _: &Call) -> Result<Answer, UpstreamError> {
        let now = Instant::now();
        // What is asked for after the end of a measurement is nobody's.
        let _ = self.0.send((request.prompt.clone(), now));
        Ok(Answer { markdown: self.1.clone(), ..Answer::default() })
    }
}

/// When a submit was sent, and when its answer was there.
struct Submitted {
    prompt: String,
    sent: Instant,
    answered: Instant,
}

pub(crate) fn table() {
    let directory = shared::directory();
    let (sender, asked) = channel();
    let server = shared::start_with(directory.path(), Arc::new(Told(sender, text(ANSWER_BYTES))));
    let address = server.address();
    println!(
        "starts: from a submit's commit to a worker, and what is seen from outside, microseconds"
    );
    println!(
        "load |  jobs/s | to a worker p50    p99  in 100  in 2000 | to its answer p50    p99 | \
         to the upstream p50    p99 | {}",
        Meter::HEADINGS
    );
    let mut connection = Connection::open(address);
    let meter = Meter::begin(directory.path());
    let before = Pickups::read(address);
    let began = Instant::now();
    let (submitted, told) =
        (0..IDLE_SUBMITS).map(|n| submit_and_start(&mut connection, n, &asked)).unzip();
    let seen = Seen::new(began, submitted, told);
    println!("idle | {}", seen.row(&before, address, meter, directory.path()));

    let whole = load(
        address,
        CONNECTIONS,
        CELL_SECONDS,
        &Http(|client, n| {
            let prompt = format!("whole+{client}+{n}");
            format!("GET /scrapers/practice?prompt={prompt} HTTP/1.1\r\nhost: localhost\r\n\r\n")
        }),
    );
    while asked.try_recv().is_ok() {}
    let meter = Meter::begin(directory.path());
    let before = Pickups::read(address);
    let began = Instant::now();
    let submitted = paced(address, whole.per_second * LOAD_SHARE);
    let told = submitted.iter().map(|_| next(&asked)).collect();
    let seen = Seen::new(began, submitted, told);
    println!("70 % | {}", seen.row(&before, address, meter, directory.path()));
    println!("100 % are {:.0} whole jobs/s at {CONNECTIONS} connections", whole.per_second);
    server.stop();
    server.wait().unwrap();
}

fn next(asked: &Receiver<(String, Instant)>) -> (String, Instant) {
    asked.recv_timeout(Duration::from_secs(START_SECONDS_MAX)).unwrap()
}

/// A submit to a service that has nothing else to do, until its upstream is asked.
fn submit_and_start(
    connection: &mut Connection,
    n: usize,
    asked: &Receiver<(String, Instant)>,
) -> (Submitted, (String, Instant)) {
    let sent = Instant::now();
    connection.exchange(&submit("practice", "idle", n));
    let answered = Instant::now();
    (Submitted { prompt: format!("idle {n}"), sent, answered }, next(asked))
}

/// Submits at a steady rate over many connections.
fn paced(address: SocketAddr, per_second: f64) -> Vec<Submitted> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let between = Duration::from_secs_f64(CONNECTIONS as f64 / per_second);
    let began = Instant::now();
    let clients = (0..CONNECTIONS).map(|client| async move {
        let first = began + between.mul_f64(client as f64 / CONNECTIONS as f64);
        let mut ticks = tokio::time::interval_at(first.into(), between);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut submitted, mut reply) = (Vec::new(), vec![0; REPLY_BYTES_MAX]);
        while began.elapsed().as_secs() < CELL_SECONDS {
            ticks.tick().await;
            let (name, n) = (format!("paced+{client}"), submitted.len());
            let sent = Instant::now();
            stream.write_all(submit("practice", &name, n).as_bytes()).await.unwrap();
            let mut held = 0;
            while http_reply_bytes(&reply[..held]).is_none() {
                held += stream.read(&mut reply[held..]).await.unwrap();
            }
            assert!(reply.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&reply));
            let answered = Instant::now();
            submitted.push(Submitted { prompt: format!("paced {client} {n}"), sent, answered });
        }
        submitted
    });
    runtime.block_on(join_all(clients)).into_iter().flatten().collect()
}

/// What was seen from outside, microseconds, sorted.
struct Seen {
    per_second: f64,
    to_answer: Vec<u64>,
    to_upstream: Vec<u64>,
}

impl Seen {
    fn new(began: Instant, submitted: Vec<Submitted>, told: Vec<(String, Instant)>) -> Seen {
        let per_second = submitted.len() as f64 / began.elapsed().as_secs_f64();
        let told: HashMap<String, Instant> = told.into_iter().collect();
        let micros = |times: &dyn Fn(&Submitted) -> Duration| {
            let mut micros: Vec<u64> =
                submitted.iter().map(|one| times(one).as_micros() as u64).collect();
            micros.sort_unstable();
            micros
        };
        Seen {
            per_second,
            to_answer: micros(&|one| one.answered - one.sent),
            to_upstream: micros(&|one| told[&one.prompt] - one.sent),
        }
    }

    fn row(&self, before: &Pickups, address: SocketAddr, meter: Meter, directory: &Path) -> String {
        let spent = meter.end(directory, self.to_answer.len());
        let pickups = Pickups::read(address).since(before);
        let at =
            |times: &[u64], quantile: f64| times[((times.len() - 1) as f64 * quantile) as usize];
        format!(
            "{:7.0} | {:15.0} {:6.0} {:6.1}% {:7.1}% | {:17} {:6} | {:19} {:6} | {spent}",
            self.per_second,
            pickups.quantile(0.5),
            pickups.quantile(0.99),
            pickups.share_within(IDLE_GOAL) * 100.0,
            pickups.share_within(LOADED_GOAL) * 100.0,
            at(&self.to_answer, 0.5),
            at(&self.to_answer, 0.99),
            at(&self.to_upstream, 0.5),
            at(&self.to_upstream, 0.99),
        )
    }
}

/// The service's own histogram: for each bound, microseconds, how many stayed within it.
struct Pickups(Vec<(u64, u64)>);

impl Pickups {
    fn read(address: SocketAddr) -> Pickups {
        let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let metrics = Connection::open(address).exchange(request);
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(METRIC));
        Pickups(
            lines
                .map(|line| {
                    let (bound, count) = line.split_once("\"} ").unwrap();
                    // The last is infinite, and becomes the greatest number.
                    ((bound.parse::<f64>().unwrap() * 1e6).round() as u64, count.parse().unwrap())
                })
                .collect(),
        )
    }

    fn since(self, before: &Pickups) -> Pickups {
        let pairs = self.0.into_iter().zip(&before.0);
        Pickups(pairs.map(|((bound, count), before)| (bound, count - before.1)).collect())
    }

    fn share_within(&self, bound: u64) -> f64 {
        let within = self.0.iter().find(|(other, _)| *other == bound).unwrap().1;
        within as f64 / self.0.last().unwrap().1 as f64
    }

    /// Between two bounds as if the values there were spread evenly.
    fn quantile(&self, quantile: f64) -> f64 {
        let wanted = self.0.last().unwrap().1 as f64 * quantile;
        let (mut from, mut below) = (0, 0);
        for &(bound, count) in &self.0 {
            if count as f64 >= wanted && count > below {
                let share = (wanted - below as f64) / (count - below) as f64;
                return from as f64 + share * (bound - from) as f64;
            }
            (from, below) = (bound, count);
        }
        f64::INFINITY
    }
}
