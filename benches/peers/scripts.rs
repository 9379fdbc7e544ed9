//! Peers that are spoken to by a client of their own: PostgreSQL by pgbench, and BullMQ and pg-boss
//! by scripts for node.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;

use super::process::{self, Peer};
use super::{Contestant, TURN_SECONDS};

/// A plain insert of a row with an index, and pg-boss on the same server.
pub fn postgres(peer: Peer) -> Vec<Contestant> {
    let Some(programs) = process::postgres_programs() else { return Vec::new() };
    let peer = Rc::new(peer);
    let table = "create table jobs (id bigserial primary key, due timestamptz default now(), \
                 body text); create index on jobs (due);";
    let psql = Command::new("psql")
        .args(server(&peer))
        .args(["-q", "-c", table, "postgres"])
        .status()
        .unwrap();
    assert!(psql.success(), "psql failed");
    let script = peer.directory.join("insert.sql");
    std::fs::write(&script, "insert into jobs (body) values (repeat('x', 128));\n").unwrap();
    let url = format!("postgres://postgres@{}/postgres", peer.address);
    let insert = Contestant {
        name: "PostgreSQL insert",
        promises: "in the write-ahead log, fsynced",
        measure: {
            let peer = peer.clone();
            Box::new(move |connections| {
                let output = Command::new(programs.join("pgbench"))
                    .args(server(&peer))
                    .args(["-n", "-M", "prepared", "-j", "1", "-c", &connections.to_string()])
                    .args(["-T", &TURN_SECONDS.to_string(), "-f"])
                    .arg(&script)
                    .arg("postgres")
                    .output()
                    .unwrap();
                number_behind("tps = ", &output)
            })
        },
    };
    let mut all = vec![insert];
    all.extend(node("pg-boss on PostgreSQL", "pgboss.mjs", url, peer));
    all
}

/// BullMQ on a Redis.
pub fn bullmq(redis: Rc<Peer>) -> Option<Contestant> {
    let address = redis.address.to_string();
    node("BullMQ on Redis, appendfsync always", "bullmq.mjs", address, redis)
}

/// A contestant that a script drives: it takes an address, how many submits are under way at once
/// and how long, and prints how many a second were acknowledged.
fn node(
    name: &'static str,
    script: &'static str,
    address: String,
    peer: Rc<Peer>,
) -> Option<Contestant> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/node");
    if !process::present("node") {
        return None;
    }
    if !folder.join("node_modules").exists() {
        println!("left out: {name}; benches/peers/install installs it");
        return None;
    }
    let measure = Box::new(move |connections: usize| {
        // The server runs for as long as somebody measures it.
        let _peer = &peer;
        let output = Command::new("node")
            .arg(folder.join(script))
            .args([&address, &connections.to_string(), &TURN_SECONDS.to_string()])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        number_behind("per second: ", &output)
    });
    Some(Contestant { name, promises: "queued by its library, fsynced", measure })
}

fn server(peer: &Peer) -> Vec<String> {
    let port = peer.address.port().to_string();
    ["-h", "127.0.0.1", "-U", "postgres", "-p", &port].map(str::to_owned).to_vec()
}

fn number_behind(mark: &str, output: &std::process::Output) -> f64 {
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.split(mark).nth(1).and_then(|rest| rest.split_whitespace().next());
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => number,
        None => panic!("{text}{}", String::from_utf8_lossy(&output.stderr)),
    }
}
