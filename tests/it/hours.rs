//! The tables of hours of a shared store, over more than a day, while a transaction elsewhere keeps
//! old rows of the database.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use answerd::clock::Clock;
use serde_json::json;

use crate::app::{Gate, START_MS, Scripted, Step, until};
use crate::metrics::scrape;
use crate::nodes::node;
use crate::postgres::PostgresServer;
use crate::receiver::{Receiver, SECRET};
use crate::webhooks::ALLOW_LOOPBACK;

const HOURS: u64 = 30;
const HOUR_MS: u64 = 3_600_000;
/// 2026-01-01T00:00:00Z, from where on the tables count hours.
const HOURS_FROM_MS: u64 = 1_767_225_600_000;
/// When a job is submitted that ends late, and when it ends: its webhook outlives the other jobs of
/// its hour.
const KEPT_FROM: u64 = 2;
const KEPT_TO: u64 = 20;
/// All jobs that came before this hour have expired at the end, and their tables should be gone;
/// and what came from the later one on is there.
const GONE_BEFORE: u64 = 6;
const THERE_FROM: u64 = 9;

/// A session that was left in a transaction.
struct Pinned(Child);

impl Pinned {
    fn start(server: &PostgresServer, schema: &str) -> Pinned {
        let mut psql = Command::new("psql")
            .args(["-h", server.folder(), "-U", "answerd", "-d", "postgres", "-XAtq"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let statements = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM {schema}.queue;\n"
        );
        psql.stdin.as_mut().unwrap().write_all(statements.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(psql.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "0\n");
        Pinned(psql)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn hours_go_when_nothing_lives_in_them_and_a_pinned_snapshot_is_told_and_stops_nothing() {
    let server = PostgresServer::shared();
    let schema = server.new_schema();
    let (clock, hand) = Clock::manual(START_MS);
    // No server has this address before the end.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let gate = Gate::default();
    let app = node(&schema, "a")
        .at(clock)
        .env("ANSWERD_WEBHOOK_SECRET", SECRET)
        .set("WEBHOOKS__ALLOW_HOSTS", ALLOW_LOOPBACK)
        .set("CACHE__TTL_SECONDS", 0)
        .scripted("chatgpt", &Scripted::new("script", []))
        .scripted("perplexity", &Scripted::new("held", [Step::Hold(gate.clone())]))
        .start();
    let pinned = Pinned::start(server, &schema);
    let (mut kept, mut ids) = (String::new(), Vec::new());
    for hour in 0..HOURS {
        let id = app.submit("chatgpt", &format!("question {hour}"));
        assert_eq!(app.ended(&id)["status"], "done");
        ids.push(id);
        if hour == KEPT_FROM {
            let ask = json!({ "prompt": "late", "webhook_url": format!("http://{address}/hook") });
            let headers = [("content-type", "application/json")];
            let reply = app.post_with("/scrapers/perplexity/jobs", &headers, &ask.to_string());
            kept = reply.expect(202)["job_id"].as_str().unwrap().to_owned();
            gate.arrived(1);
        }
        if hour == KEPT_TO {
            gate.open();
            assert_eq!(app.ended(&kept)["status"], "done");
        }
        hand.advance_ms(HOUR_MS);
    }
    let first = (START_MS - HOURS_FROM_MS) / HOUR_MS;
    let hours = || -> BTreeSet<u64> {
        let found = server.ask(&format!("SELECT hour - {first} FROM {schema}.hours"));
        found.lines().map(|hour| hour.parse().unwrap()).collect()
    };
    // What is due is removed by the node that leads, which is not known right after a jump.
    let later = |what: &dyn Fn(&BTreeSet<u64>) -> bool| {
        until(|| {
            hand.advance_ms(5_000);
            what(&hours()).then_some(())
        });
    };
    // The numbers of its rows may have been fetched in the hour before.
    let kept_hour = format!("SELECT (row >> 30) - {first} FROM {schema}.outbox");
    let kept_hour: u64 = server.ask(&kept_hour).parse().unwrap();
    let are_old_gone =
        |hours: &BTreeSet<u64>| hours.iter().all(|hour| *hour >= GONE_BEFORE || *hour == kept_hour);
    later(&are_old_gone);
    let there = hours();
    assert!(kept_hour < GONE_BEFORE && there.contains(&kept_hour), "{kept_hour}: {there:?}");
    for (hour, id) in (0..).zip(&ids) {
        let status = app.get(&format!("/jobs/{id}")).status;
        assert!(status == 404 || hour >= GONE_BEFORE, "hour {hour}: {status}");
        assert!(status == 200 || hour < THERE_FROM, "hour {hour}: {status}");
    }
    let tables = format!(
        "SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}' AND tablename LIKE 'jobs\\_%'"
    );
    until(|| (server.ask(&tables) == hours().len().to_string()).then_some(()));
    assert_eq!(app.get(&format!("/jobs/{kept}")).status, 404);
    let age = until(|| {
        hand.advance_ms(1_000);
        let seconds = scrape(&app).0.get("answerd_store_oldest_snapshot_seconds").copied();
        seconds.filter(|seconds| *seconds > 0.0)
    });
    assert!(age < 600.0, "it is the database's time: {age}");

    // What the webhook reports has waited for it.
    let receiver = Receiver::start_at(&address, []);
    until(|| {
        hand.advance_ms(60_000);
        receiver.told_more().then_some(())
    });
    assert_eq!(receiver.told().json()["job_id"], kept);
    later(&|hours| !hours.contains(&kept_hour));
    drop(pinned);
    app.stop();
}
