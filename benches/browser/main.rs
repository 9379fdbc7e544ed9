//! The browser bench: what a job of the kind `browser` costs with its browser and its driver,
//! beside a script of Playwright with a context for each job, in turns on the same page and the same
//! Chromium. For an answer of 0.5 s and one of 30 s, one job and four at once: processor seconds for
//! each job, jobs a minute and the peak of memory of the whole tree of processes, starts included.
//! `cargo bench --bench browser`; with `-- --short` the long answer takes 6 s and there are fewer
//! jobs, with `-- --long` there are long answers alone. Needs chromium, chromedriver and npm, which gets `playwright-core` into target/.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod tree;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tree::{Cost, Watch};

/// Answers' length in milliseconds, and jobs for each that runs at once.
const CASES: [(u64, usize); 2] = [(500, 20), (30_000, 3)];
const SHORT_CASES: [(u64, usize); 2] = [(500, 8), (6_000, 2)];
const AT_ONCE: [usize; 2] = [1, 4];
/// How often both are measured, one after the other.
const TURNS: usize = 2;
const CHROMIUM: &str = "/usr/bin/chromium";

fn main() {
    let is_asked = |option: &str| std::env::args().any(|argument| argument == option);
    let cases = if is_asked("--short") { SHORT_CASES } else { CASES };
    let skipped = usize::from(is_asked("--long"));
    let modules = modules();
    let base = serve_page();
    println!(
        "CPU s each job, jobs a minute, peak MiB: answerd | Playwright | answerd / Playwright"
    );
    for (answer_ms, jobs_each) in cases.into_iter().skip(skipped) {
        for at_once in AT_ONCE {
            for _ in 0..TURNS {
                let jobs = jobs_each * at_once;
                let own = answerd(&base, answer_ms, jobs, at_once);
                let peer = playwright(&modules, &base, answer_ms, jobs, at_once);
                print(answer_ms, at_once, jobs, own, peer);
            }
        }
    }
}

fn print(answer_ms: u64, at_once: usize, jobs: usize, own: Cost, peer: Cost) {
    let each = |cost: Cost| {
        let jobs = jobs as f64;
        (cost.cpu_seconds / jobs, jobs * 60.0 / cost.elapsed_seconds, cost.peak_mib)
    };
    let (one, two) = (each(own), each(peer));
    println!(
        "{:>4.1} s, {at_once} at once, {jobs:>2} jobs: {:>5.2} {:>5.1} {:>4.0} | {:>5.2} {:>5.1} {:>4.0} | \
         {:.2} {:.2} {:.2}",
        answer_ms as f64 / 1_000.0,
        one.0,
        one.1,
        one.2,
        two.0,
        two.1,
        two.2,
        one.0 / two.0,
        one.1 / two.1,
        one.2 / two.2
    );
}

/// Serves the page on loopback; returns its origin. It runs in this process, which is not measured.
fn serve_page() -> String {
    const PAGE: &str = include_str!("page.html");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut request = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                while request.read_line(&mut line).is_ok_and(|read| read > 2) {
                    line.clear();
                }
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\n\
                            connection: close\r\ncontent-length: ";
                // A browser may hang up on it.
                let _ = write!(stream, "{head}{}\r\n\r\n{PAGE}", PAGE.len());
            });
        }
    });
    base
}

/// Runs jobs through a server of answerd.
fn answerd(base: &str, answer_ms: u64, jobs: usize, at_once: usize) -> Cost {
    let directory = tempfile::tempdir().unwrap();
    let recipe = include_str!("page.toml").replace("MS", &answer_ms.to_string());
    std::fs::write(directory.path().join("page.toml"), recipe).unwrap();
    let at_once = at_once.to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_answerd"))
        .args(["serve", "--json"])
        .current_dir(directory.path())
        .env("ANSWERD_STORE__PATH", directory.path().join("data"))
        .env("ANSWERD_HTTP__BIND", "127.0.0.1:0")
        .env("ANSWERD_LOG__LEVEL", "warn")
        .env("ANSWERD_BROWSER__RECIPES", directory.path())
        .env("ANSWERD_UPSTREAMS__PAGE__KIND", "browser")
        .env("ANSWERD_UPSTREAMS__PAGE__RECIPE", "page")
        .env("ANSWERD_UPSTREAMS__PAGE__BASE_URL", base)
        .env("ANSWERD_UPSTREAMS__PAGE__SESSIONS", &at_once)
        .env("ANSWERD_SCRAPERS__PAGE__UPSTREAMS", "[\"page\"]")
        .env("ANSWERD_SCRAPERS__PAGE__WORKERS", &at_once)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let watch = Watch::start(child.id());
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    let url = started["url"].as_str().unwrap();
    let read = |reply: ureq::http::Response<ureq::Body>| -> Value {
        serde_json::from_reader(reply.into_body().into_reader()).unwrap()
    };
    let submit = |number: usize| {
        let path = format!("{url}/scrapers/page/jobs?prompt=How+long+are+results+kept+{number}");
        let job = read(ureq::post(path).send_empty().unwrap());
        job["job_id"].as_str().unwrap().to_owned()
    };
    let ids: Vec<String> = (0..jobs).map(submit).collect();
    for id in ids {
        let job = loop {
            let job = read(ureq::get(format!("{url}/jobs/{id}?wait=60")).call().unwrap());
            if job["status"] != "pending" {
                break job;
            }
        };
        let result = &job["result"];
        let text = result["result"].as_str().unwrap_or_else(|| panic!("{job:#}"));
        assert!(text.starts_with("results are kept"), "{job:#}");
        assert_eq!(result["links"].as_array().map(Vec::len), Some(3), "{job:#}");
    }
    let cost = watch.cost();
    end(child);
    cost
}

fn end(mut child: Child) {
    let asked = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(asked.success() && child.wait().unwrap().success());
}

fn playwright(modules: &Path, base: &str, answer_ms: u64, jobs: usize, at_once: usize) -> Cost {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/browser/playwright.mjs");
    let mut child = Command::new("node")
        .arg(script)
        .arg(modules)
        .args([CHROMIUM, &format!("{base}/page?ms={answer_ms}")])
        .args([jobs.to_string(), at_once.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let watch = Watch::start(child.id());
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let cost = watch.cost();
    output.read_to_string(&mut line).unwrap();
    assert!(child.wait().unwrap().success() && line.starts_with("done"), "{line}");
    cost
}

/// Gets `playwright-core` where it is not there yet; returns the folder that has it.
fn modules() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("playwright");
    if !folder.join("node_modules/playwright-core").exists() {
        std::fs::create_dir_all(&folder).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&folder);
        assert!(npm.arg("playwright-core@1").status().unwrap().success(), "npm is needed");
    }
    folder
}
