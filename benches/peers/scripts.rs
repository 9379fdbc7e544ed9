//! Peers that are spoken to by a client of their own: PostgreSQL by pgbench, and BullMQ and pg-boss
//! by scripts for node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::process::{self, Peer};
use super::shared::{ANSWER_BYTES, After, start_as, text};
use super::{Contestant, Contestants, TURN_SECONDS};

/// A plain insert of a row with an index; and answerd, pg-boss and graphile-worker on the same server.
pub(crate) fn postgres(peer: Peer, found: &mut Contestants) {
    let Some(programs) = process::postgres_programs() else { return };
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
    found.submits.push(Contestant {
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
    });
    answerd(&peer, &url, found);
    node("pg-boss on PostgreSQL", "pgboss.mjs", &url, &peer, found);
    node("graphile-worker on PostgreSQL", "graphile.mjs", &url, &peer, found);
}

/// answerd with its store in the database, in this process as the one with a file is.
fn answerd(peer: &Rc<Peer>, url: &str, found: &mut Contestants) {
    let own = peer.directory.join("answerd");
    std::fs::create_dir(&own).unwrap();
    let settings = [
        ("ANSWERD_STORE__URL", url.to_owned()),
        ("ANSWERD_STORE__REQUIRE_STANDBY", "false".to_owned()),
    ];
    let practice = After("practice", Duration::ZERO, text(ANSWER_BYTES));
    let server = Rc::new(start_as(&own, Arc::new(practice), &settings));
    let contestant = |promises, measure: fn(SocketAddr, usize) -> f64| {
        let (server, peer) = (server.clone(), peer.clone());
        let measure = Box::new(move |connections| {
            // The database runs for as long as somebody measures it.
            let _peer = &peer;
            measure(server.address(), connections)
        });
        Contestant { name: "answerd on PostgreSQL", promises, measure }
    };
    found.submits.push(contestant("checked, priced, indexed, fsynced", super::submits));
    found.whole.push(contestant("submitted, started and ended, each fsynced", super::whole));
}

/// BullMQ on a Redis.
pub(crate) fn bullmq(redis: &Rc<Peer>, found: &mut Contestants) {
    let address = redis.address.to_string();
    node("BullMQ on Redis, appendfsync always", "bullmq.mjs", &address, redis, found);
}

/// A job server that a script drives, for its submits and for whole jobs.
fn node(
    name: &'static str,
    script: &'static str,
    address: &str,
    peer: &Rc<Peer>,
    found: &mut Contestants,
) {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/node");
    if !process::present("node") {
        return;
    }
    if !folder.join("node_modules").exists() {
        println!("left out: {name}; benches/peers/install installs it");
        return;
    }
    // It takes an address, how many jobs are under way at once, how long, and which work it is; and
    // prints how many a second were acknowledged, or ended.
    let measure = |work: &'static str| -> Box<dyn Fn(usize) -> f64> {
        let (script, address, peer) = (folder.join(script), address.to_owned(), peer.clone());
        Box::new(move |connections: usize| {
            // The server runs for as long as somebody measures it.
            let _peer = &peer;
            let output = Command::new("node")
                .arg(&script)
                .args([&address, &connections.to_string(), &TURN_SECONDS.to_string(), work])
                .stderr(Stdio::inherit())
                .output()
                .unwrap();
            number_behind("per second: ", &output)
        })
    };
    let promises = "queued by its library, fsynced";
    found.submits.push(Contestant { name, promises, measure: measure("submits") });
    let promises = "taken and ended by its library, both fsynced";
    found.whole.push(Contestant { name, promises, measure: measure("whole") });
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
