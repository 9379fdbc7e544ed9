//! The tables of a shared store: the same submits, polls and whole jobs over HTTP beside those of the
//! store in a file, with the database on the same processors; and how much later a long poll at
//! another process is answered.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use answerd::server::Server;

use crate::postgres::PostgresServer;
use crate::shared::{self, Connection, Http, Load, load, submit, text};
use crate::{CELL_SECONDS, job_id};

/// The long polls of the table of wakes, and how many are open at once.
const WAKES: usize = 400;
const WAKES_AT_ONCE: usize = 8;

/// One server with its store in a file, two on one database.
struct Servers {
    database: PostgresServer,
    file: Server,
    nodes: [Server; 2],
}

pub(crate) fn table(counts: &[usize], directory: &Path) {
    let database = PostgresServer::start();
    let node = |name: &str| {
        let own = directory.join(name);
        std::fs::create_dir(&own).unwrap();
        shared::start_as(
            &own,
            std::sync::Arc::new(shared::After(
                "practice",
                Duration::ZERO,
                text(shared::ANSWER_BYTES),
            )),
            &[
                ("ANSWERD_STORE__URL", database.url()),
                ("ANSWERD_STORE__REQUIRE_STANDBY", "false".to_owned()),
                ("ANSWERD_NODE__NAME", name.to_owned()),
            ],
        )
    };
    let own = directory.join("file");
    std::fs::create_dir(&own).unwrap();
    let nodes = [node("a"), node("b")];
    let servers = Servers { file: shared::start(&own), nodes, database };
    println!("a shared store, with its database on the same machine, beside a store in a file");
    println!(
        "{:>22} | connections |  in file/s |  shared/s  ratio  p50 ms  p99 ms | database us each  \
         WAL KiB each",
        "what"
    );
    servers.rows("submits", counts, |_| {
        Box::new(|client, n| submit("chatgpt", format_args!("shared+{client}"), n))
    });
    servers.rows("whole jobs", counts, |_| {
        // No prompt twice, in any of the turns: it would be answered from the cache.
        let (began_ms, jobs) = (shared::now_ms(), AtomicUsize::new(0));
        Box::new(move |_, _| {
            let prompt = format!("whole+{began_ms}+{}", jobs.fetch_add(1, Ordering::Relaxed));
            format!("GET /scrapers/practice?prompt={prompt} HTTP/1.1\r\nhost: localhost\r\n\r\n")
        })
    });
    servers.rows("polls of a done job", counts, |address| {
        let mut connection = Connection::open(address);
        let id = job_id(&connection.exchange(&submit("practice", "the+polled+one", 0)));
        let path = format!("GET /jobs/{id}");
        connection.exchange(&format!("{path}?wait=30 HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        Box::new(move |_, _| format!("{path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    });
    servers.rows("polls of a pending job", counts, |address| {
        let reply = Connection::open(address).exchange(&submit("chatgpt", "the+pending+one", 0));
        let path = format!("GET /jobs/{}", job_id(&reply));
        Box::new(move |_, _| format!("{path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    });
    servers.wakes();
    let Servers { file, nodes, database } = servers;
    for server in nodes.into_iter().chain([file]) {
        server.stop();
        server.wait().unwrap();
    }
    drop(database);
}

type Request = Box<dyn Fn(usize, usize) -> String>;

impl Servers {
    /// A row for each number of connections: the server of the file and the first node in turns.
    fn rows(&self, what: &str, counts: &[usize], request: impl Fn(SocketAddr) -> Request) {
        let [file, node] = [&self.file, &self.nodes[0]].map(Server::address);
        let [of_file, of_node] = [file, node].map(|address| Http(request(address)));
        for &connections in counts {
            let (mut in_file, mut on_node) = (Vec::new(), Vec::new());
            let (mut database_seconds, mut wal_bytes) = (0.0, 0.0);
            for _ in 0..CELL_SECONDS {
                in_file.push(load(file, connections, 1, &of_file));
                let (seconds, bytes) = (self.database_seconds(), self.wal_bytes());
                on_node.push(load(node, connections, 1, &of_node));
                database_seconds += self.database_seconds() - seconds;
                wal_bytes += self.wal_bytes() - bytes;
            }
            let (in_file, on_node) = (Load::together(in_file), Load::together(on_node));
            let each = 1.0 / on_node.times.len() as f64;
            println!(
                "{what:>22} | {connections:11} | {:10.0} | {:9.0}  {:5.2} {:7.2} {:7.2} | {:16.0}  {:12.2}",
                in_file.per_second,
                on_node.per_second,
                on_node.per_second / in_file.per_second,
                on_node.quantile_ms(0.5),
                on_node.quantile_ms(0.99),
                database_seconds * 1e6 * each,
                wal_bytes / 1024.0 * each,
            );
        }
    }

    /// How much later a long poll at the second node is answered than one at the first, which runs
    /// the job.
    fn wakes(&self) {
        let [first, second] = self.nodes.each_ref().map(Server::address);
        let lags = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..WAKES_AT_ONCE)
                .map(|client| scope.spawn(move || wake_lags(first, second, client)))
                .collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        let mut lags = Load { per_second: 0.0, times: lags };
        lags.times.sort_unstable();
        println!(
            "a long poll at another process is answered later by: p50 {:.1} ms, p99 {:.1} ms, of {}",
            lags.quantile_ms(0.5),
            lags.quantile_ms(0.99),
            lags.times.len()
        );
    }

    /// The processor time that the database has taken, with its processes that have ended.
    fn database_seconds(&self) -> f64 {
        let file = Path::new(self.database.folder()).join("data/postmaster.pid");
        let file = std::fs::read_to_string(file).unwrap();
        let server = file.lines().next().unwrap();
        shared::processor_seconds_of_family(server)
    }

    fn wal_bytes(&self) -> f64 {
        let ask = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')";
        let output = Command::new("psql")
            .args(["-h", self.database.folder(), "-U", "answerd", "-d", "postgres", "-Atc", ask])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }
}

fn wake_lags(first: SocketAddr, second: SocketAddr, client: usize) -> Vec<Duration> {
    let mut connections = [first, second].map(Connection::open);
    let lag = |n| {
        let reply =
            connections[0].exchange(&submit("perplexity", format_args!("wake+{client}"), n));
        let poll =
            format!("GET /jobs/{}?wait=30 HTTP/1.1\r\nhost: localhost\r\n\r\n", job_id(&reply));
        let poll = &poll;
        let [here, there] = std::thread::scope(|scope| {
            let polls = connections.each_mut().map(|connection| {
                scope.spawn(move || {
                    connection.exchange(poll);
                    Instant::now()
                })
            });
            polls.map(|poll| poll.join().unwrap())
        });
        there.saturating_duration_since(here)
    };
    (0..WAKES / WAKES_AT_ONCE).map(lag).collect()
}
