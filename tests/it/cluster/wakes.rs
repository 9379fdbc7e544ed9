//! Callers at one node who wait for what another one does.

use std::sync::Barrier;

use answerd::clock::{Clock, Stopwatch};
use serde_json::json;

use super::{node, post, until};
use crate::child::{Served, store_directory};
use crate::kill_client::text;
use crate::postgres::PostgresServer;

/// How long the jobs of one node run, milliseconds, and those of the other one, which do not end by
/// themselves.
const LATENCY_MS: &str = "200";
const ENDLESS_MS: &str = "600000";
/// How late a caller at another node may hear of something at the most, milliseconds: where nothing
/// was heard, what it waits for is looked at every two seconds.
const MISSED_MS_MAX: u64 = 2_100;
/// How late it usually hears of it at the most, on a busy machine, milliseconds. By looks alone it
/// would be a second.
const USUAL_MS_MAX: u64 = 600;
const ROUNDS: usize = 40;

/// Two nodes, each with a scraper that the other one has no key for: jobs of `practice` are run by
/// `quick` and end, and those of `chatgpt` are run by `endless` and do not.
struct Pair {
    server: PostgresServer,
    quick: Served,
    endless: Served,
    watch: Stopwatch,
    _directory: tempfile::TempDir,
}

impl Pair {
    fn new(wake: &str) -> Pair {
        let server = PostgresServer::start();
        let (directory, _) = store_directory();
        let start = |name, own: &[(&str, &str)]| {
            let settings = [&[("STORE__WAKE", wake), ("CACHE__TTL_SECONDS", "0")], own].concat();
            node(&server.url(), directory.path(), name, &settings)
        };
        let quick = start("quick", &[("PRACTICE__LATENCY_MS", LATENCY_MS)]);
        let of_endless = [
            ("PRACTICE__LATENCY_MS", ENDLESS_MS),
            ("SCRAPERS__CHATGPT__UPSTREAMS", "[\"practice\"]"),
            ("SCRAPERS__PRACTICE__UPSTREAMS", "[\"openai\"]"),
        ];
        let endless = start("endless", &of_endless);
        let watch = Clock::System.stopwatch();
        Pair { server, quick, endless, watch, _directory: directory }
    }

    /// Waits for one thing in several ways at the same time. Returns how much later than the first
    /// way each of the others came to its end, milliseconds.
    fn lags(&self, ways: &[&(dyn Fn() + Sync)]) -> Vec<u64> {
        let begin = Barrier::new(ways.len());
        let ended = |way: &(dyn Fn() + Sync)| {
            begin.wait();
            way();
            self.watch.elapsed_ms()
        };
        let ended: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = ways.iter().map(|way| scope.spawn(|| ended(*way))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        ended[1..].iter().map(|at_ms| at_ms.saturating_sub(ended[0])).collect()
    }

    /// Returns how much later a long poll and a stream of events at the other node end.
    fn end_of_a_job(&self) -> Vec<u64> {
        let id = submit(&self.quick, "practice");
        let poll = |served: &Served| {
            let (_, job) = served.get(&format!("/jobs/{id}?wait=60")).unwrap();
            assert_eq!(job["status"], "done", "{job}");
        };
        let stream = || {
            let told = self.endless.lines(&format!("/jobs/{id}/events"));
            let names: Vec<_> = told.iter().filter_map(|it| it.strip_prefix("event: ")).collect();
            assert_eq!(names.last(), Some(&"done"), "{told:?}");
        };
        self.lags(&[&|| poll(&self.quick), &|| poll(&self.endless), &stream])
    }

    fn end_of_a_batch(&self) -> u64 {
        let asked = json!({ "scraper": "practice", "prompts": ["one", "two"] });
        let (status, batch) = post(&self.quick, "/batches", None, &asked);
        assert_eq!(status, 202, "{batch}");
        let path = format!("/batches/{}?wait=60", text(&batch, "batch_id"));
        let poll = |served: &Served| {
            let (_, batch) = served.get(&path).unwrap();
            assert_eq!(batch["counts"]["done"], 2, "{batch}");
        };
        self.lags(&[&|| poll(&self.quick), &|| poll(&self.endless)])[0]
    }

    /// Cancels a job that another node runs. Returns how long that node goes on, milliseconds.
    fn cancel(&self) -> u64 {
        let id = submit(&self.endless, "chatgpt");
        until("the attempt", || running(&self.endless) == 1);
        let (status, job) = self.quick.send("DELETE", &format!("/jobs/{id}"), None, "").unwrap();
        assert_eq!((status, &job["error_code"]), (200, &json!("canceled")), "{job}");
        until("the end of the attempt", || running(&self.endless) == 0)
    }
}

fn submit(served: &Served, scraper: &str) -> String {
    let ask = json!({ "prompt": "What is a job?" });
    let (status, job) = post(served, &format!("/scrapers/{scraper}/jobs"), None, &ask);
    assert_eq!(status, 202, "{job}");
    text(&job, "job_id")
}

/// How many jobs of `chatgpt` run.
fn running(served: &Served) -> u64 {
    let (_, list) = served.get("/scrapers").unwrap();
    let all = list["scrapers"].as_array().unwrap();
    let chatgpt = all.iter().find(|scraper| scraper["name"] == "chatgpt").unwrap();
    chatgpt["queue"]["running"].as_u64().unwrap()
}

/// Checks how long something usually took, milliseconds. Returns what was measured.
fn usual(what: &str, mut measured: Vec<u64>) -> String {
    measured.sort_unstable();
    let part = |percent: usize| measured[(measured.len() * percent / 100).min(measured.len() - 1)];
    assert!(part(50) <= USUAL_MS_MAX, "{what}: {measured:?}");
    format!("{what}: {} times, p50 {} ms, p99 {} ms", measured.len(), part(50), part(99))
}

#[test]
fn callers_at_one_node_hear_at_once_what_another_one_does() {
    let pair = Pair::new("notify");
    let cancels = (0..9).map(|_| pair.cancel()).collect();
    eprintln!("{}", usual("a cancel elsewhere", cancels));
    let ends: Vec<Vec<u64>> = (0..ROUNDS).map(|_| pair.end_of_a_job()).collect();
    let of = |way: usize| ends.iter().map(|lags| lags[way]).collect();
    eprintln!("{}", usual("a long poll elsewhere", of(0)));
    eprintln!("{}", usual("a stream of events elsewhere", of(1)));
    let batches = (0..9).map(|_| pair.end_of_a_batch()).collect();
    eprintln!("{}", usual("a batch elsewhere", batches));
    // What is missed while nothing is heard is found by looking, and heard again soon after.
    for _ in 0..3 {
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE application_name = 'answerd/endless/listen'";
        until("a connection that hears", || pair.server.ask(cut) == "1");
        assert!(pair.end_of_a_job()[0] <= MISSED_MS_MAX);
    }
    let ends = (0..9).map(|_| pair.end_of_a_job()[0]).collect();
    eprintln!("{}", usual("a long poll after a cut", ends));
}

#[test]
fn callers_hear_by_looking_where_there_are_no_notifications() {
    let pair = Pair::new("poll");
    let ends = (0..9).map(|_| pair.end_of_a_job()[0]).collect();
    eprintln!("{}", usual("a long poll, by looking", ends));
    assert!(pair.end_of_a_batch() <= MISSED_MS_MAX);
    assert!(pair.cancel() <= MISSED_MS_MAX);
}
